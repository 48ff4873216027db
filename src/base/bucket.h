/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A token bucket as one number: the time at which it will be full again (a leaky bucket as a virtual
 * schedule). All zero is a full one. Pure; one thread at a time. */

#include <stdbool.h>
#include <stdint.h>

struct bucket_rate {
    uint64_t interval_us; /* a token comes back every so often … */
    unsigned burst;       /* … until there are so many */
};

struct bucket {
    uint64_t full_us;
};

/* Takes cost tokens. False when there are not so many; then none is taken. */
static inline bool bucket_take(struct bucket *b, const struct bucket_rate *rate, uint64_t cost,
                               uint64_t now_us)
{
    uint64_t full = (b->full_us > now_us ? b->full_us : now_us) + cost * rate->interval_us;
    if (full - now_us > rate->burst * rate->interval_us)
        return false;
    b->full_us = full;
    return true;
}
