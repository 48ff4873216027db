/* SPDX-License-Identifier: Apache-2.0 */
/* Each peer has a slot, a place among the ids, and one in the heap of deadlines. docs/PROTOCOL.md §6. Control thread. */

#include "proto/mesh/mesh_peers.h"

#include "proto/mesh/mesh_accept.h"
#include "proto/mesh/mesh_birthday.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_punch.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_rolls.h"
#include "proto/mesh/mesh_scope.h"
#include "proto/mesh/mesh_side.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_trunk.h"

struct peer *mesh_find_peer(const struct mesh *m, const struct node_id *id)
{
    return peer_index_find(&m->by_id, id);
}

int mesh_add_peer(struct mesh *m, const struct node_id *id, struct peer **out)
{
    unsigned slot = m->free_count ? m->free_slots[m->free_count - 1] : m->slot_end;
    if (slot == m->config.peers_max)
        return ERR_SPACE;
    const struct path_set_config paths = {.random = m->config.random,
                                          .local_max = m->config.local_max,
                                          .carriers = m->config.carriers,
                                          .quiet_us = m->config.quiet_us,
                                          .ways = &m->ways};
    if (heap_reserve(&m->due) || outputs_promise(&m->outputs, 1))
        return ERR_NOMEM;
    struct peer *p;
    if (peer_new(m, id, slot, &paths, &p)) {
        outputs_give_back(&m->outputs, 1);
        return ERR_NOMEM;
    }
    peer_promise(p, 1);
    m->peers[slot] = p;
    if (m->free_count)
        m->free_count--;
    else
        m->slot_end++;
    peer_index_add(&m->by_id, p);
    for (unsigned i = 0; i < UPLINKS_MAX; i++)
        peer_set_uplink(p, i, m->uplinks & 1u << i, 0);
    mesh_touch(m, p);
    *out = p;
    return 0;
}

void mesh_forget_peer(struct mesh *m, struct peer *p)
{
    mesh_end_trunk(m, p, "", p->ticked_us);
    mesh_member_leave(m, p);
    mesh_tell_gone(m, p);
    mesh_end_birthday(m, p);
    mesh_end_side(m, p);
    mesh_drop_relays(m, p);
    mesh_gossip_forget(m, p);
    mesh_rolls_on_lost(m, p);
    outputs_give_back(&m->outputs, p->promised);
    heap_remove(&m->due, &p->due);
    peer_index_remove(&m->by_id, p);
    m->peers[p->slot] = NULL;
    m->free_slots[m->free_count++] = (uint16_t)p->slot;
    peer_free(p);
}

void mesh_set_given_addresses(struct mesh *m, const struct node_id *id, const struct addr *list,
                              unsigned count, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p)
        return;
    mesh_touch(m, p);
    struct target targets[PEER_TARGETS_MAX];
    for (unsigned i = 0; i < count && i < PEER_TARGETS_MAX; i++) {
        targets[i] = target_tcp(&list[i]);
        mesh_expect_peer_at(m, p, &(struct candidate){.addr = list[i]}, 1);
    }
    peer_set_targets(p, targets, count < PEER_TARGETS_MAX ? count : PEER_TARGETS_MAX, true);
    mesh_tick(m, now_us);
}

struct flood_counts mesh_floods_of(const struct peer *p)
{
    const struct mesh_floods *floods = &p->mesh->config.floods;
    return floods->count ? floods->count(floods->context, p->slot) : (struct flood_counts){0};
}

bool mesh_may_be_named(const struct mesh *m, const struct addr *a)
{
    return addr_is_routable(a) && mesh_usable(m, a);
}

/* Those as which it is seen by others wait for a round of punching. Returns how many are left. */
static unsigned hold_back(struct peer *p, struct candidate *list, unsigned count)
{
    unsigned kept = 0;
    mesh_punch_hold(p, list, count);
    for (unsigned i = 0; i < count; i++)
        if (list[i].kind != CANDIDATE_REFLEXIVE)
            list[kept++] = list[i];
    return kept;
}

void mesh_learn_candidates(struct mesh *m, struct peer *p, const struct candidate *said, unsigned said_count,
                           uint64_t now_us)
{
    struct candidate list[CANDIDATES_MAX];
    unsigned count = mesh_keep_in_scope(m, p, said, said_count, list);
    struct candidate usable[CANDIDATES_MAX];
    struct target targets[CANDIDATES_MAX];
    unsigned kept = 0, dialled = 0;
    for (unsigned i = 0; i < count; i++) {
        struct addr control = list[i].addr;
        control.port = list[i].control_port;
        if (mesh_may_be_named(m, &list[i].addr))
            usable[kept++] = list[i];
        if (control.port && mesh_may_be_named(m, &control))
            targets[dialled++] = target_tcp(&control);
    }
    mesh_touch(m, p);
    peer_set_targets(p, targets, dialled, false);
    mesh_member_news(m, p, now_us);
    if (mesh_punches(p))
        kept = hold_back(p, usable, kept);
    if (p->current)
        path_announced(p->paths, usable, kept, now_us);
}

void mesh_set_record(struct mesh *m, const struct node_id *id, const char *name, const struct candidate *list,
                     unsigned count, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p)
        return;
    if (!p->name[0])
        peer_set_name(p, name);
    mesh_learn_candidates(m, p, list, count, now_us);
    mesh_expect_peer_at(m, p, list, count);
    mesh_tick(m, now_us);
}

void mesh_set_missing(struct mesh *m, const struct node_id *id, const char *why)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p)
        return;
    peer_dial_missing(p, why);
    mesh_member_unknown(m, p);
}
