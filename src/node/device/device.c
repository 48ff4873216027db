/* SPDX-License-Identifier: Apache-2.0 */
/* The node's device as it is, and what is known of the machine's other interfaces. device_open.c makes it and puts it
 * back, device_overlap.c deals with those that hold the same subnet, device_undo.c with what a run that was killed left.
 * Control thread. */

#include "node/device/device.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/device/device_given.h"
#include "node/device/device_impl.h"
#include "node/device/device_inside.h"
#include "node/device/device_overlap.h"
#include "node/device/device_routes.h"
#include "node/device/device_ways.h"
#include "proto/wire/wire.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UDP4_OVERHEAD 28 /* IPv4 and UDP headers */

/* The kernel's tables may be long, and change without end. What this does not grant, the next second does. */
static const struct bucket_rate look_rate = {250 * USEC_PER_MSEC, 4};

const char *device_reason(int err)
{
    return err == ERR_IO ? strerror(errno) : err_str(err);
}

/* ---- snapshots of the machine ---- */

const struct rtnl_link *device_link_at(const struct device *d, unsigned index)
{
    for (size_t i = 0; i < d->link_count; i++)
        if (d->links[i].index == index)
            return &d->links[i];
    return NULL;
}

int device_read_links(struct device *d)
{
    for (size_t cap = 64;; cap *= 2) {
        struct rtnl_link *list = calloc(cap, sizeof(*list));
        int count = list ? rtnl_links(d->rtnl, list, cap) : ERR_NOMEM;
        if (count >= 0 && (size_t)count <= cap) {
            free(d->links);
            d->links = list;
            d->link_count = (size_t)count;
            return 0;
        }
        free(list);
        if (count < 0)
            return count;
    }
}

static int read_addresses(struct device *d)
{
    for (size_t cap = 64;; cap *= 2) {
        struct rtnl_address *list = calloc(cap, sizeof(*list));
        int count = list ? rtnl_addresses(d->rtnl, list, cap) : ERR_NOMEM;
        if (count >= 0 && (size_t)count <= cap) {
            free(d->all);
            d->all = list;
            d->all_count = (size_t)count;
            return 0;
        }
        free(list);
        if (count < 0)
            return count;
    }
}

static void take_address(struct device *d, const struct addr_prefix *a)
{
    /* IPv6 link-local addresses are every device's: they name no subnet of ours. */
    bool link_local = a->addr.family == 6 && addr_is_link_local(&a->addr);
    if (!link_local && d->address_count < DEVICE_ADDRESSES_MAX)
        d->addresses[d->address_count++] = *a;
    if (d->own_count < DEVICE_OWN_MAX)
        d->own[d->own_count++] = *a;
}

void device_take_addresses(struct device *d, const struct rtnl_address *list, size_t count, unsigned index)
{
    d->address_count = d->own_count = 0;
    for (size_t i = 0; i < count; i++)
        if (list[i].index == index)
            take_address(d, &list[i].prefix);
}

/* At which another machine may reach us, if only from the same wire. */
static bool is_outside(const struct device *d, const struct rtnl_address *a)
{
    const struct rtnl_link *link = device_link_at(d, a->index);
    const struct addr *addr = &a->prefix.addr;
    return link && link->up && !link->loopback && a->index != d->among && !addr_is_loopback(addr) &&
           !addr_is_unspecified(addr) && !device_is_overlay(d, addr);
}

/* Where there is nothing else, IPv6 link-local addresses are the underlay. */
bool device_is_underlay(const struct device *d, const struct rtnl_address *a)
{
    const struct addr *addr = &a->prefix.addr;
    return is_outside(d, a) && (!addr_is_link_local(addr) || (addr->family == 6 && d->link_local_alone));
}

static bool has_link_local_alone(const struct device *d)
{
    for (size_t i = 0; i < d->all_count; i++)
        if (is_outside(d, &d->all[i]) && !addr_is_link_local(&d->all[i].prefix.addr))
            return false;
    return true;
}

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3ull; /* FNV-1a */
    return hash;
}

