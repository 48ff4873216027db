/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Deadlines in order: a binary heap of nodes that lie inside of what is due. The earliest is at hand; changing one costs
 * the logarithm of their number. One thread. */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t at_us;
    size_t place; /* the heap's: 0 while it is in none, else one more than its index */
};

/* All zero: empty. */
struct heap {
    struct heap_node **list;
    size_t count, cap;
};

/* Frees its memory; the nodes are the owners'. */
void heap_fini(struct heap *h);

/* Room for one node more than are in it. ERR_NOMEM. */
int heap_reserve(struct heap *h) must_check;

/* Sets n's deadline. A node that is in no heap is added: heap_reserve has made room. */
void heap_set(struct heap *h, struct heap_node *n, uint64_t at_us);
/* Nothing when n is in no heap. */
void heap_remove(struct heap *h, struct heap_node *n);

/* The node with the earliest deadline, or NULL. */
struct heap_node *heap_first(const struct heap *h);
