/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control thread's half of a device without a link layer (-tun): the neighbours of proto/neigh, and what workers read of
 * them. */

#include "base/addr.h"
#include "base/err.h"
#include "net/rtnl.h"
#include "node/data/worker.h"
#include <stddef.h>
#include <stdint.h>

struct neigh_view;
struct shim;
struct workers;

struct shim_config {
    uint8_t mac[6];
    /* Another machine has an address of ours. */
    void (*conflict)(void *context, const struct addr *ours, const uint8_t mac[6]);
    void *context;
};

/* What the kernel knows of the device: its addresses, and the routes through it. Borrowed for the call. */
struct shim_machine {
    const struct addr_prefix *addresses;
    unsigned address_count;
    const struct rtnl_route *routes;
    size_t route_count;
};

int shim_new(const struct shim_config *config, const struct shim_machine *now, struct shim **out) must_check;

/* NULL is allowed. No worker is left. */
void shim_free(struct shim *s);

/* For workers_config. */
const struct neigh_view *shim_view(const struct shim *s);

/* By them frames leave from now on; borrowed. */
void shim_begin(struct shim *s, const struct workers *workers);

/* The machine is so now. Cheap where what concerns the device is the same. Out of memory: the next one does it. */
void shim_look(struct shim *s, const struct shim_machine *now);

/* The peer in slot says that it has these addresses, at its MAC; none when it is gone. */
void shim_claim(struct shim *s, uint32_t slot, const struct addr_prefix *list, unsigned count,
                const uint8_t *mac);

/* WORKER_EVENT_NEIGHBOUR. */
enum drop shim_on_event(struct shim *s, const struct worker_event *e, uint64_t now_us) must_check;

/* Once a second. Returns how many frames have waited in vain. */
unsigned shim_tick(struct shim *s, uint64_t now_us);
