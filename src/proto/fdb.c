/* SPDX-License-Identifier: Apache-2.0 */
/* The address table: finding, learning, moving, forgetting. Its layout and who may change what: fdb_impl.h.
 * docs/PROTOCOL.md §13. */

#include "proto/fdb_impl.h"

#include "crypto/secret.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define KEY_VALID    (1ull << 60)
#define KEY_BUSY     (1ull << 61)
#define SEEN_MASK    0xfffffull
#define MOVED_MASK   0xfffffffull
#define SEEN_SHIFT   28
#define HOLD_DOWN_MS (SWITCH_HOLD_DOWN_US / 1000)
#define LOCKED_CELLS 1024 /* looked at in one go with the lock held */

static void store(_Atomic uint64_t *v, uint64_t to)
{
    atomic_store_explicit(v, to, memory_order_release);
}

/* ---- the value word ---- */

static uint64_t value_make(int port, uint64_t now_us, uint64_t moved_ms)
{
    uint64_t number = port == SWITCH_PORT_DEVICE ? FDB_DEVICE_PORT : (uint64_t)port;

    return number << FDB_PORT_SHIFT | (now_us / 1000000 & SEEN_MASK) << SEEN_SHIFT | (moved_ms & MOVED_MASK);
}

/* 0 also when another thread's clock was a little ahead. */
static uint32_t value_age_s(uint64_t value, uint64_t now_us)
{
    uint64_t age = (now_us / 1000000 - (value >> SEEN_SHIFT)) & SEEN_MASK;

    return age > SEEN_MASK / 2 ? 0 : (uint32_t)age;
}

static bool value_held(uint64_t value, uint64_t now_us)
{
    uint64_t since = (now_us / 1000 - value) & MOVED_MASK;

    return since < HOLD_DOWN_MS || since > MOVED_MASK - HOLD_DOWN_MS;
}

static uint64_t value_seen_now(uint64_t value, uint64_t now_us)
{
    return (value & ~(SEEN_MASK << SEEN_SHIFT)) | (now_us / 1000000 & SEEN_MASK) << SEEN_SHIFT;
}

/* ---- making ---- */

int fdb_new(unsigned peers, unsigned entries, struct fdb **out)
{
    *out = NULL;
    if (peers == 0 || peers > SWITCH_PEERS_MAX || entries < 2 || entries > 1u << 24)
        return ERR_ARGUMENT;
    struct fdb *fdb = aligned_alloc(alignof(struct fdb), sizeof *fdb);
    if (!fdb)
        return ERR_NOMEM;

    memset(fdb, 0, sizeof *fdb);
    pthread_mutex_init(&fdb->lock, NULL);
    size_t size = 4;
    while (size < (size_t)entries * 2)
        size *= 2;
    fdb->mask = size - 1;
    fdb->entries = entries;
    fdb->peers_max = entries - entries / 8;
    fdb->local_max = entries / 2;
    secret_random(fdb->seed, sizeof fdb->seed);
    fdb->cells = calloc(size, sizeof *fdb->cells);
    fdb->count = calloc(peers, sizeof *fdb->count);
    if (!fdb->cells || !fdb->count) {
        fdb_free(fdb);
        return ERR_NOMEM;
    }
    *out = fdb;
    return 0;
}

void fdb_free(struct fdb *fdb)
{
    if (!fdb)
        return;
    pthread_mutex_destroy(&fdb->lock);
    free(fdb->cells);
    free(fdb->count);
    free(fdb);
}

/* ---- finding ---- */

uint64_t fdb_key(const uint8_t mac[6], uint16_t vlan)
{
    uint32_t high;
    uint16_t low;

    memcpy(&high, mac, sizeof high);
    memcpy(&low, mac + sizeof high, sizeof low);
    return KEY_VALID | (uint64_t)(vlan & 0xfff) << 48 | (uint64_t)be32toh(high) << 16 | be16toh(low);
}

