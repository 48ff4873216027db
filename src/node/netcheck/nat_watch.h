/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What cannot be seen from the data port, which has sent to every server: whom the NAT lets in, and whether it leads back what we
 * send to our own address. An inquiry from fresh sockets some seconds after the start and after the network changed. Control
 * thread. */

#include "node/netcheck/netcheck_udp.h"

#define NAT_WATCH_AFTER_US 5000000ull  /* a change: until then the network has settled */
#define NAT_WATCH_PAUSE_US 60000000ull /* from one inquiry to the next, whatever changes */
#define NAT_WATCH_FOR_US   4000000ull

struct nat_watch_config {
    uv_loop_t *loop;
    /* Copies the STUN servers that answer the data port; returns how many. */
    unsigned (*servers)(void *context, struct addr out[2 * NAT_CHECK_SERVERS_MAX]);
    /* What was found: filtering and hairpin of a family. */
    void (*found)(void *context, unsigned family, const struct nat *nat);
    void *context;
};

struct nat_watch {
    struct nat_watch_config config;
    uint64_t due_us, begun_us; /* TIME_NEVER: no inquiry is due; 0: there was none */
    bool running, closed;
    struct netcheck_udp udp;
};

/* The first inquiry is due NAT_WATCH_AFTER_US from now. */
void nat_watch_init(struct nat_watch *w, const struct nat_watch_config *config, uint64_t now_us);

/* The network changed. */
void nat_watch_changed(struct nat_watch *w, uint64_t now_us);

/* Once a second: begins what is due, and ends what has lasted long enough. */
void nat_watch_tick(struct nat_watch *w, uint64_t now_us);

/* Nothing is told any more; the loop closes the handles. */
void nat_watch_close(struct nat_watch *w);
