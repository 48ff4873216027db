/* SPDX-License-Identifier: Apache-2.0 */
/* The device of a node, in memory: all of node/device/device.h, over what the test shares with it. A queue is one end of
 * a socket pair, with a virtio header and a frame per message, as the kernel's. */

#include "device_twin.h"

#include "node/device/device.h"
#include "proto/mesh/mesh.h"
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOPBACK_INDEX 1
#define TWIN_INDEX     2

struct device {
    struct device_twin *shared;
    struct tap tap;
    struct rtnl_address machine[2];
    unsigned peer_addresses[MESH_PEERS_MAX];
};

/* The process that runs a node has this one. */
static struct device_twin *ours;

void device_twin_use(struct device_twin *shared)
{
    ours = shared;
}

int device_open(const struct config *config, const struct node_id *id, unsigned queues, struct device **out)
{
    (void)config, (void)id, (void)queues;
    static struct device device; /* the one of its process */
    struct device *d = &device;
    if (ours->fails)
        return ERR_NOMEM;
    d->shared = ours;
    d->tap = (struct tap){
        .name = "twin", .ifindex = TWIN_INDEX, .queue_count = 1, .queues = {ours->queue}, .attached = true};
    d->machine[0] =
        (struct rtnl_address){LOOPBACK_INDEX, {.addr = {.family = 4, .ip = {127, 0, 0, 1}}, .bits = 8}};
    d->machine[1] = (struct rtnl_address){TWIN_INDEX, ours->address};
    *out = d;
    return 0;
}

/* No broker is started for it. */
int device_open_inside(const struct config *config, const struct node_id *id, struct broker *broker,
                       struct device **out)
{
    (void)broker;
    return device_open(config, id, 1, out);
}

/* None is given. */
int device_take(const struct config *config, struct tap *out)
{
    (void)config, (void)out;
    return ERR_UNSUPPORTED;
}

int device_open_given(const struct config *config, const struct node_id *id, struct tap *given,
                      struct device **out)
{
    (void)given;
    return device_open(config, id, 1, out);
}

/* It has one. */
int device_give(struct device *d, const struct addr_prefix *list, unsigned count)
{
    if (count)
        d->shared->address = d->machine[1].prefix = list[0];
    return 0;
}

void device_close(struct device *d)
{
    (void)d;
}

const struct tap *device_tap(const struct device *d)
{
    return &d->tap;
}

unsigned device_mtu(const struct device *d)
{
    return d->shared->mtu;
}

const uint8_t *device_mac(const struct device *d)
{
    return d->shared->mac;
}

unsigned device_addresses(const struct device *d, struct addr_prefix *out, unsigned cap)
{
    if (cap)
        *out = d->shared->address;
    return cap > 0;
}

void device_peer_addresses(struct device *d, uint32_t slot, const struct addr_prefix *list, unsigned count,
                           uint64_t now_us)
{
    (void)list, (void)now_us;
    d->shared->peer_addresses += count - d->peer_addresses[slot];
    d->peer_addresses[slot] = count;
}

int device_holder(const struct device *d, uint32_t slot, const struct addr *a)
{
    (void)d, (void)slot, (void)a;
    return DEVICE_HOLDER_NOBODY;
}

const struct addr_prefix *device_own_addresses(const struct device *d, unsigned *count)
{
    *count = 1;
    return &d->machine[1].prefix;
}

const struct rtnl_route *device_routes(const struct device *d, size_t *count)
{
    (void)d;
    *count = 0;
    return NULL;
}

bool device_up(const struct device *d)
{
    (void)d;
    return true;
}

unsigned device_host_candidates(struct device *d, uint16_t port, uint16_t control_port, struct candidate *out,
                                unsigned cap)
{
    if (!cap || d->shared->candidates_withheld)
        return 0;
    *out = (struct candidate){CANDIDATE_HOST, d->machine[0].prefix.addr, control_port};
    out->addr.port = port;
    return 1;
}

bool device_is_overlay(const struct device *d, const struct addr *a)
{
    return addr_in_prefix(a, &d->shared->address);
}

uint32_t device_interface_of(const struct device *d, const struct addr *a)
{
    return addr_same_host(a, &d->machine[0].prefix.addr);
}

/* All that it has is one interface. */
bool device_leads_apart(const struct device *d, const struct addr *a, const struct addr *b)
{
    (void)d, (void)a, (void)b;
    return false;
}

const char *device_interface_name(const struct device *d, uint32_t index)
{
    (void)d, (void)index;
    return "twin0";
}

const struct ways *device_ways(const struct device *d)
{
    static const struct ways none;
    (void)d;
    return &none;
}

const struct rtnl_address *device_machine_addresses(const struct device *d, size_t *count)
{
    *count = 2;
    return d->machine;
}

uint16_t device_underlay_max(struct device *d)
{
    return (uint16_t)d->shared->underlay_max;
}

bool device_tick(struct device *d, uint64_t now_us)
{
    (void)d, (void)now_us;
    return false;
}

bool device_way_out(struct device *d, uint8_t family, struct rtnl_way *out)
{
    (void)d, (void)family, (void)out;
    return false;
}

int device_monitor_fd(const struct device *d)
{
    return d->shared->monitor;
}

bool device_on_change(struct device *d, uint64_t now_us)
{
    (void)now_us;
    eventfd_t count;
    return eventfd_read(d->shared->monitor, &count) == 0;
}
