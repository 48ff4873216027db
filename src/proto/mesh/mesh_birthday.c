/* SPDX-License-Identifier: Apache-2.0 */
/* What a birthday says and sends, and whose the socket is that was met. Nothing is sent where the peer says that it is: only where
 * the relay that carries sees it. docs/PROTOCOL.md §19. Control thread. */

#include "proto/mesh/mesh_birthday.h"

#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_punch.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_side.h"
#include "proto/mesh/mesh_state.h"

static bool can(const struct peer *p)
{
    return p->current && link_both_can(p->current, HELLO_FEATURE_BIRTHDAY);
}

/* Our end of the channel by which data goes; NULL: it goes by none. */
static struct relay_end *carrying_end(struct peer *p)
{
    for (unsigned i = 0; i < RELAYS_MAX; i++)
        if (path_relay_carries(p->paths, i) && path_relay_answers(p->paths, i))
            return &p->relays[i];
    return NULL;
}

/* A private address is another machine's here. */
static const struct addr *seen_at(const struct mesh *m, const struct relay_end *e, uint64_t now_us)
{
    const struct addr *at = e ? relay_end_other(e, now_us) : NULL;
    return at && !addr_is_private(at) && mesh_may_be_named(m, at) ? at : NULL;
}

static struct birthday_way way_to(struct mesh *m, struct peer *p, uint64_t now_us)
{
    const struct relay_end *e = carrying_end(p);
    const struct path *best = path_best(p->paths);
    enum nat_ports ours = p->punch.seen.ports, theirs = p->punch.theirs.ports;
    return (struct birthday_way){.straight = path_straight_answers(p->paths, false),
                                 .may = e && (!m->at_birthday || m->at_birthday == p),
                                 .draws = mesh_may_have_side(m, p) && ours == NAT_PORTS_RANDOM &&
                                          theirs == NAT_PORTS_KEPT && punch_has_failed(&p->punch),
                                 .drawn = ours == NAT_PORTS_KEPT && theirs == NAT_PORTS_RANDOM,
                                 .turns = &m->birthdays,
                                 .other = seen_at(m, e, now_us),
                                 .rtt_us = best ? best->rtt_us : 0,
                                 .random = (uint16_t)mesh_random(m)};
}

static void ask_where(struct mesh *m, struct peer *p)
{
    uint8_t message[RELAY_MESSAGE_LEN];
    struct relay_end *e = carrying_end(p);
    if (!e || relay_end_ask_where(e, message))
        return;
    const struct endpoint to = endpoint_udp(&e->relay);
    mesh_send_datagram(m, &to, message, sizeof(message));
}

static void say(const struct peer *p, enum birthday_word word)
{
    const struct message said = {.type = MESSAGE_BIRTHDAY, .birthday = {p->birthday.number, (uint8_t)word}};
    mesh_say_sealed(p->current, &said);
}

/* All sockets send the same: it is to pass our NAT, and nobody is to get it. */
static void open_sockets(struct mesh *m, struct peer *p)
{
    uint8_t datagram[MESH_SMALL_PROBE_LEN];
    const struct addr to = birthday_target(&p->birthday);
    if (mesh_small_probe(m, p, datagram))
        mesh_draw(m, p, &to, PUNCH_HOPS_MIN, datagram, sizeof(datagram));
}

static void send_probe(struct mesh *m, struct peer *p)
{
    uint8_t datagram[MESH_SMALL_PROBE_LEN];
    const struct endpoint to = {.carrier = CARRIER_UDP, .remote = birthday_target(&p->birthday)};
    if (mesh_small_probe(m, p, datagram))
        mesh_send_datagram(m, &to, datagram, sizeof(datagram));
}

static void act(struct mesh *m, struct peer *p, enum birthday_step step)
{
    switch (step) {
    case BIRTHDAY_STEP_NONE:
        break;
    case BIRTHDAY_STEP_WHERE:
        ask_where(m, p);
        break;
    case BIRTHDAY_STEP_ASK:
        say(p, BIRTHDAY_WORD_ASK);
        break;
    case BIRTHDAY_STEP_COME:
        say(p, BIRTHDAY_WORD_COME);
        break;
    case BIRTHDAY_STEP_BEGIN:
        say(p, BIRTHDAY_WORD_BEGIN);
        break;
    case BIRTHDAY_STEP_OPEN:
        open_sockets(m, p);
        break;
    case BIRTHDAY_STEP_SEND:
        send_probe(m, p);
        break;
    }
}

/* One pair at a time. */
static void take_turn(struct mesh *m, struct peer *p)
{
    if (birthday_is_busy(&p->birthday))
        m->at_birthday = p;
    else if (m->at_birthday == p)
        m->at_birthday = NULL;
}

void mesh_poll_birthday(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (!peer_send_session(p) || !can(p))
        return;
    const struct birthday_way way = way_to(m, p, now_us);
    enum birthday_step step;
    while ((step = birthday_step(&p->birthday, &way, now_us)) != BIRTHDAY_STEP_NONE)
        act(m, p, step);
    take_turn(m, p);
    if (p->birthday.won)
        path_stay_awake(p->paths, now_us); /* what it cost is not to be lost by a pause */
}

uint64_t mesh_birthday_deadline(const struct peer *p)
{
    return birthday_next(&p->birthday);
}

enum drop mesh_on_birthday(struct mesh *m, struct peer *p, const struct message *message, uint64_t now_us)
{
    if (!allowance_take(&p->allowance, ALLOWANCE_MESSAGE, 1, now_us))
        return DROP_CONTROL_RATE;
    const struct birthday_way way = way_to(m, p, now_us);
    act(m, p, birthday_on_word(&p->birthday, message->birthday.word, message->birthday.number, &way, now_us));
    take_turn(m, p);
    mesh_poll_birthday(m, p, now_us);
    return DROP_NONE;
}

void mesh_end_birthday(struct mesh *m, const struct peer *p)
{
    if (m->at_birthday == p)
        m->at_birthday = NULL;
}

/* Opened in place, with what shuts repetitions out. */
static bool is_probe_of(struct mesh *m, const struct peer *p, uint8_t *datagram, size_t len)
{
    struct wire_header h;
    uint8_t *plain;
    size_t plain_len;
    if (wire_header_decode(datagram, len, &h) != DROP_NONE || h.type != WIRE_PROBE)
        return false;
    const struct mesh_receiver *r = table_get(m->receivers, h.receiver);
    if (!r || !r->session || link_owner(r->link) != p || !session_hold(r->session, WIRE_LANE_CONTROL))
        return false;
    enum drop drop = session_open(r->session, &h, datagram, len, &plain, &plain_len);
    session_release(r->session, WIRE_LANE_CONTROL);
    return drop == DROP_NONE;
}

bool mesh_on_drawn(struct mesh *m, uint32_t slot, const struct endpoint *from, uint8_t *datagram, size_t len,
                   uint64_t now_us)
{
    struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    if (!p || p->side || p->birthday.state != BIRTHDAY_WAITING || !is_probe_of(m, p, datagram, len) ||
        outputs_promise(&m->outputs, 1))
        return false;
    mesh_touch(m, p);
    birthday_met(&p->birthday);
    take_turn(m, p);
    mesh_take_side(m, p, from->side);
    path_add_side(p->paths, &from->remote, from->side, now_us);
    (void)mesh_on_opened(m, slot, from, datagram, len, now_us);
    return true;
}

const char *mesh_describe_birthday(const struct peer *p)
{
    return p->birthday.state == BIRTHDAY_WAITING || p->birthday.state == BIRTHDAY_SENDING
               ? "many ports of the NAT that draws them are being tried"
               : "";
}
