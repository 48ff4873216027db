/* SPDX-License-Identifier: Apache-2.0 */
/* After a snapshot: not a byte more under keys that another run of this process may use. Control thread. */

#include "proto/mesh/mesh_accept.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_state.h"

static void abandon_peer(struct mesh *m, struct peer *p, uint64_t now_us)
{
    mesh_touch(m, p);
    while (p->link_count > 0) {
        struct link *l = p->links[p->link_count - 1];
        mesh_abandon_link(m, l);
        mesh_lose(m, p, l, "this machine was resumed from a snapshot", now_us);
    }
    peer_dial_stop(p);
    peer_dial_soon(p, now_us);
}

void mesh_rekey_all(struct mesh *m, uint64_t now_us)
{
    random_fill(&m->config.random, m->boot,
                sizeof(m->boot)); /* to peers we are another process: what we open wins */
    mesh_end_half_open(m);
    for (unsigned i = 0; i < m->slot_end; i++)
        if (m->peers[i])
            abandon_peer(m, m->peers[i], now_us);
    mesh_tick(m, now_us);
}
