/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have how much of the address table. All peers together fill at most seven eighths of it. While there
 * is room, a peer may have SWITCH_PER_PEER; when there is none, one that has less than its fair share takes a
 * place from one that has more. Peers that are at their share displace nobody, so a full table comes to rest.
 * docs/PROTOCOL.md §13. */

#include "proto/switch/fdb_share.h"

#include "proto/switch/fdb_impl.h"

#define DISPLACE_CELLS 256 /* looked at for one new address */

static uint32_t count_of(const _Atomic uint32_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void count_add(_Atomic uint32_t *count, int n)
{
    atomic_store_explicit(count, count_of(count) + (uint32_t)n, memory_order_relaxed);
}

void fdb_account(struct fdb *fdb, int port, int n)
{
    if (port == SWITCH_PORT_DEVICE) {
        count_add(&fdb->local_count, n);
        return;
    }
    uint32_t before = count_of(&fdb->count[port]);
    count_add(&fdb->peers_count, n);
    count_add(&fdb->count[port], n);
    if (!before || !count_of(&fdb->count[port]))
        count_add(&fdb->sharers, before ? -1 : 1);
}

/* What our own side leaves to the peers. */
static uint32_t peers_part(const struct fdb *fdb)
{
    uint32_t left = fdb->entries - count_of(&fdb->local_count);

    return left < fdb->peers_max ? left : fdb->peers_max;
}

/* What each peer may have of a full table, once port has some of it. */
static uint32_t share(const struct fdb *fdb, int port)
{
    return peers_part(fdb) / (count_of(&fdb->sharers) + (count_of(&fdb->count[port]) == 0));
}

/* Our own side always gets back what a peer had. */
static enum fdb_room room_for_device(const struct fdb *fdb, int from)
{
    uint32_t local = count_of(&fdb->local_count), peers = count_of(&fdb->peers_count);

    return from >= 0 || (local < fdb->local_max && local + peers < fdb->entries) ? FDB_ROOM : FDB_ROOM_NONE;
}

enum fdb_room fdb_room(const struct fdb *fdb, int port, int from)
{
    if (port == SWITCH_PORT_DEVICE)
        return room_for_device(fdb, from);
    uint32_t has = count_of(&fdb->count[port]), peers = count_of(&fdb->peers_count);
    if (has >= SWITCH_PER_PEER)
        return FDB_ROOM_NONE;
    if (from >= 0)
        return FDB_ROOM;
    if (peers < (from == SWITCH_PORT_DEVICE ? fdb->peers_max : peers_part(fdb)))
        return FDB_ROOM;
    return has < share(fdb, port) ? FDB_ROOM_DISPLACE : FDB_ROOM_NONE;
}

/* Where peers together have all that there is and one of them has less than its share, another has more. */
bool fdb_displace(struct fdb *fdb, int port)
{
    uint32_t fair = share(fdb, port);

    for (unsigned i = 0; i < DISPLACE_CELLS; i++) {
        uint64_t at = fdb->hand++ & fdb->mask;
        int holder = fdb_value_port(fdb_load(&fdb->cells[at].value));
        uint64_t key = fdb_load(&fdb->cells[at].key);
        if (!key || (key & FDB_KEY_PIN) || holder == SWITCH_PORT_DEVICE ||
            count_of(&fdb->count[holder]) <= fair)
            continue;
        fdb_remove_at(fdb, at);
        return true;
    }
    return false;
}
