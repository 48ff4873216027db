/* SPDX-License-Identifier: Apache-2.0 */
/* Living beside an interface that already holds the device's subnet (another VPN's, say). Its connected route
 * may win over ours, replies may be sought behind it, and the reverse-path filter then drops what our peers
 * send. So every peer's overlay address gets a host route through the device, which wins by its length; the
 * device's own reverse-path filter becomes loose; and it answers and asks ARP with its own addresses alone,
 * since the kernel otherwise lends it those of the other interface. Nothing of the other interface is
 * touched. Control thread. docs/ARCHITECTURE.md, "Control". */

#include "node/device/device_overlap.h"

#include "base/log.h"
#include "node/device/device_guard.h"
#include "node/device/device_impl.h"
#include "node/device/device_undo.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_TICKS 5 /* seconds between two looks at who is around */

/* ---- settings of the device ---- */

static int sysctl_set(struct device *d, const struct undo_setting *s, char before[UNDO_VALUE_MAX])
{
    int err = rtnl_sysctl_get("ipv4", d->tap.name, s->key, before, UNDO_VALUE_MAX);
    if (err)
        before[0] = '\0';
    device_undo_sync(d);
    return err ? err : rtnl_sysctl_set("ipv4", d->tap.name, s->key, s->value);
}

static void sysctls_set(struct device *d)
{
    for (unsigned i = 0; i < UNDO_SETTINGS; i++) {
        const struct undo_setting *s = &undo_settings[i];
        char *before = d->undo.before[i];
        int err = before[0] ? 0 : sysctl_set(d, s, before);
        if (!err)
            continue;
        log_warn("%s: cannot set %s=%s: %s; peers may stay unreachable until it is set by hand", d->tap.name,
                 s->key, s->value, err == ERR_IO ? strerror(errno) : err_str(err));
        before[0] = '\0';
        device_undo_sync(d);
    }
}

static void sysctls_restore(struct device *d)
{
    bool any = false;
    for (unsigned i = 0; i < UNDO_SETTINGS; i++) {
        char *before = d->undo.before[i];
        if (before[0])
            (void)!rtnl_sysctl_set("ipv4", d->tap.name, undo_settings[i].key, before);
        any |= before[0] != '\0';
        before[0] = '\0';
    }
    if (any)
        device_undo_sync(d);
}

/* ---- host routes ---- */

static const struct addr_prefix *own_subnet(const struct device *d, const struct addr *a)
{
    for (unsigned i = 0; i < d->address_count; i++)
        if (addr_in_prefix(a, &d->addresses[i]))
            return &d->addresses[i];
    return NULL;
}

static bool overlapped(const struct device *d, const struct addr_prefix *subnet)
{
    for (unsigned i = 0; i < d->overlap_count; i++)
        if (addr_prefix_overlap(&d->overlaps[i].prefix, subnet))
            return true;
    return false;
}

/* The subnet of ours in which r needs a route, or NULL. */
static const struct addr_prefix *wanted_in(struct device *d, const struct device_peer_route *r)
{
    const struct addr_prefix *subnet = own_subnet(d, &r->addr);
    if (!subnet || d->tap.given || !overlapped(d, subnet) ||
        rtnl_addresses_have(d->all, d->all_count, &r->addr) ||
        rtnl_addresses_edge(d->all, d->all_count, &r->addr) || !device_guard_admits(d, r))
        return NULL;
    return subnet;
}

static bool routed_for_another(const struct device *d, const struct device_peer_route *r)
{
    for (size_t i = 0; i < d->route_count; i++)
        if (&d->routes[i] != r && d->routes[i].routed && addr_same_host(&d->routes[i].addr, &r->addr))
            return true;
    return false;
}

static void route_remove(struct device *d, struct device_peer_route *r)
{
    if (r->routed)
        (void)!rtnl_route_del(d->rtnl, d->tap.ifindex, &r->addr);
    r->routed = false;
}

