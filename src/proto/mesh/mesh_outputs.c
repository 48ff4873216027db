/* SPDX-License-Identifier: Apache-2.0 */
/* What the mesh wants done, put into the queue: one function for each kind. Control thread.
 *
 * Who has promised room: a stream one place, for its end; a session one, to be retired; a peer one, to be forgotten,
 * and one each for its addresses and their end before it may connect. */

#include "proto/mesh/mesh_outputs.h"

#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_session.h"
#include "proto/mesh/mesh_state.h"
#include <string.h>

#define PEER_PLACES 3 /* GONE at its end, GONE with its session, OVERLAY */

const struct mesh_output *mesh_take_output(struct mesh *m)
{
    return outputs_take(&m->outputs);
}

/* Who sends for a session is the mesh itself: nobody else is to be told. */
static bool was_over_session(struct mesh *m, uint64_t conn, enum mesh_output_kind kind)
{
    if (!mesh_session_let_go(m, conn, kind == MESH_OUTPUT_STREAM_ABORT))
        return false;
    outputs_give_back(&m->outputs, 1);
    return true;
}

void mesh_stream_end(struct mesh *m, uint64_t conn, enum mesh_output_kind kind)
{
    if (was_over_session(m, conn, kind))
        return;
    outputs_keep(&m->outputs, &(struct mesh_output){.kind = kind, .conn = conn});
}

void mesh_turn_away(struct mesh *m, uint64_t conn)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_STREAM_ABORT, .conn = conn, .stranger = true};
    if (was_over_session(m, conn, o.kind))
        return;
    outputs_keep(&m->outputs, &o);
}

void mesh_publish(struct mesh *m, const struct peer *p)
{
    outputs_publish(&m->outputs, p->slot);
}

/* No table is published any more once the mesh is being freed. */
void mesh_retire(struct mesh *m, struct session *s)
{
    if (!m->ending) {
        outputs_keep(&m->outputs, &(struct mesh_output){.kind = MESH_OUTPUT_RETIRE, .session = s});
        return;
    }
    outputs_give_back(&m->outputs, 1);
    session_free(s);
}

/* Lost for want of memory, it is said again when the next round of dialling ends, or succeeds. */
void mesh_want(struct mesh *m, const struct node_id *id, bool wanted)
{
    struct mesh_output o = {.kind = wanted ? MESH_OUTPUT_WANT : MESH_OUTPUT_FORGET, .id = *id};
    (void)!outputs_put(&m->outputs, &o, NULL, 0);
    if (wanted)
        mesh_gossip_still_want(m);
}

int mesh_promise_overlay(struct mesh *m, struct peer *p)
{
    int err = outputs_promise(&m->outputs, PEER_PLACES - p->promised);
    if (!err)
        peer_promise(p, PEER_PLACES);
    return err;
}

static void tell_of_slot(struct mesh *m, struct peer *p, const struct mesh_output *o, unsigned spare)
{
    if (p->promised <= spare) {
        (void)!outputs_put(&m->outputs, o, NULL, 0);
        return;
    }
    peer_promise(p, p->promised - 1);
    outputs_keep(&m->outputs, o);
}

void mesh_tell_overlay(struct mesh *m, struct peer *p)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_OVERLAY, .slot = p->slot};
    tell_of_slot(m, p, &o, PEER_PLACES - 1);
}

void mesh_tell_gone(struct mesh *m, struct peer *p)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_GONE, .slot = p->slot, .absent = mesh_takes_turns(p)};
    tell_of_slot(m, p, &o, 0);
}

/* Lost for want of memory, no frame hurries it before its first session. */
void mesh_tell_member(struct mesh *m, const struct peer *p)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_MEMBER, .slot = p->slot, .id = p->id};
    (void)!outputs_put(&m->outputs, &o, NULL, 0);
}

void mesh_tell_asked(struct mesh *m, const struct node_id *issuer)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_ASKED, .id = *issuer};
    (void)!outputs_put(&m->outputs, &o, NULL, 0);
}

void mesh_tell_leave(struct mesh *m, const struct node_id *member)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_LEAVE, .id = *member};
    (void)!outputs_put(&m->outputs, &o, NULL, 0);
}

