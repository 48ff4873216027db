/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends probe at once where one of them is behind a standby, so that either's NAT or firewall lets the other in.
 * docs/PROTOCOL.md §9. Control thread. */

#include "proto/mesh/mesh_standby.h"

#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_state.h"
#include <string.h>

static bool same_standbys(const struct mesh *m, const struct addr *list, unsigned count)
{
    for (unsigned i = 0; i < count && i < m->standby_count; i++)
        if (!addr_equal(&list[i], &m->standbys[i]))
            return false;
    return count == m->standby_count;
}

void mesh_set_ways(struct mesh *m, const struct ways *ways)
{
    m->ways = *ways;
}

void mesh_set_standbys(struct mesh *m, const struct addr *list, unsigned count, uint64_t now_us)
{
    if (count > 2 * STANDBYS_MAX)
        count = 2 * STANDBYS_MAX;
    if (same_standbys(m, list, count))
        return;
    memcpy(m->standbys, list, count * sizeof(*list));
    m->standby_count = count;
    for (unsigned i = 0; i < m->slot_end; i++)
        if (m->peers[i] && path_retry_standbys(m->peers[i]->paths, now_us))
            mesh_touch(m, m->peers[i]);
}

void mesh_call_standbys(struct mesh *m, struct peer *p)
{
    struct message call = {.type = MESSAGE_STANDBY, .candidates.count = m->standby_count};
    bool due = path_take_standby_call(p->paths);
    if (!due || !m->standby_count || !p->current || !link_both_can(p->current, HELLO_FEATURE_SESSION))
        return;
    for (unsigned i = 0; i < m->standby_count; i++)
        call.candidates.list[i] = (struct candidate){CANDIDATE_REFLEXIVE, m->standbys[i], 0};
    mesh_say_sealed(p->current, &call);
}

enum drop mesh_on_standby(struct mesh *m, struct peer *p, const struct message *message, uint64_t now_us)
{
    const struct message_candidates *named = &message->candidates;
    const struct mesh_filter *f = &m->config.filter;
    if (!allowance_take(&p->allowance, ALLOWANCE_MESSAGE, 1, now_us))
        return DROP_CONTROL_RATE;
    for (unsigned i = 0; i < named->count && i < 2 * STANDBYS_MAX; i++)
        if (mesh_may_be_named(m, &named->list[i].addr) &&
            f->in_scope(f->context, &named->list[i].addr, named->list, named->count))
            path_add_standby(p->paths, &named->list[i].addr, now_us);
    mesh_touch(m, p);
    mesh_poll_paths(m, p, now_us);
    return DROP_NONE;
}
