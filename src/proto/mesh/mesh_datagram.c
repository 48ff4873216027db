/* SPDX-License-Identifier: Apache-2.0 */
/* Probes that are due, and what arrives sealed under a session outside the data lanes. docs/PROTOCOL.md §9. Control
 * thread. */

#include "proto/mesh/mesh_datagram.h"

#include "proto/mesh/mesh_birthday.h"
#include "proto/mesh/mesh_bye.h"
#include "proto/mesh/mesh_leave.h"
#include "proto/mesh/mesh_news.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_punch.h"
#include "proto/mesh/mesh_reach.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_relay_nodes.h"
#include "proto/mesh/mesh_relay_serve.h"
#include "proto/mesh/mesh_rolls.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_session.h"
#include "proto/mesh/mesh_standby.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_trunk.h"
#include "proto/mesh/mesh_uplink.h"
#include "proto/wire/wire.h"
#include <assert.h>

/* size is that of the whole UDP payload; 0: as small as can be. */
static void send_probe(struct peer *p, struct session *s, const struct path_probe *probe, uint16_t size,
                       const struct endpoint *to)
{
    static const uint8_t padding[WIRE_DATAGRAM_MAX];
    uint8_t head[WIRE_INNER_LEN], body[PATH_PROBE_LEN], receipt[PATH_RECEIPT_LEN];
    const struct wire_inner inner = {0};
    wire_inner_encode(&inner, head);
    path_probe_encode(probe, body);
    path_receipt_encode(&probe->receipt, receipt);
    size_t tail = probe->receipt.there ? sizeof(receipt) : 0;
    size_t least = WIRE_OVERHEAD + PATH_PROBE_LEN + tail;
    const struct slice pieces[] = {{head, sizeof(head)},
                                   {body, sizeof(body)},
                                   {receipt, tail},
                                   {padding, size > least ? size - least : 0}};
    mesh_send_sealed(p, s, WIRE_PROBE, pieces, 4, to);
}

/* A peer that roamed may be dialled where its datagrams come from, at the control port that it had. */
static void learn_control_address(struct peer *p, const struct addr *remote)
{
    struct addr control = *remote;
    control.port = 0;
    for (unsigned i = 0; p->current && !control.port && i < link_theirs(p->current)->candidates.count; i++)
        control.port = link_theirs(p->current)->candidates.list[i].control_port;
    const struct target target = target_tcp(&control);
    if (control.port && mesh_usable(p->mesh, &control))
        peer_add_target(p, &target);
}

/* The best path, its size or its state changed. */
static void on_path_changed(struct mesh *m, struct peer *p, uint64_t now_us)
{
    mesh_publish(m, p);
    mesh_update_reach(m, p, now_us);
    mesh_update_relaying(m, p); /* straight to it, it may relay */
    const struct path *best = path_best(p->paths);
    if (best && best->state == PATH_STATE_SUSPECT && p->current)
        mesh_tell_to_wake(m, p->current);
    if (!best || path_is_quiet(p->paths) || endpoint_same_path(&best->endpoint, &p->path_told))
        return;
    peer_path_told(p, &best->endpoint);
    if (best->endpoint.carrier == CARRIER_UDP)
        learn_control_address(p, &best->endpoint.remote);
    char text[ENDPOINT_TEXT_MAX];
    mesh_note(m, MESH_NOTICE_PATH, p, endpoint_format(&best->endpoint, text));
}

/* One kind for trunks alone: nobody opens one with a probe that was sent over UDP. */
static enum path_probe_kind request_by(enum carrier carrier)
{
    return carrier == CARRIER_TCP ? PATH_PROBE_TRUNK : PATH_PROBE_REQUEST;
}

void mesh_poll_paths(struct mesh *m, struct peer *p, uint64_t now_us)
{
    struct session *s = peer_send_session(p);
    if (!s)
        return;
    struct path_probe probe;
    struct endpoint to;
    bool changed = false;
    path_set_sent(p->paths, peer_sent(p));
    while (path_poll(p->paths, now_us, &probe, &to, &changed)) {
        probe.kind = request_by(to.carrier);
        send_probe(p, s, &probe, probe.size, &to);
    }
    mesh_call_standbys(m, p);
    mesh_doubt_uplinks(m, p, now_us);
    if (changed)
        on_path_changed(m, p, now_us);
    mesh_update_trunk(m, p, now_us);
}

