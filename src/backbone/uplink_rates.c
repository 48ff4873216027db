/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets. */

#include "backbone/uplink_rates.h"

#include "proto/admission/byte_rates.h"
#include "proto/admission/limits.h"
#include <stdlib.h>

#define SOURCES      16384
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

struct uplink_rates {
    struct limits *opens;
    struct byte_rates *datagrams;
    struct bucket verifications;
};

int uplink_rates_new(unsigned relay_mbit, unsigned source_mbit, const struct random_source *random,
                     struct uplink_rates **out)
{
    struct uplink_rates *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    int err = limits_new(SOURCES, OPEN_US, OPEN_BURST, random, &r->opens);
    if (!err)
        err = byte_rates_new(relay_mbit, source_mbit, random, &r->datagrams);
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
    byte_rates_free(r->datagrams);
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

struct byte_rates *uplink_rates_datagrams(struct uplink_rates *r)
{
    return r->datagrams;
}
