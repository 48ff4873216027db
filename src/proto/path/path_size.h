/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The search for the largest UDP payload that a path carries: datagram path MTU discovery (RFC 8899) without
 * ICMP. docs/PROTOCOL.md §9. A probe that passes costs one round trip, one that does not costs three
 * timeouts: so the largest size is tried first, then sizes that real links have, upwards, then the gap is
 * halved. Internal to proto/path/path. */

#include <stdbool.h>
#include <stdint.h>

#define PATH_SIZE_STEP     8 /* bytes: the search ends when proven and failed are this near */
#define PATH_SIZE_TRIES    3
#define PATH_SIZE_RAISE_US (600 * 1000000ull) /* RFC 8899 PMTU_RAISE_TIMER */

struct path_size {
    uint16_t proven;   /* passes: what was given at the start, at first */
    uint16_t trial;    /* under test; 0 when the search has ended */
    uint8_t tries;     /* probes of trial sent so far */
    uint32_t failed;   /* the smallest that does not pass; limit + 1 at first */
    uint32_t limit;    /* what the local interfaces carry */
    uint64_t due_us;   /* the next probe, or the end of the wait for the last one */
    uint64_t raise_us; /* when the search has ended: the next one */
};

/* Begins anew at proven. first is tried first, limit when it is 0. */
void path_size_start(struct path_size *s, uint16_t proven, uint16_t limit, uint16_t first, uint64_t now_us);

/* Looks for more than what is proven; starts anew at WIRE_LEAST_SIZE when limit is below it. */
void path_size_raise(struct path_size *s, uint16_t limit, uint64_t now_us);

/* True when a probe of s->trial bytes is to be sent now: then path_size_on_sent tells when. */
bool path_size_due(struct path_size *s, uint64_t now_us);
void path_size_on_sent(struct path_size *s, uint64_t now_us, uint64_t timeout_us);

/* A probe of this size was answered. */
void path_size_on_answer(struct path_size *s, uint16_t size, uint64_t now_us);

/* When path_size_due wants to be called. */
uint64_t path_size_next(const struct path_size *s);
