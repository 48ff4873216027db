/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Connections as they are accepted, on a thread of its own: those of trusted proxies may begin with a PROXY header
 * (proxy_header.h), which is taken off and counts as their source. What follows is the HTTP server's. */

#include "backbone/forwarded.h"
#include "base/err.h"

#define ARRIVALS_WAITING_MAX 256 /* of proxies, of whose header not all is there; the oldest makes room */
#define ARRIVALS_HEADER_S    5   /* so long it is waited for */

struct arrivals;

struct arrivals_config {
    int listener; /* borrowed, as what follows */
    const struct forwarded_proxies *proxies;
    /* Whether one more may be accepted now; asked before each. */
    bool (*room)(void *context);
    /* Takes fd. */
    void (*arrived)(void *context, int fd, const struct addr *source);
    /* A connection was closed for its header, or for want of one or of room. */
    void (*refused)(void *context);
    void *context;
};

int arrivals_start(const struct arrivals_config *config, struct arrivals **out) must_check;

/* Ends the thread and closes what waits. NULL is allowed. */
void arrivals_stop(struct arrivals *a);
