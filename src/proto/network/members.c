/* SPDX-License-Identifier: Apache-2.0 */
/* Places are given out in turns, one to each roster: so whoever fills its own with names that nobody has shuts out nobody who
 * stands in another's. docs/PROTOCOL.md §27. Control thread. */

#include "proto/network/members.h"

#include <stdlib.h>

/* ---- who is in it ---- */

static bool take(struct members *ms, const struct members_roster *from, const struct members_filter *filter,
                 const struct roster_member *m, uint64_t now_s)
{
    struct rolls_member *out = &ms->list[ms->count];
    if (m->not_after < now_s || filter->is_out(filter->context, &m->id))
        return false;
    *out = (struct rolls_member){.is = *m, .issuer = from->issuer};
    if (out->is.since < from->not_before)
        out->is.since = from->not_before;
    ms->count++;
    return true;
}

/* The next of this roster that is a member; false when there is none. */
static bool take_next(struct members *ms, struct members_roster *from, const struct members_filter *filter,
                      uint64_t now_s)
{
    struct roster_member m;
    while (roster_next(&from->members, &m))
        if (take(ms, from, filter, &m, now_s))
            return true;
    return false;
}

static void take_in_turns(struct members *ms, struct members_roster *rosters, unsigned roster_count,
                          const struct members_filter *filter, uint64_t now_s)
{
    bool more = true;
    while (more && ms->count < ROLLS_MEMBERS_MAX) {
        more = false;
        for (unsigned i = 0; i < roster_count && ms->count < ROLLS_MEMBERS_MAX; i++)
            more |= take_next(ms, &rosters[i], filter, now_s);
    }
}

/* Of one id the newest certificate first. */
static int compare_members(const void *a, const void *b)
{
    const struct rolls_member *x = a, *y = b;
    int order = id_compare(&x->is.id, &y->is.id);
    if (order)
        return order;
    if (x->is.not_after != y->is.not_after)
        return x->is.not_after > y->is.not_after ? -1 : 1;
    return id_compare(&x->issuer, &y->issuer);
}

/* Another issuer renewed it: it keeps the name since the first gave it. */
static void merge(struct rolls_member *kept, const struct rolls_member *other)
{
    if (strcmp(kept->is.name, other->is.name) == 0 && other->is.since < kept->is.since)
        kept->is.since = other->is.since;
}

static void keep_one_of_each(struct members *ms)
{
    size_t kept = 0;
    qsort(ms->list, ms->count, sizeof(*ms->list), compare_members);
    for (size_t i = 0; i < ms->count; i++)
        if (kept > 0 && id_compare(&ms->list[kept - 1].is.id, &ms->list[i].is.id) == 0)
            merge(&ms->list[kept - 1], &ms->list[i]);
        else
            ms->list[kept++] = ms->list[i];
    ms->count = kept;
    for (size_t i = 0; i < kept; i++)
        if (ms->list[i].is.not_after < ms->end_s)
            ms->end_s = ms->list[i].is.not_after;
}

/* ---- names and addresses: the first who had it ---- */

static int compare_since(const struct rolls_member *a, const struct rolls_member *b)
{
    if (a->is.since != b->is.since)
        return a->is.since < b->is.since ? -1 : 1;
    return id_compare(&a->is.id, &b->is.id);
}

static int compare_names(const void *a, const void *b)
{
    const struct rolls_member *const *x = a, *const *y = b;
    int order = strcmp((*x)->is.name, (*y)->is.name);
    return order ? order : compare_since(*x, *y);
}

/* Whoever came later is left without a name: there is none that looks like another's. */
static void name(struct members *ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < ms->count; i++)
        ms->by_name[i] = &ms->list[i];
    qsort(ms->by_name, ms->count, sizeof(*ms->by_name), compare_names);
    for (size_t i = 0; i < ms->count; i++)
        if (kept > 0 && strcmp(ms->by_name[kept - 1]->is.name, ms->by_name[i]->is.name) == 0)
            ms->list[ms->by_name[i] - ms->list].is.name[0] = '\0';
        else
            ms->by_name[kept++] = ms->by_name[i];
    ms->named = kept;
}

