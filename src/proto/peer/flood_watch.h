/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether frames to everybody are data that a peer's paths are awake for: many are. A path that sleeps wakes for them in
 * its turn alone, as a flood would wake those to all peers at once. Pure; control thread. docs/PROTOCOL.md §9.
 *
 * Each turn that is given comes: so no more are given ahead than there are peers, and the last one waits for as many. */

#include "base/bucket.h"
#include "proto/switch/floods.h"
#include <stdbool.h>
#include <stdint.h>

#define FLOOD_WAKE_US 50000ull /* from a turn to the next one, of all peers */

/* Of all peers. All zero: nobody waits. */
struct flood_turns {
    uint64_t next_us; /* the first that is not given */
};

/* Of one. All zero: nothing was seen. */
struct flood_watch {
    struct flood_counts seen;
    struct bucket sent, received; /* which are few */
    uint64_t turn_us;             /* when it is woken; 0: it does not wait */
};

/* How many were exchanged since the last look; each accounts for one datagram. */
uint32_t flood_watch_passed(const struct flood_watch *w, const struct flood_counts *counts);

/* Looks at the counts: true when they are data. While the path sleeps that is so once its turn has come, for which it waits
 * from the first time on that there were more than few. */
bool flood_watch_look(struct flood_watch *w, struct flood_turns *turns, const struct flood_counts *counts,
                      bool sleeps, uint64_t now_us);

/* When it should look again at the latest; TIME_NEVER: whenever it likes. */
uint64_t flood_watch_deadline(const struct flood_watch *w);
