/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which way out of this machine an uplink takes: the kernel's choice, then each standby (proto/path/ways.h), round by round. One
 * that came up by a standby returns when the kernel's choice leads there again. Pure. docs/PROTOCOL.md §15. */

#include "base/clock.h"
#include "proto/path/ways.h"
#include <stdbool.h>
#include <stdint.h>

#define UPLINK_WAYS_PATIENCE_US USEC_PER_SEC /* for a connection, while another way is left; doubles … */
#define UPLINK_WAYS_ROUNDS_MAX  3            /* … with each round, so often */
#define UPLINK_WAYS_RETURN_US                                                                                \
    (10 * USEC_PER_SEC)        /* of answers by the kernel's choice, before it is taken again; doubles … */
#define UPLINK_WAYS_VAIN_MAX 6 /* … with each time that this was in vain, so often */

/* All zero: the kernel's choice is taken. */
struct uplink_ways {
    uint32_t interface; /* that is taken; 0: the kernel's choice */
    unsigned tried;     /* of this round, before it */
    bool
        returning; /* it was given up for the kernel's choice, which has not shown yet that it leads there … */
    unsigned vain;    /* … and did not, so often in a row */
    uint64_t well_us; /* since when requests by the kernel's choice are answered; 0: the last was not */
};

/* The way that is taken leads nowhere, or does not any more: the next one is taken. False: that was the round's last. */
bool uplink_ways_next(struct uplink_ways *w, const struct ways *all);

/* It leads there. */
void uplink_ways_arrived(struct uplink_ways *w);

/* How long a connection may take; rounds: so many have failed. 0: no other way is left. */
uint64_t uplink_ways_patience_us(const struct uplink_ways *w, const struct ways *all, unsigned rounds);

/* A request that left by that way was answered, or not. True: a standby is taken that is needed no longer. */
bool uplink_ways_heard(struct uplink_ways *w, uint32_t interface, bool answered, uint64_t now_us);
void uplink_ways_return(struct uplink_ways *w);
