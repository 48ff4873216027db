/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What /metrics tells. Counters are written by the HTTP, the directory's, the reflection, the uplink and the relay thread and
 * read by the directory's. */

#include "base/err.h"
#include "proto/relay/relay.h"
#include "proto/uplink/uplink_message.h"
#include <stdatomic.h>
#include <stdbool.h>
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
#define METRICS_STATUS_COUNT 14

/* What became of a DATAGRAMS message. */
enum uplink_datagrams {
    UPLINK_DATAGRAMS_RELAYED, /* to its receiver's queue */
    UPLINK_DATAGRAMS_UNPAIRED,
    UPLINK_DATAGRAMS_SOURCE_RATE,
    UPLINK_DATAGRAMS_RELAY_RATE,
    UPLINK_DATAGRAMS_QUEUE, /* out of it again, for age or a newer one */
    UPLINK_DATAGRAMS_COUNT
};

/* Why an uplink ended. */
enum uplink_ended {
    UPLINK_ENDED_LEFT, /* closed, or lost */
    UPLINK_ENDED_MALFORMED,
    UPLINK_ENDED_UNPROVEN,
    UPLINK_ENDED_REPLACED,
    UPLINK_ENDED_FULL,
    UPLINK_ENDED_SLOW,
    UPLINK_ENDED_SILENT,
    UPLINK_ENDED_RESTARTING,
    UPLINK_ENDED_COUNT
};

/* Of uplinks (backbone/uplink.h), written by their thread. */
struct uplink_metrics {
    _Atomic uint64_t proven, streams, pairs; /* now */
    _Atomic uint64_t verified;               /* signatures looked at */
    _Atomic uint64_t ended[UPLINK_ENDED_COUNT];
    _Atomic uint64_t opens[UPLINK_END_LOST + 1]; /* by the code of the CLOSE that answered; 0: none did */
    _Atomic uint64_t stream_bytes;
    _Atomic uint64_t datagrams[UPLINK_DATAGRAMS_COUNT];
    _Atomic uint64_t datagram_bytes; /* sent to their receivers */
};

/* Of the relay (backbone/relay_server.h): what became of a datagram is one of enum relay_verdict, or this. */
enum relay_outcome {
    RELAY_OUTCOME_UNSENT = RELAY_VERDICTS, /* the kernel did not take it */
    RELAY_OUTCOMES
};

/* Written by its thread, and by that of uplinks. */
struct relay_metrics {
    _Atomic uint64_t channels; /* now */
    _Atomic uint64_t granted, refused, expired;
    _Atomic uint64_t bound; /* an end, at an address that it had not before */
    _Atomic uint64_t datagrams[RELAY_OUTCOMES];
    _Atomic uint64_t bytes;     /* passed on */
    _Atomic uint64_t trains;    /* in so many calls */
    _Atomic uint64_t overflows; /* that the socket dropped */
};

/* What became of a request to a shared store. */
enum store_request {
    STORE_REQUEST_ANSWERED,
    STORE_REQUEST_REFUSED,   /* here: there is no connection, or too many wait */
    STORE_REQUEST_LOST,      /* with the connection, or overdue */
    STORE_REQUEST_MALFORMED, /* besides: the answer is none that it can have */
    STORE_REQUESTS
};

/* Of a shared store (backbone/store_redis.h), written by the directory's thread. */
struct store_metrics {
    _Atomic uint64_t up;   /* 1: connected */
    _Atomic uint64_t lost; /* connections */
    _Atomic uint64_t requests[STORE_REQUESTS];
    _Atomic uint64_t instances; /* that live, by their own word */
};

struct metrics {
    _Atomic uint64_t answers[METRICS_STATUS_COUNT];
    _Atomic uint64_t registrations, lookups;
    _Atomic uint64_t stun[METRICS_STUN_COUNT];
    _Atomic uint64_t connections; /* open now */
    _Atomic uint64_t
        refused; /* connections of proxies closed for their PROXY header, or for want of one or of room */
    _Atomic uint64_t pushed; /* connections closed for a newcomer's sake */
    _Atomic uint64_t cut;    /* connections closed because a request took too long */
    struct uplink_metrics uplinks;
    struct relay_metrics relay;
    struct store_metrics store;
    uint64_t started_s;
};

static inline void metrics_add(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline void metrics_add_many(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

static inline void metrics_subtract(_Atomic uint64_t *gauge)
{
    atomic_fetch_sub_explicit(gauge, 1, memory_order_relaxed);
}

/* Counts an answer by its HTTP status. */
void metrics_answer(struct metrics *m, unsigned status);

/* The Prometheus text exposition, malloc'd: the caller frees it. NULL without memory. A store that is not shared has
 * nothing to tell. */
char *metrics_format(const struct metrics *m, uint64_t nodes, bool is_shared, size_t *len);
