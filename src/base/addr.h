/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An IPv4 or IPv6 transport address as a value. IPv4-mapped IPv6 is always held as IPv4, so that equal
 * addresses compare equal. */

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_TEXT_MAX 64

struct addr {
    uint8_t family; /* 0 none, 4, 6 */
    uint16_t port;  /* host order; 0 when only a host is meant */
    uint32_t scope; /* interface index of an IPv6 link-local address, else 0 */
    uint8_t ip[16]; /* first 4 bytes for IPv4; the rest zero */
};

/* An address with the length of its subnet prefix, in bits. The port is 0. */
struct addr_prefix {
    struct addr addr;
    uint8_t bits;
};

/* "1.2.3.4", "1.2.3.4:80", "::1", "[::1]:80". A missing port becomes default_port. No names. */
int addr_parse(const char *text, uint16_t default_port, struct addr *out) must_check;

/* "1.2.3.4:80", "[::1]:80"; without ":port" when the port is 0. Returns out. */
char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* "1.2.3.4/24". Returns out. */
char *addr_prefix_format(const struct addr_prefix *p, char out[ADDR_TEXT_MAX]);

bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_same_host(const struct addr *a, const struct addr *b);

/* True when a's host lies in the subnet p. */
bool addr_in_prefix(const struct addr *a, const struct addr_prefix *p);

/* True when a is the first or the last address of the IPv4 subnet p, which no host can have: its network's own and its
 * broadcast address. A /31 and a /32 have none. */
bool addr_is_subnet_edge(const struct addr *a, const struct addr_prefix *p);

/* True when one subnet contains the other. */
bool addr_prefix_overlap(const struct addr_prefix *a, const struct addr_prefix *b);

bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
bool addr_is_unspecified(const struct addr *a);

/* True for an address at which another machine may be reached, as far as the address itself tells: global
 * unicast, RFC 1918, RFC 6598 and ULA. False for 0/8, loopback, link-local, multicast, 240/4 with the
 * broadcast, for IPv6's ::/8 but NAT64's well-known prefix, fe80::/9 and ff00::/8, and for 6to4, NAT64 and
 * mapped addresses that hold such an IPv4 one. The port does not matter. */
bool addr_is_routable(const struct addr *a);

/* True for an address that means another machine in each network: RFC 1918, RFC 6598 (carriers' NATs), ULA. */
bool addr_is_private(const struct addr *a);

/* True when two private addresses are of one block of those: 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7. */
bool addr_same_private_block(const struct addr *a, const struct addr *b);

/* To and from the kernel's form. v4mapped writes IPv4 as ::ffff:a.b.c.d, for dual-stack sockets. */
socklen_t addr_to_sockaddr(const struct addr *a, bool v4mapped, struct sockaddr_storage *out);
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *out) must_check;
