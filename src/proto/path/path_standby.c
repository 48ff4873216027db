/* SPDX-License-Identifier: Apache-2.0 */
/* Which standbys there are, and what is asked of them beforehand. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path_standby.h"

#include "proto/path/path_choice.h"
#include "proto/path/path_room.h"
#include "proto/path/path_set.h"

/* What carries straight, by the kernel's choice: standbys would take over from it. NULL: there is no such thing. */
static const struct path_entry *principal(const struct path_set *set)
{
    const struct path_entry *b = set->best;
    return b && b->path.endpoint.carrier == CARRIER_UDP && !b->path.endpoint.interface ? b : NULL;
}

static bool has_way(const struct path_set *set, const struct endpoint *e)
{
    return set->config.ways && ways_role(set->config.ways, e->interface, e->remote.family) != WAY_NONE;
}

static bool is_needless(const struct path_set *set, const struct path_entry *e, uint64_t now_us)
{
    const struct path_entry *p = principal(set);
    if (!has_way(set, &e->path.endpoint))
        return true;
    if (e == set->best)
        return false;
    if (now_us >= set->active_us + PATH_STANDBY_KEPT_US)
        return true;
    return p && !e->learned && !endpoint_same_way(&p->path.endpoint, &e->path.endpoint);
}

static void remove_needless(struct path_set *set, uint64_t now_us)
{
    for (struct path_entry *e = path_set_at(set, PATH_PLACE_STANDBY), *next;
         e && e->place == PATH_PLACE_STANDBY; e = next) {
        next = path_set_next(set, e);
        if (is_needless(set, e, now_us))
            path_set_remove(set, e);
    }
}

static void make_missing(struct path_set *set, const struct path_entry *p, uint64_t now_us)
{
    struct endpoint to = endpoint_udp(&p->path.endpoint.remote);
    if (addr_is_link_local(&to.remote))
        return;
    for (unsigned i = 0; (to.interface = ways_standby(set->config.ways, to.remote.family, i)); i++)
        if (!path_set_find(set, &to))
            (void)path_room_put(set, &to, false, now_us);
}

/* By which a relay or an uplink carries, while nothing answers by the kernel's choice; 0: none. */
static uint32_t standby_that_relays(const struct path_set *set)
{
    const struct path_entry *b = set->best;
    return b && b->path.endpoint.carrier != CARRIER_UDP ? b->path.endpoint.interface : 0;
}

static bool has_room(const struct path_set *set)
{
    unsigned count = 0;
    for (struct path_entry *e = path_set_at(set, PATH_PLACE_STANDBY); e && e->place == PATH_PLACE_STANDBY;
         e = e->next)
        count++;
    return count < PATH_STANDBYS_MAX;
}

/* Where the peer said that it is. What has failed is kept, lest it be made again and again. */
static void make_named(struct path_set *set, uint32_t interface, uint64_t now_us)
{
    for (const struct path_entry *e = path_set_at(set, PATH_PLACE_CANDIDATE);
         e && e->place == PATH_PLACE_CANDIDATE; e = e->next) {
        struct endpoint to = endpoint_udp(&e->path.endpoint.remote);
        to.interface = interface;
        bool leads_there = e->named && !e->path.endpoint.side && !addr_is_link_local(&to.remote) &&
                           ways_role(set->config.ways, interface, to.remote.family) == WAY_STANDBY;
        if (leads_there && has_room(set) && !path_set_find(set, &to))
            (void)path_room_put(set, &to, false, now_us);
    }
}

void path_standby_update(struct path_set *set, uint64_t now_us)
{
    uint32_t relaying = standby_that_relays(set);
    if (set->active)
        set->active_us = now_us;
    remove_needless(set, now_us);
    if (!set->active || !set->config.ways)
        return;
    if (principal(set))
        make_missing(set, principal(set), now_us);
    else if (relaying)
        make_named(set, relaying, now_us);
}

void path_standby_check(struct path_set *set, uint64_t now_us)
{
    for (struct path_entry *e = set->first; e; e = e->next)
        if (e->path.state == PATH_STATE_PROVEN && path_tier(e) > path_tier(set->best))
            e->challenge_us = now_us;
}

bool path_standby_outlives(const struct path_set *set, const struct path_entry *e)
{
    return set->best && e->proof_us > set->best->answer_us;
}

bool path_retry_standbys(struct path_set *set, uint64_t now_us)
{
    bool any = false;
    path_set_heard(set, now_us);
    for (struct path_entry *e = path_set_at(set, PATH_PLACE_STANDBY); e && e->place == PATH_PLACE_STANDBY;
         e = e->next) {
        any = true;
        if (!path_entry_live(e))
            path_entry_try(e, now_us);
    }
    return any;
}

bool path_take_standby_call(struct path_set *set)
{
    bool call = set->standby_call;
    set->standby_call = false;
    return call;
}
