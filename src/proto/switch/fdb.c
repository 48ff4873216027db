/* SPDX-License-Identifier: Apache-2.0 */
/* The address table: finding, learning, moving, forgetting. Its layout and who may change what: fdb_impl.h.
 * docs/PROTOCOL.md §13. */

#include "proto/switch/fdb_impl.h"
#include "proto/switch/fdb_share.h"

#include <stdlib.h>
#include <string.h>

#define KEY_BUSY     (1ull << 61)
#define SEEN_MASK    0xfffffull
#define SINCE_MASK   0x3ffffffull
#define SEEN_SHIFT   28
#define MOVES_SHIFT  26
#define MOVES_MASK   3u
#define TICK_US      100000ull /* of the times in a value word */
#define TICKS_S      (1000000 / TICK_US)
#define WINDOW       (SWITCH_MOVES_S * TICKS_S)
#define QUIET        (SWITCH_QUIET_MS * 1000 / TICK_US + 1) /* a tick that has begun may just have */
#define LOCKED_CELLS 1024                                   /* looked at in one go with the lock held */

static void store(_Atomic uint64_t *v, uint64_t to)
{
    atomic_store_explicit(v, to, memory_order_release);
}

/* ---- the value word ---- */

static uint64_t value_make(int port, uint64_t now_us, unsigned moves, uint64_t since)
{
    return fdb_value_of_port(port) | (now_us / TICK_US & SEEN_MASK) << SEEN_SHIFT |
           (uint64_t)moves << MOVES_SHIFT | (since & SINCE_MASK);
}

/* 0 also when another thread's clock was a little ahead. */
static uint32_t value_age(uint64_t value, uint64_t now_us)
{
    uint64_t age = (now_us / TICK_US - (value >> SEEN_SHIFT)) & SEEN_MASK;

    return age > SEEN_MASK / 2 ? 0 : (uint32_t)age;
}

/* How often the address moved in the window that is open, 0 when none is. A clock a little behind the one that
 * opened it is in it. */
static unsigned value_moves(uint64_t value, uint64_t now_us)
{
    uint64_t open = (now_us / TICK_US - value) & SINCE_MASK;

    return open < WINDOW || open > SINCE_MASK - WINDOW ? value >> MOVES_SHIFT & MOVES_MASK : 0;
}

static uint64_t value_moved(uint64_t value, int port, uint64_t now_us)
{
    unsigned moves = value_moves(value, now_us);

    bool counts = port != SWITCH_PORT_DEVICE; /* what our side takes back stays counted, and adds nothing */

    if (!moves)
        return value_make(port, now_us, counts, now_us / TICK_US);
    return value_make(port, now_us, moves < SWITCH_MOVES_MAX ? moves + counts : moves, value);
}

static uint64_t value_seen_now(uint64_t value, uint64_t now_us)
{
    return (value & ~(SEEN_MASK << SEEN_SHIFT)) | (now_us / TICK_US & SEEN_MASK) << SEEN_SHIFT;
}

/* ---- making ---- */

