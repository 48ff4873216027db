/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A sliding window over 8192 counters (RFC 6479's scheme). Owned by the thread that owns the lane; any thread
 * may read highest and received. Starts zeroed. */

#include "proto/wire/drop.h"
#include "base/err.h"
#include <stdatomic.h>
#include <stdint.h>

#define REPLAY_WINDOW 8192
#define REPLAY_WORDS  (REPLAY_WINDOW / 64 + 1)

struct replay {
    _Atomic uint64_t highest;  /* next counter never seen: 0 when nothing was received */
    _Atomic uint64_t received; /* accepted so far; highest - received are lost or still to come */
    uint64_t bits[REPLAY_WORDS];
};

/* The window of a lane that is seldom used: over 64 counters, in 8 bytes. */
#define REPLAY_NARROW 64

struct replay_narrow {
    _Atomic uint64_t highest, received; /* as in struct replay */
    uint64_t recent;                    /* bit n: highest - 1 - n was accepted */
};

/* As those of struct replay. */
enum drop replay_narrow_check(const struct replay_narrow *n, uint64_t counter) must_check;
void replay_narrow_accept(struct replay_narrow *n, uint64_t counter);

/* One takes the place of the other. What the narrow one no longer knows counts as seen. */
void replay_widen(struct replay *r, const struct replay_narrow *n);
void replay_narrow(struct replay_narrow *n, const struct replay *r);

/* Empties the words that the window enters when its newest counter becomes `counter`, and moves it there. */
void replay_advance(struct replay *r, uint64_t highest, uint64_t counter);

/* DROP_NONE, DROP_REPLAY, or DROP_OLD (also for 2^64 - 1, which no key lives to see): before the tag is
 * checked; changes nothing. */
must_check static inline enum drop replay_check(const struct replay *r, uint64_t counter)
{
    uint64_t highest = atomic_load_explicit(&r->highest, memory_order_relaxed);

    if (counter == UINT64_MAX)
        return DROP_OLD; /* highest could not pass it */
    if (counter >= highest)
        return DROP_NONE;
    if (highest - counter > REPLAY_WINDOW)
        return DROP_OLD;
    return r->bits[counter / 64 % REPLAY_WORDS] >> (counter % 64) & 1 ? DROP_REPLAY : DROP_NONE;
}

/* Marks an authenticated counter that replay_check let pass. */
static inline void replay_accept(struct replay *r, uint64_t counter)
{
    uint64_t highest = atomic_load_explicit(&r->highest, memory_order_relaxed);
    uint64_t received = atomic_load_explicit(&r->received, memory_order_relaxed);

    if (counter >= highest)
        replay_advance(r, highest, counter);
    r->bits[counter / 64 % REPLAY_WORDS] |= 1ull << (counter % 64);
    /* released, so that whoever reads it before highest sees received <= highest */
    atomic_store_explicit(&r->received, received + 1, memory_order_release);
}
