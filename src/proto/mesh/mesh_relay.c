/* SPDX-License-Identifier: Apache-2.0 */
/* Our ends of relays' channels: asked for, bound at the relay, and a path from then on. Who relays is a backbone with which the peer
 * and we are a pair, or a node (mesh_relay_nodes.c). docs/PROTOCOL.md §17. Control thread. */

#include "proto/mesh/mesh_relay.h"

#include "base/clock.h"
#include "proto/mesh/mesh_birthday.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_relay_nodes.h"
#include "proto/mesh/mesh_relay_serve.h"
#include "proto/mesh/mesh_state.h"

#define ASK_LATER_US 2000000ull /* one of two that want a channel is enough */
#define MEMBER_US    1000000ull /* in which a member mostly answers straight */

void mesh_update_relaying(struct mesh *m, struct peer *p)
{
    mesh_update_relay_node(m, p);
    mesh_update_served(m, p);
}

/* Of all relays' channels: two may draw the same number. */
static uint64_t key_of(unsigned relay, uint32_t channel)
{
    return (uint64_t)relay << 32 | channel;
}

static bool speaks_of_relays(const struct peer *p)
{
    return p->current && link_theirs(p->current)->features & HELLO_FEATURE_RELAY;
}

/* Of the pairs of a full mesh most never say a word. */
static bool does_without(const struct peer *p)
{
    return mesh_takes_turns(p) && !path_is_active(p->paths) &&
           (path_straight_answers(p->paths, false) || path_is_quiet(p->paths));
}

static bool may_ask(const struct peer *p, unsigned relay)
{
    if (relay >= UPLINKS_MAX)
        return mesh_chooses_nodes(p);
    return p->paired & 1u << relay && speaks_of_relays(p) && !does_without(p);
}

/* The path by it goes with it. */
static void forget_channel(struct mesh *m, struct peer *p, unsigned relay, uint32_t channel)
{
    if (!channel)
        return;
    (void)table_remove(m->channels, key_of(relay, channel));
    path_remove_relay(p->paths, relay);
    mesh_publish(m, p);
}

void mesh_drop_relay(struct mesh *m, struct peer *p, unsigned relay)
{
    forget_channel(m, p, relay, p->relays[relay].channel);
    relay_end_drop(&p->relays[relay]);
    if (relay >= UPLINKS_MAX)
        relay_places_clear(&p->places, (int)(relay - UPLINKS_MAX));
}

void mesh_drop_relays(struct mesh *m, struct peer *p)
{
    for (unsigned i = 0; i < RELAYS_MAX; i++)
        mesh_drop_relay(m, p, i);
}

static void say(struct mesh *m, struct relay_end *e)
{
    uint8_t message[RELAY_MESSAGE_LEN];
    struct endpoint to = endpoint_udp(&e->relay);
    if (relay_end_message(e, &m->ways, message))
        return;
    to.interface = e->interface;
    mesh_send_datagram(m, &to, message, sizeof(message));
}

/* Whoever asks again before its turn leaves a turn behind that nobody takes: no more wait than there are peers. */
bool mesh_has_turn(const struct mesh *m, struct mesh_turns *t, unsigned words, uint64_t now_us,
                   uint64_t *at_us)
{
    uint64_t wait_us = bucket_wait(&t->bucket, t->rate, words, now_us),
             each_us = words * t->rate->interval_us;
    uint64_t first_us = now_us + wait_us, last_us = first_us + (m->slot_end - m->free_count) * each_us;
    if (!wait_us) {
        bucket_spend(&t->bucket, t->rate, words, now_us);
        return true;
    }
    t->next_us = t->next_us < last_us ? t->next_us : last_us;
    *at_us = first_us > t->next_us ? first_us : t->next_us;
    t->next_us = *at_us + each_us;
    return false;
}

/* False: others have asked so often of late that this one has to wait. */
static bool has_turn(struct mesh *m, struct relay_end *e, unsigned relay, uint64_t now_us)
{
    struct mesh_turns *turns = relay < UPLINKS_MAX ? &m->relay_asks : &m->relay_words;
    uint64_t at_us;
    if (!relay_end_would_ask(e, now_us) || mesh_has_turn(m, turns, 1, now_us, &at_us))
        return true;
    relay_end_put_off(e, at_us);
    return false;
}

/* False: the node cannot be asked, and another is sought. */
static bool ask(struct mesh *m, struct peer *p, unsigned relay)
{
    if (relay >= UPLINKS_MAX)
        return mesh_ask_node(m, p, relay - UPLINKS_MAX);
    mesh_ask_relay(m, &p->id, relay);
    return true;
}

/* One that the other end chose is its to ask for anew. */
static bool is_left(struct mesh *m, struct peer *p, unsigned relay)
{
    if (relay < UPLINKS_MAX || mesh_chooses_nodes(p))
        return false;
    mesh_drop_relay(m, p, relay);
    return true;
}

/* The node knows us, and the other end does not answer: it may be another process by now, or not want that node. */
static bool has_failed(const struct peer *p, unsigned relay)
{
    return relay >= UPLINKS_MAX && p->relays[relay].state == RELAY_END_BOUND &&
           path_relay_failed(p->paths, relay);
}

/* Our address there may be another now. With another way out at hand that is asked at the first miss already. */
static bool is_doubtful(const struct mesh *m, const struct peer *p, unsigned relay)
{
    const struct relay_end *e = &p->relays[relay];
    return !path_relay_answers(p->paths, relay) ||
           (ways_next(&m->ways, e->relay.family, 0) && !path_relay_sound(p->paths, relay));
}

