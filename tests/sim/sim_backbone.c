/* SPDX-License-Identifier: Apache-2.0 */
/* The backbone of a simulation: uplinks, streams to an id, datagrams between pairs, and lies about them. */

#include "sim_impl.h"

#include "crypto/secret.h"
#include "proto/relay/relay.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sim_node *sim_uplinked(struct sim *sim, const struct node_id *id)
{
    for (unsigned i = 0; i < sim->node_count; i++)
        if (sim->nodes[i].uplink && id_compare(identity_id(sim->nodes[i].identity), id) == 0)
            return &sim->nodes[i];
    return NULL;
}

struct target sim_opener(const struct sim_node *dialler)
{
    const struct sim_node *said = dialler->sim->backbone.names;
    return target_uplink(0, identity_id(said ? said->identity : dialler->identity));
}

/* One way between a node and the backbone. */
static uint64_t half_way(const struct sim *sim)
{
    return sim->now_us + sim->weather.uplink_us / 2;
}

void sim_pair(struct sim_node *n, const struct node_id *id, bool on)
{
    struct sim *sim = n->sim;
    for (unsigned i = 0; i < sim->node_count; i++)
        if (id_compare(identity_id(sim->nodes[i].identity), id) == 0)
            sim_push(
                sim,
                (struct event){
                    .at_us = half_way(sim), .kind = EVENT_PAIR, .node = n->number, .other = i, .on = on});
}

static bool are_paired(const struct sim *sim, unsigned a, unsigned b)
{
    return sim->asked[a][b] && sim->asked[b][a] && sim->nodes[a].uplink && sim->nodes[b].uplink;
}

static void tell_paired(struct sim *sim, unsigned node, unsigned other, bool on)
{
    sim_push(sim, (struct event){
                      .at_us = half_way(sim), .kind = EVENT_PAIRED, .node = node, .other = other, .on = on});
}

static void on_pair(struct sim *sim, unsigned a, unsigned b, bool on)
{
    bool before = are_paired(sim, a, b);
    sim->asked[a][b] = on;
    bool after = are_paired(sim, a, b);
    if (before == after)
        return;
    tell_paired(sim, a, b, after);
    tell_paired(sim, b, a, after);
}

void sim_say_paired(struct sim_node *n, const struct sim_node *other, bool on)
{
    tell_paired(n->sim, n->number, other->number, on);
}

void sim_send_by_uplink(struct sim_node *n, const struct node_id *to, const uint8_t *data, size_t len)
{
    struct sim *sim = n->sim;
    struct sim_node *other = sim_uplinked(sim, to);
    if (!other || !are_paired(sim, n->number, other->number) || sim->backbone.stalls)
        return;
    for (int copies = sim->backbone.repeats ? 2 : 1; copies > 0; copies--) {
        uint64_t at = sim->now_us + sim->weather.uplink_us;
        if (sim->backbone.reorders)
            at += sim_next_random(sim) % 100000;
        else if (at < other->uplink_ready_us)
            at = other->uplink_ready_us;
        other->uplink_ready_us = at;
        sim_push(sim, (struct event){.at_us = at,
                                     .kind = EVENT_UPLINKED,
                                     .node = other->number,
                                     .other = n->number,
                                     .data = sim_copy(data, len),
                                     .len = len});
    }
}

/* ---- the relay ---- */

const struct addr sim_relay_addr = {.family = 4, .port = 8080, .ip = {203, 0, 113, 2}};

static void fill_random(void *context, void *out, size_t len)
{
    (void)context;
    secret_random(out, len);
}

void sim_restart_relay(struct sim *sim)
{
    sim->binding_count = 0;
    const struct relay_config config = {1u << 30, 65536, {.fill = fill_random}};
    relay_free(sim->relay);
    int err = relay_new(&config, &sim->relay);
    assert(err == 0);
    (void)err;
}

void sim_ask_relay(struct sim_node *n, const struct node_id *id)
{
    struct sim_node *other = sim_uplinked(n->sim, id);
    if (other)
        sim_push(n->sim, (struct event){.at_us = half_way(n->sim),
                                        .kind = EVENT_RELAY,
                                        .node = n->number,
                                        .other = other->number});
}

static void tell_relayed(struct sim *sim, unsigned node, unsigned other, uint32_t channel,
                         const uint8_t *token)
{
    sim_push(sim, (struct event){.at_us = half_way(sim),
                                 .kind = EVENT_RELAYED,
                                 .node = node,
                                 .other = other,
                                 .channel = channel,
                                 .data = sim_copy(token, ENVELOPE_TOKEN_LEN),
                                 .len = ENVELOPE_TOKEN_LEN});
}

static void on_relay_asked(struct sim *sim, unsigned a, unsigned b)
{
    const struct node_id ends[2] = {*identity_id(sim->nodes[a].identity),
                                    *identity_id(sim->nodes[b].identity)};
    struct relay_grant *g = &sim->granted;
    if (!sim->backbone.relays || !are_paired(sim, a, b) || relay_open(sim->relay, ends, sim->now_us, g))
        return;
    tell_relayed(sim, a, b, g->channel, g->tokens[0]);
    tell_relayed(sim, b, a, g->channel, g->tokens[1]);
}

static void on_relayed(struct sim_node *n, const struct sim_node *other, const struct event *e)
{
    const struct mesh_channel channel = {sim_relay_addr, e->channel, e->data};
    mesh_on_relayed(n->mesh, 0, identity_id(other->identity), &channel, n->sim->now_us);
    sim_do_outputs(n);
}

