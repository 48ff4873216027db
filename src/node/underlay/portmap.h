/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Outer addresses that the router of this machine's network leads to our ports. A helper asks for them
 * (node/helper/portmap_helper.h); here is decided whether it asks whom, and what is believed of it. Control thread. */

#include "node/helper/helper_message.h"
#include "proto/wire/candidate.h"
#include <uv.h>

#define PORTMAP_FAMILIES 2

struct config;
struct device;
struct portmap;

struct portmap_config {
    uv_loop_t *loop;
    const struct config *config;
    struct device *device;
    void (*changed)(void *context); /* candidates are other ones now */
    void *context;
};

/* What is shown of one family. */
struct portmap_view {
    struct addr gateway;           /* family 0: no router is asked */
    struct addr external, control; /* of our UDP and TCP ports; family 0: none */
    bool announced;                /* it may be another machine's way to us */
    uint32_t lifetime_s;
    const char *
        text; /* the protocol; without external why there is none, as the end of "the router …"; or empty: it is
                       * being asked */
};

/* Takes fd, the node's end to the helper, also on an error: ERR_NOMEM. Its first word begins it all. */
int portmap_new(const struct portmap_config *config, int fd, struct portmap **out) must_check;

/* Addresses or interfaces changed: what is mapped is asked for again, of whatever router there is. */
void portmap_on_change(struct portmap *p);

/* Once a second: the router may be another one though no address changed. */
void portmap_tick(struct portmap *p, uint64_t now_us);

/* Candidates of kind mapped, PORTMAP_FAMILIES at most. NULL has none. */
unsigned portmap_candidates(const struct portmap *p, struct candidate out[PORTMAP_FAMILIES]);

/* Of IPv4 (0) and IPv6 (1). */
struct portmap_view portmap_view(const struct portmap *p, unsigned family);

/* The helper ends what the router was asked for, and then itself. NULL is allowed. */
void portmap_close(struct portmap *p);
