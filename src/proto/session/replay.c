/* SPDX-License-Identifier: Apache-2.0 */
/* The replay window: a ring of 64-bit words, one more than the window needs, so that moving it forward clears
 * whole words and never shifts (RFC 6479 §2). The thread that owns the lane writes; docs/PROTOCOL.md §4. */

#include "proto/session/replay.h"

void replay_advance(struct replay *r, uint64_t highest, uint64_t counter)
{
    uint64_t first = highest / 64 + (highest % 64 != 0), last = counter / 64;

    if (last - first >= REPLAY_WORDS && last >= first)
        first = last - (REPLAY_WORDS - 1);
    for (uint64_t w = first; w <= last; w++)
        r->bits[w % REPLAY_WORDS] = 0;
    atomic_store_explicit(&r->highest, counter + 1, memory_order_relaxed);
}