void mesh_send_datagram(struct mesh *m, const struct endpoint *to, const uint8_t *data, size_t len)
{
    (void)!outputs_put(&m->outputs, &(struct mesh_output){.kind = MESH_OUTPUT_DATAGRAM, .endpoint = *to},
                       data, len);
}

int mesh_give_out(struct mesh *m, struct link_work *work, bool stranger)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_WORK, .stranger = stranger, .work = work};
    return outputs_put(&m->outputs, &o, NULL, 0);
}

void mesh_tell_pong(struct mesh *m, uint64_t token, uint32_t rtt_us)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_PONG, .token = token, .rtt_us = rtt_us};
    (void)!outputs_put(&m->outputs, &o, NULL, 0);
}

bool mesh_tell_pair(struct mesh *m, const struct node_id *id, unsigned backbone, bool on)
{
    const struct mesh_output o = {
        .kind = MESH_OUTPUT_PAIR, .pair = {.backbone = (uint8_t)backbone, .on = on}, .id = *id};
    return outputs_put(&m->outputs, &o, NULL, 0) == 0;
}

/* Lost for want of memory, it is asked again. */
void mesh_ask_relay(struct mesh *m, const struct node_id *id, unsigned backbone)
{
    const struct mesh_output o = {
        .kind = MESH_OUTPUT_RELAY, .pair = {.backbone = (uint8_t)backbone}, .id = *id};
    (void)!outputs_put(&m->outputs, &o, NULL, 0);
}

/* Likewise. */
void mesh_check_uplink(struct mesh *m, unsigned backbone)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_CHECK, .pair = {.backbone = (uint8_t)backbone}};
    (void)!outputs_put(&m->outputs, &o, NULL, 0);
}

/* Lost for want of memory, the round goes on without. */
void mesh_ask_look(struct mesh *m, const struct peer *p, bool keep)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_LOOK, .keep = keep, .slot = p->slot};
    (void)!outputs_put(&m->outputs, &o, NULL, 0);
}

void mesh_send_near(struct mesh *m, const struct endpoint *to, uint8_t hops, const uint8_t *data, size_t len)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_DATAGRAM, .hops = hops, .endpoint = *to};
    (void)!outputs_put(&m->outputs, &o, data, len);
}

/* Lost for want of memory, it is tried again in an hour. */
void mesh_draw(struct mesh *m, const struct peer *p, const struct addr *to, uint8_t hops, const uint8_t *data,
               size_t len)
{
    const struct mesh_output o = {
        .kind = MESH_OUTPUT_DRAW, .slot = p->slot, .hops = hops, .endpoint = endpoint_udp(to)};
    (void)!outputs_put(&m->outputs, &o, data, len);
}

void mesh_note_id(struct mesh *m, enum mesh_notice what, const struct node_id *id, const char *name,
                  const char *text)
{
    char both[MESSAGE_NAME_MAX + 1 + 512];
    size_t name_len = strlen(name) + 1, text_len = strlen(text) + 1;
    if (text_len > sizeof(both) - name_len)
        text_len = sizeof(both) - name_len;
    memcpy(both, name, name_len);
    memcpy(both + name_len, text, text_len);
    both[name_len + text_len - 1] = '\0';
    const struct mesh_output o = {.kind = MESH_OUTPUT_NOTICE, .notice = what, .id = *id};
    (void)!outputs_put(&m->outputs, &o, both, name_len + text_len);
}

void mesh_note(struct mesh *m, enum mesh_notice what, const struct peer *p, const char *text)
{
    mesh_note_id(m, what, &p->id, p->name, text);
}

int mesh_verify(struct mesh *m, const struct record_bytes *bytes)
{
    uint8_t whole[MESSAGE_RECORD_MAX + IDENTITY_SIGNATURE_LEN];
    const struct mesh_output o = {.kind = MESH_OUTPUT_VERIFY};
    memcpy(whole, bytes->data.data, bytes->data.len);
    memcpy(whole + bytes->data.len, bytes->signature.data, bytes->signature.len);
    return outputs_put(&m->outputs, &o, whole, bytes->data.len + bytes->signature.len);
}