uint64_t device_underlay_hash(const struct device *d)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < d->all_count; i++) {
        const struct rtnl_address *a = &d->all[i];
        if (!device_is_underlay(d, a))
            continue;
        hash = mix(hash, &a->index, sizeof(a->index));
        hash = mix(hash, a->prefix.addr.ip, sizeof(a->prefix.addr.ip));
        hash = mix(hash, &a->prefix.bits, sizeof(a->prefix.bits));
        hash = mix(hash, &device_link_at(d, a->index)->mtu, sizeof(uint32_t));
    }
    for (unsigned i = 0; i < d->ways.count; i++) {
        const struct way *way = &d->ways.list[i];
        const uint32_t facts[] = {way->interface, way->v4, way->v6};
        hash = mix(hash, facts, sizeof(facts));
    }
    return hash;
}

static void take_link(struct device *d, const struct rtnl_link *now)
{
    if (!now)
        return; /* it was removed: the workers notice */
    if (d->link.up && !now->up)
        log_warn("device %s was taken down: no frame passes until `ip link set %s up`", now->name, now->name);
    else if (d->told_down && now->up)
        log_info("device %s is up again", now->name);
    d->told_down = !now->up && (d->told_down || d->link.up);
    d->link = *now;
}

static int read_device(struct device *d)
{
    struct rtnl_link link;
    bool found;
    if (d->among) {
        take_link(d, device_link_at(d, d->among));
        device_take_addresses(d, d->all, d->all_count, d->among);
        return 0;
    }
    if (device_given_unseen(d))
        return 0; /* as it was said to be */
    int err = device_inside_read(d, &link, &found);
    if (!err)
        take_link(d, found ? &link : NULL);
    return err;
}

int device_refresh(struct device *d)
{
    int err = device_read_links(d);
    if (!err)
        err = read_addresses(d);
    if (err)
        return err;
    err = read_device(d);
    if (err)
        return err;
    d->link_local_alone = has_link_local_alone(d);
    device_ways_refresh(d);
    device_overlap_refresh(d);
    return 0;
}

/* ---- the device ---- */

const struct tap *device_tap(const struct device *d)
{
    return &d->tap;
}

unsigned device_mtu(const struct device *d)
{
    return d->link.mtu;
}

const uint8_t *device_mac(const struct device *d)
{
    return d->tap.layer == TAP_IP ? d->shim_mac : d->link.mac;
}

bool device_up(const struct device *d)
{
    return d->link.up;
}

unsigned device_addresses(const struct device *d, struct addr_prefix *out, unsigned cap)
{
    unsigned count = d->address_count < cap ? d->address_count : cap;
    memcpy(out, d->addresses, count * sizeof(*out));
    return count;
}

const struct addr_prefix *device_own_addresses(const struct device *d, unsigned *count)
{
    *count = d->own_count;
    return d->own;
}

bool device_is_overlay(const struct device *d, const struct addr *a)
{
    for (unsigned i = 0; i < d->address_count; i++)
        if (addr_in_prefix(a, &d->addresses[i]))
            return true;
    return false;
}

/* ---- the underlay ---- */

const struct rtnl_address *device_machine_addresses(const struct device *d, size_t *count)
{
    *count = d->all_count;
    return d->all;
}

uint32_t device_interface_of(const struct device *d, const struct addr *a)
{
    for (size_t i = 0; i < d->all_count; i++) {
        const struct rtnl_link *link = device_link_at(d, d->all[i].index);
        if (link && link->up && link->index != d->among && addr_same_host(a, &d->all[i].prefix.addr))
            return link->index;
    }
    return 0;
}

const char *device_interface_name(const struct device *d, uint32_t index)
{
    const struct rtnl_link *link = device_link_at(d, index);
    return link ? link->name : "gone";
}