static bool answers_ping(struct mesh *m, uint64_t token, uint64_t now_us)
{
    for (unsigned i = 0; i < MESH_PINGS_MAX; i++) {
        struct mesh_ping *ping = &m->pings[i];
        if (!ping->token || ping->token != token)
            continue;
        ping->token = 0;
        mesh_tell_pong(m, ping->caller, (uint32_t)(now_us - ping->sent_us));
        return true;
    }
    return false;
}

int mesh_ping(struct mesh *m, uint32_t slot, uint64_t token, uint64_t now_us)
{
    struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    struct session *s = p ? peer_send_session(p) : NULL;
    const struct path *best = s ? path_best(p->paths) : NULL;
    if (!best)
        return ERR_NOT_FOUND;
    struct mesh_ping *ping = &m->pings[m->ping_at++ % MESH_PINGS_MAX];
    *ping = (struct mesh_ping){.sent_us = now_us, .caller = token};
    random_fill(&m->config.random, &ping->token, sizeof(ping->token));
    const struct path_probe probe = {.kind = request_by(best->endpoint.carrier), .token = ping->token};
    send_probe(p, s, &probe, 0, &best->endpoint);
    return 0;
}

static bool has_relay(const struct peer *p, const struct endpoint *from)
{
    struct endpoint relays[RELAYS_MAX];
    size_t count = path_relays(p->paths, relays);
    for (size_t i = 0; i < count; i++)
        if (endpoint_same_way(&relays[i], from))
            return true;
    return false;
}

/* A side socket is for one peer alone. */
static bool is_own_socket(const struct peer *p, const struct endpoint *from)
{
    return !from->side || from->side == p->side;
}

/* What proves a path came by one that may be used, under its own peer's name or by its own channel. */
static bool may_come_by(const struct mesh *m, const struct peer *p, const struct endpoint *from)
{
    if (!carrier_in(from->carrier, m->config.carriers))
        return false;
    switch (from->carrier) {
    case CARRIER_NONE:
        return false;
    case CARRIER_UDP:
        return is_own_socket(p, from);
    case CARRIER_TCP:
        return mesh_is_trunk_of(p, from);
    case CARRIER_RELAY:
        return has_relay(p, from);
    case CARRIER_UPLINK:
        return id_compare(&from->peer, &p->id) == 0;
    }
    return false;
}

/* No longer than the request, whose sender nothing but its datagrams vouches for. */
static struct path_receipt receipt_for(const struct mesh *m, const struct peer *p, size_t request_len)
{
    return (struct path_receipt){.there = request_len >= WIRE_OVERHEAD + PATH_PROBE_LEN + PATH_RECEIPT_LEN,
                                 .received = peer_received(p),
                                 .pressed = m->pressed};
}

/* datagram_len is that of the whole UDP payload: what a request was sent to measure. */
static enum drop on_probe(struct mesh *m, struct peer *p, const uint8_t *body, size_t len,
                          size_t datagram_len, const struct endpoint *from, uint64_t now_us)
{
    struct path_probe probe;
    if (!may_come_by(m, p, from))
        return DROP_CARRIER;
    if (path_probe_decode(body, len, &probe))
        return DROP_INNER;
    struct session *s = peer_send_session(p);
    if (probe.kind != PATH_PROBE_ANSWER) {
        if (probe.kind != request_by(from->carrier))
            return DROP_CARRIER;
        if (probe.size && probe.size != datagram_len)
            return DROP_INNER;
        if (!allowance_take(&p->allowance, ALLOWANCE_PROBE, 1, now_us))
            return DROP_CONTROL_RATE;
        struct path_probe answer = probe;
        answer.kind = PATH_PROBE_ANSWER;
        answer.observed = from->carrier == CARRIER_UDP ? from->remote : (struct addr){0};
        answer.receipt = receipt_for(m, p, datagram_len);
        if (s)
            send_probe(p, s, &answer, 0, from);
        path_on_source(p->paths, from, now_us);
    } else if (!answers_ping(m, probe.token, now_us) && path_on_answer(p->paths, &probe, from, now_us)) {
        on_path_changed(m, p, now_us);
    }
    mesh_poll_punch(m, p, now_us);
    mesh_poll_paths(m, p, now_us);
    return DROP_NONE;
}

