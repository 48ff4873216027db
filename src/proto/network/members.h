/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who the members are by all rosters together, as a table. What a rogue issuer signs is in it, too: it takes no more than its
 * share of the places, and no name from before its own beginning. Internal to proto/network; pure. docs/PROTOCOL.md §27. */

#include "proto/network/rolls.h"

/* A roster, and the beginning of its issuer's certificate. */
struct members_roster {
    struct slice members;
    struct node_id issuer;
    uint64_t not_before;
};

/* Who is no member, whatever rosters say. */
struct members_filter {
    bool (*is_out)(const void *context, const struct node_id *id);
    const void *context;
};

/* All zero: nobody. */
struct members {
    struct rolls_member *list; /* by id */
    size_t count;
    const struct rolls_member **by_name;
    size_t named;
    struct members_address {
        const struct addr *addr;
        const struct rolls_member *member;
    } * by_address;
    size_t addressed;
    uint64_t end_s; /* the first expires then; UINT64_MAX: nobody does */
};

/* ERR_NOMEM. */
int members_init(struct members *ms, const struct members_roster *rosters, unsigned roster_count,
                 const struct members_filter *filter, uint64_t now_s) must_check;
void members_fini(struct members *ms);

/* NULL when there is none. O(log count). */
const struct rolls_member *members_find(const struct members *ms, const struct node_id *id);
const struct rolls_member *members_find_name(const struct members *ms, const char *name);
const struct rolls_member *members_find_address(const struct members *ms, const struct addr *a);
