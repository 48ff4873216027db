/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What /metrics tells. Counters are written by the HTTP and the reflection thread and read by the HTTP
 * thread. */

#include "base/err.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum metrics_stun {
    METRICS_STUN_ANSWERED,
    METRICS_STUN_MALFORMED, /* not a Binding request */
    METRICS_STUN_LIMITED,   /* over the source's rate */
    METRICS_STUN_UNSENT,    /* the kernel did not take the answer */
    METRICS_STUN_COUNT
};

/* The statuses that the API answers with; others are not counted apart. */
#define METRICS_STATUS_COUNT 12

struct metrics {
    _Atomic uint64_t answers[METRICS_STATUS_COUNT];
    _Atomic uint64_t registrations, lookups;
    _Atomic uint64_t stun[METRICS_STUN_COUNT];
    _Atomic uint64_t connections; /* open now */
    _Atomic uint64_t pushed;      /* connections closed for a newcomer's sake */
    _Atomic uint64_t cut;         /* connections closed because a request took too long */
    uint64_t started_s;
};

static inline void metrics_add(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Counts an answer by its HTTP status. */
void metrics_answer(struct metrics *m, unsigned status);

/* The Prometheus text exposition, malloc'd: the caller frees it. NULL without memory. */
char *metrics_format(const struct metrics *m, uint64_t nodes, size_t *len);
