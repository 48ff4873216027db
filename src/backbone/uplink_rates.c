/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets. Those of datagrams count pieces of 64 bytes in nanoseconds: a microsecond is too coarse for them. */

#include "backbone/uplink_rates.h"

#include "proto/admission/limits.h"
#include "proto/uplink/uplink_message.h"
#include <pthread.h>
#include <stdlib.h>

#define SOURCES      16384
#define PIECE        64 /* bytes of a token of datagrams */
#define PIECES_LEAST 4  /* what the smallest message costs: a look at it */
#define PIECES_MOST  ((UPLINK_MESSAGE_MAX + PIECE - 1) / PIECE)
#define BURST_MS     100 /* at the whole rate */
#define URGENT_PART  16  /* one of so many parts of the rate, for urgent ones alone */
#define OPEN_US      500000
#define OPEN_BURST   16
#define STREAM_PIECE 64 /* bytes of a token of streams */

static const struct bucket_rate messages = {2000, 8192};
static const struct bucket_rate opens = {OPEN_US, OPEN_BURST};
static const struct bucket_rate opens_to = {125000, 1024}; /* all peers of a node that starts anew */
static const struct bucket_rate awaited = {62500, 1024};
static const struct bucket_rate stream_bytes = {1000, 1000000 / STREAM_PIECE};
static const struct bucket_rate told = {1000000, 1};
static const struct bucket_rate verified = {1000, 100};

/* A rate of each source and of all, in nanoseconds. */
struct share {
    struct limits *sources;
    struct bucket_rate rate;
    struct bucket all;
};

struct uplink_rates {
    struct limits *opens;
    pthread_mutex_t lock; /* of the next two */
    struct share datagrams, urgent;
    struct bucket verifications;
};

/* Nanoseconds for a piece; the largest message is always among what may come at once. */
static struct bucket_rate rate_of(unsigned mbit, unsigned part)
{
    uint64_t interval = PIECE * 8ull * 1000 * part / mbit;
    interval = interval ? interval : 1;
    uint64_t burst = BURST_MS * 1000000ull / interval;
    return (struct bucket_rate){interval, burst < PIECES_MOST ? PIECES_MOST : (unsigned)burst};
}

static int open_share(struct share *s, unsigned part, unsigned relay_mbit, unsigned source_mbit,
                      const struct random_source *random)
{
    const struct bucket_rate source = rate_of(source_mbit, part);
    s->rate = rate_of(relay_mbit, part);
    return limits_new(SOURCES, source.interval_us, source.burst, random, &s->sources);
}

int uplink_rates_new(unsigned relay_mbit, unsigned source_mbit, const struct random_source *random,
                     struct uplink_rates **out)
{
    struct uplink_rates *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    pthread_mutex_init(&r->lock, NULL);
    int err = limits_new(SOURCES, OPEN_US, OPEN_BURST, random, &r->opens);
    if (!err)
        err = open_share(&r->datagrams, 1, relay_mbit, source_mbit, random);
    if (!err)
        err = open_share(&r->urgent, URGENT_PART, relay_mbit, source_mbit, random);
    if (err) {
        uplink_rates_free(r);
        return err;
    }
    *out = r;
    return 0;
}

void uplink_rates_free(struct uplink_rates *r)
{
    if (!r)
        return;
    limits_free(r->opens);
    limits_free(r->datagrams.sources);
    limits_free(r->urgent.sources);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

bool uplink_rates_message(struct uplink_buckets *b, uint64_t now_us)
{
    return bucket_take(&b->messages, &messages, 1, now_us);
}

bool uplink_rates_open(struct uplink_rates *r, struct uplink_buckets *opener, const struct addr *source,
                       struct uplink_buckets *target, uint64_t now_us)
{
    return bucket_take(&opener->opens, &opens, 1, now_us) && limits_take(r->opens, source, 1, now_us) == 0 &&
           (!target || bucket_take(&target->opens_to, &opens_to, 1, now_us));
}

bool uplink_rates_awaited(struct uplink_buckets *opener, uint64_t now_us)
{
    return bucket_take(&opener->awaited, &awaited, 1, now_us);
}

bool uplink_rates_stream(struct uplink_buckets *b, size_t bytes, uint64_t now_us)
{
    return bucket_take(&b->stream_bytes, &stream_bytes, (unsigned)((bytes + STREAM_PIECE - 1) / STREAM_PIECE),
                       now_us);
}

bool uplink_rates_told(struct bucket *b, uint64_t now_us)
{
    return bucket_take(b, &told, 1, now_us);
}

bool uplink_rates_verify(struct uplink_rates *r, uint64_t now_us)
{
    return bucket_take(&r->verifications, &verified, 1, now_us);
}

static enum uplink_pass take(struct share *s, const struct addr *source, unsigned pieces, uint64_t now_ns)
{
    if (bucket_wait(&s->all, &s->rate, pieces, now_ns))
        return UPLINK_PASS_ALL;
    if (limits_take(s->sources, source, pieces, now_ns))
        return UPLINK_PASS_SOURCE;
    bucket_spend(&s->all, &s->rate, pieces, now_ns);
    return UPLINK_PASS;
}

enum uplink_pass uplink_rates_relay(struct uplink_rates *r, const struct addr *source, size_t bytes,
                                    bool urgent, uint64_t now_us)
{
    unsigned pieces = (unsigned)((bytes + PIECE - 1) / PIECE);
    uint64_t now_ns = now_us * 1000;
    pieces = pieces < PIECES_LEAST ? PIECES_LEAST : pieces;
    pthread_mutex_lock(&r->lock);
    enum uplink_pass pass = urgent ? take(&r->urgent, source, pieces, now_ns) : UPLINK_PASS_ALL;
    if (pass != UPLINK_PASS)
        pass = take(&r->datagrams, source, pieces, now_ns);
    pthread_mutex_unlock(&r->lock);
    return pass;
}
