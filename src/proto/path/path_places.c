/* SPDX-License-Identifier: Apache-2.0 */
/* Paths with places of their own, which no candidate can take: the peer's trunk, each backbone's uplink, each relay. Pure;
 * control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path.h"

#include "proto/path/path_choice.h"
#include "proto/path/path_quiet.h"
#include "proto/path/path_set.h"

#define TRUNK_MISSES 2 /* of the best path, which are no hiccup: one more and it is suspect */

static void clear(struct path_set *set, uint8_t place)
{
    struct path_entry *e = path_set_at(set, place);
    if (!e)
        return;
    path_set_remove(set, e);
    path_choose(set, set->now_us);
}

/* Puts a path there, unless datagrams do not travel so; what was there and leads there still is asked anew. */
static void put(struct path_set *set, uint8_t place, const struct endpoint *to, uint64_t now_us)
{
    struct path_entry *e = path_set_at(set, place);
    path_set_heard(set, now_us);
    if (!carrier_in(to->carrier, set->config.carriers))
        return;
    if (e && endpoint_same_way(&e->path.endpoint, to)) {
        path_set_retry(e, now_us);
        return;
    }
    clear(set, place);
    (void)path_set_put(set, place, to, now_us);
}

void path_add_uplink(struct path_set *set, unsigned backbone, const struct node_id *peer, uint32_t interface,
                     uint64_t now_us)
{
    struct endpoint to = endpoint_uplink(backbone, peer);
    to.interface = interface;
    put(set, (uint8_t)(PATH_PLACE_UPLINK + backbone), &to, now_us);
}

void path_remove_uplink(struct path_set *set, unsigned backbone)
{
    clear(set, (uint8_t)(PATH_PLACE_UPLINK + backbone));
}

bool path_uplink_misses(const struct path_set *set, unsigned backbone)
{
    const struct path_entry *e = path_set_at(set, (uint8_t)(PATH_PLACE_UPLINK + backbone));
    return e && e->unanswered;
}

void path_add_trunk(struct path_set *set, const struct endpoint *trunk, uint64_t now_us)
{
    path_remove_trunk(set);
    put(set, PATH_PLACE_TRUNK, trunk, now_us);
}

void path_remove_trunk(struct path_set *set)
{
    clear(set, PATH_PLACE_TRUNK);
}

bool path_wants_trunk(const struct path_set *set)
{
    const struct path_entry *b = set->best;
    if (!carrier_in(CARRIER_TCP, set->config.carriers) || set->quiet || path_quiet_waking(set))
        return false;
    return !b || path_tier(b) >= carrier_tier(CARRIER_TCP) || b->path.state != PATH_STATE_PROVEN ||
           b->unanswered >= TRUNK_MISSES;
}

bool path_trunk_failed(const struct path_set *set)
{
    const struct path_entry *e = path_set_at(set, PATH_PLACE_TRUNK);
    return e && e->path.state == PATH_STATE_FAILED;
}

bool path_trunk_sound(const struct path_set *set)
{
    const struct path_entry *e = path_set_at(set, PATH_PLACE_TRUNK);
    return e && e->path.state == PATH_STATE_PROVEN && !path_entry_troubled(e);
}

void path_add_relay(struct path_set *set, unsigned relay, const struct addr *at, uint32_t channel,
                    uint64_t now_us)
{
    uint8_t place = (uint8_t)(PATH_PLACE_RELAY + relay);
    const struct endpoint to = endpoint_relay(at, channel);
    put(set, place, &to, now_us);
    struct path_entry *e = path_set_at(set, place);
    if (e)
        e->named = true; /* whoever relays was chosen, and the whole way is what is measured */
}

void path_remove_relay(struct path_set *set, unsigned relay)
{
    clear(set, (uint8_t)(PATH_PLACE_RELAY + relay));
}

void path_move_relay(struct path_set *set, unsigned relay, uint32_t interface, uint64_t now_us)
{
    struct path_entry *e = path_set_at(set, (uint8_t)(PATH_PLACE_RELAY + relay));
    if (!e || e->path.endpoint.interface == interface)
        return;
    e->path.endpoint.interface = interface;
    e->unanswered = 0;
    if (path_entry_live(e))
        e->challenge_us = now_us;
    path_choice_moved(set, e, now_us);
}

size_t path_relays(const struct path_set *set, struct endpoint out[RELAYS_MAX])
{
    size_t count = 0;
    for (const struct path_entry *e = set->first; e; e = e->next)
        if (e->place >= PATH_PLACE_RELAY)
            out[count++] = e->path.endpoint;
    return count;
}

static const struct path_entry *relay_of(const struct path_set *set, unsigned relay)
{
    return path_set_at(set, (uint8_t)(PATH_PLACE_RELAY + relay));
}

bool path_has_relay(const struct path_set *set, unsigned relay)
{
    return relay_of(set, relay);
}

bool path_relay_answers(const struct path_set *set, unsigned relay)
{
    const struct path_entry *e = relay_of(set, relay);
    return e && (e->path.state == PATH_STATE_PROVEN || e->path.state == PATH_STATE_QUIET);
}

bool path_relay_sound(const struct path_set *set, unsigned relay)
{
    return path_relay_answers(set, relay) && !relay_of(set, relay)->unanswered;
}

bool path_relay_failed(const struct path_set *set, unsigned relay)
{
    const struct path_entry *e = relay_of(set, relay);
    return e && e->path.state == PATH_STATE_FAILED;
}

bool path_relay_carries(const struct path_set *set, unsigned relay)
{
    return set->best && set->best == relay_of(set, relay);
}
