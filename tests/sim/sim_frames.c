/* SPDX-License-Identifier: Apache-2.0 */
/* What workers do: frames are sealed and opened, by the table. */

#include "sim_impl.h"

#include "proto/switch/floods.h"
#include "proto/wire/wire.h"
#include <assert.h>
#include <string.h>

#define FRAME_PATTERN 0x5a
#define FRAME_GROUP   0xff /* the first byte of one to everybody */

/* As a worker does behind each run. */
static void tell_lanes(struct sim_node *n, struct session *s)
{
    if (session_asks(s))
        mesh_on_lanes(n->mesh, session_peer_slot(s), n->sim->now_us);
}

/* Of which node the session's peer is. */
static const struct sim_node *whose(const struct sim_node *n, const struct session *s)
{
    const char *name;
    struct node_id id;
    bool known = mesh_peer_name(n->mesh, session_peer_slot(s), &id, &name);
    for (unsigned i = 0; known && i < n->sim->node_count; i++)
        if (id_compare(identity_id(n->sim->nodes[i].identity), &id) == 0)
            return &n->sim->nodes[i];
    return NULL;
}

void sim_on_data(struct sim_node *n, const struct endpoint *from, uint8_t *data, size_t len)
{
    struct wire_header h;
    enum drop drop = wire_header_decode(data, len, &h);
    struct session *s = NULL;
    for (size_t i = 0; !drop && i < n->in_count; i++)
        if (session_rx_index(n->in[i]) == h.receiver)
            s = n->in[i];
    uint8_t *plain;
    size_t plain_len;
    if (!drop)
        drop = s ? session_open(s, &h, data, len, &plain, &plain_len) : DROP_RECEIVER;
    n->drops[drop]++;
    if (drop)
        return;
    assert(plain[plain_len - 1] == FRAME_PATTERN);
    if (plain_len > WIRE_INNER_LEN + 1 + SIM_STAMP_LEN)
        sim_on_stamp(n, whose(n, s), from->carrier == CARRIER_UDP, plain + WIRE_INNER_LEN + 1);
    n->frames_received++;
    if (plain[WIRE_INNER_LEN] == FRAME_GROUP)
        (void)floods_receive(n->floods, session_peer_slot(s), n->sim->now_us);
    n->last_frame_us = n->sim->now_us;
    tell_lanes(n, s);
}

static bool is_withheld(struct sim_node *n, uint32_t slot, bool sleeps)
{
    bool passes = floods_send(n->floods, slot, sleeps, true, n->sim->now_us);
    n->drops[DROP_ASLEEP] += !passes;
    return !passes;
}

/* By the i-th way that a's workers know. */
static bool send_by(struct sim_node *a, size_t i, const uint8_t *frame, size_t len)
{
    uint8_t inner[WIRE_INNER_LEN], datagram[4096];
    wire_inner_encode(&(struct wire_inner){0}, inner);
    const struct slice pieces[] = {{inner, sizeof(inner)}, {frame, len}};
    if (frame[0] == FRAME_GROUP && is_withheld(a, a->out[i].slot, a->out[i].sleeps))
        return true;
    int n = session_seal(a->out[i].tx, WIRE_DATA, 0, pieces, 2, datagram);
    if (n < 0)
        return false;
    a->frames_sent++;
    tell_lanes(a, a->out[i].tx);
    sim_send_sealed(a, &a->out[i].endpoint, 0, datagram, (size_t)n);
    return true;
}

static bool send_frame(struct sim_node *a, const struct sim_node *b, uint8_t first, size_t len)
{
    struct mesh_peer peer;
    if (!a->mesh || !sim_peer(a, b, &peer))
        return false;
    for (size_t i = 0; i < a->out_count; i++) {
        if (a->out[i].slot != peer.slot || !a->out[i].has_path)
            continue;
        uint8_t frame[2048];
        memset(frame, FRAME_PATTERN, sizeof(frame));
        frame[0] = first;
        sim_stamp(a, b, frame + 1);
        return send_by(a, i, frame, len);
    }
    return false;
}

bool sim_send_frame(struct sim_node *a, const struct sim_node *b, size_t len)
{
    return send_frame(a, b, FRAME_PATTERN, len);
}

bool sim_flood_frame(struct sim_node *a, const struct sim_node *b, size_t len)
{
    return send_frame(a, b, FRAME_GROUP, len);
}

void sim_flood(struct sim_node *a)
{
    const uint8_t frame[] = {FRAME_GROUP, FRAME_PATTERN};
    for (size_t i = 0; i < a->out_count; i++) {
        if (!a->out[i].has_path)
            continue;
        bool sent = send_by(a, i, frame, sizeof(frame));
        assert(sent);
        (void)sent;
    }
}

void sim_say(struct sim_node *a, const struct sim_node *b, const struct message *message)
{
    struct mesh_peer peer;
    uint8_t inner[WIRE_INNER_LEN], encoded[MESSAGE_MAX], datagram[MESSAGE_MAX + WIRE_OVERHEAD];
    struct writer w = writer_init(encoded, sizeof(encoded));
    bool known = sim_peer(a, b, &peer);
    assert(known);
    message_encode(message, &w);
    wire_inner_encode(&(struct wire_inner){0}, inner);
    const struct slice pieces[] = {{inner, sizeof(inner)}, {encoded, writer_len(&w)}};
    for (size_t i = 0; i < a->out_count; i++) {
        if (a->out[i].slot != peer.slot)
            continue;
        int n = session_seal(a->out[i].tx, WIRE_CONTROL, WIRE_LANE_CONTROL, pieces, 2, datagram);
        assert(n > 0);
        sim_send_sealed(a, &a->out[i].endpoint, 0, datagram, (size_t)n);
    }
}
