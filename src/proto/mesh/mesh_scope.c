/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever owns the mesh judges; here is what becomes of it. */

#include "proto/mesh/mesh_scope.h"

#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"
#include <string.h>

unsigned mesh_keep_in_scope(struct mesh *m, struct peer *p, const struct candidate *said, unsigned count,
                            struct candidate out[CANDIDATES_MAX])
{
    const struct mesh_filter *f = &m->config.filter;
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (f->in_scope(f->context, &said[i].addr, said, count))
            out[kept++] = said[i];
    peer_hold_back(p, said, kept < count ? count : 0);
    return kept;
}

void mesh_look_at_held_back(struct mesh *m, struct peer *p, uint64_t now_us)
{
    struct candidate list[CANDIDATES_MAX];
    unsigned count = p->held_back_count;
    if (!count)
        return;
    memcpy(list, p->held_back, count * sizeof(*list));
    mesh_learn_candidates(m, p, list, count, now_us);
}
