/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which flows carry much. A bulk flow fills queues, its own and whatever else is in them; the others are sparse (RFC 8290
 * calls them so, too): requests and answers, keystrokes, voice. A flow that moves to another worker may overtake itself.
 * Most TCP connections that will be bulk are so soon, and begin as such. Workers share the table without a lock: what
 * two of them lose when they count one flow at once delays its verdict by as much. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BULK_FLOWS       1024  /* by hash: those that meet in one place are judged together */
#define BULK_WINDOW_US   10000 /* in which so many bytes … */
#define BULK_BYTES       60000 /* … are bulk … */
#define BULK_FRAME_BYTES 1000  /* … and each frame or train counts as so many more … */
#define BULK_LINGER_US   1000000 /* … for so long after the last such window, or since a TCP connection began */

struct bulk_flow {
    _Atomic uint64_t window_us, carried; /* since when, and so many bytes */
    _Atomic uint64_t until_us;           /* it is bulk */
};

struct bulk {
    struct bulk_flow flows[BULK_FLOWS];
    _Atomic uint64_t seen_us; /* a frame of a bulk flow, give or take a window */
};

/* What workers share is written seldom. */
static inline void bulk_see(struct bulk *b, uint64_t now_us)
{
    if (now_us >= atomic_load_explicit(&b->seen_us, memory_order_relaxed) + BULK_WINDOW_US)
        atomic_store_explicit(&b->seen_us, now_us, memory_order_relaxed);
}

/* Counts a frame or train of a flow (frame/flow.h), in either direction; begins: it begins a connection. Returns whether
 * the flow is bulk. Workers' clocks may differ by a round. */
static inline bool bulk_count(struct bulk *b, uint32_t hash, bool begins, size_t bytes, uint64_t now_us)
{
    struct bulk_flow *f = &b->flows[hash % BULK_FLOWS];
    uint64_t carried = bytes + BULK_FRAME_BYTES;
    if (now_us >= atomic_load_explicit(&f->window_us, memory_order_relaxed) + BULK_WINDOW_US)
        atomic_store_explicit(&f->window_us, now_us, memory_order_relaxed);
    else
        carried += atomic_load_explicit(&f->carried, memory_order_relaxed);
    atomic_store_explicit(&f->carried, carried, memory_order_relaxed);
    if (carried > BULK_BYTES)
        bulk_see(b, now_us);
    if (carried > BULK_BYTES || begins)
        atomic_store_explicit(&f->until_us, now_us + BULK_LINGER_US, memory_order_relaxed);
    return now_us < atomic_load_explicit(&f->until_us, memory_order_relaxed);
}