static int compare_hosts(const struct addr *a, const struct addr *b)
{
    return a->family != b->family ? a->family - b->family : memcmp(a->ip, b->ip, sizeof(a->ip));
}

static int compare_addresses(const void *a, const void *b)
{
    const struct members_address *x = a, *y = b;
    int order = compare_hosts(x->addr, y->addr);
    return order ? order : compare_since(x->member, y->member);
}

static void address(struct members *ms)
{
    size_t all = 0, kept = 0;
    for (size_t i = 0; i < ms->count; i++)
        for (size_t j = 0; j < ms->list[i].is.address_count; j++)
            ms->by_address[all++] = (struct members_address){&ms->list[i].is.addresses[j], &ms->list[i]};
    qsort(ms->by_address, all, sizeof(*ms->by_address), compare_addresses);
    for (size_t i = 0; i < all; i++)
        if (kept == 0 || compare_hosts(ms->by_address[kept - 1].addr, ms->by_address[i].addr) != 0)
            ms->by_address[kept++] = ms->by_address[i];
    ms->addressed = kept;
}

static size_t count_addresses(const struct members *ms)
{
    size_t all = 0;
    for (size_t i = 0; i < ms->count; i++)
        all += ms->list[i].is.address_count;
    return all;
}

static int index_members(struct members *ms)
{
    ms->by_name = calloc(ms->count + 1, sizeof(*ms->by_name));
    ms->by_address = calloc(count_addresses(ms) + 1, sizeof(*ms->by_address));
    if (!ms->by_name || !ms->by_address)
        return ERR_NOMEM;
    name(ms);
    address(ms);
    return 0;
}

static size_t count_all(const struct members_roster *rosters, unsigned roster_count)
{
    size_t all = 0;
    for (unsigned i = 0; i < roster_count; i++) {
        struct slice rest = rosters[i].members;
        struct roster_member m;
        while (roster_next(&rest, &m))
            all++;
    }
    return all < ROLLS_MEMBERS_MAX ? all : ROLLS_MEMBERS_MAX;
}

int members_init(struct members *ms, const struct members_roster *rosters, unsigned roster_count,
                 const struct members_filter *filter, uint64_t now_s)
{
    struct members_roster turns[ROLLS_ISSUERS_MAX];
    *ms = (struct members){.end_s = UINT64_MAX};
    memcpy(turns, rosters, roster_count * sizeof(*rosters));
    ms->list = calloc(count_all(rosters, roster_count) + 1, sizeof(*ms->list));
    if (!ms->list)
        return ERR_NOMEM;
    take_in_turns(ms, turns, roster_count, filter, now_s);
    keep_one_of_each(ms);
    int err = index_members(ms);
    if (err)
        members_fini(ms);
    return err;
}

void members_fini(struct members *ms)
{
    free(ms->by_address);
    free(ms->by_name);
    free(ms->list);
    *ms = (struct members){0};
}

/* ---- looking up ---- */

static int compare_to_id(const void *id, const void *member)
{
    return id_compare(id, &((const struct rolls_member *)member)->is.id);
}

const struct rolls_member *members_find(const struct members *ms, const struct node_id *id)
{
    return ms->count ? bsearch(id, ms->list, ms->count, sizeof(*ms->list), compare_to_id) : NULL;
}

static int compare_to_name(const void *text, const void *entry)
{
    return strcmp(text, (*(const struct rolls_member *const *)entry)->is.name);
}

const struct rolls_member *members_find_name(const struct members *ms, const char *text)
{
    const struct rolls_member *const *found =
        ms->named ? bsearch(text, ms->by_name, ms->named, sizeof(*ms->by_name), compare_to_name) : NULL;
    return found ? *found : NULL;
}

static int compare_to_address(const void *a, const void *entry)
{
    return compare_hosts(a, ((const struct members_address *)entry)->addr);
}

const struct rolls_member *members_find_address(const struct members *ms, const struct addr *a)
{
    const struct members_address *found =
        ms->addressed ? bsearch(a, ms->by_address, ms->addressed, sizeof(*ms->by_address), compare_to_address)
                      : NULL;
    return found ? found->member : NULL;
}
