/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The switch's address table: a fixed open-addressing hash table of (MAC, VLAN) → port and times. Finding and
 * refreshing take no lock and no writer ever waits for a reader; a reader that meets a change in the making
 * may miss an address once, which costs one flooded frame. Used by switch.c alone. docs/PROTOCOL.md §13. */

#include "base/err.h"
#include "base/random.h"
#include "proto/switch/switch.h"
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FDB_KEY_VALID (1ull << 60)

struct fdb;

int fdb_new(unsigned peers, unsigned entries, const struct random_source *random,
            struct fdb **out) must_check;
void fdb_free(struct fdb *fdb);

/* Address and VLAN as the table's key. */
static inline uint64_t fdb_key(const uint8_t mac[6], uint16_t vlan)
{
    uint32_t high;
    uint16_t low;

    memcpy(&high, mac, sizeof(high));
    memcpy(&low, mac + sizeof(high), sizeof(low));
    return FDB_KEY_VALID | (uint64_t)(vlan & 0xfff) << 48 | (uint64_t)be32toh(high) << 16 | be16toh(low);
}

static inline void fdb_key_mac(uint64_t key, uint8_t mac[6])
{
    for (unsigned i = 0; i < 6; i++)
        mac[i] = (uint8_t)(key >> (40 - 8 * i));
}

/* The port, or SWITCH_PORT_FLOOD. Any thread. */
int fdb_find(const struct fdb *fdb, uint64_t key);

/* Learns, refreshes or moves an address. DROP_NONE; DROP_FDB_FULL when a cap forbids it; DROP_FLAPPING when it
 * moved too often; DROP_SOURCE and DROP_PINNED when a peer claims an address that is ours or another peer's.
 * Any thread; takes the lock only to add or move. */
enum drop fdb_learn(struct fdb *fdb, uint64_t key, int port, uint64_t now_us);

/* Whether the key is our own side's, has not been seen there for SWITCH_QUIET_MS, and is not the device's own.
 * Any thread. */
bool fdb_may_have_left(const struct fdb *fdb, uint64_t key, uint64_t now_us);

/* The port that announced the key's address, or SWITCH_PORT_FLOOD. Any thread. */
int fdb_pin_owner(const struct fdb *fdb, uint64_t key);

/* switch_pin; port may be SWITCH_PORT_DEVICE, which takes any address from anybody. Control thread. */
void fdb_pin(struct fdb *fdb, int port, struct switch_pin *list, unsigned count);

/* Remove a port's addresses; those not seen for SWITCH_AGE_S; list as switch_list. Control thread; the lock is given
 * back now and then. */
void fdb_forget(struct fdb *fdb, int port);
void fdb_age(struct fdb *fdb, uint64_t now_us);
size_t fdb_list(struct fdb *fdb, uint64_t now_us, uint64_t *at, struct switch_entry *out, size_t cap);
