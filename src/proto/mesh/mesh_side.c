/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a side socket is, and for how long. Control thread. */

#include "proto/mesh/mesh_side.h"

#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"

bool mesh_may_have_side(const struct mesh *m, const struct peer *p)
{
    return !p->side && m->side_count < m->config.sides;
}

void mesh_take_side(struct mesh *m, struct peer *p, unsigned side)
{
    m->side_count++;
    peer_side(p, side);
}

/* Its room was promised. */
static void close_side(struct mesh *m, struct peer *p)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_SIDE_CLOSE, .slot = p->slot, .side = p->side};
    mesh_publish(m, p);
    outputs_keep(&m->outputs, &o);
    m->side_count--;
    punch_side_gone(&p->punch);
    peer_side(p, 0);
}

/* What a path by it cost is not to be lost by a pause. */
void mesh_poll_side(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (!p->side)
        return;
    if (path_has_side(p->paths, p->side))
        path_stay_awake(p->paths, now_us);
    else if (!p->punch.fresh)
        close_side(m, p);
}

void mesh_end_side(struct mesh *m, struct peer *p)
{
    if (!p->side)
        return;
    path_drop_side(p->paths, p->side);
    close_side(m, p);
}
