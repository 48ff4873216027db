/* SPDX-License-Identifier: Apache-2.0 */
/* We relay for pairs of our peers, by the books that a backbone's relay has, too; what passes, workers pass on. docs/PROTOCOL.md
 * §17. Control thread. */

#include "proto/mesh/mesh_relay_serve.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_state.h"
#include "proto/relay/relay_desk.h"

#define GIVEN_TIMES    2 /* nobody answers it, and each may be lost */
#define EXPIRY_LOOK_US (1 * USEC_PER_SEC)

bool mesh_is_listed(const struct peer *p)
{
    return (p->wanted || p->allowed) && !p->barred;
}

/* Whoever is on a list, or has shown a certificate of our network; a public node's guest is neither. */
static bool is_served(const struct mesh *m, const struct peer *p)
{
    return m->config.desk && p->current && peer_send_session(p) &&
           (mesh_is_listed(p) || (p->member && !p->barred)) &&
           link_both_can(p->current, HELLO_FEATURE_RELAY_NODES);
}

void mesh_update_served(struct mesh *m, struct peer *p)
{
    bool served = is_served(m, p);
    if (served == p->served)
        return;
    peer_served(p, served);
    relay_desk_serve(m->config.desk, &p->id, served);
}

/* Its round trip to us, straight; 0 where there is none: what we passed on would come by another relay. */
static uint32_t straight_us(const struct peer *p)
{
    const struct path *best = p && p->served ? path_best(p->paths) : NULL;
    if (!best || best->endpoint.carrier != CARRIER_UDP || best->state != PATH_STATE_PROVEN)
        return 0;
    return best->rtt_us ? best->rtt_us : 1;
}

/* From one to the other; 0: we do not relay between them. */
static uint32_t way_us(const struct peer *a, const struct peer *b)
{
    uint64_t a_us = straight_us(a), b_us = straight_us(b), sum = a_us + b_us;
    if (!a_us || !b_us || a == b)
        return 0;
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

enum drop mesh_on_relay_seek(struct mesh *m, struct peer *p, const struct message *seek, uint64_t now_us)
{
    struct message found = {.type = MESSAGE_RELAY_FOUND, .relay = {.id = seek->relay.id}};
    if (!is_served(m, p))
        return DROP_RELAY;
    if (!allowance_take(&p->allowance, ALLOWANCE_RELAY, 1, now_us))
        return DROP_CONTROL_RATE;
    found.relay.rtt_us = way_us(p, mesh_find_peer(m, &seek->relay.id));
    mesh_say_sealed(p->current, &found);
    return DROP_NONE;
}

static void tell(const struct peer *p, const struct peer *other, const struct relay_grant *g, unsigned end)
{
    struct message given = {.type = MESSAGE_RELAY_CHANNEL, .relay = {.id = other->id, .channel = g->channel}};
    memcpy(given.relay.token, g->tokens[end], sizeof(given.relay.token));
    for (unsigned i = 0; i < GIVEN_TIMES; i++)
        mesh_say_sealed(p->current, &given);
    secret_wipe(&given, sizeof(given));
}

static void give(struct mesh *m, const struct peer *p, const struct peer *other, uint64_t now_us)
{
    const struct node_id ends[2] = {p->id, other->id};
    struct relay_grant g;
    if (relay_desk_open(m->config.desk, ends, now_us, &g))
        return; /* it is asked for again */
    if (mesh_is_end_of(m, g.channel)) {
        relay_desk_close(m->config.desk, ends, now_us);
    } else {
        tell(p, other, &g, 0);
        tell(other, p, &g, 1);
    }
    secret_wipe(&g, sizeof(g));
}

enum drop mesh_on_relay_ask(struct mesh *m, struct peer *p, const struct message *ask, uint64_t now_us)
{
    const struct node_id ends[2] = {p->id, ask->relay.id};
    const struct peer *other = mesh_find_peer(m, &ask->relay.id);
    if (!is_served(m, p))
        return DROP_RELAY;
    if (!allowance_take(&p->allowance, ALLOWANCE_RELAY, 1, now_us))
        return DROP_CONTROL_RATE;
    if (ask->relay.end)
        relay_desk_close(m->config.desk, ends, now_us);
    else if (way_us(p, other))
        give(m, p, other, now_us);
    return DROP_NONE;
}

enum drop mesh_on_bind(struct mesh *m, const struct endpoint *from, const uint8_t *data, size_t len,
                       uint64_t now_us)
{
    const struct relay_hop hop = {from->local, from->remote};
    struct relay_binding bound;
    uint8_t answer[RELAY_MESSAGE_LEN];
    if (!m->config.desk ||
        relay_desk_bind(m->config.desk, &hop, data, len, now_us, answer, &bound) != RELAY_ANSWER)
        return DROP_RELAY;
    const struct endpoint to = {.carrier = CARRIER_UDP, .local = from->local, .remote = from->remote};
    mesh_send_datagram(m, &to, answer, sizeof(answer));
    return DROP_NONE;
}

bool mesh_gave_out(const struct mesh *m, uint32_t channel)
{
    return m->config.desk && relay_desk_has(m->config.desk, channel);
}

/* Channels live for half a minute at least, so one look a second is enough. */
uint64_t mesh_expiry_due(const struct mesh *m)
{
    return m->config.desk ? m->expired_us + EXPIRY_LOOK_US : TIME_NEVER;
}

void mesh_expire_channels(struct mesh *m, uint64_t now_us)
{
    struct node_id ends[2];
    if (mesh_expiry_due(m) > now_us)
        return;
    m->expired_us = now_us;
    while (relay_desk_expire(m->config.desk, now_us, ends))
        ;
}
