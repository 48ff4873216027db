/* SPDX-License-Identifier: Apache-2.0 */
/* The replay window: a ring of 64-bit words, one more than the window needs, so that moving it forward clears
 * whole words and never shifts (RFC 6479 §2). The thread that owns the lane writes; docs/PROTOCOL.md §4. */

#include "proto/session/replay.h"

#define WORDS (REPLAY_WINDOW / 64 + 1)

static uint64_t get(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

enum drop replay_check(const struct replay *r, uint64_t counter)
{
    uint64_t highest = get(&r->highest);

    if (counter == UINT64_MAX)
        return DROP_OLD; /* highest could not pass it */
    if (counter >= highest)
        return DROP_NONE;
    if (highest - counter > REPLAY_WINDOW)
        return DROP_OLD;
    return r->bits[counter / 64 % WORDS] >> (counter % 64) & 1 ? DROP_REPLAY : DROP_NONE;
}

/* Empties the words that the window enters when its newest counter becomes `counter`. */
static void advance(struct replay *r, uint64_t highest, uint64_t counter)
{
    uint64_t first = highest / 64 + (highest % 64 != 0), last = counter / 64;

    if (last - first >= WORDS && last >= first)
        first = last - (WORDS - 1);
    for (uint64_t w = first; w <= last; w++)
        r->bits[w % WORDS] = 0;
    atomic_store_explicit(&r->highest, counter + 1, memory_order_relaxed);
}

void replay_accept(struct replay *r, uint64_t counter)
{
    uint64_t highest = get(&r->highest);

    if (counter >= highest)
        advance(r, highest, counter);
    r->bits[counter / 64 % WORDS] |= 1ull << (counter % 64);
    /* released, so that whoever reads it before highest sees received <= highest */
    atomic_store_explicit(&r->received, get(&r->received) + 1, memory_order_release);
}
