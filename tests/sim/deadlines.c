/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of deadlines against the walk over all peers that it stands for. Looks into the mesh's memory. */

#include "deadlines.h"

#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_timers.h"
#include <assert.h>

void check_deadlines(struct mesh *m, uint64_t now_us)
{
    uint64_t earliest_us = UINT64_MAX;
    (void)mesh_next_deadline(m, now_us); /* makes those anew that were touched */
    for (unsigned i = 0; i < m->slot_end; i++) {
        const struct peer *p = m->peers[i];
        if (!p)
            continue;
        uint64_t known_us = p->due.at_us;
        assert(known_us <= now_us || known_us <= mesh_peer_deadline(p, now_us));
        earliest_us = known_us < earliest_us ? known_us : earliest_us;
    }
    assert(earliest_us == (m->due.count ? heap_first(&m->due)->at_us : UINT64_MAX));
    (void)earliest_us;
}
