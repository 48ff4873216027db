/* SPDX-License-Identifier: Apache-2.0 */
/* The replay window: a ring of 64-bit words, one more than the window needs, so that moving it forward clears
 * whole words and never shifts (RFC 6479 §2). The thread that owns the lane writes; docs/PROTOCOL.md §4. */

#include "proto/session/replay.h"

#include "base/counter.h"
#include <stdbool.h>
#include <string.h>

void replay_advance(struct replay *r, uint64_t highest, uint64_t counter)
{
    uint64_t first = highest / 64 + (highest % 64 != 0), last = counter / 64;

    if (last - first >= REPLAY_WORDS && last >= first)
        first = last - (REPLAY_WORDS - 1);
    for (uint64_t w = first; w <= last; w++)
        r->bits[w % REPLAY_WORDS] = 0;
    atomic_store_explicit(&r->highest, counter + 1, memory_order_relaxed);
}

enum drop replay_narrow_check(const struct replay_narrow *n, uint64_t counter)
{
    uint64_t highest = counter_get(&n->highest);
    if (counter == UINT64_MAX)
        return DROP_OLD;
    if (counter >= highest)
        return DROP_NONE;
    uint64_t age = highest - 1 - counter;
    if (age >= REPLAY_NARROW)
        return DROP_OLD;
    return n->recent >> age & 1 ? DROP_REPLAY : DROP_NONE;
}

void replay_narrow_accept(struct replay_narrow *n, uint64_t counter)
{
    uint64_t highest = counter_get(&n->highest);
    if (counter >= highest) {
        uint64_t forward = counter + 1 - highest;
        n->recent = forward < REPLAY_NARROW ? n->recent << forward : 0;
        highest = counter + 1;
        atomic_store_explicit(&n->highest, highest, memory_order_relaxed);
    }
    n->recent |= 1ull << (highest - 1 - counter);
    atomic_store_explicit(&n->received, counter_get(&n->received) + 1, memory_order_release);
}

static uint64_t bit_of(uint64_t counter)
{
    return 1ull << (counter % 64);
}

/* Beyond the highest nothing is seen: what its word holds of that has to be clear, other words are cleared when they are
 * entered. */
void replay_widen(struct replay *r, const struct replay_narrow *n)
{
    uint64_t highest = counter_get(&n->highest), received = counter_get(&n->received);
    bool knows_all = received == (uint64_t)__builtin_popcountll(n->recent);
    memset(r->bits, knows_all ? 0 : 0xff, sizeof(r->bits));
    r->bits[highest / 64 % REPLAY_WORDS] &= bit_of(highest) - 1;
    for (uint64_t age = 0; age < REPLAY_NARROW && age < highest; age++) {
        uint64_t counter = highest - 1 - age, *word = &r->bits[counter / 64 % REPLAY_WORDS];
        *word = n->recent >> age & 1 ? *word | bit_of(counter) : *word & ~bit_of(counter);
    }
    atomic_store_explicit(&r->highest, highest, memory_order_relaxed);
    atomic_store_explicit(&r->received, received, memory_order_relaxed);
}

void replay_narrow(struct replay_narrow *n, const struct replay *r)
{
    uint64_t highest = counter_get(&r->highest);
    n->recent = 0;
    for (uint64_t age = 0; age < REPLAY_NARROW && age < highest; age++) {
        uint64_t counter = highest - 1 - age;
        if (r->bits[counter / 64 % REPLAY_WORDS] & bit_of(counter))
            n->recent |= 1ull << age;
    }
    atomic_store_explicit(&n->highest, highest, memory_order_relaxed);
    atomic_store_explicit(&n->received, counter_get(&r->received), memory_order_relaxed);
}
