/* SPDX-License-Identifier: Apache-2.0 */
/* One dial of an issuer becomes a channel that asks for a certificate; the next one is a member's. docs/PROTOCOL.md §26.
 * Control thread. */

#include "proto/mesh/mesh_asking.h"

#include "proto/mesh/mesh_dial.h"
#include "proto/mesh/mesh_entry.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"
#include "proto/network/asking.h"
#include "proto/network/entry.h"
#include <stdio.h>

/* A peer is connected, or it is dialled in its turn, or when its last failure is over: all of that is now. */
static void dial_at_once(struct mesh *m, struct peer *p, uint64_t now_us)
{
    mesh_touch(m, p);
    peer_rehandshake(p, now_us);
    peer_dial_soon(p, now_us);
    mesh_on_demand(m, p->slot, now_us);
}

static void end_channel(struct mesh *m)
{
    const struct peer *p = m->asking.active ? mesh_find_peer(m, &m->asking.issuer) : NULL;
    for (unsigned i = p ? p->link_count : 0; i-- > 0;)
        if (link_asking(p->links[i]))
            mesh_discard_link(m, p->links[i]);
}

int mesh_ask(struct mesh *m, const struct node_id *issuer, struct asking *a, uint64_t now_us)
{
    struct peer *p = a ? mesh_find_peer(m, issuer) : NULL;
    end_channel(m);
    m->asking.active = NULL;
    if (!a)
        return 0;
    if (!p || !p->wanted)
        return ERR_NOT_FOUND;
    m->asking.active = a;
    m->asking.issuer = *issuer;
    dial_at_once(m, p, now_us);
    mesh_tick(m, now_us);
    return 0;
}

void mesh_on_renewed(struct mesh *m, uint64_t now_us)
{
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        if (p && p->wanted && !p->current)
            dial_at_once(m, p, now_us);
    }
    mesh_show_anew(m, now_us);
    mesh_tick(m, now_us);
}

void mesh_set_network(struct mesh *m, struct membership *network)
{
    m->config.network = network;
}

void mesh_set_serving(struct mesh *m, const struct serving_issuer *serving)
{
    m->config.serving = serving;
}

bool mesh_begin_asking(struct mesh *m, struct link *l)
{
    struct asking *a = m->asking.active;
    bool busy = a && (asking_state(a) == ASKING_ISSUER || asking_state(a) == ASKING_PROVING);
    if (!a || busy || asking_state(a) == ASKING_DONE || !link_is_opener(l) ||
        id_compare(link_peer_id(l), &m->asking.issuer) != 0 || link_ask(l, a))
        return false;
    mesh_tell_asked(m, &m->asking.issuer);
    return true;
}

/* Its words are told once, as those of any refusal. */
static void on_refused(struct mesh *m, struct link *l)
{
    const struct asking *a = link_asking(l);
    struct peer *p = link_owner(l);
    char why[ASKING_REASON_MAX + 32];
    snprintf(why, sizeof(why), "no certificate: %s", asking_reason(a));
    if (asking_code(a) && !p->dial.refused)
        mesh_note(m, MESH_NOTICE_REFUSED_US, p, why);
    if (asking_code(a))
        peer_dial_refused(p);
    peer_dial_failed(p, link_remote(l), false, why);
}

bool mesh_on_asked(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    enum asking_state state = asking_state(link_asking(l));
    mesh_tell_asked(m, &m->asking.issuer);
    if (state == ASKING_PROVING)
        return true;
    if (state == ASKING_REFUSED)
        on_refused(m, l);
    link_end_stream(l);
    mesh_discard_link(m, l);
    if (state == ASKING_DONE) {
        m->asking.active = NULL;
        peer_dial_stop(p); /* its round waits for what came of this channel */
        dial_at_once(m, p, now_us);
    }
    return false;
}

int mesh_serve(const struct mesh *m, const struct link *l, struct entry *e)
{
    uint8_t exporter[KDF_LEN];
    int err;
    if (!m->config.serving)
        return 0;
    err = link_exporter(l, exporter);
    if (!err)
        entry_serve(e, m->config.serving, exporter);
    return err;
}
