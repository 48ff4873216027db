/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include "sim_impl.h"

#include "sim_random.h"
#include "proto/network/membership.h"
#include "proto/relay/relay.h"
#include "proto/switch/floods.h"
#include <assert.h>
#include <stdlib.h>

#define TICKS_MOST 1000 /* at one time */

static void tick_all(struct sim *sim)
{
    for (unsigned i = 0; i < sim->node_count; i++) {
        struct sim_node *n = &sim->nodes[i];
        unsigned ticks = 0;
        sim_ask_address(n);
        while (n->mesh && !n->asleep && mesh_next_deadline(n->mesh, sim->now_us) <= sim->now_us) {
            mesh_tick(n->mesh, sim->now_us);
            n->ticks++;
            if (++ticks > TICKS_MOST)
                sim_fail(sim, "node %u has deadlines without an end", n->number);
        }
        sim_do_outputs(n);
        sim_publish(n);
    }
}

void sim_run(struct sim *sim, uint64_t duration_us, void (*every_10ms)(void *context), void *context)
{
    uint64_t end = sim->now_us + duration_us;
    uint64_t next_tick = sim->now_us;
    while (sim->now_us < end) {
        while (sim->event_count && sim->events[0].at_us <= next_tick) {
            struct event e = sim_pop(sim);
            sim->now_us = e.at_us > sim->now_us ? e.at_us : sim->now_us;
            if (e.kind == EVENT_DATAGRAM)
                sim_deliver_datagram(sim, &e);
            else if (e.kind >= EVENT_TOLD)
                sim_on_told(&sim->nodes[e.node], &e);
            else if (e.kind >= EVENT_UPLINKED)
                sim_at_backbone(sim, &e);
            else
                sim_deliver_stream(sim, &e);
            free(e.data);
        }
        sim->now_us = next_tick;
        tick_all(sim);
        if (every_10ms)
            every_10ms(context);
        next_tick += 10000;
    }
}

struct sim *sim_new(uint64_t seed, const struct sim_weather *weather)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    assert(sim);
    sim->weather = *weather;
    sim->random = seed * 0x9e3779b97f4a7c15ull + 1;
    sim->trace = 0xcbf29ce484222325ull;
    sim_random_seed(seed);
    sim->now_us = SIM_BEGIN_US;
    sim->events = calloc(EVENTS_MAX, sizeof(*sim->events));
    assert(sim->events);
    sim_restart_relay(sim);
    return sim;
}

void sim_free(struct sim *sim)
{
    for (unsigned i = 0; i < sim->node_count; i++) {
        sim_return_work(&sim->nodes[i], false);
        mesh_free(sim->nodes[i].mesh);
        sim->nodes[i].mesh = NULL;
        sim_stop_relaying(&sim->nodes[i]);
        sim_unwatch(&sim->nodes[i]);
        sim_publish(&sim->nodes[i]);
        free(sim->nodes[i].record);
        free(sim->nodes[i].older);
        floods_free(sim->nodes[i].floods);
        membership_free(sim->nodes[i].network);
        if (!sim->nodes[i].is_copy)
            identity_free(sim->nodes[i].identity);
    }
    while (sim->event_count)
        free(sim_pop(sim).data);
    relay_free(sim->relay);
    sim_free_nats(sim);
    free(sim->events);
    free(sim->pipes);
    free(sim->bindings);
    sim_unwatch_keys(sim);
    free(sim);
}

struct sim_backbone *sim_backbone(struct sim *sim)
{
    return &sim->backbone;
}

struct sim_weather *sim_weather(struct sim *sim)
{
    return &sim->weather;
}

unsigned sim_dialled(const struct sim *sim)
{
    return sim->pipe_count;
}

uint64_t sim_trace(const struct sim *sim)
{
    return sim->trace;
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->now_us;
}