static void poll_one(struct mesh *m, struct peer *p, unsigned relay, uint64_t now_us)
{
    struct relay_end *e = &p->relays[relay];
    if (has_failed(p, relay)) {
        mesh_leave_node(m, p, relay - UPLINKS_MAX, now_us);
        return;
    }
    if (e->state == RELAY_END_BOUND && is_doubtful(m, p, relay))
        relay_end_hurry(e, now_us);
    for (;;) {
        uint32_t channel = e->channel;
        bool may = may_ask(p, relay);
        if (may && !has_turn(m, e, relay, now_us))
            return;
        switch (relay_end_poll(e, may, now_us)) {
        case RELAY_END_WAIT:
            return;
        case RELAY_END_ASK:
            if (!ask(m, p, relay))
                return;
            break;
        case RELAY_END_SAY:
            say(m, e);
            break;
        case RELAY_END_LOST:
            forget_channel(m, p, relay, channel);
            if (is_left(m, p, relay))
                return;
            break;
        }
    }
}

void mesh_poll_relays(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (p->link_count == 0)
        mesh_drop_relays(m, p);
    mesh_seek_relays(m, p, now_us);
    for (unsigned i = 0; i < RELAYS_MAX; i++)
        if (p->relays[i].state != RELAY_END_NONE)
            poll_one(m, p, i, now_us);
}

uint64_t mesh_relay_deadline(const struct peer *p)
{
    uint64_t at = mesh_seek_deadline(p);
    for (unsigned i = 0; i < RELAYS_MAX; i++) {
        uint64_t next = relay_end_next(&p->relays[i], may_ask(p, i));
        at = next < at ? next : at;
    }
    return at;
}

void mesh_relay_on_paired(struct mesh *m, struct peer *p, unsigned backbone, bool on, uint64_t now_us)
{
    peer_paired(p, backbone, on);
    if (!on || !carrier_in(CARRIER_RELAY, m->config.carriers))
        return;
    bool first = id_compare(identity_id(m->config.me), &p->id) < 0;
    uint64_t delay_us = (first ? 0 : ASK_LATER_US) + (mesh_takes_turns(p) ? MEMBER_US : 0);
    relay_end_want(&p->relays[backbone], delay_us, now_us);
}

void mesh_hurry_relays(struct peer *p, uint64_t now_us)
{
    for (unsigned i = 0; i < RELAYS_MAX; i++)
        relay_end_hurry(&p->relays[i], now_us);
}

bool mesh_is_end_of(const struct mesh *m, uint32_t channel)
{
    for (unsigned i = 0; i < RELAYS_MAX; i++)
        if (table_get(m->channels, key_of(i, channel)))
            return true;
    return false;
}

void mesh_take_channel(struct mesh *m, struct peer *p, unsigned relay, const struct mesh_channel *channel,
                       uint64_t now_us)
{
    uint64_t key = key_of(relay, channel->number);
    uint32_t before = p->relays[relay].channel;
    if (!channel->number || table_get(m->channels, key) || mesh_gave_out(m, channel->number) ||
        table_put(m->channels, key, p))
        return; /* it is asked for again */
    if (!relay_end_granted(&p->relays[relay], &channel->relay, channel->number, channel->token, now_us)) {
        (void)table_remove(m->channels, key);
        return;
    }
    if (before)
        (void)table_remove(m->channels, key_of(relay, before));
    mesh_touch(m, p);
    mesh_poll_relays(m, p, now_us);
}

void mesh_on_relayed(struct mesh *m, unsigned backbone, const struct node_id *id,
                     const struct mesh_channel *channel, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (p && p->paired & 1u << backbone && p->relays[backbone].state != RELAY_END_NONE)
        mesh_take_channel(m, p, backbone, channel, now_us);
}

/* The end that has an envelope's channel, at the relay that it is from. */
static struct peer *find_end(const struct mesh *m, const struct addr *from, uint32_t channel, unsigned *relay)
{
    for (unsigned i = 0; i < RELAYS_MAX; i++) {
        struct peer *p = table_get(m->channels, key_of(i, channel));
        *relay = i;
        if (p && addr_equal(&p->relays[i].relay, from))
            return p;
    }
    return NULL;
}

enum drop mesh_on_relay_message(struct mesh *m, const struct endpoint *from, const uint8_t *data, size_t len,
                                uint64_t now_us)
{
    struct envelope e;
    unsigned relay;
    enum drop drop = envelope_decode(data, len, &e);
    if (drop)
        return drop;
    struct peer *p = find_end(m, &from->remote, e.channel, &relay);
    if (!p)
        return mesh_on_bind(m, from, data, len, now_us);
    struct relay_end *end = &p->relays[relay];
    mesh_touch(m, p);
    bool news = relay_end_on_answer(end, &from->remote, data, len, now_us);
    /* There may have been no memory for its path before. */
    if (news || (end->state == RELAY_END_BOUND && !path_has_relay(p->paths, relay))) {
        path_add_relay(p->paths, relay, &end->relay, end->channel, now_us);
        path_move_relay(p->paths, relay, end->bound_by, now_us);
        mesh_publish(m, p);
    }
    mesh_poll_relays(m, p, now_us);
    mesh_poll_birthday(m, p, now_us); /* it may have waited for what the relay sees */
    mesh_poll_paths(m, p, now_us);
    return DROP_NONE;
}
