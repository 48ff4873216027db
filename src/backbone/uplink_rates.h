/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How much of each thing an uplink, a source and all together may do. Uplink thread. docs/PROTOCOL.md §15. */

#include "base/addr.h"
#include "base/bucket.h"
#include "base/err.h"
#include "base/random.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPLINK_RELAY_MBIT    1000 /* datagrams of all, unless -relay-rate says otherwise */
#define UPLINK_SOURCE_MBIT   200  /* of one source, unless -source-rate does */
#define UPLINK_RATE_MBIT_MAX 100000

/* Of one uplink. All zero: full. */
struct uplink_buckets {
    struct bucket messages; /* all but DATAGRAMS, with pings */
    struct bucket opens, opens_to, awaited;
    struct bucket stream_bytes;
    struct bucket told_streams, told_datagrams; /* LIMITED */
};

struct byte_rates;
struct uplink_rates;

int uplink_rates_new(unsigned relay_mbit, unsigned source_mbit, const struct random_source *random,
                     struct uplink_rates **out) must_check;
void uplink_rates_free(struct uplink_rates *r);

/* Whether it may be done now; then it is counted. */
bool uplink_rates_message(struct uplink_buckets *b, uint64_t now_us);
bool uplink_rates_open(struct uplink_rates *r, struct uplink_buckets *opener, const struct addr *source,
                       struct uplink_buckets *target, uint64_t now_us);
/* An OPEN to one that has said PAIR of the opener. */
bool uplink_rates_awaited(struct uplink_buckets *opener, uint64_t now_us);
bool uplink_rates_stream(struct uplink_buckets *b, size_t bytes, uint64_t now_us);
bool uplink_rates_told(struct bucket *b, uint64_t now_us);
/* A signature of 1,000 a second. */
bool uplink_rates_verify(struct uplink_rates *r, uint64_t now_us);

/* Those of datagrams, which the relay's count as well. */
struct byte_rates *uplink_rates_datagrams(struct uplink_rates *r);
