/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Token buckets per source and per neighbourhood of sources (proto/admission/prefix.h): a wider prefix has
 * PREFIX_WIDER times as many tokens as the next narrower one, so that whoever commands a whole prefix gets
 * little more than one host, and cannot use up what its neighbours are granted. The table is bounded: when its
 * place is taken, the prefix that has spent least is forgotten. One thread at a time. */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include "proto/admission/prefix.h"
#include <stdint.h>

struct limits;

/* A source's bucket of burst tokens regains one every interval_us; at least `sources` sources are remembered. */
int limits_new(unsigned sources, uint64_t interval_us, unsigned burst, const struct random_source *random,
               struct limits **out) must_check;
void limits_free(struct limits *l);

/* Takes cost tokens (at most burst) from the buckets of source and of its neighbourhoods: 0, or how many
 * microseconds to wait until all have so many; then none was taken. */
uint64_t limits_take(struct limits *l, const struct addr *source, unsigned cost, uint64_t now_us);

/* As limits_take, from source's own bucket alone. */
uint64_t limits_take_alone(struct limits *l, const struct addr *source, unsigned cost, uint64_t now_us);

/* How long the buckets of source and its neighbourhoods still need to be full again, by level. */
void limits_debts(const struct limits *l, const struct addr *source, uint64_t now_us,
                  uint64_t out[PREFIX_LEVELS]);