static enum drop on_relay_word(struct mesh *m, const struct link *l, const struct message *message,
                               uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (!p->current)
        return DROP_RELAY;
    if (message->type == MESSAGE_RELAY_SEEK)
        return mesh_on_relay_seek(m, p, message, now_us);
    if (message->type == MESSAGE_RELAY_FOUND)
        return mesh_on_relay_found(m, p, message, now_us);
    if (message->type == MESSAGE_RELAY_ASK)
        return mesh_on_relay_ask(m, p, message, now_us);
    return mesh_on_relay_channel(m, p, message, now_us);
}

static enum drop on_gossip(struct mesh *m, struct link *l, const struct message *message, uint64_t now_us)
{
    if (!link_both_can(l, HELLO_FEATURE_GOSSIP))
        return DROP_INNER;
    return message->type == MESSAGE_SEEK ? mesh_on_seek(m, l, message, now_us)
                                         : mesh_on_passed(m, l, message, now_us);
}

/* Who was told of no such bit says none of what needs it. */
static enum drop take_message(struct mesh *m, const struct mesh_receiver *r, const struct message *message,
                              uint64_t now_us)
{
    bool carries = link_both_can(r->link, HELLO_FEATURE_SESSION);
    switch (message->type) {
    case MESSAGE_BYE:
        mesh_on_sealed_bye(m, r->link, message, now_us);
        return DROP_NONE;
    case MESSAGE_CANDIDATES:
    case MESSAGE_WAKE:
    case MESSAGE_RENEW:
        return carries ? mesh_on_sealed_news(m, r->link, message, now_us) : DROP_INNER;
    case MESSAGE_STREAM:
    case MESSAGE_STREAM_ANSWER:
    case MESSAGE_STREAM_RESET:
        return carries ? mesh_on_session_stream(m, link_owner(r->link), message, now_us) : DROP_INNER;
    case MESSAGE_RELAY_SEEK:
    case MESSAGE_RELAY_FOUND:
    case MESSAGE_RELAY_ASK:
    case MESSAGE_RELAY_CHANNEL:
        return link_both_can(r->link, HELLO_FEATURE_RELAY_NODES) ? on_relay_word(m, r->link, message, now_us)
                                                                 : DROP_INNER;
    case MESSAGE_PUNCH:
    case MESSAGE_PUNCH_GO:
        return link_both_can(r->link, HELLO_FEATURE_PUNCH)
                   ? mesh_on_punch(m, link_owner(r->link), message, now_us)
                   : DROP_INNER;
    case MESSAGE_BIRTHDAY:
        return link_both_can(r->link, HELLO_FEATURE_BIRTHDAY)
                   ? mesh_on_birthday(m, link_owner(r->link), message, now_us)
                   : DROP_INNER;
    case MESSAGE_STANDBY:
        return mesh_on_standby(m, link_owner(r->link), message, now_us);
    case MESSAGE_RATCHET_OFFER:
    case MESSAGE_RATCHET_ANSWER:
    case MESSAGE_RATCHET_DONE:
        keychain_on_message(link_keychain(r->link), r->session, message, now_us);
        return DROP_NONE;
    case MESSAGE_SEEK:
    case MESSAGE_RECORD:
        return on_gossip(m, r->link, message, now_us);
    case MESSAGE_HELLO:
    case MESSAGE_READY:
    case MESSAGE_REFUSE:
    case MESSAGE_MEMBER:
    case MESSAGE_ISSUER_ASK:
    case MESSAGE_ISSUER:
    case MESSAGE_JOIN_ASK:
    case MESSAGE_NETWORK:
    case MESSAGE_JOIN:
    case MESSAGE_JOINED:
    case MESSAGE_CERT_ASK:
    case MESSAGE_ABOUT:
        return DROP_INNER; /* they belong into a stream */
    case MESSAGE_LISTS:
    case MESSAGE_LIST_ASK:
    case MESSAGE_LIST_PART:
        return mesh_on_list(m, r->link, message, now_us);
    case MESSAGE_LEAVE:
        return mesh_on_leave(m, r->link, now_us);
    }
    return DROP_INNER;
}

