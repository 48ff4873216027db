/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses a peer may not draw into the tunnel by announcing them, where the device's subnet overlaps a
 * LAN: next hops of this machine's routes, its name servers, and hosts that answer on another interface. A route
 * that was set before its address was seen on a LAN stays: else whoever forges ARP there would take the peer's
 * traffic. One whose address becomes a next hop or a name server goes. The person may allow addresses by
 * -host-route. Control thread. docs/ARCHITECTURE.md, "Control". */

#include "node/device/device_guard.h"

#include "base/log.h"
#include "node/device/device_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where name servers stand; systemd-resolved names itself in the first and the real ones in the second. */
static const char *const resolver_files[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};

/* Adds to list. False when the file is there and cannot be read. */
static bool read_name_servers(const char *path, struct addr *list, unsigned *count)
{
    char line[256], word[ADDR_TEXT_MAX];
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT;
    while (*count < DEVICE_NAME_SERVERS_MAX && fgets(line, sizeof(line), f))
        if (sscanf(line, " nameserver %63s", word) == 1 && addr_parse(word, 0, &list[*count]) == 0)
            (*count)++;
    fclose(f);
    return true;
}

/* The sandbox lets us read the file that was there at the start, not one that took its place: then what was read
 * last holds. */
static void refresh_name_servers(struct device_guard *g)
{
    struct addr list[DEVICE_NAME_SERVERS_MAX];
    unsigned count = 0;
    for (size_t i = 0; i < sizeof(resolver_files) / sizeof(resolver_files[0]); i++)
        if (!read_name_servers(resolver_files[i], list, &count))
            return;
    memcpy(g->name_servers, list, count * sizeof(list[0]));
    g->name_server_count = count;
}

static void read_around(struct device *d, int (*read)(struct rtnl *, struct rtnl_address *, size_t),
                        struct rtnl_address **list, size_t *have)
{
    for (size_t cap = 64;; cap *= 2) {
        struct rtnl_address *now = calloc(cap, sizeof(*now));
        int count = now ? read(d->rtnl, now, cap) : ERR_NOMEM;
        if (count >= 0 && (size_t)count <= cap) {
            free(*list);
            *list = now;
            *have = (size_t)count;
            return;
        }
        free(now);
        if (count < 0)
            return; /* what was known before still holds */
    }
}

void device_guard_refresh(struct device *d)
{
    struct device_guard *g = &d->guard;
    if (!d->overlap_count)
        return;
    refresh_name_servers(g);
    read_around(d, rtnl_next_hops, &g->next_hops, &g->next_hop_count);
    read_around(d, rtnl_neighbours, &g->neighbours, &g->neighbour_count);
}

void device_guard_free(struct device *d)
{
    free(d->guard.next_hops);
    free(d->guard.neighbours);
}

/* Behind another interface: routes through the tunnel have their next hops there. */
static bool elsewhere(const struct device *d, const struct rtnl_address *list, size_t count,
                      const struct addr *a)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].index != d->among && addr_same_host(&list[i].prefix.addr, a))
            return true;
    return false;
}

static bool in_list(const struct addr *list, unsigned count, const struct addr *a)
{
    for (unsigned i = 0; i < count; i++)
        if (addr_same_host(&list[i], a))
            return true;
    return false;
}

static const char *objection(const struct device *d, const struct device_peer_route *r)
{
    const struct device_guard *g = &d->guard;
    if (in_list(g->allowed, g->allowed_count, &r->addr))
        return NULL;
    if (g->off)
        return "-host-route off";
    if (elsewhere(d, g->next_hops, g->next_hop_count, &r->addr))
        return "a gateway of this machine";
    if (in_list(g->name_servers, g->name_server_count, &r->addr))
        return "a name server of this machine";
    if (!r->routed && elsewhere(d, g->neighbours, g->neighbour_count, &r->addr))
        return "a host that answers on another interface";
    return NULL;
}

bool device_guard_admits(struct device *d, const struct device_peer_route *r)
{
    struct device_guard *g = &d->guard;
    const char *why = objection(d, r);
    char text[ADDR_TEXT_MAX];
    if (!why)
        return true;
    if (in_list(g->told, DEVICE_TOLD_MAX, &r->addr))
        return false;
    g->told[g->told_at++ % DEVICE_TOLD_MAX] = r->addr;
    addr_format(&r->addr, text);
    log_warn(
        "%s: a peer announces %s and gets no host route: %s; if the peer is to have it, give -host-route %s",
        d->tap.name, text, why, text);
    return false;
}
