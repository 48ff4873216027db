/* SPDX-License-Identifier: Apache-2.0 */
/* A link and its stream are made together. docs/PROTOCOL.md §6. Control thread. */

#include "proto/mesh/mesh_dial.h"

#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_session.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_uplink.h"

bool mesh_has_attempts(const struct peer *p)
{
    for (unsigned i = 0; i < p->link_count; i++)
        if (link_is_opener(p->links[i]) && link_state(p->links[i]) < LINK_STATE_LIVE)
            return true;
    return false;
}

static int open_stream(struct mesh *m, struct peer *p, const struct link *l)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_DIAL, .conn = link_conn(l), .target = *link_remote(l)};
    return o.target.kind == TARGET_SESSION ? mesh_session_open(m, p, o.conn)
                                           : outputs_put(&m->outputs, &o, NULL, 0);
}

static int begin_stream(struct mesh *m, struct peer *p, struct link *l)
{
    int err = table_put(m->streams, link_conn(l), l);
    if (err)
        return err;
    err = outputs_promise(&m->outputs, 1);
    if (!err && (err = open_stream(m, p, l)))
        outputs_give_back(&m->outputs, 1);
    if (err)
        table_remove(m->streams, link_conn(l));
    return err;
}

void mesh_dial(struct mesh *m, struct peer *p, const struct target *to, uint64_t now_us)
{
    struct link *l;
    if (!mesh_may_open(m, to, now_us))
        return; /* the next round comes by it again */
    uint64_t conn = ++m->last_conn;
    if (link_new(m->tls, conn, to, &p->id, now_us, &l)) {
        peer_dial_error(p, "out of memory");
        return;
    }
    if (peer_add_link(p, l) || begin_stream(m, p, l)) {
        peer_remove_link(p, l);
        link_free(l);
        return;
    }
    if (to->kind == TARGET_SESSION) /* there is nothing to wait for */
        mesh_on_connected(m, conn, now_us);
}

void mesh_drop_other_attempts(struct mesh *m, struct peer *p, const struct link *keep)
{
    for (unsigned i = p->link_count; i-- > 0;) {
        struct link *l = p->links[i];
        if (l != keep && link_is_opener(l) && link_state(l) <= LINK_STATE_SECURING)
            mesh_discard_link(m, l);
    }
}