static enum drop on_control(struct mesh *m, const struct mesh_receiver *r, const struct wire_header *h,
                            const struct wire_inner *inner, const uint8_t *body, size_t len, uint64_t now_us)
{
    struct peer *p = link_owner(r->link);
    if (!allowance_take(&p->allowance, ALLOWANCE_CONTROL, 1, now_us))
        return DROP_CONTROL_RATE;
    if (inner->flags & WIRE_FLAG_FRAGMENT) {
        uint8_t *whole;
        struct fragment_lost lost;
        enum drop drop =
            fragment_add(m->fragments, h->receiver, h->lane, inner, body, len, now_us, &whole, &len, &lost);
        if (drop || !whole)
            return drop;
        body = whole;
    }
    struct message message;
    int err = message_decode(body, len, &message);
    if (err == ERR_UNSUPPORTED)
        return DROP_NONE; /* of a later version: skipped */
    if (err)
        return DROP_INNER;
    return take_message(m, r, &message, now_us);
}

/* Where a datagram was sent to may be a group's address, from which nothing leaves. What comes by a standby is answered by
 * it. */
static struct endpoint arrival(const struct mesh *m, const struct endpoint *from)
{
    struct endpoint at = *from;
    if (!at.local.family)
        return at;
    uint32_t interface = m->config.filter.interface_of(m->config.filter.context, &at.local);
    if (!interface)
        at.local = (struct addr){0};
    else if (ways_role(&m->ways, interface, at.local.family) == WAY_STANDBY)
        at.interface = interface;
    return at;
}

enum drop mesh_on_opened(struct mesh *m, uint32_t slot, const struct endpoint *from, const uint8_t *data,
                         size_t len, uint64_t now_us)
{
    struct wire_header h;
    enum drop drop = wire_header_decode(data, len, &h);
    if (drop)
        return drop;
    if (h.type != WIRE_CONTROL && h.type != WIRE_PROBE)
        return DROP_TYPE;
    const struct mesh_receiver *r = table_get(m->receivers, h.receiver);
    if (!r || !r->session || session_peer_slot(r->session) != slot)
        return DROP_RECEIVER; /* gone, or another's by now */
    assert(len >= WIRE_OVERHEAD);
    const uint8_t *plain = data + WIRE_HEADER_LEN;
    size_t plain_len = len - WIRE_HEADER_LEN - WIRE_TAG_LEN;
    struct peer *p = link_owner(r->link);
    mesh_touch(m, p);
    keychain_on_received(link_keychain(r->link), r->session, now_us);
    struct wire_inner inner;
    drop = wire_inner_decode(plain, plain_len, &inner);
    if (drop)
        return drop;
    const uint8_t *body = plain + WIRE_INNER_LEN;
    size_t body_len = plain_len - WIRE_INNER_LEN;
    const struct endpoint at = arrival(m, from);
    if (h.type == WIRE_PROBE)
        return on_probe(m, p, body, body_len, len, &at, now_us);
    return on_control(m, r, &h, &inner, body, body_len, now_us);
}

void mesh_on_source(struct mesh *m, uint32_t slot, const struct endpoint *from, uint64_t now_us)
{
    struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    if (!p || !is_own_socket(p, from))
        return;
    const struct endpoint at = arrival(m, from);
    mesh_touch(m, p);
    path_on_data(p->paths, &at, now_us);
    mesh_poll_paths(m, p, now_us);
}

void mesh_set_pressed(struct mesh *m, bool pressed)
{
    m->pressed = pressed;
}

void mesh_on_too_big(struct mesh *m, uint32_t slot, uint64_t now_us)
{
    struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    if (!p)
        return;
    mesh_touch(m, p);
    path_on_too_big(p->paths, now_us);
    mesh_poll_paths(m, p, now_us);
}
