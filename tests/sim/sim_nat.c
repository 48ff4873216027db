/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes behind NATs. Between two NATs lies one router more: what may go two hops passes its own NAT and no further, and what may
 * go three reaches the other one. */

#include "sim_impl.h"

#include "base/clock.h"
#include "nat.h"
#include "proto/punch/punch.h"
#include "proto/wire/wire.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HOPS_OUT    2 /* to have passed the own NAT … */
#define HOPS_ACROSS 3 /* … and to come to another */
#define ASK_US      (20 * USEC_PER_SEC)
#define FRESH_FIRST 50000

static bool is_inside(const struct addr *a)
{
    return a->ip[0] == 172;
}

static struct addr outer_address(struct sim *sim)
{
    const struct addr a = {.family = 4, .ip = {198, 51, 100, (uint8_t)(sim->nat_count + 1)}};
    return a;
}

static void tell_candidates(struct sim_node *n)
{
    const struct candidate list[] = {{CANDIDATE_HOST, n->addr, 0}, {CANDIDATE_REFLEXIVE, n->seen, 0}};
    mesh_set_candidates(n->mesh, list, n->seen.family ? 2 : 1, n->sim->now_us);
    sim_do_outputs(n);
}

static void move_in(struct sim_node *n, struct nat_model *nat)
{
    n->nat = nat;
    n->deaf = true;
    n->addr = (struct addr){
        .family = 4, .port = 9443, .ip = {172, 16, (uint8_t)(nat->outer.ip[3]), (uint8_t)(n->number + 2)}};
    n->fresh = FRESH_FIRST;
    tell_candidates(n);
}

void sim_put_behind(struct sim_node *n, const struct nat_kind *kind)
{
    struct sim *sim = n->sim;
    struct nat_model *nat = malloc(sizeof(*nat));
    assert(nat && sim->nat_count < SIM_NODES_MAX);
    const struct addr outer = outer_address(sim);
    nat_init(nat, kind, &outer, sim_next_random(sim));
    sim->nats[sim->nat_count++] = nat;
    move_in(n, nat);
}

void sim_put_beside(struct sim_node *n, struct sim_node *other)
{
    move_in(n, other->nat);
}

void sim_roam(struct sim_node *n, const struct nat_kind *kind)
{
    n->nat = NULL;
    n->deaf = false;
    n->seen = (struct addr){0};
    n->ask_us = 0;
    if (kind) {
        sim_cut_streams_of(n);
        sim_put_behind(n, kind);
        mesh_network_changed(n->mesh, 1472, n->sim->now_us);
        sim_do_outputs(n);
    } else {
        sim_move(n);
    }
}

void sim_free_nats(struct sim *sim)
{
    for (unsigned i = 0; i < sim->nat_count; i++)
        free(sim->nats[i]);
}

static bool in_same_house(const struct sim_node *n, const struct addr *to)
{
    const struct sim_node *other = sim_node_at(n->sim, to);
    return other && other->nat == n->nat;
}

/* From somebody who is there, or behind the NAT that is. */
static bool is_severed(const struct sim_node *n, const struct addr *to)
{
    const struct sim *sim = n->sim;
    for (unsigned i = 0; i < sim->node_count; i++) {
        const struct sim_node *other = &sim->nodes[i];
        bool there = addr_same_host(to, other->nat ? &other->nat->outer : &other->addr);
        if (there && sim->severed[n->number][i])
            return true;
    }
    return false;
}

void sim_leave_by(struct sim_node *n, uint16_t port, const struct addr *to, unsigned hops,
                  const uint8_t *data, size_t len)
{
    struct sim *sim = n->sim;
    struct addr inner = n->addr;
    inner.port = port;
    struct addr from = inner;
    bool near = n->nat && is_inside(to) && in_same_house(n, to);
    bool arrives = (hops == 0 || hops >= HOPS_ACROSS || near) && !is_severed(n, to);
    if ((is_inside(to) && !near) || n->no_udp)
        return;
    bool relayed = wire_classify(data, len) == WIRE_CLASS_RELAY;
    sim_on_sent(n, to, port == n->addr.port && !relayed && data[0] != WIRE_DATA);
    if (n->nat && !near && (hops == 0 || hops >= HOPS_OUT))
        from = nat_out(n->nat, &inner, to, sim->now_us);
    n->watched_datagrams += addr_same_host(to, &n->watched);
    if (arrives && (!n->nat || near || !addr_same_host(to, &n->nat->outer) || n->nat->kind->hairpin))
        sim_send(sim, n, &from, to, data, len);
}

