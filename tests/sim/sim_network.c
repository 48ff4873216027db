/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams: how they leave a node, travel and arrive. */

#include "sim_impl.h"

#include "control_datagram.h"
#include "nat.h"
#include "proto/relay/relay.h"
#include "proto/wire/wire.h"
#include <string.h>

static void leave(struct sim_node *n, const struct endpoint *to, unsigned hops, const uint8_t *data,
                  size_t len)
{
    if (to->interface && n->standby.family)
        sim_send(n->sim, n, &n->standby, &to->remote, data, len);
    else if (!n->cut)
        sim_leave_by(n, sim_side_port(n, to->side), &to->remote, hops, data, len);
}

void sim_send_sealed(struct sim_node *n, const struct endpoint *to, unsigned hops, const uint8_t *data,
                     size_t len)
{
    struct sim *sim = n->sim;
    sim_on_sealed(n, data, len);
    if (to->carrier == CARRIER_UPLINK) {
        sim_send_by_uplink(n, &to->peer, data, len);
        return;
    }
    if (to->carrier == CARRIER_TCP) {
        sim_send_by_trunk(n, to->conn, data, len);
        return;
    }
    if (sim->weather.no_udp)
        sim_keep_probe(n, data, len);
    n->mapped = true;
    n->datagrams++;
    if (to->local.family && !sim_interface(n, &to->local))
        return;
    if (to->carrier != CARRIER_RELAY) {
        leave(n, to, hops, data, len);
        return;
    }
    uint8_t enveloped[ENVELOPE_LEN + WIRE_DATAGRAM_MAX];
    const struct envelope e = {ENVELOPE_DATAGRAM, to->channel};
    envelope_encode(&e, enveloped);
    memcpy(enveloped + ENVELOPE_LEN, data, len);
    leave(n, to, hops, enveloped, ENVELOPE_LEN + len);
}

static uint64_t extra_us(struct sim *sim, const struct addr *a)
{
    const struct sim_node *n = sim_node_at(sim, a);
    return n ? n->far_us : 0;
}

void sim_send(struct sim *sim, const struct sim_node *sender, const struct addr *from, const struct addr *to,
              const uint8_t *data, size_t len)
{
    bool fits = !sim->weather.no_udp && (!sim->weather.size_max || len <= sim->weather.size_max);
    for (int copies = sim_chance(sim, sim->weather.duplicate) ? 2 : 1; fits && copies > 0; copies--) {
        if (sim_chance(sim, sim->weather.loss) ||
            (sim->weather.data_loss > 0 && data[0] == WIRE_DATA && sim_chance(sim, sim->weather.data_loss)))
            continue;
        sim_push(sim, (struct event){.at_us = sim->now_us + sim_travel(sim) + extra_us(sim, from) +
                                              extra_us(sim, to),
                                     .kind = EVENT_DATAGRAM,
                                     .from = *from,
                                     .to = *to,
                                     .sender = sender,
                                     .data = sim_copy(data, len),
                                     .len = len});
    }
}

struct sim_node *sim_node_at(struct sim *sim, const struct addr *a)
{
    for (unsigned i = 0; i < sim->node_count; i++)
        if (sim->nodes[i].mesh &&
            (addr_same_host(&sim->nodes[i].addr, a) || addr_same_host(&sim->nodes[i].standby, a)))
            return &sim->nodes[i];
    return NULL;
}

void sim_arrive(struct sim_node *n, const struct endpoint *from, uint8_t *data, size_t len)
{
    struct wire_header h;
    enum drop drop = wire_header_decode(data, len, &h);
    if (!drop && h.type == WIRE_DATA) {
        sim_on_data(n, from, data, len);
    } else {
        enum drop taken = control_datagram(n->mesh, from, data, len, n->sim->now_us);
        n->drops[taken]++;
        if (!drop && !taken)
            sim_on_taken(n, &h);
    }
    sim_do_outputs(n);
}

static void arrive_relayed(struct sim_node *n, const struct event *e)
{
    struct envelope envelope;
    enum drop drop = envelope_decode(e->data, e->len, &envelope);
    const struct endpoint straight = endpoint_udp(&e->from);
    struct endpoint from = endpoint_relay(&e->from, envelope.channel);
    if (addr_equal(&e->to, &n->standby))
        from.local = n->standby;
    from.local.port = 0;
    if (drop)
        n->drops[drop]++;
    else if (envelope.kind == ENVELOPE_DATAGRAM && !sim_pass_on(n, e, envelope.channel))
        sim_arrive(n, &from, e->data + ENVELOPE_LEN, e->len - ENVELOPE_LEN);
    else if (envelope.kind == ENVELOPE_MESSAGE)
        n->drops[mesh_on_relay_message(n->mesh, &straight, e->data, e->len, n->sim->now_us)]++;
    sim_do_outputs(n);
}

/* Who is there, or behind the NAT that is. */
static const struct sim_node *host_at(const struct sim *sim, const struct addr *to)
{
    for (unsigned i = 0; i < sim->node_count; i++) {
        const struct sim_node *n = &sim->nodes[i];
        if (addr_same_host(&n->addr, to) || (n->nat && addr_same_host(&n->nat->outer, to)))
            return n;
    }
    return NULL;
}

void sim_deliver_datagram(struct sim *sim, struct event *e)
{
    if (sim_at_relay(sim, e))
        return;
    const struct sim_node *host = host_at(sim, &e->to), *sender = e->sender;
    if (host && sim_apart(sender, host))
        return;
    uint16_t port;
    struct sim_node *n = sim_enter(sim, &e->from, &e->to, &port);
    if (n && (n->asleep || n->no_udp || (n->cut && addr_equal(&e->to, &n->addr))))
        return;
    bool relayed = wire_classify(e->data, e->len) == WIRE_CLASS_RELAY;
    if (!n || (sender && sim->severed[sender->number][n->number]) || (n->behind_nat && !n->mapped) ||
        (n->shut && !relayed))
        return;
    sim_on_heard(n, &e->from);
    if (relayed) {
        arrive_relayed(n, e);
        return;
    }
    struct endpoint from = {.carrier = CARRIER_UDP, .local = n->addr, .remote = e->from};
    from.local.port = 0;
    from.side = (uint8_t)sim_side_at(n, port);
    if (!sim_meet(n, &from, port, e->data, e->len))
        sim_arrive(n, &from, e->data, e->len);
    sim_do_outputs(n);
}
