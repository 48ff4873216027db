/* SPDX-License-Identifier: Apache-2.0 */
/* Whom we dial and whom we admit, and taking either back while running. docs/PROTOCOL.md §6. Control thread. */

#include "proto/mesh/mesh_lists.h"

#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_rolls.h"
#include "proto/mesh/mesh_state.h"

static int get_peer(struct mesh *m, const struct node_id *id, struct peer **out)
{
    if (id_compare(id, identity_id(m->config.me)) == 0)
        return ERR_EXISTS;
    *out = mesh_find_peer(m, id);
    return *out ? 0 : mesh_add_peer(m, id, out);
}

bool mesh_is_named(const struct peer *p)
{
    return (p->wanted || p->allowed) && !p->enrolled;
}

bool mesh_admits(const struct mesh *m, const struct peer *p)
{
    if (p && (p->barred || mesh_is_revoked(m, &p->id)))
        return false;
    return m->config.is_public || (p && mesh_is_named(p));
}

int mesh_connect(struct mesh *m, const struct node_id *id)
{
    struct peer *p;
    int err = get_peer(m, id, &p);
    if (err)
        return err;
    mesh_member_leave(m, p);
    if (p->enrolled)
        peer_dismiss(p);
    peer_want(p);
    mesh_touch(m, p);
    mesh_want(m, id, true);
    mesh_gossip_on_want(m);
    return 0;
}

int mesh_allow(struct mesh *m, const struct node_id *id)
{
    struct peer *p;
    int err = get_peer(m, id, &p);
    if (err)
        return err;
    peer_allow(p);
    mesh_touch(m, p);
    return mesh_member_join(m, p);
}

void mesh_leave_alone(struct mesh *m, struct peer *p)
{
    if (!p->wanted)
        return;
    mesh_member_leave(m, p);
    peer_leave_alone(p);
    mesh_want(m, &p->id, false);
}

int mesh_disconnect(struct mesh *m, const struct node_id *id, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p || !p->wanted)
        return ERR_NOT_FOUND;
    mesh_touch(m, p);
    mesh_leave_alone(m, p);
    mesh_end_peer(m, p, BYE_DISCONNECTED, "disconnected on request", now_us);
    mesh_tick(m, now_us);
    return 0;
}

void mesh_shut_out(struct mesh *m, struct peer *p, const char *why, uint64_t now_us)
{
    mesh_leave_alone(m, p);
    mesh_touch(m, p);
    mesh_end_peer(m, p, BYE_DISALLOWED, why, now_us);
}

static void end_unless_admitted(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (mesh_admits(m, p))
        return;
    mesh_touch(m, p);
    mesh_end_peer(m, p, BYE_DISALLOWED, "it is admitted no longer", now_us);
}

static bool is_certified(const struct mesh *m, const struct peer *p, uint64_t now_us)
{
    return p->member && membership_still(m->config.network, &p->member->cert, now_us) == CERT_OK;
}

int mesh_withdraw(struct mesh *m, const struct node_id *id, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p || !p->allowed || p->enrolled)
        return ERR_NOT_FOUND;
    if (mesh_takes_turns(p))
        mesh_leave_alone(m, p);
    peer_withdraw(p);
    if (!is_certified(m, p, now_us))
        end_unless_admitted(m, p, now_us);
    mesh_enroll_again(m, id);
    mesh_tick(m, now_us);
    return 0;
}

int mesh_disallow(struct mesh *m, const struct node_id *id, uint64_t now_us)
{
    struct peer *p;
    int err = get_peer(m, id, &p);
    if (err)
        return err;
    mesh_leave_alone(m, p);
    peer_bar(p);
    mesh_touch(m, p);
    end_unless_admitted(m, p, now_us);
    mesh_tick(m, now_us);
    return 0;
}