void sim_leave(struct sim_node *n, const struct addr *to, unsigned hops, const uint8_t *data, size_t len)
{
    sim_leave_by(n, n->addr.port, to, hops, data, len);
}

static struct nat_model *nat_at(struct sim *sim, const struct addr *to)
{
    for (unsigned i = 0; i < sim->nat_count; i++)
        if (addr_same_host(&sim->nats[i]->outer, to))
            return sim->nats[i];
    return NULL;
}

struct sim_node *sim_enter(struct sim *sim, const struct addr *from, const struct addr *to, uint16_t *port)
{
    struct addr inner = *to;
    struct nat_model *nat = nat_at(sim, to);
    if (nat && !nat_in(nat, from, to->port, sim->now_us, &inner))
        return NULL;
    struct sim_node *n = sim_node_at(sim, &inner);
    *port = inner.port;
    return n && (inner.port == n->addr.port || nat) ? n : NULL;
}

/* ---- how it is seen ---- */

static bool reaches_servers(const struct sim_node *n)
{
    return !n->sim->weather.no_udp && !n->no_udp && !sim_apart(n, NULL);
}

void sim_ask_address(struct sim_node *n)
{
    struct sim *sim = n->sim;
    if (!n->nat || !n->mesh || n->asleep || !reaches_servers(n) || n->ask_us > sim->now_us)
        return;
    n->ask_us = sim->now_us + ASK_US;
    sim_push(sim, (struct event){.at_us = sim->now_us + 2 * sim_travel(sim),
                                 .kind = EVENT_TOLD,
                                 .node = n->number,
                                 .from = nat_out(n->nat, &n->addr, &sim_relay_addr, sim->now_us)});
}

/* Two fresh sockets ask one after the other, at a port of the backbone's of its own, so that they are all that is new. */
static struct sim_sight look_through(struct sim_node *n, bool keep)
{
    struct sim_sight sight = {.port = keep ? (uint16_t)(n->fresh + 1) : 0};
    struct punch_seen *seen = &sight.seen;
    struct addr inner = n->addr, first;
    inner.port = ++n->fresh;
    first = nat_out(n->nat, &inner, &sim_relay_addr, n->sim->now_us);
    bool kept = first.port == inner.port;
    inner.port = ++n->fresh;
    seen->last = nat_out(n->nat, &inner, &sim_relay_addr, n->sim->now_us);
    seen->step = (int32_t)seen->last.port - first.port;
    seen->ports = kept ? NAT_PORTS_KEPT : abs(seen->step) <= 15 ? NAT_PORTS_SEQUENTIAL : NAT_PORTS_RANDOM;
    if (keep)
        seen->fresh = n->said.family ? n->said : first;
    return sight;
}

void sim_look(struct sim_node *n, uint32_t slot, bool keep)
{
    struct sim *sim = n->sim;
    struct sim_sight sight = {.seen = {.ports = NAT_PORTS_KEPT, .last = n->addr}};
    if (!reaches_servers(n))
        return;
    if (n->nat)
        sight = look_through(n, keep);
    sim_push(sim, (struct event){.at_us = sim->now_us + 4 * sim_travel(sim),
                                 .kind = EVENT_SEEN,
                                 .node = n->number,
                                 .channel = slot,
                                 .data = sim_copy((const uint8_t *)&sight, sizeof(sight)),
                                 .len = sizeof(sight)});
}

void sim_on_told(struct sim_node *n, const struct event *e)
{
    struct sim_sight sight;
    if (!n->mesh)
        return;
    if (e->kind == EVENT_SEEN) {
        memcpy(&sight, e->data, sizeof(sight));
        sim_on_sight(n, e->channel, &sight);
    } else if (!addr_equal(&n->seen, &e->from)) {
        n->seen = e->from;
        tell_candidates(n);
    }
}
