/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where a datagram goes: how it travels, from which address of ours, to which of the peer's. What a path is made of, and
 * what a datagram is sent to. A value, and pure. */

#include "base/addr.h"
#include "base/id.h"
#include "proto/wire/candidate.h"
#include "proto/wire/envelope.h"
#include <stdbool.h>

enum carrier {
    CARRIER_NONE, /* there is no way */
    CARRIER_UDP,  /* straight to the remote address */
    CARRIER_RELAY, /* over UDP to a relay, which sends it on: the remote address is the relay's (docs/PROTOCOL.md §17) */
    CARRIER_TCP,    /* by a TCP connection of our own with the peer (docs/PROTOCOL.md §18) */
    CARRIER_UPLINK, /* by our uplink to a backbone, and the peer's: over TCP (docs/PROTOCOL.md §15) */
};

/* Which of them a node uses for datagrams. Control streams use all. */
enum carriers {
    CARRIERS_AUTO, /* the best that works */
    CARRIERS_UDP,  /* only straight ones */
    CARRIERS_TCP,  /* only what travels over TCP */
};

#define UPLINKS_MAX 4 /* backbones that a node may have an uplink to, numbered from 0 */

/* Relays by which a peer may be reached, by number: a backbone's has the backbone's, behind those are nodes that relay. */
#define RELAY_NODES_MAX 2
#define RELAYS_MAX      (UPLINKS_MAX + RELAY_NODES_MAX)

/* Sockets of a node beside that of its port, each for one peer alone, numbered from 1 (docs/PROTOCOL.md §19, "Birthday"). */
#define SIDES_MAX 16

/* What a carrier may need in front of each datagram: whoever makes one leaves so many bytes free. */
#define ENDPOINT_ENVELOPE_MAX ENVELOPE_LEN

struct endpoint {
    enum carrier carrier;
    struct addr local; /* leaves from there; without family: where the kernel likes. Its port is 0 */
    struct addr remote;
    uint32_t
        interface; /* UDP, RELAY: leaves by that one, a standby (proto/path/ways.h); 0: by the kernel's choice */
    uint8_t side;        /* UDP: leaves from that side socket, by its number; 0: from the node's port */
    uint64_t conn;       /* TCP: the connection, by its number; the remote address is for people */
    uint32_t channel;    /* RELAY: by its number */
    uint8_t backbone;    /* UPLINK: by its number; the addresses are empty … */
    struct node_id peer; /* … and the other end, as the backbone names it */
};

/* "direct", "relay", "tcp", as in status --json. */
const char *carrier_name(enum carrier carrier);
bool carrier_in(enum carrier carrier, enum carriers which);

/* Of two paths that answer, one of the lower tier carries: what goes straight, then what goes over UDP by a relay, then what goes
 * over TCP … */
unsigned carrier_tier(enum carrier carrier);
/* … and behind them all, in the same order, what leaves by a standby. */
unsigned endpoint_tier(const struct endpoint *e);

/* What carries to a candidate of this kind. */
enum carrier carrier_for(enum candidate_kind kind);

/* Over UDP, from where the kernel likes. */
struct endpoint endpoint_udp(const struct addr *remote);

/* As endpoint_udp, from a side socket. */
struct endpoint endpoint_side(const struct addr *remote, unsigned side);

/* By a connection, to or from that address. */
struct endpoint endpoint_tcp(uint64_t conn, const struct addr *remote);
/* By a relay, from where the kernel likes. */
struct endpoint endpoint_relay(const struct addr *relay, uint32_t channel);

/* By our uplink to that backbone. */
struct endpoint endpoint_uplink(unsigned backbone, const struct node_id *peer);

bool endpoint_same(const struct endpoint *a, const struct endpoint *b);

/* As endpoint_same, from whatever address of ours it leaves: what tells paths apart. */
bool endpoint_same_path(const struct endpoint *a, const struct endpoint *b);

/* As endpoint_same_path, by whatever interface: the same at the other side. */
bool endpoint_same_way(const struct endpoint *a, const struct endpoint *b);

/* "direct 192.0.2.1:9443", "direct 192.0.2.1:9443 from 198.51.100.2 by interface 3",
 * "direct 192.0.2.1:9443 from a port of its own",
 * "relay 203.0.113.2:8080", "tcp 192.0.2.1:8443", "tcp by
 * the backbone". Returns out. */
#define ENDPOINT_TEXT_MAX (2 * ADDR_TEXT_MAX + 72)
char *endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX]);
