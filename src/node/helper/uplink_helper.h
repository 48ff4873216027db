/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The uplink's half of the backbone helper: a pipe between the node's channels and a WebSocket, which it makes when the node
 * says so. It reads of messages only whether they are DATAGRAMS, and of those which worker is to have them. */

#include "node/helper/tunnel.h"
#include <stdint.h>

#define UPLINK_WORKERS_MAX    9
#define UPLINK_HELPER_FDS_MAX (1 + UPLINK_WORKERS_MAX + TUNNEL_FDS_MAX)

/* The helper's ends of the channels. */
struct uplink_ends {
    int control;
    int workers[UPLINK_WORKERS_MAX];
    unsigned worker_count;
};

struct uplink_helper;

/* url: the backbone's; empty: none, each connection is a visit where the node says. Says HELPER_UPLINK_READY; what a process before this one has left unread is gone. All is borrowed. ERR_NOMEM,
 * ERR_CLOSED. */
int uplink_helper_new(const struct curl_library *curl, const struct proxy *proxy, const char *url,
                      const struct uplink_ends *ends, struct uplink_helper **out) must_check;

/* What to wait for, and how long at most. Returns how many: the node's channels come first. */
unsigned uplink_helper_wants(struct uplink_helper *h, struct curl_waitfd fds[UPLINK_HELPER_FDS_MAX],
                             int *timeout_ms);

/* After that wait, with what has come of it: only channels that have something are read. ERR_CLOSED: the node is gone.
 * ERR_FORMAT: it says what it may not. */
int uplink_helper_turn(struct uplink_helper *h, const struct curl_waitfd *fds, unsigned count) must_check;

/* The node is gone: what it said before is sent, as far as the connection takes it at once. */
void uplink_helper_end(struct uplink_helper *h);
