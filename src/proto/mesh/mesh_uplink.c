/* SPDX-License-Identifier: Apache-2.0 */
/* Uplinks: with whom a backbone exchanges our datagrams, and which of its streams are let in or opened. A backbone is
 * believed in nothing: what it says decides only what is tried, and what is refused. docs/PROTOCOL.md §6, §9 and §15.
 * Control thread. */

#include "proto/mesh/mesh_uplink.h"

#include "proto/admission/source.h"
#include "proto/mesh/mesh_accept.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_entry.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_state.h"

/* What backbones let through, so that what we ask for is not refused. */
static const struct bucket_rate opening_rate = {MESH_OPENING_INTERVAL_US, MESH_OPENING_BURST};

/* It has proved its id, and is admitted: datagrams of its may come. */
static bool is_identified(const struct peer *p)
{
    for (unsigned i = 0; i < p->link_count; i++)
        if (link_state(p->links[i]) >= LINK_STATE_GREETING)
            return true;
    return false;
}

static void update_pair(struct mesh *m, struct peer *p, unsigned backbone, bool on)
{
    if (!mesh_tell_pair(m, &p->id, backbone, on))
        return; /* at the peer's next tick */
    peer_pair_asked(p, backbone, on);
    if (on)
        return;
    path_remove_uplink(p->paths, backbone);
    mesh_drop_relay(m, p, backbone);
}

void mesh_update_pairs(struct mesh *m, struct peer *p)
{
    bool wanted = is_identified(p) && carrier_in(CARRIER_UPLINK, m->config.carriers);
    unsigned differ = p->pairs_asked ^ (wanted ? m->uplinks : 0u);
    for (unsigned i = 0; differ && i < UPLINKS_MAX; i++)
        if (differ & 1u << i)
            update_pair(m, p, i, wanted);
}

static void lose_uplink(struct mesh *m, struct peer *p, unsigned backbone, uint64_t now_us)
{
    path_remove_uplink(p->paths, backbone);
    mesh_poll_paths(m, p, now_us);
}

void mesh_on_uplink(struct mesh *m, unsigned backbone, bool up, uint32_t interface, uint64_t now_us)
{
    m->uplink_by[backbone] = interface;
    m->uplinks = (uint8_t)(up ? m->uplinks | 1u << backbone : m->uplinks & ~(1u << backbone));
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        if (!p)
            continue;
        mesh_touch(m, p);
        peer_set_uplink(p, backbone, up, now_us);
        if (!up) {
            lose_uplink(m, p, backbone, now_us);
            continue;
        }
        mesh_update_pairs(m, p);
        mesh_member_hurry(m, p, now_us);
    }
    mesh_tick(m, now_us);
}

void mesh_on_paired(struct mesh *m, unsigned backbone, const struct node_id *id, bool on, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p || !(p->pairs_asked & 1u << backbone))
        return;
    mesh_touch(m, p);
    if (on)
        path_add_uplink(p->paths, backbone, id, m->uplink_by[backbone], now_us);
    else
        path_remove_uplink(p->paths, backbone);
    mesh_relay_on_paired(m, p, backbone, on, now_us);
    mesh_poll_relays(m, p, now_us);
    mesh_poll_paths(m, p, now_us);
}

void mesh_doubt_uplinks(struct mesh *m, const struct peer *p, uint64_t now_us)
{
    for (unsigned i = 0; i < UPLINKS_MAX && ways_next(&m->ways, 0, 0); i++) {
        if (!path_uplink_misses(p->paths, i) || now_us < m->check_us[i])
            continue;
        m->check_us[i] = now_us + MESH_CHECK_INTERVAL_US;
        mesh_check_uplink(m, i);
    }
}

bool mesh_may_open(struct mesh *m, const struct target *to, uint64_t now_us)
{
    return to->kind != TARGET_UPLINK || bucket_take(&m->openings, &opening_rate, 1, now_us);
}

/* Streams by the uplink to a backbone that are in the lobby or half-open; *strangers of them. */
static unsigned waiting(const struct mesh *m, unsigned backbone, unsigned *strangers)
{
    unsigned count = lobby_uplink_guests(m->lobby, backbone, strangers);
    for (unsigned i = 0; i < MESH_HALF_OPEN_MAX; i++) {
        const struct target *from = m->half_open[i] ? link_remote(m->half_open[i]) : NULL;
        if (!from || from->kind != TARGET_UPLINK || from->backbone != backbone)
            continue;
        count++;
        *strangers += !mesh_expects(m, from);
    }
    return count;
}

bool mesh_welcomes(struct mesh *m, const struct target *from, bool known, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, &from->id);
    const struct addr source = source_of(from);
    unsigned strangers = 0;
    if (id_compare(&from->id, identity_id(m->config.me)) == 0 || !mesh_may_enter(m, p))
        return false;
    if (waiting(m, from->backbone, &strangers) >= MESH_UPLINK_WAITING_MAX ||
        (!known && strangers >= MESH_UPLINK_STRANGERS_MAX))
        return false;
    return limits_take(m->accepts, &source, MESH_UPLINK_COST, now_us) == 0;
}

bool mesh_is_as_told(const struct link *l)
{
    const struct target *from = link_remote(l);
    return from->kind == TARGET_TCP || id_compare(&from->id, link_peer_id(l)) == 0;
}