/* One that exists already on an attached device was set by the person who made it, for the same end; beside a
 * device that we have just made, it leads elsewhere. */
static void route_set(struct device *d, struct device_peer_route *r, const struct addr_prefix *subnet)
{
    char text[ADDR_TEXT_MAX];
    if (!r->routed && routed_for_another(d, r))
        return;
    int err = rtnl_route_add(d->rtnl, d->tap.ifindex, &r->addr, &subnet->addr);
    if (err == ERR_EXISTS && (r->routed || d->tap.attached))
        err = 0;
    addr_format(&r->addr, text);
    if (err == ERR_EXISTS)
        log_warn("another interface has a host route to the peer's address %s: remove it to reach the peer",
                 text);
    else if (err)
        log_warn("%s: no host route to %s: %s", d->tap.name, text,
                 err == ERR_IO ? strerror(errno) : err_str(err));
    else if (!r->routed)
        log_info("%s: host route to %s", d->tap.name, text);
    r->routed = !err;
}

/* again: also those that were set before, since the kernel drops them when the device goes down. */
static void routes_sync(struct device *d, bool again)
{
    for (size_t i = 0; i < d->route_count; i++)
        if (!wanted_in(d, &d->routes[i]))
            route_remove(d, &d->routes[i]);
    for (size_t i = 0; i < d->route_count; i++) {
        const struct addr_prefix *subnet = wanted_in(d, &d->routes[i]);
        if (subnet && (again || !d->routes[i].routed))
            route_set(d, &d->routes[i], subnet);
    }
}

/* ---- what peers announce ---- */

static bool listed(const struct addr_prefix *list, unsigned count, const struct addr *a)
{
    for (unsigned i = 0; i < count; i++)
        if (addr_same_host(&list[i].addr, a))
            return true;
    return false;
}

/* True when there was one. */
static bool routes_drop_unlisted(struct device *d, uint32_t slot, const struct addr_prefix *list,
                                 unsigned count)
{
    size_t kept = 0, had = d->route_count;
    for (size_t i = 0; i < d->route_count; i++) {
        struct device_peer_route *r = &d->routes[i];
        if (r->slot == slot && !listed(list, count, &r->addr))
            route_remove(d, r);
        else
            d->routes[kept++] = *r;
    }
    d->route_count = kept;
    return kept < had;
}

static bool routes_has(const struct device *d, uint32_t slot, const struct addr *a)
{
    for (size_t i = 0; i < d->route_count; i++)
        if (d->routes[i].slot == slot && addr_same_host(&d->routes[i].addr, a))
            return true;
    return false;
}

static int routes_add(struct device *d, uint32_t slot, const struct addr *a)
{
    if (d->route_count == d->route_cap) {
        size_t cap = d->route_cap ? 2 * d->route_cap : 16;
        struct device_peer_route *grown = realloc(d->routes, cap * sizeof(*grown));
        if (!grown)
            return ERR_NOMEM;
        d->routes = grown;
        d->route_cap = cap;
    }
    d->routes[d->route_count++] = (struct device_peer_route){.slot = slot, .addr = *a};
    return 0;
}

static bool is_own(const struct device *d, const struct addr *a)
{
    for (unsigned i = 0; i < d->address_count; i++)
        if (addr_same_host(&d->addresses[i].addr, a))
            return true;
    return false;
}

int device_holder(const struct device *d, uint32_t slot, const struct addr *a)
{
    if (own_subnet(d, a) && (is_own(d, a) || (d->among && rtnl_addresses_have(d->all, d->all_count, a))))
        return DEVICE_HOLDER_US;
    for (size_t i = 0; i < d->route_count; i++)
        if (d->routes[i].slot != slot && addr_same_host(&d->routes[i].addr, a))
            return (int)d->routes[i].slot;
    return DEVICE_HOLDER_NOBODY;
}

void device_overlap_look(struct device *d, bool again)
{
    d->around_stale = false;
    device_guard_refresh(d);
    routes_sync(d, again);
}

