/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Histograms of durations for -profile: logarithmic buckets, eight per power of two (values are told to
 * within 12.5 %). One thread adds, another reads; nothing is locked. */

#include <stdatomic.h>
#include <stdint.h>

#define PROFILE_BUCKETS 320 /* 8 exact ones, then 8 per octave, up to 2^42 ns: over an hour */

struct profile_histogram {
    _Atomic uint64_t buckets[PROFILE_BUCKETS];
};

/* What a histogram held at an earlier look; the reader's. */
struct profile_mark {
    uint64_t buckets[PROFILE_BUCKETS];
};

struct profile_summary {
    uint64_t count;
    uint64_t p50_ns, p99_ns, max_ns; /* upper bounds of their buckets */
};

/* Nanoseconds of CLOCK_MONOTONIC; called only when -profile is on. */
uint64_t profile_clock_ns(void);

/* The histogram's own thread. */
void profile_add(struct profile_histogram *h, uint64_t ns);

/* What was added since mark was last used (zeroed: ever), and moves the mark. */
struct profile_summary profile_take(const struct profile_histogram *h, struct profile_mark *mark);

/* "n=12 p50=1.5us p99=20us max=31us"; returns out. */
#define PROFILE_TEXT_MAX 128
char *profile_format(const struct profile_summary *s, char out[PROFILE_TEXT_MAX]);