static uint64_t home(const struct fdb *fdb, uint64_t key)
{
    uint64_t h = (key ^ fdb->seed[0]) * (fdb->seed[1] | 1);

    h = (h ^ h >> 32) * (fdb->seed[2] | 1);
    return (h ^ h >> 32) & fdb->mask;
}

/* The cell that holds key, with its value; NULL when there is none. A cell whose key changes while it is read
 * is passed over: its value may be another key's. */
static struct fdb_cell *lookup(const struct fdb *fdb, uint64_t key, uint64_t *value)
{
    uint64_t at = home(fdb, key);

    for (uint64_t steps = 0; steps <= fdb->mask; steps++, at = (at + 1) & fdb->mask) {
        struct fdb_cell *cell = &fdb->cells[at];
        uint64_t there = fdb_load(&cell->key);
        if (there == 0)
            return NULL;
        if (there != key)
            continue;
        *value = fdb_load(&cell->value);
        if (fdb_load(&cell->key) == key)
            return cell;
    }
    return NULL;
}

int fdb_find(const struct fdb *fdb, uint64_t key)
{
    uint64_t value;

    return lookup(fdb, key, &value) ? fdb_value_port(value) : SWITCH_PORT_FLOOD;
}

/* ---- learning ---- */

/* Rewrites a cell so that no reader can take one key's value for another's. */
static void cell_set(struct fdb_cell *cell, uint64_t key, uint64_t value)
{
    store(&cell->key, KEY_BUSY);
    store(&cell->value, value);
    store(&cell->key, key);
}

static void insert(struct fdb *fdb, uint64_t key, uint64_t value)
{
    uint64_t at = home(fdb, key);

    while (fdb_load(&fdb->cells[at].key))
        at = (at + 1) & fdb->mask;
    cell_set(&fdb->cells[at], key, value);
}

enum claim { CLAIM_SAME, CLAIM_MOVE, CLAIM_HELD, CLAIM_OURS };

/* What a frame from port says about an address that the table has. */
static enum claim claim(uint64_t value, int port, uint64_t now_us)
{
    if (fdb_value_port(value) == port)
        return CLAIM_SAME;
    if (port == SWITCH_PORT_DEVICE)
        return CLAIM_MOVE;
    if (fdb_value_port(value) == SWITCH_PORT_DEVICE && value_age_s(value, now_us) < SWITCH_LOCAL_S)
        return CLAIM_OURS;
    return value_held(value, now_us) ? CLAIM_HELD : CLAIM_MOVE;
}

static int learn_locked(struct fdb *fdb, uint64_t key, int port, uint64_t now_us)
{
    uint64_t value, now_ms = now_us / 1000;
    struct fdb_cell *cell = lookup(fdb, key, &value);
    int from = cell ? fdb_value_port(value) : SWITCH_PORT_FLOOD;

    enum claim what = cell ? claim(value, port, now_us) : CLAIM_MOVE;
    if (what != CLAIM_MOVE) /* another worker was first */
        return what == CLAIM_OURS ? ERR_PERMISSION : 0;
    enum fdb_room room = fdb_room(fdb, port, from);
    if (room == FDB_ROOM_NONE || (room == FDB_ROOM_DISPLACE && !fdb_displace(fdb, port)))
        return ERR_SPACE;
    if (room == FDB_ROOM_DISPLACE && cell)
        cell = lookup(fdb, key, &value); /* it may have moved up */
    if (cell) {
        fdb_account(fdb, from, -1);
        store(&cell->value, value_make(port, now_us, now_ms));
    } else {
        insert(fdb, key, value_make(port, now_us, now_ms - HOLD_DOWN_MS));
    }
    fdb_account(fdb, port, 1);
    return 0;
}

/* Once a second and address, whoever comes first. */
static void refresh(struct fdb_cell *cell, uint64_t value, uint64_t now_us)
{
    uint64_t seen = value_seen_now(value, now_us);

    if (seen != value)
        atomic_compare_exchange_strong_explicit(&cell->value, &value, seen, memory_order_release,
                                                memory_order_relaxed);
}

