/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits per prefix. A bucket is one number, the time at which it will be full again (the virtual
 * scheduling form of a leaky bucket), so forgetting an idle prefix loses nothing. Hashed into sets of eight
 * places. */

#include "proto/admission/limits.h"

#include "crypto/secret.h"
#include <stdbool.h>
#include <stdlib.h>

#define WAYS 8

struct bucket {
    struct prefix prefix; /* family 0: a free place */
    uint64_t full_us;     /* when it is full again; in the past when it is */
};

struct limits {
    uint64_t interval_us, depth_us; /* depth: to fill an empty bucket, of any level */
    uint64_t seed[2];
    size_t set_mask;
    struct bucket buckets[];
};

int limits_new(unsigned sources, uint64_t interval_us, unsigned burst, struct limits **out)
{
    size_t sets = 1;
    while (sets * WAYS < (size_t)sources * PREFIX_LEVELS)
        sets *= 2;
    struct limits *l = calloc(1, sizeof *l + sets * WAYS * sizeof *l->buckets);
    if (!l)
        return ERR_NOMEM;
    l->interval_us = interval_us;
    l->depth_us = interval_us * burst;
    l->set_mask = sets - 1;
    secret_random(l->seed, sizeof l->seed);
    *out = l;
    return 0;
}

void limits_free(struct limits *l)
{
    free(l);
}

static size_t set_of(const struct limits *l, const struct prefix *p)
{
    return (prefix_hash(p, l->seed) & l->set_mask) * WAYS;
}

/* When p's bucket is full; a prefix that is not remembered is not in debt. */
static uint64_t full_at(const struct limits *l, const struct prefix *p, uint64_t now_us)
{
    const struct bucket *set = &l->buckets[set_of(l, p)];
    for (const struct bucket *b = set; b < set + WAYS; b++)
        if (prefix_equal(&b->prefix, p))
            return b->full_us > now_us ? b->full_us : now_us;
    return now_us;
}

static void remember(struct limits *l, const struct prefix *p, uint64_t full_us)
{
    struct bucket *set = &l->buckets[set_of(l, p)], *fullest = set;
    for (struct bucket *b = set; b < set + WAYS; b++) {
        if (prefix_equal(&b->prefix, p)) {
            fullest = b;
            break;
        }
        if (b->full_us < fullest->full_us)
            fullest = b;
    }
    *fullest = (struct bucket){*p, full_us};
}

static uint64_t take(struct limits *l, const struct addr *source, unsigned levels, unsigned cost,
                     uint64_t now_us)
{
    uint64_t full[PREFIX_LEVELS], wait = 0, price = cost * l->interval_us;
    struct prefix prefix[PREFIX_LEVELS];
    for (unsigned i = 0; i < levels; i++, price /= PREFIX_WIDER) {
        prefix[i] = prefix_of(source, i);
        full[i] = full_at(l, &prefix[i], now_us) + price;
        if (full[i] - now_us > l->depth_us + wait)
            wait = full[i] - now_us - l->depth_us;
    }
    for (unsigned i = 0; !wait && i < levels; i++)
        remember(l, &prefix[i], full[i]);
    return wait;
}

uint64_t limits_take(struct limits *l, const struct addr *source, unsigned cost, uint64_t now_us)
{
    return take(l, source, PREFIX_LEVELS, cost, now_us);
}

uint64_t limits_take_alone(struct limits *l, const struct addr *source, unsigned cost, uint64_t now_us)
{
    return take(l, source, 1, cost, now_us);
}

void limits_debts(const struct limits *l, const struct addr *source, uint64_t now_us,
                  uint64_t out[PREFIX_LEVELS])
{
    for (unsigned i = 0; i < PREFIX_LEVELS; i++) {
        const struct prefix prefix = prefix_of(source, i);
        out[i] = full_at(l, &prefix, now_us) - now_us;
    }
}
