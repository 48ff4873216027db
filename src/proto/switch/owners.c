/* SPDX-License-Identifier: Apache-2.0 */
/* The table of claims. Two claims that meet in a cell cost what two of one address do: the question goes to everybody, as it
 * did before there were claims. So nothing is gained by aiming at a cell, which the key of the hash makes hard besides. */

#include "proto/switch/owners.h"

#include "base/clock.h"
#include "proto/switch/switch.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CELLS      (1u << 15) /* 8 for each of 4,096 peers; pages that no claim touches take no memory */
#define TAG_MASK   0xffffffff00000000ull
#define SLOT_SHIFT 16
#define SLOT_MASK  0xffffull
#define CLAIMS     0xffffull
#define MAC_FAMILY 48 /* no address family: a MAC is never taken for an address */

struct cell {
    _Atomic uint64_t claims[OWNERS_STATES];
    _Atomic uint64_t asked_us; /* 0: never */
};

/* What one peer claims. */
struct claimant {
    uint64_t keys[OWNERS_PER_PEER];
    uint8_t count, state;
};

struct owners {
    struct cell *cells;
    struct claimant *claimants; /* by slot; control's */
    unsigned peers;
    uint64_t seed[3];
};

int owners_new(unsigned peers, const struct random_source *random, struct owners **out)
{
    *out = NULL;
    struct owners *o = calloc(1, sizeof(*o));
    if (!o)
        return ERR_NOMEM;
    o->peers = peers;
    random_fill(random, o->seed, sizeof(o->seed));
    o->cells = calloc(CELLS, sizeof(*o->cells));
    o->claimants = calloc(peers, sizeof(*o->claimants));
    if (!o->cells || !o->claimants) {
        owners_free(o);
        return ERR_NOMEM;
    }
    *out = o;
    return 0;
}

void owners_free(struct owners *o)
{
    if (!o)
        return;
    free(o->cells);
    free(o->claimants);
    free(o);
}

/* ---- keys ---- */

static uint64_t mix(uint64_t h, uint64_t word, uint64_t seed)
{
    h = (h ^ word) * (seed | 1);
    return h ^ h >> 32;
}

static uint64_t key_of(const struct owners *o, uint8_t family, const uint8_t bytes[16])
{
    uint64_t words[2];
    memcpy(words, bytes, sizeof(words));
    uint64_t h = mix(family, words[0], o->seed[0]);
    h = mix(h, words[1], o->seed[1]);
    return mix(h, o->seed[2], o->seed[0]);
}

uint64_t owners_key(const struct owners *o, const struct addr *a)
{
    return key_of(o, a->family, a->ip);
}

uint64_t owners_key_mac(const struct owners *o, const uint8_t mac[6])
{
    uint8_t bytes[16] = {0};
    memcpy(bytes, mac, 6);
    return key_of(o, MAC_FAMILY, bytes);
}

/* ---- claims ---- */

static struct cell *cell_of(const struct owners *o, uint64_t key)
{
    return &o->cells[key % CELLS];
}

/* A worker sees a cell before or after the change. */
static void change(const struct owners *o, uint32_t slot, bool add)
{
    const struct claimant *c = &o->claimants[slot];
    for (unsigned i = 0; i < c->count; i++) {
        _Atomic uint64_t *at = &cell_of(o, c->keys[i])->claims[c->state];
        uint64_t word = atomic_load_explicit(at, memory_order_relaxed);
        word ^= (c->keys[i] & TAG_MASK) | (uint64_t)slot << SLOT_SHIFT;
        atomic_store_explicit(at, add ? word + 1 : word - 1, memory_order_relaxed);
    }
}

static bool has(const struct claimant *c, uint64_t key)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->keys[i] == key)
            return true;
    return false;
}

void owners_claim(struct owners *o, uint32_t slot, enum owners_state state, const uint64_t *list,
                  unsigned count)
{
    if (slot >= o->peers)
        return;
    struct claimant *c = &o->claimants[slot];
    change(o, slot, false);
    c->count = 0;
    c->state = (uint8_t)state;
    for (unsigned i = 0; i < count && c->count < OWNERS_PER_PEER; i++)
        if (!has(c, list[i]))
            c->keys[c->count++] = list[i];
    change(o, slot, true);
}

void owners_leave(struct owners *o, uint32_t slot)
{
    if (slot >= o->peers)
        return;
    change(o, slot, false);
    o->claimants[slot].state = OWNERS_ABSENT;
    change(o, slot, true);
}

/* ---- questions ---- */

int owners_find(const struct owners *o, enum owners_state state, uint64_t key)
{
    uint64_t word = atomic_load_explicit(&cell_of(o, key)->claims[state], memory_order_relaxed);
    if ((word & CLAIMS) != 1 || ((word ^ key) & TAG_MASK))
        return SWITCH_PORT_FLOOD;
    return (int)(word >> SLOT_SHIFT & SLOT_MASK);
}

int owners_ask(struct owners *o, uint64_t key, uint64_t now_us)
{
    int owner = owners_find(o, OWNERS_HERE, key);
    if (owner == SWITCH_PORT_FLOOD)
        return owner;
    uint64_t last_us = atomic_exchange_explicit(&cell_of(o, key)->asked_us, now_us, memory_order_relaxed);
    bool again = last_us && now_us < last_us + SWITCH_ASK_AGAIN_S * USEC_PER_SEC;
    return again ? SWITCH_PORT_FLOOD : owner;
}