int fdb_new(unsigned peers, unsigned entries, const struct random_source *random, struct fdb **out)
{
    *out = NULL;
    if (peers == 0 || peers > SWITCH_PEERS_MAX || entries < 2 || entries > 1u << 24)
        return ERR_ARGUMENT;
    struct fdb *fdb = aligned_alloc(alignof(struct fdb), sizeof(*fdb));
    if (!fdb)
        return ERR_NOMEM;

    memset(fdb, 0, sizeof(*fdb));
    pthread_mutex_init(&fdb->lock, NULL);
    size_t size = 4;
    size_t most = (size_t)entries + (size_t)(peers + 1) * SWITCH_PINS_PER_PEER;
    while (size < (size_t)entries * 2 || size < most + most / 2)
        size *= 2;
    fdb->mask = size - 1;
    fdb->entries = entries;
    fdb->peers_max = entries - entries / 8;
    fdb->local_max = entries / 2;
    random_fill(random, fdb->seed, sizeof(fdb->seed));
    fdb->cells = calloc(size, sizeof(*fdb->cells));
    fdb->count = calloc(peers, sizeof(*fdb->count));
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

static uint64_t home(const struct fdb *fdb, uint64_t key)
{
    uint64_t h = (key ^ fdb->seed[0]) * (fdb->seed[1] | 1);

    h = (h ^ h >> 32) * (fdb->seed[2] | 1);
    return (h ^ h >> 32) & fdb->mask;
}

/* A cell whose key changes while it is read is passed over: its value may be another key's. One whose key went and came
 * back meanwhile is not: docs/model/threads says what that takes, and what it costs. */
struct fdb_found fdb_lookup(const struct fdb *fdb, uint64_t key)
{
    uint64_t at = home(fdb, key);

    for (uint64_t steps = 0; steps <= fdb->mask; steps++, at = (at + 1) & fdb->mask) {
        struct fdb_cell *cell = &fdb->cells[at];
        uint64_t there = fdb_load(&cell->key);
        if (there == 0)
            break;
        if (there != key)
            continue;
        uint64_t value = fdb_load(&cell->value);
        if (fdb_load(&cell->key) == key)
            return (struct fdb_found){cell, value};
    }
    return (struct fdb_found){NULL, 0};
}

int fdb_find(const struct fdb *fdb, uint64_t key)
{
    struct fdb_found found = fdb_lookup(fdb, key);

    return found.cell ? fdb_value_port(found.value) : fdb_pin_owner(fdb, key);
}

/* Whether a station of our own side has said nothing for so many ticks. Each time that a peer took its address and
 * it took it back, it takes four times as long: with SWITCH_MOVES_MAX longer than their window. */
static bool is_quiet(uint64_t value, uint64_t ticks, uint64_t now_us)
{
    return value_age(value, now_us) >= ticks << 2 * value_moves(value, now_us);
}

bool fdb_may_have_left(const struct fdb *fdb, uint64_t key, uint64_t now_us)
{
    struct fdb_found found = fdb_lookup(fdb, key);

    return found.cell && fdb_value_port(found.value) == SWITCH_PORT_DEVICE &&
           value_age(found.value, now_us) >= QUIET && fdb_pin_owner(fdb, key) != SWITCH_PORT_DEVICE;
}

/* ---- learning ---- */

/* Rewrites a cell so that no reader can take one key's value for another's. */
static void cell_set(struct fdb_cell *cell, uint64_t key, uint64_t value)
{
    store(&cell->key, KEY_BUSY);
    store(&cell->value, value);
    store(&cell->key, key);
}

void fdb_insert(struct fdb *fdb, uint64_t key, uint64_t value)
{
    uint64_t at = home(fdb, key);

    while (fdb_load(&fdb->cells[at].key))
        at = (at + 1) & fdb->mask;
    cell_set(&fdb->cells[at], key, value);
}

/* Whether port may learn an address, which the table has as found (or not at all). The order of belief: our
 * own side, who announced the address, what was learned. Without the lock: another worker may be first. */
static enum drop judge(const struct fdb *fdb, uint64_t key, struct fdb_found found, int port, uint64_t quiet,
                       uint64_t now_us)
{
    int from = found.cell ? fdb_value_port(found.value) : SWITCH_PORT_FLOOD;

    if (port != SWITCH_PORT_DEVICE) {
        int owner = fdb_pin_owner(fdb, key);
        if (owner == SWITCH_PORT_DEVICE ||
            (from == SWITCH_PORT_DEVICE && !is_quiet(found.value, quiet, now_us)))
            return DROP_SOURCE;
        if (owner >= 0 && owner != port)
            return DROP_PINNED;
        if (found.cell && from != SWITCH_PORT_DEVICE && owner != port &&
            value_moves(found.value, now_us) == SWITCH_MOVES_MAX)
            return DROP_FLAPPING;
    }
    return fdb_room(fdb, port, from) == FDB_ROOM_NONE ? DROP_FDB_FULL : DROP_NONE;
}

static void put(struct fdb *fdb, uint64_t key, int port, uint64_t now_us)
{
    struct fdb_found found = fdb_lookup(fdb, key);

    if (found.cell) {
        fdb_account(fdb, fdb_value_port(found.value), -1);
        store(&found.cell->value, value_moved(found.value, port, now_us));
    } else {
        fdb_insert(fdb, key, value_make(port, now_us, 0, 0));
    }
    fdb_account(fdb, port, 1);
}

static enum drop learn_locked(struct fdb *fdb, uint64_t key, int port, uint64_t quiet, uint64_t now_us)
{
    struct fdb_found found = fdb_lookup(fdb, key);
    int from = found.cell ? fdb_value_port(found.value) : SWITCH_PORT_FLOOD;

    if (from == port)
        return DROP_NONE; /* another worker was first */
    enum drop drop = judge(fdb, key, found, port, quiet, now_us);
    if (drop)
        return drop;
    if (fdb_room(fdb, port, from) == FDB_ROOM_DISPLACE && !fdb_displace(fdb, port))
        return DROP_FDB_FULL;
    put(fdb, key, port, now_us);
    return DROP_NONE;
}

/* Once in a tick and address, whoever comes first. */
static void refresh(struct fdb_cell *cell, uint64_t value, uint64_t now_us)
{
    uint64_t seen = value_seen_now(value, now_us);

    if (seen != value)
        atomic_compare_exchange_strong_explicit(&cell->value, &value, seen, memory_order_release,
                                                memory_order_relaxed);
}

/* Somebody's address anew, or by another port. What is refused does not come as far as the lock. */
static enum drop learn_slowly(struct fdb *fdb, uint64_t key, struct fdb_found found, int port, uint64_t quiet,
                              uint64_t now_us)
{
    enum drop drop = judge(fdb, key, found, port, quiet, now_us);

    if (!drop) {
        pthread_mutex_lock(&fdb->lock);
        drop = learn_locked(fdb, key, port, quiet, now_us);
        pthread_mutex_unlock(&fdb->lock);
    }
    /* what was announced is found without a place of its own */
    return drop == DROP_FDB_FULL && fdb_pin_owner(fdb, key) == port ? DROP_NONE : drop;
}

enum drop fdb_learn(struct fdb *fdb, uint64_t key, int port, uint64_t now_us)
{
    struct fdb_found found = fdb_lookup(fdb, key);

    if (!found.cell || fdb_value_port(found.value) != port)
        return learn_slowly(fdb, key, found, port, QUIET, now_us);
    refresh(found.cell, found.value, now_us);
    return DROP_NONE;
}

/* ---- forgetting ---- */

void fdb_remove_at(struct fdb *fdb, uint64_t hole)
{
    if (!(fdb_load(&fdb->cells[hole].key) & FDB_KEY_PIN))
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

static bool is_of_port(const struct fdb_sweep *sweep, uint64_t key, uint64_t value)
{
    return !(key & FDB_KEY_PIN) && fdb_value_port(value) == sweep->port;
}

static bool is_old(const struct fdb_sweep *sweep, uint64_t key, uint64_t value)
{
    return !(key & FDB_KEY_PIN) && value_age(value, sweep->now_us) >= SWITCH_AGE_S * TICKS_S;
}

static bool is_doomed(const struct fdb *fdb, uint64_t at, const struct fdb_sweep *sweep)
{
    uint64_t key = fdb_load(&fdb->cells[at].key);

    return key && sweep->doomed(sweep, key, fdb_load(&fdb->cells[at].value));
}

static void sweep_cells(struct fdb *fdb, const struct fdb_sweep *sweep, uint64_t from, uint64_t to)
{
    pthread_mutex_lock(&fdb->lock);
    for (uint64_t at = from; at < to; at++)
        while (is_doomed(fdb, at, sweep))
            fdb_remove_at(fdb, at); /* what moves up into the cell is looked at in its turn */
    pthread_mutex_unlock(&fdb->lock);
}

void fdb_sweep_all(struct fdb *fdb, const struct fdb_sweep *sweep)
{
    for (uint64_t from = 0; from <= fdb->mask; from += LOCKED_CELLS) {
        uint64_t to = from + LOCKED_CELLS;
        sweep_cells(fdb, sweep, from, to > fdb->mask + 1 ? fdb->mask + 1 : to);
    }
}

void fdb_forget(struct fdb *fdb, int port)
{
    fdb_sweep_all(fdb, &(struct fdb_sweep){.doomed = is_of_port, .port = port});
}

void fdb_age(struct fdb *fdb, uint64_t now_us)
{
    fdb_sweep_all(fdb, &(struct fdb_sweep){.doomed = is_old, .now_us = now_us});
}

/* ---- listing ---- */

static void entry_fill(struct switch_entry *e, uint64_t key, uint64_t value, uint64_t now_us)
{
    fdb_key_mac(key, e->mac);
    e->vlan = key >> 48 & 0xfff;
    e->port = fdb_value_port(value);
    e->age_s = (uint32_t)(value_age(value, now_us) / TICKS_S);
}

static size_t list_cells(struct fdb *fdb, uint64_t now_us, uint64_t *at, struct switch_entry *out, size_t cap)
{
    uint64_t end = *at + LOCKED_CELLS;
    size_t n = 0;

    pthread_mutex_lock(&fdb->lock);
    for (; *at < end && *at <= fdb->mask && n < cap; ++*at) {
        uint64_t key = fdb_load(&fdb->cells[*at].key);
        if (key && !(key & FDB_KEY_PIN))
            entry_fill(&out[n++], key, fdb_load(&fdb->cells[*at].value), now_us);
    }
    pthread_mutex_unlock(&fdb->lock);
    return n;
}

size_t fdb_list(struct fdb *fdb, uint64_t now_us, uint64_t *at, struct switch_entry *out, size_t cap)
{
    size_t n = 0;

    while (n < cap && *at <= fdb->mask)
        n += list_cells(fdb, now_us, at, out + n, cap - n);
    return n;
}
