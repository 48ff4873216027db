/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How the NATs between us and the internet behave, in RFC 4787's words, judged by what several servers saw of one socket.
 * Values and pure functions. docs/PROTOCOL.md §10. */

#include "base/addr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAT_OBSERVED_MAX   8
#define NAT_SEQUENTIAL_MAX 15 /* ports between two mappings of one socket that follow each other */

/* Which destinations share a mapping (RFC 4787 §4.1). */
enum nat_mapping {
    NAT_MAPPING_UNKNOWN, /* too few servers answer */
    NAT_MAPPING_NONE,    /* nothing is translated */
    NAT_MAPPING_ENDPOINT_INDEPENDENT,
    NAT_MAPPING_ADDRESS_DEPENDENT,
    NAT_MAPPING_ADDRESS_PORT_DEPENDENT,
    NAT_MAPPING_DEPENDENT, /* one of the last two: no server was asked at two ports */
};

/* Whose datagrams come in by a mapping (RFC 4787 §5): anybody's; those of hosts that were sent to; those of ports. */
enum nat_filtering {
    NAT_FILTERING_UNKNOWN, /* no server can send from elsewhere */
    NAT_FILTERING_ENDPOINT_INDEPENDENT,
    NAT_FILTERING_ADDRESS_DEPENDENT,
    NAT_FILTERING_ADDRESS_PORT_DEPENDENT,
};

/* Which port a mapping gets. */
enum nat_ports {
    NAT_PORTS_UNKNOWN,
    NAT_PORTS_KEPT,       /* the socket's own */
    NAT_PORTS_SEQUENTIAL, /* within NAT_SEQUENTIAL_MAX of the one before */
    NAT_PORTS_RANDOM,
};

enum nat_answer { NAT_ANSWER_UNKNOWN, NAT_ANSWER_NO, NAT_ANSWER_YES };

/* What a server saw. */
struct nat_observation {
    struct addr server, mapped;
    uint64_t at_us;
};

struct nat {
    enum nat_mapping mapping;
    enum nat_filtering filtering;
    enum nat_ports ports;
    enum nat_answer hairpin; /* whether our own mapped address leads back to us */
    unsigned observed_count;
    struct nat_observation observed[NAT_OBSERVED_MAX]; /* of one family; the newest last */
};

/* Judges mapping and ports by observed. ours: whether an address is this machine's; port: the socket's.
 * An observation is what a server says: one that lies makes the judgement worse, and nothing else. */
void nat_judge(struct nat *n, bool ours(const void *context, const struct addr *a), const void *context,
               uint16_t port);

/* Whether a peer could reach us where a server says that it sees us: not at an address that is no other machine's
 * (addr_is_routable), without port, of the other family, or private unless the server's is, too. */
bool nat_may_be_ours(const struct addr *mapped, const struct addr *server);

/* For people and scripts: "endpoint-independent" … "unknown". */
const char *nat_mapping_name(enum nat_mapping mapping);
const char *nat_filtering_name(enum nat_filtering filtering);
const char *nat_ports_name(enum nat_ports ports);
