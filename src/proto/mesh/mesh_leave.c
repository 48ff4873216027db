/* SPDX-License-Identifier: Apache-2.0 */
/* Who leaves asks one issuer to shut its key out, and has left when that issuer's session ends for it. Control thread. */

#include "proto/mesh/mesh_leave.h"

#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_state.h"
#include "proto/network/membership.h"
#include "proto/network/rolls.h"

static bool hears(const struct mesh *m, const struct peer *p)
{
    return p && p->current && link_state(p->current) == LINK_STATE_LIVE &&
           link_both_can(p->current, HELLO_FEATURE_LEAVE) && rolls_issuer(m->config.rolls, &p->id);
}

/* That of our certificate knows us: our name is free there as soon as it signs. */
static struct peer *choose(const struct mesh *m)
{
    struct peer *own = mesh_find_peer(m, &membership_me(m->config.network)->issuer);
    if (hears(m, own))
        return own;
    for (unsigned i = 0; i < m->slot_end; i++)
        if (hears(m, m->peers[i]))
            return m->peers[i];
    return NULL;
}

enum mesh_leaving mesh_leave(struct mesh *m, struct node_id *issuer, uint64_t now_us)
{
    const struct message leave = {.type = MESSAGE_LEAVE};
    if (m->leaving.is_over) {
        *issuer = m->leaving.issuer;
        return MESH_LEFT;
    }
    struct peer *p = m->config.rolls && m->config.network ? choose(m) : NULL;
    if (!p)
        return MESH_LEAVE_NOBODY;
    *issuer = m->leaving.issuer = p->id;
    m->leaving.is_asked = true;
    mesh_say_sealed(p->current, &leave);
    mesh_tick(m, now_us);
    return MESH_LEAVE_ASKED;
}

void mesh_leave_on_shut_out(struct mesh *m, const struct peer *p)
{
    if (m->leaving.is_asked && id_compare(&p->id, &m->leaving.issuer) == 0)
        m->leaving.is_over = true;
}

/* Whom a person's list let in without a certificate has none to give up. */
enum drop mesh_on_leave(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (!p->member || !m->config.rolls || !rolls_issuer(m->config.rolls, identity_id(m->config.me)))
        return DROP_INNER;
    if (!allowance_take(&p->allowance, ALLOWANCE_MESSAGE, 1, now_us))
        return DROP_CONTROL_RATE;
    mesh_tell_leave(m, &p->id);
    return DROP_NONE;
}
