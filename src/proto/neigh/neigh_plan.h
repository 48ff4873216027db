/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where packets of a device without a link layer go on the segment: which addresses are its own, what is for a group, and
 * what is for one neighbour. Values, made by the control thread and read by workers. docs/PROTOCOL.md §13. */

#include "base/addr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEIGH_OWN_MAX 24 /* addresses of the device, link-local ones with them */
#define NEIGH_ROUTES_MAX                                                                                     \
    256 /* by gateways, through the device; packets to what others lead to have no gateway */

/* A route through the device. */
struct neigh_route {
    struct addr_prefix to;
    struct addr gateway; /* family 0: what is in there is a neighbour itself */
};

struct neigh_plan {
    uint8_t mac[6];
    unsigned own_count, route_count;
    struct addr_prefix own[NEIGH_OWN_MAX];
    struct neigh_route routes[NEIGH_ROUTES_MAX];
};

bool neigh_plan_owns(const struct neigh_plan *p, const struct addr *a);

/* The subnet of ours in which a lies: our address in it. NULL: in none. */
const struct addr_prefix *neigh_plan_subnet(const struct neigh_plan *p, const struct addr *a);

/* The MAC of the group that a packet to a is for: everybody, or those of a multicast group (RFC 1112 §6.4, RFC 2464 §7).
 * False where a is one machine's. */
bool neigh_plan_group(const struct neigh_plan *p, const struct addr *a, uint8_t mac[6]);

/* The neighbour that passes on what goes to a: the gateway of the longest prefix that a lies in, or a itself. */
const struct addr *neigh_plan_hop(const struct neigh_plan *p, const struct addr *a);
