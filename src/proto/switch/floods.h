/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames to groups or unknown addresses, by peer: how many of them may come in, and go out to one whose paths sleep, and how
 * many did. docs/PROTOCOL.md §9 and §13. Any thread, without a lock.
 *
 * To a sleeping one go few, which wake nothing at its end. More are withheld, and tell our end to wake the path
 * (proto/peer/flood_watch.h). */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* So many of them, in one direction, are few: no data, and no reason to wake a path. */
#define FLOODS_FEW_US    500000ull /* one in so long … */
#define FLOODS_FEW_BURST 80        /* … and so many at once … */
#define FLOODS_FEW_SENT                                                                                      \
    64 /* … of which we send no more than that, as others come late, and so closer together */

struct floods;

/* For slots 0..peers-1. ERR_NOMEM. */
int floods_new(unsigned peers, struct floods **out) must_check;
void floods_free(struct floods *f); /* NULL is allowed */

/* One is there to be sent to the peer in slot. False: it is withheld, as the peer's paths sleep, and it takes several
 * datagrams (not alone), or there were few already. */
bool floods_send(struct floods *f, uint32_t slot, bool sleeps, bool alone, uint64_t now_us);

/* One came from the peer in slot. False: it is over what the peer may send: SWITCH_STORM_RATE. */
bool floods_receive(struct floods *f, uint32_t slot, uint64_t now_us);

/* One came that is let in by no budget. */
void floods_refuse(struct floods *f, uint32_t slot);

/* How many there were so far, each modulo 2^32, and of earlier peers in slot, too. All 0 beyond the slots. */
struct flood_counts {
    uint32_t sent, received, withheld;
};
struct flood_counts floods_counts(const struct floods *f, uint32_t slot);

/* The peer in slot is another one from now on: its budgets are whole. */
void floods_forget(struct floods *f, uint32_t slot);
