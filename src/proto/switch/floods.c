/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets and counts of frames to everybody. docs/PROTOCOL.md §9 and §13. Any thread. */

#include "proto/switch/floods.h"

#include "base/bucket.h"
#include "proto/switch/switch.h"
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const struct bucket_rate storm_rate = {1000000ull / SWITCH_STORM_RATE, SWITCH_STORM_BURST};
static const struct bucket_rate few_rate = {FLOODS_FEW_US, FLOODS_FEW_SENT};

/* Of one peer; each in a cache line of its own, as several workers take from it. */
struct flood {
    alignas(64) struct bucket_shared storm;
    struct bucket_shared few;
    _Atomic uint32_t sent, received, withheld;
};

struct floods {
    unsigned peers;
    struct flood *list; /* by slot */
    void *memory;       /* that it lies in */
};

/* What is never written to is never there: memory is not cleared by hand. */
static struct flood *allocate(unsigned peers, void **memory)
{
    const uintptr_t mask = alignof(struct flood) - 1;
    *memory = calloc(1, peers * sizeof(struct flood) + mask);
    return (struct flood *)(((uintptr_t)*memory + mask) & ~mask);
}

int floods_new(unsigned peers, struct floods **out)
{
    *out = NULL;
    struct floods *f = calloc(1, sizeof(*f));
    if (!f)
        return ERR_NOMEM;
    f->peers = peers;
    f->list = allocate(peers, &f->memory);
    if (!f->memory) {
        free(f);
        return ERR_NOMEM;
    }
    *out = f;
    return 0;
}

void floods_free(struct floods *f)
{
    if (!f)
        return;
    free(f->memory);
    free(f);
}

static void count(_Atomic uint32_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* What is sent to one that is awake is taken from the few, too: it is not quiet at the other end, either. */
bool floods_send(struct floods *f, uint32_t slot, bool sleeps, bool alone, uint64_t now_us)
{
    if (slot >= f->peers)
        return true;
    struct flood *p = &f->list[slot];
    bool is_few = bucket_take_shared(&p->few, &few_rate, 1, now_us);
    bool passes = !sleeps || (is_few && alone);
    count(passes ? &p->sent : &p->withheld);
    return passes;
}

bool floods_receive(struct floods *f, uint32_t slot, uint64_t now_us)
{
    floods_refuse(f, slot);
    return slot < f->peers && bucket_take_shared(&f->list[slot].storm, &storm_rate, 1, now_us);
}

void floods_refuse(struct floods *f, uint32_t slot)
{
    if (slot < f->peers)
        count(&f->list[slot].received);
}

static uint32_t so_far(const _Atomic uint32_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct flood_counts floods_counts(const struct floods *f, uint32_t slot)
{
    if (slot >= f->peers)
        return (struct flood_counts){0};
    const struct flood *p = &f->list[slot];
    return (struct flood_counts){so_far(&p->sent), so_far(&p->received), so_far(&p->withheld)};
}

void floods_forget(struct floods *f, uint32_t slot)
{
    if (slot >= f->peers)
        return;
    atomic_store_explicit(&f->list[slot].storm.full_us, 0, memory_order_relaxed);
    atomic_store_explicit(&f->list[slot].few.full_us, 0, memory_order_relaxed);
}
