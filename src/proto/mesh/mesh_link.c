/* SPDX-License-Identifier: Apache-2.0 */
/* A stream and a link end apart: keys live on where a connection is gone. docs/PROTOCOL.md §6. Control thread. */

#include "proto/mesh/mesh_link.h"

#include "proto/mesh/mesh_accept.h"
#include "proto/mesh/mesh_birthday.h"
#include "proto/mesh/mesh_keychain.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_reach.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_rolls.h"
#include "proto/mesh/mesh_session.h"
#include "proto/mesh/mesh_side.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_uplink.h"

#define STREAM_CHUNK 4096

/* Gives the stream up as it is. */
static void leave_stream(struct mesh *m, struct link *l, enum mesh_output_kind kind)
{
    if (link_owner(l))
        mesh_touch(m, link_owner(l));
    if (table_remove(m->streams, link_conn(l))) {
        if (link_has_stream(l))
            mesh_stream_end(m, link_conn(l), kind);
        else
            outputs_give_back(&m->outputs, 1);
    }
    link_detach(l);
    m->streams_ended = true;
}

bool mesh_streams_ended(struct mesh *m)
{
    bool ended = m->streams_ended;
    m->streams_ended = false;
    return ended;
}

static int send_on(struct mesh *m, const struct link *l, const uint8_t *data, size_t len)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_STREAM_SEND, .conn = link_conn(l)};
    return link_remote(l)->kind == TARGET_SESSION ? mesh_session_write(m, link_conn(l), data, len)
                                                  : outputs_put(&m->outputs, &o, data, len);
}

void mesh_flush(struct mesh *m, struct link *l)
{
    uint8_t chunk[STREAM_CHUNK];
    size_t n;
    while ((n = link_take_output(l, chunk, sizeof(chunk))) > 0)
        if (send_on(m, l, chunk, n)) {
            leave_stream(m, l, MESH_OUTPUT_STREAM_ABORT); /* a stream with a hole is of no use */
            return;
        }
}

void mesh_end_stream(struct mesh *m, struct link *l)
{
    mesh_flush(m, l);
    leave_stream(m, l, MESH_OUTPUT_STREAM_CLOSE);
}

void mesh_release_promise(struct mesh *m, const struct link *l)
{
    uint32_t index = link_promised_index(l);
    if (index)
        mesh_release_index(m, index);
}

void mesh_discard_link(struct mesh *m, struct link *l)
{
    mesh_end_stream(m, l);
    mesh_leave_half_open(m, l);
    struct peer *p = link_owner(l);
    mesh_release_promise(m, l);
    if (p) {
        mesh_touch(m, p);
        bool carried = p->current == l;
        peer_remove_link(p, l);
        if (carried)
            mesh_publish(m, p);
        mesh_update_pairs(m, p);
        mesh_update_relaying(m, p);
    }
    link_free(l);
}

void mesh_lose(struct mesh *m, struct peer *p, struct link *l, const char *why, uint64_t now_us)
{
    bool carried = p->current == l;
    mesh_discard_link(m, l);
    if (!carried)
        return;
    mesh_end_birthday(m, p);
    mesh_end_side(m, p);
    mesh_rolls_on_lost(m, p);
    mesh_update_reach(m, p, now_us);
    if (why)
        mesh_note(m, MESH_NOTICE_LOST, p, why);
    mesh_tell_gone(m, p);
    peer_dial_soon(p, now_us);
    if (!p->wanted)
        return;
    if (mesh_takes_turns(p))
        mesh_member_lost(m, p, now_us);
    else
        mesh_want(m, &p->id, true);
    mesh_gossip_on_want(m);
}

void mesh_abandon_link(struct mesh *m, struct link *l)
{
    if (link_keychain(l))
        keychain_stop_sealing(link_keychain(l));
    leave_stream(m, l, MESH_OUTPUT_STREAM_CLOSE);
}

void mesh_end_peer(struct mesh *m, struct peer *p, enum bye_code code, const char *why, uint64_t now_us)
{
    while (p->link_count > 0) {
        struct link *l = p->links[p->link_count - 1];
        if (mesh_needs_datagrams(l))
            mesh_say_bye(l, code, "");
        link_drain(l, code, "", now_us);
        mesh_lose(m, p, l, why, now_us);
    }
    peer_dial_stop(p);
    peer_dial_error(p, "%s", why);
}