bool device_leads_apart(const struct device *d, const struct addr *a, const struct addr *b)
{
    struct rtnl_way to_a, to_b;
    if (rtnl_way(d->rtnl, a, &to_a) || rtnl_way(d->rtnl, b, &to_b))
        return false;
    const struct addr *hop_a = to_a.gateway.family ? &to_a.gateway : a;
    const struct addr *hop_b = to_b.gateway.family ? &to_b.gateway : b;
    return to_a.index != to_b.index || !addr_same_host(hop_a, hop_b);
}

unsigned device_host_candidates(struct device *d, uint16_t port, uint16_t control_port, struct candidate *out,
                                unsigned cap)
{
    unsigned count = 0;
    for (size_t i = 0; i < d->all_count && count < cap; i++) {
        if (!device_is_underlay(d, &d->all[i]))
            continue;
        out[count] = (struct candidate){
            .kind = CANDIDATE_HOST, .addr = d->all[i].prefix.addr, .control_port = control_port};
        out[count++].addr.port = port;
    }
    return count;
}

/* Root servers of the DNS stand for the internet; nothing is sent there. */
bool device_way_out(struct device *d, uint8_t family, struct rtnl_way *out)
{
    static const struct addr somewhere4 = {.family = 4, .ip = {198, 41, 0, 4}};
    static const struct addr somewhere6 = {.family = 6,
                                           .ip = {0x20, 0x01, 0x05, 0x03, 0xba, 0x3e, [13] = 2, [15] = 0x30}};
    return rtnl_way(d->rtnl, family == 4 ? &somewhere4 : &somewhere6, out) == 0 && out->source.family &&
           out->gateway.family && out->index != d->among && !device_is_overlay(d, &out->gateway);
}

uint16_t device_underlay_max(struct device *d)
{
    uint32_t most = WIRE_LEAST_SIZE, bound = WIRE_FRAME_MAX + WIRE_OVERHEAD;
    for (size_t i = 0; i < d->all_count; i++) {
        if (!device_is_underlay(d, &d->all[i]))
            continue;
        uint32_t mtu = device_link_at(d, d->all[i].index)->mtu;
        if (mtu > most + UDP4_OVERHEAD)
            most = mtu - UDP4_OVERHEAD;
    }
    return (uint16_t)(most < bound ? most : bound);
}

int device_monitor_fd(const struct device *d)
{
    return d->inside_monitor < 0 ? d->monitor : d->monitors;
}

bool device_may_look(struct device *d, uint64_t now_us)
{
    return bucket_take(&d->looks, &look_rate, 1, now_us);
}

/* True when underlay addresses changed. What cannot be read is tried again. */
static bool look(struct device *d)
{
    int err = device_refresh(d);
    if (err && !d->unreadable_told)
        log_warn("cannot read interfaces and addresses: %s", device_reason(err));
    d->machine_stale = d->unreadable_told = err != 0;
    if (err)
        return false;
    uint64_t underlay = device_underlay_hash(d);
    bool changed = underlay != d->underlay;
    d->underlay = underlay;
    return changed;
}

bool device_on_change(struct device *d, uint64_t now_us)
{
    struct rtnl_changes changes = rtnl_monitor_drain(d->monitor, d->among);
    d->machine_stale |= changes.machine;
    if (d->inside_monitor >= 0) {
        changes = rtnl_monitor_drain(d->inside_monitor, d->tap.ifindex);
        d->machine_stale |= changes.machine;
    }
    d->through_stale |= changes.routes;
    bool may = (d->machine_stale || d->through_stale) && device_may_look(d, now_us);
    if (may && d->through_stale)
        device_routes_refresh(d);
    return may && d->machine_stale && look(d);
}

bool device_tick(struct device *d, uint64_t now_us)
{
    bool due = device_overlap_due(d);
    if (d->through_stale)
        device_routes_refresh(d);
    if (!d->machine_stale && !d->around_stale && !due)
        return false;
    bucket_spend(&d->looks, &look_rate, 1, now_us);
    if (d->machine_stale)
        return look(d);
    device_overlap_look(d, due);
    return false;
}