int fdb_learn(struct fdb *fdb, uint64_t key, int port, uint64_t now_us)
{
    uint64_t value;
    struct fdb_cell *cell = lookup(fdb, key, &value);

    if (cell) {
        switch (claim(value, port, now_us)) {
        case CLAIM_SAME:
            refresh(cell, value, now_us);
            return 0;
        case CLAIM_OURS:
            return ERR_PERMISSION;
        case CLAIM_HELD:
            return 0;
        case CLAIM_MOVE:
            break;
        }
    }
    if (fdb_room(fdb, port, cell ? fdb_value_port(value) : SWITCH_PORT_FLOOD) == FDB_ROOM_NONE)
        return ERR_SPACE; /* a flood of made-up addresses does not come as far as the lock */
    pthread_mutex_lock(&fdb->lock);
    int err = learn_locked(fdb, key, port, now_us);
    pthread_mutex_unlock(&fdb->lock);
    return err;
}

/* ---- forgetting ---- */

void fdb_remove_at(struct fdb *fdb, uint64_t hole)
{
    fdb_account(fdb, fdb_value_port(fdb_load(&fdb->cells[hole].value)), -1);
    for (uint64_t at = (hole + 1) & fdb->mask;; at = (at + 1) & fdb->mask) {
        uint64_t key = fdb_load(&fdb->cells[at].key);
        if (key == 0)
            break;
        if (((at - home(fdb, key)) & fdb->mask) < ((at - hole) & fdb->mask))
            continue; /* its home lies behind the hole */
        cell_set(&fdb->cells[hole], key, fdb_load(&fdb->cells[at].value));
        hole = at;
    }
    store(&fdb->cells[hole].key, 0);
}

struct sweep {
    bool by_port;
    int port;
    uint64_t now_us;
};

static bool doomed(const struct sweep *sweep, uint64_t value)
{
    return sweep->by_port ? fdb_value_port(value) == sweep->port
                          : value_age_s(value, sweep->now_us) >= SWITCH_AGE_S;
}

static void sweep_cells(struct fdb *fdb, const struct sweep *sweep, uint64_t from, uint64_t to)
{
    pthread_mutex_lock(&fdb->lock);
    for (uint64_t at = from; at < to; at++)
        while (fdb_load(&fdb->cells[at].key) && doomed(sweep, fdb_load(&fdb->cells[at].value)))
            fdb_remove_at(fdb, at); /* what moves up into the cell is looked at in its turn */
    pthread_mutex_unlock(&fdb->lock);
}

static void sweep_all(struct fdb *fdb, const struct sweep *sweep)
{
    for (uint64_t from = 0; from <= fdb->mask; from += LOCKED_CELLS) {
        uint64_t to = from + LOCKED_CELLS;
        sweep_cells(fdb, sweep, from, to > fdb->mask + 1 ? fdb->mask + 1 : to);
    }
}

void fdb_forget(struct fdb *fdb, int port)
{
    sweep_all(fdb, &(struct sweep){.by_port = true, .port = port});
}

void fdb_age(struct fdb *fdb, uint64_t now_us)
{
    sweep_all(fdb, &(struct sweep){.now_us = now_us});
}

/* ---- listing ---- */

static void entry_fill(struct switch_entry *e, uint64_t key, uint64_t value, uint64_t now_us)
{
    for (int i = 0; i < 6; i++)
        e->mac[i] = (uint8_t)(key >> (40 - 8 * i));
    e->vlan = key >> 48 & 0xfff;
    e->port = fdb_value_port(value);
    e->age_s = value_age_s(value, now_us);
}

size_t fdb_list(struct fdb *fdb, uint64_t now_us, struct switch_entry *out, size_t cap)
{
    size_t n = 0;

    pthread_mutex_lock(&fdb->lock);
    for (uint64_t at = 0; at <= fdb->mask; at++) {
        uint64_t key = fdb_load(&fdb->cells[at].key);
        if (!key)
            continue;
        if (n < cap)
            entry_fill(&out[n], key, fdb_load(&fdb->cells[at].value), now_us);
        n++;
    }
    pthread_mutex_unlock(&fdb->lock);
    return n;
}
