/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A model of NATs, in the words of RFC 4787, for simulations: which port a socket has outside, and what comes in. And what
 * follows from the rules alone: whether two nodes behind such NATs can have a straight path. It knows nothing of how nodes
 * find out. */

#include "base/addr.h"
#include <stdbool.h>
#include <stdint.h>

#define NAT_FLOWS_MAX 2048

enum nat_reach { /* what of the other end a mapping, or a filter, depends on */
                 NAT_INDEPENDENT,
                 NAT_BY_ADDRESS,
                 NAT_BY_PORT, /* and address */
};

enum nat_numbers { NAT_KEPT, NAT_SEQUENCE, NAT_RANDOM }; /* a new mapping's port */

struct nat_kind {
    const char *name;
    enum nat_reach mapping, filter;
    enum nat_numbers numbers;
    uint64_t expiry_us; /* of what is not used any more */
    bool hairpin;       /* what is sent to its own outer address from inside comes in */
    bool unguarded;     /* what comes in unasked takes the port of a mapping towards its sender */
};

/* A socket inside, the other end, and the port outside; a squatter has no socket. */
struct nat_flow {
    struct addr inner, remote;
    uint16_t port;
    uint64_t until_us;
};

struct nat_model {
    const struct nat_kind *kind;
    struct addr outer; /* its port is the last one of the sequence */
    uint64_t seed;
    struct nat_flow flows[NAT_FLOWS_MAX];
    unsigned count;
    unsigned mappings; /* that it has made so far */
};

void nat_init(struct nat_model *n, const struct nat_kind *kind, const struct addr *outer, uint64_t seed);

/* A datagram leaves: as what it is seen outside. */
struct addr nat_out(struct nat_model *n, const struct addr *inner, const struct addr *remote,
                    uint64_t now_us);

/* One comes to the port outside: true, and which socket gets it. */
bool nat_in(struct nat_model *n, const struct addr *remote, uint16_t port, uint64_t now_us,
            struct addr *inner);

/* It forgets all. */
void nat_reset(struct nat_model *n);

/* The oracle. Each knows how the other is seen by a third party, and may look at new mappings of its own first. NULL: no NAT. */
bool nat_straight_is_possible(const struct nat_kind *a, const struct nat_kind *b);
/* Likewise, without a guess at the port that a mapping will have: others that are made meanwhile spoil it. */
bool nat_straight_is_plain(const struct nat_kind *a, const struct nat_kind *b);

/* Not possible by that, but by luck: one draws a port for each new end, and the other's port there is known. */
bool nat_straight_is_chance(const struct nat_kind *a, const struct nat_kind *b);
