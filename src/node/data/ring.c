/* SPDX-License-Identifier: Apache-2.0 */
/* The queue between a worker (writes) and the control thread (reads). head and tail count bytes and never
 * wrap in practice; each is written by one side, on a cache line of its own. */

#include "node/data/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define LINE  64
#define ALIGN 16

/* Before each record. A gap fills the end of the buffer when a record does not fit there. */
struct record {
    uint32_t size; /* with this head, rounded up to ALIGN */
    uint32_t len;  /* as reserved */
    bool gap;
    uint8_t pad[7];
};
static_assert(sizeof(struct record) == ALIGN, "records keep their data aligned");

struct ring {
    _Alignas(LINE) _Atomic size_t head; /* the writer's */
    size_t reserved;                    /* head after ring_commit */
    _Alignas(LINE) _Atomic size_t tail; /* the reader's */
    _Alignas(LINE) size_t size;
    uint8_t *data;
};

int ring_new(size_t size, struct ring **out)
{
    assert((size & (size - 1)) == 0 && size >= LINE);
    struct ring *r = aligned_alloc(LINE, sizeof(*r));
    uint8_t *data = aligned_alloc(LINE, size);
    if (!r || !data) {
        free(r);
        free(data);
        return ERR_NOMEM;
    }
    *r = (struct ring){.size = size, .data = data};
    *out = r;
    return 0;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    free(r->data);
    free(r);
}

static struct record *record_at(struct ring *r, size_t position)
{
    return (struct record *)(r->data + (position & (r->size - 1)));
}

void *ring_reserve(struct ring *r, size_t len)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    if (len > r->size - ALIGN)
        return NULL;
    size_t need = (ALIGN + len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    size_t to_end = r->size - (head & (r->size - 1));
    size_t gap = need > to_end ? to_end : 0;
    if (need + gap > r->size - (head - tail))
        return NULL;
    if (gap)
        *record_at(r, head) = (struct record){.size = (uint32_t)gap, .gap = true};
    struct record *record = record_at(r, head + gap);
    *record = (struct record){.size = (uint32_t)need, .len = (uint32_t)len};
    r->reserved = head + gap + need;
    return record + 1;
}

void ring_commit(struct ring *r)
{
    atomic_store_explicit(&r->head, r->reserved, memory_order_release);
}

size_t ring_used(struct ring *r)
{
    return atomic_load_explicit(&r->head, memory_order_relaxed) -
           atomic_load_explicit(&r->tail, memory_order_relaxed);
}

void *ring_peek(struct ring *r, size_t *len)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    if (tail == head)
        return NULL;
    struct record *record = record_at(r, tail);
    if (record->gap) {
        /* A gap is published together with the record behind it. Once it is released the writer may write there. */
        tail += record->size;
        atomic_store_explicit(&r->tail, tail, memory_order_release);
        record = record_at(r, tail);
    }
    *len = record->len;
    return record + 1;
}

void ring_release(struct ring *r)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    atomic_store_explicit(&r->tail, tail + record_at(r, tail)->size, memory_order_release);
}
