/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits per prefix. Forgetting one whose bucket is full loses nothing. Hashed into sets of eight places. */

#include "proto/admission/limits.h"

#include "base/bucket.h"
#include <stdbool.h>
#include <stdlib.h>

#define WAYS 8

struct place {
    struct prefix prefix; /* family 0: a free place */
    struct bucket bucket;
};

struct limits {
    struct bucket_rate rates[PREFIX_LEVELS];
    uint64_t seed[2];
    size_t set_mask;
    struct place places[];
};

int limits_new(unsigned sources, uint64_t interval_us, unsigned burst, const struct random_source *random,
               struct limits **out)
{
    size_t sets = 1;
    while (sets * WAYS < (size_t)sources * PREFIX_LEVELS)
        sets *= 2;
    struct limits *l = calloc(1, sizeof(*l) + sets * WAYS * sizeof(*l->places));
    if (!l)
        return ERR_NOMEM;
    for (unsigned i = 0; i < PREFIX_LEVELS; i++, interval_us /= PREFIX_WIDER, burst *= PREFIX_WIDER)
        l->rates[i] = (struct bucket_rate){interval_us, burst};
    l->set_mask = sets - 1;
    random_fill(random, l->seed, sizeof(l->seed));
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

/* A full one when p is not remembered. */
static struct bucket bucket_of(const struct limits *l, const struct prefix *p)
{
    const struct place *set = &l->places[set_of(l, p)];
    for (const struct place *place = set; place < set + WAYS; place++)
        if (prefix_equal(&place->prefix, p))
            return place->bucket;
    return (struct bucket){0};
}

static void remember(struct limits *l, const struct prefix *p, const struct bucket *bucket)
{
    struct place *set = &l->places[set_of(l, p)], *fullest = set;
    for (struct place *place = set; place < set + WAYS; place++) {
        if (prefix_equal(&place->prefix, p)) {
            fullest = place;
            break;
        }
        if (place->bucket.full_us < fullest->bucket.full_us)
            fullest = place;
    }
    *fullest = (struct place){*p, *bucket};
}

static uint64_t take(struct limits *l, const struct addr *source, unsigned levels, unsigned cost,
                     uint64_t now_us)
{
    struct prefix prefix[PREFIX_LEVELS];
    struct bucket bucket[PREFIX_LEVELS];
    uint64_t longest = 0;
    for (unsigned i = 0; i < levels; i++) {
        prefix[i] = prefix_of(source, i);
        bucket[i] = bucket_of(l, &prefix[i]);
        uint64_t wait = bucket_wait(&bucket[i], &l->rates[i], cost, now_us);
        longest = wait > longest ? wait : longest;
    }
    for (unsigned i = 0; !longest && i < levels; i++) {
        bucket_spend(&bucket[i], &l->rates[i], cost, now_us);
        remember(l, &prefix[i], &bucket[i]);
    }
    return longest;
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
        const struct bucket bucket = bucket_of(l, &prefix);
        out[i] = bucket_debt(&bucket, now_us);
    }
}