void device_peer_addresses(struct device *d, uint32_t slot, const struct addr_prefix *list, unsigned count,
                           uint64_t now_us)
{
    bool changed = routes_drop_unlisted(d, slot, list, count);
    for (unsigned i = 0; i < count; i++) {
        if (routes_has(d, slot, &list[i].addr))
            continue;
        if (routes_add(d, slot, &list[i].addr))
            log_warn("out of memory: no host route to a peer");
        changed = true;
    }
    d->around_stale |= changed && d->overlap_count;
    if (d->around_stale && device_may_look(d, now_us))
        device_overlap_look(d, false);
}

/* ---- overlaps ---- */

/* An interface with a host address (/32, /128) alone has no subnet that could draw our traffic. */
static bool overlaps(const struct device *d, const struct rtnl_address *a)
{
    const struct rtnl_link *link = device_link_at(d, a->index);
    unsigned width = a->prefix.addr.family == 4 ? 32 : 128;
    if (a->index == d->among || !link || !link->up || link->loopback || a->prefix.bits == width)
        return false;
    for (unsigned i = 0; i < d->address_count; i++)
        if (addr_prefix_overlap(&a->prefix, &d->addresses[i]))
            return true;
    return false;
}

static bool known(const struct device_overlap *list, unsigned count, const struct device_overlap *o)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i].index == o->index && list[i].prefix.bits == o->prefix.bits &&
            addr_same_host(&list[i].prefix.addr, &o->prefix.addr))
            return true;
    return false;
}

static void warn_of_overlap(const struct device *d, const struct device_overlap *o)
{
    char theirs[ADDR_TEXT_MAX], ours[ADDR_TEXT_MAX];
    unsigned i = 0;
    while (i + 1 < d->address_count && !addr_prefix_overlap(&o->prefix, &d->addresses[i]))
        i++;
    const char *other = device_link_at(d, o->index)->name, *name = d->tap.name;
    addr_prefix_format(&o->prefix, theirs);
    addr_prefix_format(&d->addresses[i], ours);
    if (d->tap.given)
        log_warn(
            "%s holds %s, which overlaps %s of %s: peers are sought there, unless whoever opened %s sets "
            "host routes to them through it",
            other, theirs, ours, name, name);
    else
        log_warn(
            "%s holds %s, which overlaps %s of %s: peers are reached by host routes through %s, with its "
            "rp_filter loose and its ARP limited to its own addresses, all undone at exit",
            other, theirs, ours, name, name);
}

void device_overlap_refresh(struct device *d)
{
    struct device_overlap now[DEVICE_OVERLAPS_MAX];
    unsigned count = 0;
    for (size_t i = 0; d->among && i < d->all_count && count < DEVICE_OVERLAPS_MAX; i++)
        if (overlaps(d, &d->all[i]))
            now[count++] = (struct device_overlap){.index = d->all[i].index, .prefix = d->all[i].prefix};
    for (unsigned i = 0; i < count; i++)
        if (!known(d->overlaps, d->overlap_count, &now[i]))
            warn_of_overlap(d, &now[i]);
    if (!count && d->overlap_count)
        log_info("%s: no other interface overlaps it any more", d->tap.name);
    memcpy(d->overlaps, now, count * sizeof(now[0]));
    d->overlap_count = count;
    if (count && !d->tap.given)
        sysctls_set(d);
    else
        sysctls_restore(d);
    device_overlap_look(d, true);
}

bool device_overlap_due(struct device *d)
{
    return d->overlap_count && d->route_count && ++d->ticks % GUARD_TICKS == 0;
}

void device_overlap_undo(struct device *d)
{
    for (size_t i = 0; i < d->route_count; i++)
        route_remove(d, &d->routes[i]);
    sysctls_restore(d);
    free(d->routes);
    d->routes = NULL;
    d->route_count = d->route_cap = 0;
}
