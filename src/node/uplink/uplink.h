/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* This node's uplink to a backbone (docs/PROTOCOL.md §15), which a helper process keeps: proves our id, opens and accepts
 * streams, agrees on pairs, and is made anew when it is lost. The log tells when it is up, and why it is not. Control
 * thread. */

#include "base/addr.h"
#include "base/err.h"
#include "base/id.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct identity;
struct streams;
struct target;
struct uplink;
struct ways;

struct uplink_config {
    uv_loop_t *loop;
    const char *url;   /* of the backbone; borrowed, as what follows */
    const char *proxy; /* the URL of the one by which it is reached; NULL: none */
    int fd;            /* the node's end of the channel to the helper; taken, also on an error */
    unsigned backbone; /* its number, for targets and endpoints */
    unsigned workers;  /* that take datagrams */
    const struct identity *me;
    struct streams *streams;
    const struct ways *ways; /* out of this machine, as they are at present */
    /* Where the URL's host, or the proxy, is; returns how many. 0: not known yet, and uplink_hurry says when it is. */
    unsigned (*addresses)(void *context, const struct addr **out);
    /* Whether anything of the backbone answers. If not, whoever found that out has told the log. */
    bool (*reachable)(void *context);
    /* interface: by which it is up, a standby of ways; 0: as the kernel chooses. */
    void (*state)(void *context, bool up, uint32_t interface);
    /* It ended, or did not come about by any way, and it is not us who left. code: as HELPER_UPLINK_CLOSED's. Last of what is told of it. */
    void (*failed)(void *context, bool was_up, unsigned code);
    void (*paired)(void *context, const struct node_id *id, bool on);
    /* A channel of the backbone's relay, which is at that UDP port. */
    void (*relayed)(void *context, const struct node_id *id, uint16_t port, uint32_t channel,
                    const uint8_t *token);
    void (*dropped)(void *context, uint64_t datagrams); /* they waited too long on their way out, or in */
    void *context;
};

int uplink_new(const struct uplink_config *config, struct uplink **out) must_check;

/* Something has changed for the better: one that is down is tried at once. */
void uplink_hurry(struct uplink *u);

/* It goes to that URL from now on, another instance's, at once; empty: where it was given, or nowhere. Borrowed until the
 * next. */
void uplink_move(struct uplink *u, const char *url);

/* Our addresses have changed: one that is up has to show that it still works, or is made anew at once. */
void uplink_network_changed(struct uplink *u);

/* What goes by it is missed: it has to show likewise that it still works, or goes by another way. */
void uplink_check(struct uplink *u);

/* A request to the backbone that left by this interface was answered, or not: one that is up by a standby returns after a while
 * to what the kernel chooses. */
void uplink_heard(struct uplink *u, uint32_t interface, bool answered, uint64_t now_us);

/* As streams_dial, for a target of this uplink. */
void uplink_dial(struct uplink *u, uint64_t conn, const struct target *to);

/* We take datagrams of that node, and send it ours; or no longer. Lost when the uplink is down. */
void uplink_pair(struct uplink *u, const struct node_id *id, bool on);

/* We ask for a channel of its relay to that node. Lost when the uplink is down. */
void uplink_relay(struct uplink *u, const struct node_id *id);

struct uplink_status {
    const char *state; /* "up", "proving", "down" */
    uint64_t since_us;
    const char *error;  /* of the last attempt that failed; empty when it is up */
    uint32_t interface; /* as state's; 0 when it is down */
};
struct uplink_status uplink_status(const struct uplink *u);

/* No event comes any more; memory goes when the loop has closed the handles and a signature is made. NULL is allowed. */
void uplink_close(struct uplink *u);
