/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that were announced: the device's own, and those in a peer's HELLO. docs/PROTOCOL.md §13. Changed by
 * the control thread, asked by any. */

#include "proto/switch/fdb_impl.h"
#include "proto/switch/fdb_share.h"

#define MAC_MASK  0xffffffffffffull
#define GROUP_BIT (1ull << 40)

static uint64_t pin_key(uint64_t key)
{
    return FDB_KEY_PIN | (key & MAC_MASK);
}

int fdb_pin_owner(const struct fdb *fdb, uint64_t key)
{
    struct fdb_found pin = fdb_lookup(fdb, pin_key(key));

    return pin.cell ? fdb_value_port(pin.value) : SWITCH_PORT_FLOOD;
}

/* Beyond the limit it is pinned when it is announced again. */
static void wait_for(struct fdb *fdb, int port, const struct switch_pin *pin)
{
    if (port != SWITCH_PORT_DEVICE && fdb->waiting_count < FDB_WAITING_MAX)
        fdb->waiting[fdb->waiting_count++] = (struct fdb_waiting){port, *pin};
}

static void wait_no_more(struct fdb *fdb, int port)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < fdb->waiting_count; i++)
        if (fdb->waiting[i].port != port)
            fdb->waiting[kept++] = fdb->waiting[i];
    fdb->waiting_count = kept;
}

/* With the lock held. */
static int pin_one(struct fdb *fdb, int port, uint64_t key, bool own, uint32_t *owner)
{
    uint64_t pin = fdb_value_of_port(port) | (own ? FDB_PIN_OWN : 0);
    if (!(key & MAC_MASK) || (key & GROUP_BIT))
        return ERR_ARGUMENT;
    struct fdb_found there = fdb_lookup(fdb, pin_key(key));
    int held_by = there.cell ? fdb_value_port(there.value) : port;
    if (!there.cell)
        fdb_insert(fdb, pin_key(key), pin);
    else if (port == SWITCH_PORT_DEVICE)
        atomic_store_explicit(&there.cell->value, pin, memory_order_release);
    else if (held_by == SWITCH_PORT_DEVICE)
        return ERR_PERMISSION;
    else if (held_by != port && own && !(there.value & FDB_PIN_OWN)) {
        struct switch_pin loser = {0};
        fdb_key_mac(key, loser.mac);
        wait_for(fdb, held_by, &loser);
        atomic_store_explicit(&there.cell->value, pin, memory_order_release);
    } else if (held_by != port) {
        *owner = (uint32_t)held_by;
        return ERR_EXISTS;
    }
    return 0;
}

static bool is_in(const struct fdb_sweep *sweep, uint64_t key)
{
    for (unsigned i = 0; i < sweep->pin_count; i++)
        if (!sweep->pins[i].err && pin_key(fdb_key(sweep->pins[i].mac, 0)) == pin_key(key))
            return true;
    return false;
}

/* The port's pins of before, and what other peers taught about the new ones. */
static bool outdated(const struct fdb_sweep *sweep, uint64_t key, uint64_t value)
{
    int port = fdb_value_port(value);

    if (key & FDB_KEY_PIN)
        return port == sweep->port && !is_in(sweep, key);
    return port != sweep->port && port != SWITCH_PORT_DEVICE && is_in(sweep, key);
}

/* What other peers taught about a pin that its port got late. */
static bool taught_elsewhere(const struct fdb_sweep *sweep, uint64_t key, uint64_t value)
{
    return !(key & FDB_KEY_PIN) && outdated(sweep, key, value);
}

/* Those who waited for an address that is nobody's now, in the order in which they came. */
static void pin_waiting(struct fdb *fdb)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < fdb->waiting_count; i++) {
        struct fdb_waiting w = fdb->waiting[i];
        pthread_mutex_lock(&fdb->lock);
        w.pin.err = pin_one(fdb, w.port, fdb_key(w.pin.mac, 0), w.pin.own, &w.pin.owner);
        pthread_mutex_unlock(&fdb->lock);
        if (w.pin.err)
            fdb->waiting[kept++] = w;
        else
            fdb_sweep_all(fdb,
                          &(struct fdb_sweep){
                              .doomed = taught_elsewhere, .port = w.port, .pins = &w.pin, .pin_count = 1});
    }
    fdb->waiting_count = kept;
}

void fdb_pin(struct fdb *fdb, int port, struct switch_pin *list, unsigned count)
{
    wait_no_more(fdb, port);
    pthread_mutex_lock(&fdb->lock);
    for (unsigned i = 0; i < count; i++) {
        list[i].err = pin_one(fdb, port, fdb_key(list[i].mac, 0), list[i].own, &list[i].owner);
        if (list[i].err && list[i].err != ERR_ARGUMENT)
            wait_for(fdb, port, &list[i]);
    }
    pthread_mutex_unlock(&fdb->lock);
    fdb_sweep_all(fdb,
                  &(struct fdb_sweep){.doomed = outdated, .port = port, .pins = list, .pin_count = count});
    pin_waiting(fdb);
}
