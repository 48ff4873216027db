/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms for -profile. A worker adds, the control thread takes. */

#include "node/data/profile.h"

#include <stdio.h>
#include <time.h>

#define SUB_BITS 3 /* 2^3 buckets per octave */
#define SUB      (1u << SUB_BITS)

uint64_t profile_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Values below SUB have a bucket each; above, the octave and the SUB_BITS bits behind the leading one name
 * it. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < SUB)
        return (unsigned)ns;
    unsigned octave = 63u - (unsigned)__builtin_clzll(ns) - SUB_BITS;
    unsigned bucket = SUB + octave * SUB + (unsigned)(ns >> octave) - SUB;
    return bucket < PROFILE_BUCKETS ? bucket : PROFILE_BUCKETS - 1;
}

/* The largest value of a bucket. */
static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < SUB)
        return bucket;
    unsigned octave = (bucket - SUB) / SUB;
    return ((uint64_t)(SUB + bucket % SUB + 1) << octave) - 1;
}

void profile_add(struct profile_histogram *h, uint64_t ns)
{
    _Atomic uint64_t *b = &h->buckets[bucket_of(ns)];
    atomic_store_explicit(b, atomic_load_explicit(b, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* The top of the bucket that holds the rank-th smallest value, counted from 1. */
static uint64_t value_at(const uint64_t added[PROFILE_BUCKETS], uint64_t rank)
{
    unsigned i = 0;
    for (uint64_t seen = added[0]; seen < rank && i < PROFILE_BUCKETS - 1; seen += added[i])
        i++;
    return bucket_top(i);
}

struct profile_summary profile_take(const struct profile_histogram *h, struct profile_mark *mark)
{
    uint64_t added[PROFILE_BUCKETS];
    struct profile_summary s = {0};
    for (unsigned i = 0; i < PROFILE_BUCKETS; i++) {
        uint64_t now = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        added[i] = now - mark->buckets[i];
        mark->buckets[i] = now;
        s.count += added[i];
    }
    if (!s.count)
        return s;
    s.p50_ns = value_at(added, (s.count + 1) / 2);
    s.p99_ns = value_at(added, s.count - s.count / 100);
    s.max_ns = value_at(added, s.count);
    return s;
}

char *profile_format(const struct profile_summary *s, char out[PROFILE_TEXT_MAX])
{
    (void)snprintf(out, PROFILE_TEXT_MAX, "n=%llu p50=%.1fus p99=%.1fus max=%.1fus",
                   (unsigned long long)s->count, (double)s->p50_ns / 1e3, (double)s->p99_ns / 1e3,
                   (double)s->max_ns / 1e3);
    return out;
}
