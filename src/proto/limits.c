/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits per source. A bucket is one number, the time at which it will be full again (the virtual
 * scheduling form of a leaky bucket), so forgetting an idle source loses nothing. Hashed into sets of eight
 * places. */

#include "proto/limits.h"

#include "crypto/secret.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8

struct key {
    uint64_t high, low; /* both zero: a free place */
};

struct bucket {
    struct key key;
    uint64_t full_us; /* when it is full again; in the past when it is */
};

struct limits {
    uint64_t interval_us, depth_us; /* depth: to fill an empty bucket */
    uint64_t seed[2];               /* so that no one can choose sources that collide */
    size_t set_mask;
    struct bucket buckets[];
};

int limits_new(unsigned sources, uint64_t interval_us, unsigned burst, struct limits **out)
{
    size_t sets = 1;
    while (sets * WAYS < sources)
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

static struct key key_of(const struct addr *source)
{
    struct key key = {.low = source->family};
    memcpy(&key.high, source->ip, sizeof key.high);
    return key;
}

static struct bucket *set_of(struct limits *l, const struct key *key)
{
    unsigned __int128 product =
        (unsigned __int128)(key->high ^ l->seed[0]) * (key->low ^ l->seed[1] ^ 0x9e3779b97f4a7c15ull);
    uint64_t hash = (uint64_t)(product >> 64) ^ (uint64_t)product;
    return &l->buckets[((hash ^ hash >> 32) & l->set_mask) * WAYS];
}

static struct bucket *bucket_of(struct limits *l, const struct addr *source)
{
    struct key key = key_of(source);
    struct bucket *set = set_of(l, &key), *fullest = set;
    for (struct bucket *b = set; b < set + WAYS; b++) {
        if (b->key.high == key.high && b->key.low == key.low)
            return b;
        if (b->full_us < fullest->full_us)
            fullest = b;
    }
    *fullest = (struct bucket){.key = key};
    return fullest;
}

uint64_t limits_take(struct limits *l, const struct addr *source, unsigned cost, uint64_t now_us)
{
    struct bucket *b = bucket_of(l, source);
    uint64_t full = (b->full_us > now_us ? b->full_us : now_us) + cost * l->interval_us;
    if (full - now_us > l->depth_us)
        return full - now_us - l->depth_us;
    b->full_us = full;
    return 0;
}
