/* SPDX-License-Identifier: Apache-2.0 */
/* What lanes are made of is given when workers have used them, and taken when they do not. docs/PROTOCOL.md §4. Control
 * thread. */

#include "proto/mesh/mesh_lanes.h"

#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"

void mesh_on_lanes(struct mesh *m, uint32_t slot, uint64_t now_us)
{
    struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    if (!p)
        return;
    mesh_touch(m, p);
    for (unsigned i = 0; i < p->link_count; i++)
        if (link_keychain(p->links[i]))
            keychain_warm(link_keychain(p->links[i]), now_us);
    const struct flood_counts floods = mesh_floods_of(p);
    peer_look_at_data(p, &floods, &m->flood_turns, now_us);
    mesh_poll_paths(m, p, now_us);
}

/* Another time, where there is no room for what they give back. */
void mesh_cool_lanes(void *context, struct session *s)
{
    const struct peer *p = link_owner(context);
    struct mesh *m = p->mesh;
    if (outputs_promise(&m->outputs, 1))
        return;
    struct session *husk = session_cool(s);
    if (husk)
        mesh_retire(m, husk);
    else
        outputs_give_back(&m->outputs, 1);
}
