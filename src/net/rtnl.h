/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Interfaces, addresses and routes through rtnetlink (libmnl), and the few per-device sysctls. Control
 * thread; each call is synchronous and short. Errors: ERR_PERMISSION, ERR_NOT_FOUND, ERR_EXISTS, ERR_IO with
 * errno set. */

#include "base/addr.h"
#include "base/err.h"
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtnl;
int rtnl_open(struct rtnl **out) must_check;

/* Likewise over a socket that rtnl_socket made, in whatever network namespace: it is of that one. Takes fd, also on an
 * error. */
int rtnl_socket(int *fd) must_check;
int rtnl_open_on(int fd, struct rtnl **out) must_check;

void rtnl_close(struct rtnl *r);

struct rtnl_link {
    unsigned index;
    char name[IFNAMSIZ];
    uint32_t mtu;
    bool up, loopback;
    bool carrier;         /* of a TAP, in whatever namespace: a process holds it */
    unsigned held_queues; /* of a TAP with several queues; 0 for everything else */
    uint8_t mac[6];
    uint64_t dropped; /* packets that came in by it, but were not taken */
};
int rtnl_link_find(struct rtnl *r, const char *name, struct rtnl_link *out) must_check;

/* Copies up to cap entries; returns how many there are, or an error. */
int rtnl_links(struct rtnl *r, struct rtnl_link *out, size_t cap) must_check;

struct rtnl_address {
    unsigned index; /* of the interface */
    struct addr_prefix prefix;
};
int rtnl_addresses(struct rtnl *r, struct rtnl_address *out, size_t cap) must_check;

/* Of such a list: whether a is one of its addresses, resp. the first or last of one's subnet, which means everybody in
 * it. */
bool rtnl_addresses_have(const struct rtnl_address *list, size_t count, const struct addr *a);
bool rtnl_addresses_edge(const struct rtnl_address *list, size_t count, const struct addr *a);

/* up brings the link up, down takes it down, neither leaves it; mtu, txqueuelen, gso_max: 0 leaves them, mac:
 * NULL does. A kernel that refuses gso_max alone is no error. */
struct rtnl_link_change {
    bool up, down;
    uint32_t mtu, txqueuelen, gso_max;
    const uint8_t *mac; /* 6 bytes */
};
int rtnl_link_set(struct rtnl *r, unsigned index, const struct rtnl_link_change *change) must_check;

/* An IPv4 address of less than 31 bits also gets its subnet's broadcast address; an IPv6 one serves
 * at once, without duplicate address detection. ERR_EXISTS, ERR_NOT_FOUND,
 * ERR_ARGUMENT (bits outside the family's). */
int rtnl_address_add(struct rtnl *r, unsigned index, const struct addr_prefix *address) must_check;

/* Our routes bear this protocol number (rtm_protocol, which the kernel does not interpret; iproute2 shows
 * "proto 83"): so nobody else's are taken for ours, nor removed. */
#define RTNL_PROTOCOL 83

/* A host route: destination (/32 or /128) through the interface, preferred source (none when NULL).
 * ERR_EXISTS when the main table holds one already, ERR_NOT_FOUND. */
int rtnl_route_add(struct rtnl *r, unsigned index, const struct addr *destination,
                   const struct addr *source) must_check;
int rtnl_route_del(struct rtnl *r, unsigned index, const struct addr *destination) must_check;

/* Removes every host route of ours through the interface, also one that another process added. Returns how
 * many there were, or an error. */
int rtnl_routes_flush(struct rtnl *r, unsigned index) must_check;

/* The routes through an interface, of all tables; gateway: family 0 where what is in there is a neighbour itself. As
 * rtnl_addresses. */
struct rtnl_route {
    struct addr_prefix to;
    struct addr gateway;
};
int rtnl_routes(struct rtnl *r, unsigned index, struct rtnl_route *out, size_t cap) must_check;

/* The next hops of all routes in all tables, and the neighbours that answer or lately did (with a MAC), each with
 * its interface. As rtnl_addresses. */
int rtnl_next_hops(struct rtnl *r, struct rtnl_address *out, size_t cap) must_check;
int rtnl_neighbours(struct rtnl *r, struct rtnl_address *out, size_t cap) must_check;

/* How a datagram to an address would leave: one look-up of the kernel's, however many routes there are. ERR_NOT_FOUND,
 * ERR_IO: not at all. */
struct rtnl_way {
    unsigned index; /* of the interface */
    struct addr source,
        gateway; /* ours; the next hop, with its scope: family 0 where the address itself is it. Ports 0 */
};
int rtnl_way(struct rtnl *r, const struct addr *destination, struct rtnl_way *out) must_check;

/* The interface of the main table's default route for that family (4 or 6), if it is where the kernel would send what goes far
 * away: by itself, or with through, by that interface alone. ERR_NOT_FOUND and others: it would not. */
int rtnl_default_route(struct rtnl *r, unsigned family, unsigned through, unsigned *index) must_check;

/* Interface, address and route changes. The descriptor becomes readable; rtnl_monitor_drain reads all that is pending and
 * tells whether an interface, an address or a default route changed, and whether a route through that interface did. */
struct rtnl_changes {
    bool machine, routes;
};
int rtnl_monitor_open(int *fd) must_check;
struct rtnl_changes rtnl_monitor_drain(int fd, unsigned index);

/* Reads (without the newline) and writes /proc/sys/net/<family>/conf/<device>/<key>; family "ipv4" or "ipv6".
 * ERR_NOT_FOUND, ERR_PERMISSION, ERR_ARGUMENT (a name with a slash), ERR_SPACE, ERR_IO. */
int rtnl_sysctl_get(const char *family, const char *device, const char *key, char *out,
                    size_t size) must_check;
int rtnl_sysctl_set(const char *family, const char *device, const char *key, const char *value) must_check;
