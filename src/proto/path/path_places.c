/* SPDX-License-Identifier: Apache-2.0 */
/* Paths with places of their own, which no candidate can take: the peer's trunk, each backbone's uplink and relay. Pure;
 * control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path.h"

#include "proto/path/path_choice.h"
#include "proto/path/path_set.h"

#define TRUNK_MISSES 2 /* of the best path, which are no hiccup: one more and it is suspect */

static struct path_entry *trunk_of(const struct path_set *set)
{
    return &set->entries[CANDIDATES_MAX];
}

static struct path_entry *uplink_of(const struct path_set *set, unsigned backbone)
{
    return &set->entries[CANDIDATES_MAX + 1 + backbone];
}

void path_add_uplink(struct path_set *set, unsigned backbone, const struct node_id *peer, uint64_t now_us)
{
    path_set_heard(set, now_us);
    struct path_entry *e = uplink_of(set, backbone);
    const struct endpoint to = endpoint_uplink(backbone, peer);
    if (!carrier_in(to.carrier, set->config.carriers))
        return;
    if (e->used)
        path_set_retry(e, now_us);
    else
        path_entry_init(e, &to, now_us);
}

static void remove_entry(struct path_set *set, struct path_entry *e)
{
    e->used = false;
    if (set->best == e)
        set->best = NULL;
    path_choose(set, set->now_us);
}

void path_remove_uplink(struct path_set *set, unsigned backbone)
{
    remove_entry(set, uplink_of(set, backbone));
}

void path_add_trunk(struct path_set *set, const struct endpoint *trunk, uint64_t now_us)
{
    path_set_heard(set, now_us);
    path_remove_trunk(set);
    if (carrier_in(CARRIER_TCP, set->config.carriers))
        path_entry_init(trunk_of(set), trunk, now_us);
}

void path_remove_trunk(struct path_set *set)
{
    remove_entry(set, trunk_of(set));
}

bool path_wants_trunk(const struct path_set *set)
{
    const struct path_entry *b = set->best;
    if (!carrier_in(CARRIER_TCP, set->config.carriers))
        return false;
    return !b || path_tier(b) >= carrier_tier(CARRIER_TCP) || b->path.state != PATH_STATE_PROVEN ||
           b->unanswered >= TRUNK_MISSES;
}

bool path_trunk_failed(const struct path_set *set)
{
    const struct path_entry *e = trunk_of(set);
    return e->used && e->path.state == PATH_STATE_FAILED;
}

bool path_trunk_sound(const struct path_set *set)
{
    const struct path_entry *e = trunk_of(set);
    return e->used && e->path.state == PATH_STATE_PROVEN && !path_entry_troubled(e);
}

static struct path_entry *relay_of(const struct path_set *set, unsigned backbone)
{
    return &set->entries[CANDIDATES_MAX + 1 + UPLINKS_MAX + backbone];
}

void path_add_relay(struct path_set *set, unsigned backbone, const struct addr *relay, uint32_t channel,
                    uint64_t now_us)
{
    path_set_heard(set, now_us);
    struct path_entry *e = relay_of(set, backbone);
    const struct endpoint to = endpoint_relay(relay, channel);
    if (!carrier_in(to.carrier, set->config.carriers))
        return;
    if (e->used && endpoint_same_way(&e->path.endpoint, &to)) {
        path_set_retry(e, now_us);
        return;
    }
    path_remove_relay(set, backbone);
    path_entry_init(e, &to, now_us);
}

void path_remove_relay(struct path_set *set, unsigned backbone)
{
    remove_entry(set, relay_of(set, backbone));
}

size_t path_relays(const struct path_set *set, struct endpoint out[UPLINKS_MAX])
{
    size_t count = 0;
    for (unsigned i = 0; i < UPLINKS_MAX; i++)
        if (relay_of(set, i)->used)
            out[count++] = relay_of(set, i)->path.endpoint;
    return count;
}

bool path_relay_answers(const struct path_set *set, unsigned backbone)
{
    const struct path_entry *e = relay_of(set, backbone);
    return e->used && e->path.state == PATH_STATE_PROVEN;
}
