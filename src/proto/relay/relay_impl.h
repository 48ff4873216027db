/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of a relay's books share: relay.c has the channels and what passes, relay_bind.c who is where. Nobody else
 * includes this. */

#include "base/bucket.h"
#include "base/heap.h"
#include "base/table.h"
#include "proto/relay/relay.h"
#include "proto/relay/relay_fair.h"

/* One node, with how many channels it has. */
struct owner {
    struct node_id id;
    unsigned channels;
    bool away; /* not served at present */
};

struct leg {
    struct owner *owner;
    uint8_t token[ENVELOPE_TOKEN_LEN];
    uint64_t number; /* of its newest message */
    uint64_t heard_us;
    struct relay_hop at; /* remote without family: not bound */
};

struct channel {
    uint32_t number; /* 0: closed, and only remembered */
    uint64_t pair;   /* their key */
    struct leg legs[2];
    uint64_t made_us;
    struct heap_node deadline;
    struct relay_share share;
    struct bucket binds; /* messages that are looked at */
};

struct relay {
    struct random_source random;
    uint8_t secret[ENVELOPE_TOKEN_LEN]; /* of cookies */
    uint64_t seed;                      /* of owners' keys: nobody chooses where in a table he lies */
    struct table *channels, *pairs, *owners;
    struct heap deadlines;
    struct relay_fair fair;
    unsigned channels_max;
    unsigned count, closed; /* of all, and of those that are only remembered */
};

static inline bool leg_is_bound(const struct leg *l)
{
    return l->at.remote.family != 0;
}

static inline bool leg_is_at(const struct leg *l, const struct addr *a)
{
    return leg_is_bound(l) && addr_equal(&l->at.remote, a);
}
