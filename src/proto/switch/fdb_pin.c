/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that were announced: the device's own, and those in a peer's HELLO. docs/PROTOCOL.md §13. Changed by
 * the control thread, asked by any. */

#include "proto/switch/fdb_impl.h"

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
    else if (held_by != port && own && !(there.value & FDB_PIN_OWN))
        atomic_store_explicit(&there.cell->value, pin, memory_order_release);
    else if (held_by != port) {
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

void fdb_pin(struct fdb *fdb, int port, struct switch_pin *list, unsigned count)
{
    pthread_mutex_lock(&fdb->lock);
    for (unsigned i = 0; i < count; i++)
        list[i].err = pin_one(fdb, port, fdb_key(list[i].mac, 0), list[i].own, &list[i].owner);
    pthread_mutex_unlock(&fdb->lock);
    fdb_sweep_all(fdb,
                  &(struct fdb_sweep){.doomed = outdated, .port = port, .pins = list, .pin_count = count});
}
