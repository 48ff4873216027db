/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A byte stream to the host of an http:// or https:// URL, by libcurl: through TLS where the URL asks for it, and by CONNECT
 * through a proxy if there is one. Nothing in here waits. One thread. */

#include "base/addr.h"
#include "node/helper/http_handle.h"
#include <sys/types.h>

#define TUNNEL_CONNECT_MS 5000l /* until TLS is up */
#define TUNNEL_FDS_MAX    4     /* of those that it waits for while it connects */

struct tunnel;

/* Begins. ERR_NOMEM. url, proxy and curl are borrowed until tunnel_close; addresses are those of http_handle_aim,
 * interface that of http_handle_leave_by. */
int tunnel_open(const struct curl_library *curl, const struct proxy *proxy, const char *url,
                uint32_t interface, const struct addr *addresses, unsigned count,
                struct tunnel **out) must_check;

/* While it connects: what to wait for, and how long at most. Returns the number of fds, TUNNEL_FDS_MAX at most. */
unsigned tunnel_wants(struct tunnel *t, struct curl_waitfd *fds, int *timeout_ms);

/* After that wait. 0: connected; ERR_AGAIN: not yet; ERR_CLOSED: it has failed, and why tells the cause. */
int tunnel_advance(struct tunnel *t, char why[HTTP_CAUSE_MAX]) must_check;

/* Of one that has failed: as http_handle_is_silence. */
bool tunnel_was_silent(const struct tunnel *t);

/* Of one that is connected: what to poll. */
int tunnel_fd(const struct tunnel *t);

/* How many bytes were received, or sent; ERR_AGAIN, ERR_CLOSED. What was refused with ERR_AGAIN is sent again as it is:
 * same bytes, same length. */
ssize_t tunnel_receive(struct tunnel *t, void *out, size_t cap) must_check;
ssize_t tunnel_send(struct tunnel *t, const void *data, size_t len) must_check;

/* NULL is allowed. */
void tunnel_close(struct tunnel *t);
