/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets that count pieces of 64 bytes in nanoseconds: a microsecond is too coarse for them. */

#include "proto/admission/byte_rates.h"

#include "base/bucket.h"
#include "proto/admission/limits.h"
#include <pthread.h>
#include <stdlib.h>

#define SOURCES      16384
#define PIECE        64 /* bytes of a token */
#define PIECES_LEAST 4  /* what the smallest message costs: a look at it */
#define PIECES_MOST  (BYTE_RATES_MOST / PIECE)
#define BURST_MS     100 /* at the whole rate */
#define URGENT_PART  16  /* one of so many parts of the rate, for urgent ones alone */

/* A rate of each source and of all, in nanoseconds. */
struct share {
    struct limits *sources;
    struct bucket_rate rate;
    struct bucket all;
};

struct byte_rates {
    pthread_mutex_t lock; /* of the rest */
    struct share usual, urgent;
};

/* Nanoseconds for a piece; the largest message is always among what may come at once. */
static struct bucket_rate rate_of(unsigned mbit, unsigned part)
{
    uint64_t interval = PIECE * 8ull * 1000 * part / mbit;
    interval = interval ? interval : 1;
    uint64_t burst = BURST_MS * 1000000ull / interval;
    return (struct bucket_rate){interval, burst < PIECES_MOST ? PIECES_MOST : (unsigned)burst};
}

static int open_share(struct share *s, unsigned part, unsigned all_mbit, unsigned source_mbit,
                      const struct random_source *random)
{
    const struct bucket_rate source = rate_of(source_mbit, part);
    s->rate = rate_of(all_mbit, part);
    return limits_new(SOURCES, source.interval_us, source.burst, random, &s->sources);
}

int byte_rates_new(unsigned all_mbit, unsigned source_mbit, const struct random_source *random,
                   struct byte_rates **out)
{
    struct byte_rates *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    pthread_mutex_init(&r->lock, NULL);
    int err = open_share(&r->usual, 1, all_mbit, source_mbit, random);
    if (!err)
        err = open_share(&r->urgent, URGENT_PART, all_mbit, source_mbit, random);
    if (err)
        byte_rates_free(r);
    else
        *out = r;
    return err;
}

void byte_rates_free(struct byte_rates *r)
{
    if (!r)
        return;
    limits_free(r->usual.sources);
    limits_free(r->urgent.sources);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static enum byte_rates_verdict take(struct share *s, const struct addr *source, unsigned pieces,
                                    uint64_t now_ns)
{
    if (bucket_wait(&s->all, &s->rate, pieces, now_ns))
        return BYTE_RATES_ALL;
    if (limits_take(s->sources, source, pieces, now_ns))
        return BYTE_RATES_SOURCE;
    bucket_spend(&s->all, &s->rate, pieces, now_ns);
    return BYTE_RATES_PASS;
}

enum byte_rates_verdict byte_rates_take(struct byte_rates *r, const struct addr *source, size_t bytes,
                                        bool urgent, uint64_t now_us)
{
    unsigned pieces = (unsigned)((bytes + PIECE - 1) / PIECE);
    uint64_t now_ns = now_us * 1000;
    pieces = pieces < PIECES_LEAST ? PIECES_LEAST : pieces;
    pthread_mutex_lock(&r->lock);
    enum byte_rates_verdict verdict = urgent ? take(&r->urgent, source, pieces, now_ns) : BYTE_RATES_ALL;
    if (verdict != BYTE_RATES_PASS)
        verdict = take(&r->usual, source, pieces, now_ns);
    pthread_mutex_unlock(&r->lock);
    return verdict;
}
