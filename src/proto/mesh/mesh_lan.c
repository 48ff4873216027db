/* SPDX-License-Identifier: Apache-2.0 */
/* Peers on the local network: whom to look for there, and what is heard of one. docs/PROTOCOL.md §20. Control thread. */

#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"

void mesh_listed(const struct mesh *m, void (*visit)(void *context, const struct mesh_listed_peer *peer),
                 void *context)
{
    for (unsigned i = 0; i < m->slot_end; i++) {
        const struct peer *p = m->peers[i];
        if (!p || p->barred || (!p->wanted && !p->allowed))
            continue;
        const struct mesh_listed_peer listed = {.id = p->id,
                                                .wanted = p->wanted,
                                                .member = mesh_takes_turns(p),
                                                .placed = p->dial.given > 0,
                                                .open = p->reach.state == REACH_OPEN};
        visit(context, &listed);
    }
}

void mesh_on_neighbour(struct mesh *m, const struct node_id *id, const struct addr *control, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p || !p->wanted || !mesh_usable(m, control))
        return;
    const struct target target = target_tcp(control);
    mesh_touch(m, p);
    peer_dial_here(p, &target, now_us);
    mesh_member_news(m, p, now_us);
    mesh_tick(m, now_us);
}