/* What the relay says where an end is, or that it says nothing. */
static bool lie_about_place(const struct sim *sim, uint8_t answer[RELAY_MESSAGE_LEN])
{
    struct relay_message m;
    int err = relay_message_decode(answer, RELAY_MESSAGE_LEN, &m);
    assert(!err);
    if (m.kind != RELAY_MESSAGE_HERE || (!sim->backbone.is_mum && !sim->backbone.sees.family))
        return true;
    unsigned end = relay_message_verify(answer, sim->granted.tokens[0]) ? 1 : 0;
    relay_message_put_place(&m, &sim->backbone.sees);
    err = relay_message_encode(&m, sim->granted.tokens[end], answer);
    assert(!err);
    (void)err;
    return !sim->backbone.is_mum;
}

/* ---- what its books may say: the two ends of a channel, where they have shown that they are ---- */

static struct sim_binding *binding_at(struct sim *sim, uint32_t channel, const struct addr *at)
{
    for (size_t i = 0; i < sim->binding_count; i++)
        if (sim->bindings[i].channel == channel && addr_equal(&sim->bindings[i].at, at))
            return &sim->bindings[i];
    return NULL;
}

/* Only who has shown that he is there is an end. */
static void on_bound(struct sim *sim, const struct event *e, const struct relay_binding *bound)
{
    struct envelope envelope;
    struct sim_binding *b = NULL;
    const struct node_id nobody = {0};
    if (id_compare(&bound->end, &nobody) == 0 || envelope_decode(e->data, e->len, &envelope))
        return;
    for (size_t i = 0; i < sim->binding_count; i++)
        if (sim->bindings[i].channel == envelope.channel &&
            id_compare(&sim->bindings[i].id, &bound->end) == 0)
            b = &sim->bindings[i];
    if (!b) {
        sim->bindings = reallocarray(sim->bindings, sim->binding_count + 1, sizeof(*sim->bindings));
        assert(sim->bindings);
        b = &sim->bindings[sim->binding_count++];
    }
    *b = (struct sim_binding){envelope.channel, bound->end, e->from};
}

static void judge_passing(struct sim *sim, const struct event *e, const struct addr *to)
{
    struct envelope envelope;
    if (envelope_decode(e->data, e->len, &envelope) || !binding_at(sim, envelope.channel, &e->from))
        sim_fail(sim, "the relay passes on what comes from an address that is no end's");
    if (!binding_at(sim, envelope.channel, to) || addr_equal(to, &e->from))
        sim_fail(sim, "the relay passes on to an address that is not the other end's");
}

bool sim_at_relay(struct sim *sim, const struct event *e)
{
    struct relay_hop hop = {.remote = e->from};
    struct relay_binding bound;
    uint8_t answer[RELAY_MESSAGE_LEN];
    if (!addr_equal(&e->to, &sim_relay_addr))
        return false;
    if (!sim->backbone.relays || sim_apart(e->sender, NULL))
        return true;
    if (relay_bind(sim->relay, &hop, e->data, e->len, sim->now_us, answer, &bound) == RELAY_ANSWER) {
        on_bound(sim, e, &bound);
        if (lie_about_place(sim, answer))
            sim_send(sim, NULL, &sim_relay_addr, &e->from, answer, sizeof(answer));
    } else if (relay_pass(sim->relay, &e->from, e->data, e->len, e->len, sim->now_us, &hop) == RELAY_PASS) {
        judge_passing(sim, e, &hop.remote);
        sim_send(sim, NULL, &sim_relay_addr, &hop.remote, e->data, e->len);
    }
    return true;
}

void sim_at_backbone(struct sim *sim, struct event *e)
{
    struct sim_node *n = &sim->nodes[e->node], *other = &sim->nodes[e->other];
    const struct sim_node *said = sim->backbone.names ? sim->backbone.names : other;
    const struct endpoint from = endpoint_uplink(0, identity_id(said->identity));
    if (!n->uplink || n->asleep)
        return;
    if (e->kind == EVENT_PAIR) {
        on_pair(sim, e->node, e->other, e->on);
    } else if (e->kind == EVENT_RELAY) {
        on_relay_asked(sim, e->node, e->other);
    } else if (e->kind == EVENT_RELAYED) {
        on_relayed(n, other, e);
    } else if (e->kind == EVENT_PAIRED) {
        mesh_on_paired(n->mesh, 0, identity_id(other->identity), e->on, sim->now_us);
        sim_do_outputs(n);
    } else {
        sim_arrive(n, &from, e->data, e->len);
    }
}

static void lose_uplink(struct sim_node *n)
{
    struct sim *sim = n->sim;
    for (unsigned i = 0; i < sim->node_count; i++) {
        if (are_paired(sim, n->number, i))
            tell_paired(sim, i, n->number, false);
        sim->asked[n->number][i] = false;
    }
    n->uplink = false;
    for (unsigned i = 0; i < sim->pipe_count; i++) {
        const struct pipe_ends *p = &sim->pipes[i];
        if (p->by_uplink && (p->dialler.node == n || p->listener.node == n))
            sim_cut(sim, i);
    }
}

void sim_uplink(struct sim_node *n, bool up)
{
    if (n->uplink == up)
        return;
    if (up)
        n->uplink = true;
    else
        lose_uplink(n);
    mesh_on_uplink(n->mesh, 0, up, up ? n->uplink_by : 0, n->sim->now_us);
    sim_do_outputs(n);
}
