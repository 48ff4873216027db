/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A token bucket as one number: the time at which it will be full again (a leaky bucket as a virtual
 * schedule, as in ITU-T I.371). All zero is a full one. Pure. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bucket_rate {
    uint64_t interval_us; /* a token comes back every so often … */
    unsigned burst;       /* … until there are so many */
};

/* One thread at a time. */
struct bucket {
    uint64_t full_us;
};

/* Any thread, without a lock. */
struct bucket_shared {
    _Atomic uint64_t full_us;
};

/* How long b still needs to be full, microseconds. */
static inline uint64_t bucket_debt(const struct bucket *b, uint64_t now_us)
{
    return b->full_us > now_us ? b->full_us - now_us : 0;
}

/* How long to wait until cost tokens (at most the burst) are there: 0 when they are. */
static inline uint64_t bucket_wait(const struct bucket *b, const struct bucket_rate *rate, unsigned cost,
                                   uint64_t now_us)
{
    uint64_t debt = bucket_debt(b, now_us), bearable = (rate->burst - cost) * rate->interval_us;
    return debt > bearable ? debt - bearable : 0;
}

/* Takes cost tokens whether they are there or not. */
static inline void bucket_spend(struct bucket *b, const struct bucket_rate *rate, unsigned cost,
                                uint64_t now_us)
{
    b->full_us = now_us + bucket_debt(b, now_us) + cost * rate->interval_us;
}

/* Takes cost tokens. False when there are not so many; then none is taken. */
static inline bool bucket_take(struct bucket *b, const struct bucket_rate *rate, unsigned cost,
                               uint64_t now_us)
{
    if (cost > rate->burst || bucket_wait(b, rate, cost, now_us))
        return false;
    bucket_spend(b, rate, cost, now_us);
    return true;
}

/* As bucket_take. */
static inline bool bucket_take_shared(struct bucket_shared *b, const struct bucket_rate *rate, unsigned cost,
                                      uint64_t now_us)
{
    uint64_t full = atomic_load_explicit(&b->full_us, memory_order_relaxed);
    struct bucket next;
    do {
        next.full_us = full;
        if (!bucket_take(&next, rate, cost, now_us))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&b->full_us, &full, next.full_us, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}
