/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets of a few cells, each with a version that is odd while it changes. A reader that meets a change misses once, which
 * costs a way by the control thread. */

#include "proto/neigh/neigh_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS      8192 /* pages that no neighbour touches take no memory */
#define BUCKET_CELLS 8
#define FAMILY_SHIFT 48
#define SEEDS        3

struct cell {
    _Atomic uint64_t version, high, low; /* of the address */
    _Atomic uint64_t binding;            /* its family and its MAC; 0: free */
    _Atomic bool used;
};

struct neigh_table {
    uint64_t seed[SEEDS];
    struct cell *cells;
};

int neigh_table_new(const struct random_source *random, struct neigh_table **out)
{
    *out = NULL;
    struct neigh_table *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_NOMEM;
    random_fill(random, t->seed, sizeof(t->seed));
    t->cells = calloc((size_t)BUCKETS * BUCKET_CELLS, sizeof(*t->cells));
    if (!t->cells) {
        free(t);
        return ERR_NOMEM;
    }
    *out = t;
    return 0;
}

void neigh_table_free(struct neigh_table *t)
{
    if (!t)
        return;
    free(t->cells);
    free(t);
}

/* ---- keys ---- */

struct words {
    uint64_t high, low;
};

static struct words words_of(const struct addr *a)
{
    struct words w;
    memcpy(&w.high, a->ip, sizeof(w.high));
    memcpy(&w.low, a->ip + sizeof(w.high), sizeof(w.low));
    return w;
}

static uint64_t mix(uint64_t h, uint64_t word, uint64_t seed)
{
    h = (h ^ word) * (seed | 1);
    return h ^ h >> 32;
}

uint64_t neigh_table_key(const struct neigh_table *t, const struct addr *a)
{
    const struct words w = words_of(a);
    uint64_t h = mix(a->family, w.high, t->seed[0]);
    h = mix(h, w.low, t->seed[1]);
    return mix(h, t->seed[2], t->seed[0]);
}

static struct cell *bucket_of(const struct neigh_table *t, const struct addr *a)
{
    return &t->cells[neigh_table_key(t, a) % BUCKETS * BUCKET_CELLS];
}

/* ---- the control thread's side ---- */

static uint64_t relaxed(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* The cell of a, or a free one, or NULL. */
static struct cell *cell_for(const struct neigh_table *t, const struct addr *a, bool or_free)
{
    const struct words w = words_of(a);
    struct cell *bucket = bucket_of(t, a), *free_one = NULL;
    for (unsigned i = 0; i < BUCKET_CELLS; i++) {
        struct cell *c = &bucket[i];
        uint64_t binding = relaxed(&c->binding);
        if (!binding)
            free_one = c;
        else if (binding >> FAMILY_SHIFT == a->family && relaxed(&c->high) == w.high &&
                 relaxed(&c->low) == w.low)
            return c;
    }
    return or_free ? free_one : NULL;
}

/* A reader that sees a new word sees the odd version before it, and the even one behind it last. */
static void change(struct cell *c, struct words w, uint64_t binding)
{
    uint64_t version = relaxed(&c->version);
    atomic_store_explicit(&c->version, version + 1, memory_order_relaxed);
    atomic_store_explicit(&c->high, w.high, memory_order_release);
    atomic_store_explicit(&c->low, w.low, memory_order_release);
    atomic_store_explicit(&c->binding, binding, memory_order_release);
    atomic_store_explicit(&c->version, version + 2, memory_order_release);
}

void neigh_table_set(struct neigh_table *t, const struct addr *a, const uint8_t mac[6])
{
    struct cell *c = cell_for(t, a, true);
    uint64_t binding = (uint64_t)a->family << FAMILY_SHIFT;
    for (unsigned i = 0; i < 6; i++)
        binding |= (uint64_t)mac[i] << (40 - 8 * i);
    if (!c || relaxed(&c->binding) == binding)
        return;
    if (!relaxed(&c->binding))
        atomic_store_explicit(&c->used, false, memory_order_relaxed);
    change(c, words_of(a), binding);
}

void neigh_table_remove(struct neigh_table *t, const struct addr *a)
{
    struct cell *c = cell_for(t, a, false);
    if (c)
        change(c, (struct words){0, 0}, 0);
}

bool neigh_table_take_use(struct neigh_table *t, const struct addr *a)
{
    struct cell *c = cell_for(t, a, false);
    return c && atomic_exchange_explicit(&c->used, false, memory_order_relaxed);
}

/* ---- the workers' ---- */

static uint64_t acquired(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

/* The binding of the address in c; 0: it is another's, or changes. */
static uint64_t binding_in(const struct cell *c, const struct addr *a, struct words w)
{
    uint64_t version = acquired(&c->version), high = acquired(&c->high), low = acquired(&c->low);
    uint64_t binding = acquired(&c->binding);
    bool stood = !(version & 1) && relaxed(&c->version) == version;
    return stood && binding >> FAMILY_SHIFT == a->family && high == w.high && low == w.low ? binding : 0;
}

bool neigh_table_find(const struct neigh_table *t, const struct addr *a, uint8_t mac[6])
{
    const struct words w = words_of(a);
    struct cell *bucket = bucket_of(t, a);
    for (unsigned i = 0; i < BUCKET_CELLS; i++) {
        uint64_t binding = binding_in(&bucket[i], a, w);
        if (!binding)
            continue;
        if (!atomic_load_explicit(&bucket[i].used, memory_order_relaxed))
            atomic_store_explicit(&bucket[i].used, true, memory_order_relaxed);
        for (unsigned j = 0; j < 6; j++)
            mac[j] = (uint8_t)(binding >> (40 - 8 * j));
        return true;
    }
    return false;
}
