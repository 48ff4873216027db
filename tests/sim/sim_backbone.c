/* SPDX-License-Identifier: Apache-2.0 */
/* The backbone of a simulation: uplinks, streams to an id, datagrams between pairs, and lies about them. */

#include "sim_impl.h"

#include <assert.h>
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

void sim_at_backbone(struct sim *sim, struct event *e)
{
    struct sim_node *n = &sim->nodes[e->node], *other = &sim->nodes[e->other];
    const struct sim_node *said = sim->backbone.names ? sim->backbone.names : other;
    const struct endpoint from = endpoint_uplink(0, identity_id(said->identity));
    if (!n->uplink)
        return;
    if (e->kind == EVENT_PAIR) {
        on_pair(sim, e->node, e->other, e->on);
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
    mesh_on_uplink(n->mesh, 0, up, n->sim->now_us);
    sim_do_outputs(n);
}
