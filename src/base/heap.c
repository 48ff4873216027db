/* SPDX-License-Identifier: Apache-2.0 */
/* A binary min-heap; each node knows its place. One thread. */

#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAP 16

void heap_fini(struct heap *h)
{
    free(h->list);
    *h = (struct heap){0};
}

int heap_reserve(struct heap *h)
{
    if (h->count < h->cap)
        return 0;
    size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
    struct heap_node **list = realloc(h->list, cap * sizeof(*list));
    if (!list)
        return ERR_NOMEM;
    h->list = list;
    h->cap = cap;
    return 0;
}

static void put(struct heap *h, size_t at, struct heap_node *n)
{
    h->list[at] = n;
    n->place = at + 1;
}

/* n goes to at, or above. */
static void rise(struct heap *h, size_t at, struct heap_node *n)
{
    for (; at > 0 && n->at_us < h->list[(at - 1) / 2]->at_us; at = (at - 1) / 2)
        put(h, at, h->list[(at - 1) / 2]);
    put(h, at, n);
}

/* n goes to at, or below. */
static void sink(struct heap *h, size_t at, struct heap_node *n)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < h->count && h->list[child + 1]->at_us < h->list[child]->at_us)
            child++;
        if (child >= h->count || n->at_us <= h->list[child]->at_us)
            break;
        put(h, at, h->list[child]);
        at = child;
    }
    put(h, at, n);
}

static void settle(struct heap *h, size_t at, struct heap_node *n)
{
    if (at > 0 && n->at_us < h->list[(at - 1) / 2]->at_us)
        rise(h, at, n);
    else
        sink(h, at, n);
}

void heap_set(struct heap *h, struct heap_node *n, uint64_t at_us)
{
    n->at_us = at_us;
    if (n->place) {
        settle(h, n->place - 1, n);
        return;
    }
    assert(h->count < h->cap);
    rise(h, h->count++, n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    if (!n->place)
        return;
    size_t hole = n->place - 1;
    struct heap_node *last = h->list[--h->count];
    n->place = 0;
    if (last != n)
        settle(h, hole, last);
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->count ? h->list[0] : NULL;
}
