/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Token buckets per source address (an IPv6 source is its /64: one host has that many addresses). The table
 * is bounded: when its place is taken, the source that has spent least is forgotten. One thread at a time. */

#include "base/addr.h"
#include "base/err.h"
#include <stdint.h>

struct limits;

/* A bucket of burst tokens that regains one every interval_us; at least `sources` sources are remembered. */
int limits_new(unsigned sources, uint64_t interval_us, unsigned burst, struct limits **out) must_check;
void limits_free(struct limits *l);

/* Takes cost tokens (at most burst) from source's bucket: 0, or how many microseconds to wait until there are
 * so many; then none was taken. */
uint64_t limits_take(struct limits *l, const struct addr *source, unsigned cost, uint64_t now_us);
