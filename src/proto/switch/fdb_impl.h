/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The address table's insides, shared by fdb.c (finding, learning, forgetting) and fdb_share.c (who may have
 * how much of it); nobody else includes this. Linear probing, keyed hash, backward-shift removal (no
 * tombstones). Any thread reads and refreshes; changes of a key or a port are made under the mutex.
 *
 *   key word   63     60   59  48   47                    0     63   48   47  28  27  26   25            0
 *            +-----------+--------+-------------------------+   +-------+--------+-------+---------------+
 *            | 1 = valid | VLAN   | MAC                     |   | port  | seen   | moves | since, 0.1 s  |
 *            +-----------+--------+-------------------------+   +-------+--------+-------+---------------+
 *            0: free, BUSY: being rewritten, PIN: whose it is   value word; times in 0.1 s, modulo their width
 *
 * A pin is a cell of its own, without a VLAN, whose value is the port of whoever announced the address, and whether the
 * address was made from the announcer's id. It is
 * asked where nothing was learned or somebody else claims the address, so that known addresses cost nothing
 * more. It neither ages nor counts as one of the port's addresses. */

#include "proto/switch/fdb.h"
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#define FDB_DEVICE_PORT UINT16_MAX /* SWITCH_PORT_DEVICE, as a value word has it */
#define FDB_PORT_SHIFT  48
#define FDB_KEY_PIN     (1ull << 62)
#define FDB_PIN_OWN     1ull

struct fdb_cell {
    _Atomic uint64_t key, value;
};

#define FDB_WAITING_MAX 64

/* An announced address that somebody else has: it is its announcer's once that one is gone. */
struct fdb_waiting {
    int port;
    struct switch_pin pin;
};

struct fdb {
    struct fdb_cell *cells;
    uint64_t mask;
    uint64_t seed[3]; /* random: nobody outside can aim at one cell */
    unsigned entries, peers_max, local_max;
    /* written under the lock, read without */
    alignas(64) pthread_mutex_t lock;
    _Atomic uint32_t local_count, peers_count;
    _Atomic uint32_t sharers; /* peers that have an address here */
    _Atomic uint32_t *count;  /* per peer */
    unsigned waiting_count;   /* control thread */
    struct fdb_waiting waiting[FDB_WAITING_MAX];
    uint64_t hand; /* the cell where fdb_displace looks next */
};

static inline uint64_t fdb_load(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_acquire);
}

static inline int fdb_value_port(uint64_t value)
{
    uint64_t number = value >> FDB_PORT_SHIFT;

    return number == FDB_DEVICE_PORT ? SWITCH_PORT_DEVICE : (int)number;
}

/* Empties a cell and moves up those behind it that would otherwise be cut off from their home. With the lock
 * held. */
void fdb_remove_at(struct fdb *fdb, uint64_t hole);

/* What can be said about a cell with the lock held; the sweep removes those of which doomed holds. */
struct fdb_sweep {
    bool (*doomed)(const struct fdb_sweep *sweep, uint64_t key, uint64_t value);
    int port;
    uint64_t now_us;
    const struct switch_pin *pins;
    unsigned pin_count;
};
void fdb_sweep_all(struct fdb *fdb, const struct fdb_sweep *sweep);

/* A cell, or NULL, and its value as it was found. Returned in registers: a value that the callee writes to its
 * caller's stack would be zeroed and guarded in every function on the way of a frame. */
struct fdb_found {
    struct fdb_cell *cell;
    uint64_t value;
};

/* Finding a key's cell; adding one that is not there, with the lock held. */
struct fdb_found fdb_lookup(const struct fdb *fdb, uint64_t key);
void fdb_insert(struct fdb *fdb, uint64_t key, uint64_t value);

static inline uint64_t fdb_value_of_port(int port)
{
    return (port == SWITCH_PORT_DEVICE ? FDB_DEVICE_PORT : (uint64_t)port) << FDB_PORT_SHIFT;
}
