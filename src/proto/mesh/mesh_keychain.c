/* SPDX-License-Identifier: Apache-2.0 */
/* What keychains have of the mesh: receiver indices, and whom it concerns when sessions come and go. docs/PROTOCOL.md §12.
 * Control thread. */

#include "proto/mesh/mesh_keychain.h"

#include "proto/mesh/mesh_lanes.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_state.h"
#include <stdlib.h>

static struct peer *peer_of(const struct link *l)
{
    return link_owner(l);
}

/* Random but for its last byte, by which workers share the peers among them (node/data/spread.h). What is promised to
 * a peer is taken: two promises of one index would become two sessions with one index. */
uint32_t mesh_reserve_index(const struct peer *p)
{
    uint32_t index;
    do
        index = (mesh_random(p->mesh) & ~0xffu) | (p->slot & 0xff);
    while (index == 0 || table_get(p->mesh->receivers, index));
    struct mesh_receiver *r = calloc(1, sizeof(*r));
    if (r && table_put(p->mesh->receivers, index, r) == 0)
        return index;
    free(r);
    return 0;
}

void mesh_release_index(struct mesh *m, uint32_t index)
{
    const struct mesh_receiver *r = table_get(m->receivers, index);
    if (r && !r->session)
        free(table_remove(m->receivers, index));
}

static uint32_t reserve_index(void *context)
{
    return mesh_reserve_index(peer_of(context));
}

static void release_index(void *context, uint32_t index)
{
    mesh_release_index(peer_of(context)->mesh, index);
}

static int session_added(void *context, struct session *s)
{
    struct link *l = context;
    struct mesh *m = peer_of(l)->mesh;
    struct mesh_receiver *r = table_get(m->receivers, session_rx_index(s));
    if (!r || r->session)
        return ERR_EXISTS;
    int err = outputs_promise(&m->outputs, 1);
    if (err)
        return err;
    *r = (struct mesh_receiver){s, l};
    mesh_publish(m, peer_of(l));
    return 0;
}

static void session_dropped(void *context, struct session *s)
{
    struct peer *p = peer_of(context);
    free(table_remove(p->mesh->receivers, session_rx_index(s)));
    peer_account(p, s);
    mesh_publish(p->mesh, p);
    mesh_retire(p->mesh, s);
}

static void send_changed(void *context)
{
    mesh_publish(peer_of(context)->mesh, peer_of(context));
}

static void send_control(void *context, struct session *s, const struct message *message)
{
    mesh_say_under(context, s, message);
}

struct keychain_ops mesh_keychain_ops(struct link *l)
{
    return (struct keychain_ops){.reserve_index = reserve_index,
                                 .release_index = release_index,
                                 .session_added = session_added,
                                 .session_dropped = session_dropped,
                                 .cool = mesh_cool_lanes,
                                 .send_changed = send_changed,
                                 .send_control = send_control,
                                 .context = l};
}
