/* SPDX-License-Identifier: Apache-2.0 */
/* Lists are short: a machine has a few addresses, and a few routes by gateways of the segment. Any thread. */

#include "proto/neigh/neigh_plan.h"

#include <string.h>

#define GROUP_V4_FIRST 224 /* 224/4 … */
#define GROUP_V4_LAST  239
#define GROUP_V6       0xff /* ff00::/8 */
#define EVERYBODY      0xff

bool neigh_plan_owns(const struct neigh_plan *p, const struct addr *a)
{
    for (unsigned i = 0; i < p->own_count; i++)
        if (addr_same_host(&p->own[i].addr, a))
            return true;
    return false;
}

const struct addr_prefix *neigh_plan_subnet(const struct neigh_plan *p, const struct addr *a)
{
    for (unsigned i = 0; i < p->own_count; i++)
        if (addr_in_prefix(a, &p->own[i]))
            return &p->own[i];
    return NULL;
}

/* The last address of an IPv4 subnet, which has no host bit at zero. */
static bool is_broadcast(const struct addr_prefix *subnet, const struct addr *a)
{
    for (unsigned bit = subnet->bits; bit < 32; bit++)
        if (!(a->ip[bit / 8] & 0x80 >> bit % 8))
            return false;
    return addr_is_subnet_edge(a, subnet);
}

static bool is_everybody(const struct neigh_plan *p, const struct addr *a)
{
    static const uint8_t limited[4] = {EVERYBODY, EVERYBODY, EVERYBODY, EVERYBODY};
    const struct addr_prefix *subnet = neigh_plan_subnet(p, a);
    return memcmp(a->ip, limited, sizeof(limited)) == 0 || (subnet && is_broadcast(subnet, a));
}

bool neigh_plan_group(const struct neigh_plan *p, const struct addr *a, uint8_t mac[6])
{
    const uint8_t *ip = a->ip;
    if (a->family == 6) {
        const uint8_t group[6] = {0x33, 0x33, ip[12], ip[13], ip[14], ip[15]};
        memcpy(mac, group, sizeof(group));
        return ip[0] == GROUP_V6;
    }
    if (ip[0] >= GROUP_V4_FIRST && ip[0] <= GROUP_V4_LAST) {
        const uint8_t group[6] = {0x01, 0x00, 0x5e, ip[1] & 0x7f, ip[2], ip[3]};
        memcpy(mac, group, sizeof(group));
        return true;
    }
    memset(mac, EVERYBODY, 6);
    return is_everybody(p, a);
}

const struct addr *neigh_plan_hop(const struct neigh_plan *p, const struct addr *a)
{
    const struct neigh_route *best = NULL;
    for (unsigned i = 0; i < p->route_count; i++) {
        const struct neigh_route *r = &p->routes[i];
        if (addr_in_prefix(a, &r->to) && (!best || r->to.bits > best->to.bits))
            best = r;
    }
    return best && best->gateway.family ? &best->gateway : a;
}
