/* SPDX-License-Identifier: Apache-2.0 */
/* Our ends of relays' channels: asked for at a backbone with which the peer and we are a pair, bound at the relay, and a path from
 * then on. docs/PROTOCOL.md §17. Control thread. */

#include "proto/mesh/mesh_relay.h"

#include "base/clock.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"

#define ASK_LATER_US 2000000ull /* one of two that want a channel is enough */

/* A hub has thousands of peers, and a backbone takes no more than 500 messages a second. */
static const struct bucket_rate asking_rate = {MESH_RELAY_ASK_INTERVAL_US, MESH_RELAY_ASK_BURST};

/* Of all backbones' channels: two relays may draw the same number. */
static uint64_t key_of(unsigned backbone, uint32_t channel)
{
    return (uint64_t)backbone << 32 | channel;
}

static bool speaks_of_relays(const struct peer *p)
{
    return p->current && link_theirs(p->current)->features & HELLO_FEATURE_RELAY;
}

static bool may_ask(const struct peer *p, unsigned backbone)
{
    return p->paired & 1u << backbone && speaks_of_relays(p);
}

/* The path by it goes with it. */
static void forget_channel(struct mesh *m, struct peer *p, unsigned backbone, uint32_t channel)
{
    if (!channel)
        return;
    (void)table_remove(m->channels, key_of(backbone, channel));
    path_remove_relay(p->paths, backbone);
    mesh_publish(m, p);
}

void mesh_drop_relay(struct mesh *m, struct peer *p, unsigned backbone)
{
    forget_channel(m, p, backbone, p->relays[backbone].channel);
    relay_end_drop(&p->relays[backbone]);
}

void mesh_drop_relays(struct mesh *m, struct peer *p)
{
    for (unsigned i = 0; i < UPLINKS_MAX; i++)
        mesh_drop_relay(m, p, i);
}

static void say(struct mesh *m, struct relay_end *e)
{
    uint8_t message[RELAY_MESSAGE_LEN];
    const struct endpoint to = endpoint_udp(&e->relay);
    if (!relay_end_message(e, message))
        mesh_send_datagram(m, &to, message, sizeof(message));
}

/* False: others have asked so often of late that this one has to wait. */
static bool has_turn(struct mesh *m, struct relay_end *e, uint64_t now_us)
{
    if (!relay_end_would_ask(e, now_us))
        return true;
    uint64_t wait_us = bucket_wait(&m->relay_asks, &asking_rate, 1, now_us), at_us = now_us + wait_us;
    if (!wait_us) {
        bucket_spend(&m->relay_asks, &asking_rate, 1, now_us);
        return true;
    }
    at_us = at_us > m->relay_turn_us ? at_us : m->relay_turn_us;
    m->relay_turn_us = at_us + MESH_RELAY_ASK_INTERVAL_US;
    relay_end_put_off(e, at_us);
    return false;
}

static void poll_one(struct mesh *m, struct peer *p, unsigned backbone, uint64_t now_us)
{
    struct relay_end *e = &p->relays[backbone];
    if (e->state == RELAY_END_BOUND && !path_relay_answers(p->paths, backbone))
        relay_end_hurry(e, now_us);
    for (;;) {
        uint32_t channel = e->channel;
        bool may = may_ask(p, backbone);
        if (may && !has_turn(m, e, now_us))
            return;
        switch (relay_end_poll(e, may, now_us)) {
        case RELAY_END_WAIT:
            return;
        case RELAY_END_ASK:
            mesh_ask_relay(m, &p->id, backbone);
            break;
        case RELAY_END_SAY:
            say(m, e);
            break;
        case RELAY_END_LOST:
            forget_channel(m, p, backbone, channel);
            break;
        }
    }
}

void mesh_poll_relays(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (p->link_count == 0)
        mesh_drop_relays(m, p);
    for (unsigned i = 0; i < UPLINKS_MAX; i++)
        if (p->relays[i].state != RELAY_END_NONE)
            poll_one(m, p, i, now_us);
}

uint64_t mesh_relay_deadline(const struct peer *p)
{
    uint64_t at = TIME_NEVER;
    for (unsigned i = 0; i < UPLINKS_MAX; i++) {
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
    relay_end_want(&p->relays[backbone], first ? 0 : ASK_LATER_US, now_us);
}

void mesh_hurry_relays(struct peer *p, uint64_t now_us)
{
    for (unsigned i = 0; i < UPLINKS_MAX; i++)
        relay_end_hurry(&p->relays[i], now_us);
}

void mesh_on_relayed(struct mesh *m, unsigned backbone, const struct node_id *id,
                     const struct mesh_channel *channel, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    uint64_t key = key_of(backbone, channel->number);
    if (!p || !(p->paired & 1u << backbone) || p->relays[backbone].state == RELAY_END_NONE ||
        !channel->number || table_get(m->channels, key))
        return;
    uint32_t before = p->relays[backbone].channel;
    if (table_put(m->channels, key, p))
        return; /* it is asked for again */
    if (!relay_end_granted(&p->relays[backbone], &channel->relay, channel->number, channel->token, now_us)) {
        (void)table_remove(m->channels, key);
        return;
    }
    if (before)
        (void)table_remove(m->channels, key_of(backbone, before));
    mesh_touch(m, p);
    mesh_poll_relays(m, p, now_us);
}

/* The end that has an envelope's channel, at the relay that it is from. */
static struct peer *find_end(const struct mesh *m, const struct addr *from, uint32_t channel,
                             unsigned *backbone)
{
    for (unsigned i = 0; i < UPLINKS_MAX; i++) {
        struct peer *p = table_get(m->channels, key_of(i, channel));
        *backbone = i;
        if (p && addr_equal(&p->relays[i].relay, from))
            return p;
    }
    return NULL;
}

enum drop mesh_on_relay_message(struct mesh *m, const struct addr *from, const uint8_t *data, size_t len,
                                uint64_t now_us)
{
    struct envelope e;
    unsigned backbone;
    enum drop drop = envelope_decode(data, len, &e);
    if (drop)
        return drop;
    struct peer *p = find_end(m, from, e.channel, &backbone);
    if (!p)
        return DROP_RELAY;
    struct relay_end *end = &p->relays[backbone];
    mesh_touch(m, p);
    if (relay_end_on_answer(end, from, data, len, now_us)) {
        path_add_relay(p->paths, backbone, &end->relay, end->channel, now_us);
        mesh_publish(m, p);
    }
    mesh_poll_relays(m, p, now_us);
    mesh_poll_paths(m, p, now_us);
    return DROP_NONE;
}
