/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A number that one thread at a time writes and any thread reads: no order with anything else is implied. */

#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t counter_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The writer's: costs no locked instruction. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, counter_get(counter) + n, memory_order_relaxed);
}
