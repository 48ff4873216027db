/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "base/clock.h"
#include "nat_kinds.h"
#include "sim_impl.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PAIR_SEEDS 8 /* of so many worlds one is of two nodes: their NATs are theirs alone */
#define TALK_US    250000ull
#define LOOK_UP_US (4 * USEC_PER_SEC)
#define FRAME_LEN  120

/* Of its own: what a mesh draws does not change what happens to it. */
uint64_t world_draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

bool world_chance(struct world *w, unsigned percent)
{
    return world_draw(w, 100) < percent;
}

void world_disturb(struct world *w, unsigned node)
{
    w->disturbed_us[node] = sim_now(w->sim);
}

const struct nat_kind *world_draw_kind(struct world *w)
{
    return world_chance(w, 30) ? NULL : &nat_kinds[world_draw(w, NAT_KINDS)];
}

/* ---- drawing it ---- */

/* The way by the backbone is never the shorter one: else a straight path is left with good reason (docs/PROTOCOL.md §9). */
static void draw_weather(struct world *w)
{
    uint64_t delay_us = 2000 + world_draw(w, 60000), jitter_us = world_draw(w, 15000);
    w->weather = (struct sim_weather){.delay_us = delay_us,
                                      .jitter_us = jitter_us,
                                      .loss = (double)world_draw(w, 20) / 1000,
                                      .duplicate = (double)world_draw(w, 30) / 1000,
                                      .uplink_us = delay_us + jitter_us + world_draw(w, 100000)};
}

/* Whoever is dialled admits the dialler: by being public, or by its list. */
static void want(struct world *w, unsigned a, unsigned b)
{
    struct sim_node *from = w->nodes[a], *to = w->nodes[b];
    int err = from->mesh ? mesh_connect(from->mesh, identity_id(to->identity)) : 0;
    if (!err && to->mesh)
        err = mesh_allow(to->mesh, identity_id(from->identity));
    assert(!err);
    (void)err;
}

void world_start(struct world *w, unsigned node)
{
    if (!w->nodes[node]->mesh)
        sim_restart(w->nodes[node]);
    for (unsigned i = 0; i < w->count; i++) {
        if (w->wants[node][i])
            want(w, node, i);
        if (w->wants[i][node])
            want(w, i, node);
    }
    sim_do_outputs(w->nodes[node]);
    w->linked_us[node] = sim_now(w->sim) + world_draw(w, USEC_PER_SEC);
    world_disturb(w, node);
}

static void add_node(struct world *w)
{
    unsigned node = w->count++;
    struct sim_node *n = sim_add(w->sim, world_chance(w, 60), w->ratchet_us, w->rehandshake_us);
    w->nodes[node] = n;
    n->no_udp = world_chance(w, 10);
    n->relays = world_chance(w, 20);
    if (n->relays)
        sim_start_anew(n);
    const struct nat_kind *kind = world_draw_kind(w);
    unsigned other = (unsigned)world_draw(w, node + 1);
    if (kind && other < node && w->nodes[other]->nat && world_chance(w, 40))
        sim_put_beside(n, w->nodes[other]);
    else if (kind)
        sim_put_behind(n, kind);
}

/* Each is connected to one of those before it, and some to more. */
static void draw_wants(struct world *w)
{
    for (unsigned a = 1; a < w->count; a++) {
        unsigned first = (unsigned)world_draw(w, a);
        for (unsigned b = 0; b < a; b++)
            if (b == first || world_chance(w, 15))
                *(world_chance(w, 50) ? &w->wants[a][b] : &w->wants[b][a]) = true;
    }
}

void world_open(struct world *w, uint64_t seed, bool verbose)
{
    *w = (struct world){.seed = seed, .random = (seed + 1) * 0x9e3779b97f4a7c15ull, .backbone = true};
    w->verbose = verbose;
    for (unsigned i = 0; i < 4; i++)
        (void)world_draw(w, 2);
    draw_weather(w);
    w->sim = sim_new(seed, &w->weather);
    sim_watch_places(w->sim);
    sim_backbone(w->sim)->relays = world_chance(w, 70);
    w->ratchet_us = world_chance(w, 30) ? 5 * USEC_PER_SEC : MESH_RATCHET_US;
    w->rehandshake_us = world_chance(w, 15) ? 60 * USEC_PER_SEC : MESH_REHANDSHAKE_US;
    unsigned count = 3 + (unsigned)(world_draw(w, 36) / 6 * world_draw(w, 2));
    for (unsigned left = seed % PAIR_SEEDS ? count : 2; left > 0; left--)
        add_node(w);
    draw_wants(w);
    world_plan(w);
    for (unsigned i = 0; i < w->count; i++)
        world_start(w, i);
}

void world_close(struct world *w)
{
    sim_free(w->sim);
    w->sim = NULL;
}

/* ---- time ---- */

/* A node keeps an uplink as long as it can. */
static void keep_links(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        struct sim_node *n = w->nodes[i];
        bool can = w->backbone && n->mesh && !n->asleep && n->side == 0;
        if (n->uplink && !can && !n->asleep) {
            sim_uplink(n, false);
            w->linked_us[i] = sim_now(w->sim) + USEC_PER_SEC;
        } else if (can && !n->uplink && w->linked_us[i] <= sim_now(w->sim)) {
            sim_uplink(n, true);
            w->registered[i] = false;
            world_disturb(w, i);
        }
    }
}

/* As often as it has an uplink anew, or is seen elsewhere. */
static void register_all(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        struct sim_node *n = w->nodes[i];
        bool same = w->registered[i] && addr_equal(&w->registered_at[i], &n->seen);
        if (!n->uplink || n->asleep || same)
            continue;
        w->registered[i] = true;
        w->registered_at[i] = n->seen;
        sim_sign(n, ++w->seq);
    }
}

/* The backbone tells where a peer says it is; and what it said before, as if that were still so. */
static void look_up(struct world *w, unsigned a, unsigned b)
{
    struct sim_node *n = w->nodes[a];
    if (!n->uplink || n->asleep || mesh_connected(n->mesh, identity_id(w->nodes[b]->identity)))
        return;
    sim_look_up(n, w->nodes[b]);
    sim_look_up_older(n, w->nodes[b]);
}

bool world_talks(const struct world *w, unsigned a, unsigned b)
{
    return (w->wants[a][b] || w->wants[b][a]) && !w->silent[a][b];
}

static void say(struct world *w, unsigned a, unsigned b)
{
    if (w->nodes[a]->mesh && !w->nodes[a]->asleep)
        (void)sim_send_frame(w->nodes[a], w->nodes[b], FRAME_LEN);
}

static void for_pairs(struct world *w, bool talk)
{
    for (unsigned a = 0; a < w->count; a++)
        for (unsigned b = 0; b < w->count; b++) {
            if (talk && world_talks(w, a, b))
                say(w, a, b);
            if (!talk && w->wants[a][b])
                look_up(w, a, b);
        }
}

void world_step(struct world *w)
{
    if (w->begin_us)
        world_act(w);
    keep_links(w);
    register_all(w);
    if (sim_now(w->sim) % TALK_US == 0)
        for_pairs(w, true);
    if (sim_now(w->sim) % LOOK_UP_US == 0)
        for_pairs(w, false);
    sim_run(w->sim, WORLD_STEP_US, NULL, NULL);
}

void world_begin(struct world *w)
{
    w->begin_us = sim_now(w->sim);
}

bool world_is_over(const struct world *w)
{
    return w->act_next == w->act_count;
}

/* ---- for people ---- */

static void describe_node(const struct world *w, unsigned node)
{
    const struct sim_node *n = w->nodes[node];
    fprintf(stderr, "  node %u: %s%s%s%s; dials", node, n->nat ? n->nat->kind->name : "no NAT",
            n->no_udp ? ", UDP blocked" : "", n->relays ? ", relays" : "", n->mesh ? "" : ", stopped");
    for (unsigned i = 0; i < w->count; i++)
        if (w->wants[node][i])
            fprintf(stderr, " %u", i);
    if (n->nat)
        fprintf(stderr, "; router %u", n->nat->outer.ip[3]);
    fprintf(stderr, "\n");
}

/* How a sees b. */
static void describe_way(const struct world *w, unsigned a, unsigned b)
{
    char at[ENDPOINT_TEXT_MAX];
    struct mesh_peer peer;
    if (!w->nodes[a]->mesh || !sim_peer(w->nodes[a], w->nodes[b], &peer))
        return;
    fprintf(stderr, "  %u to %u: %s; %s\n", a, b,
            peer.path_count ? endpoint_format(&peer.paths[0].endpoint, at) : "no path", peer.crooked);
}

void world_describe(const struct world *w)
{
    fprintf(stderr,
            "seed %llu at %.2f s of its acts, %.2f s after its start; backbone %s, relay %s, delay %.0f ms, "
            "loss %.1f %%\n",
            (unsigned long long)w->seed, w->begin_us ? (double)(sim_now(w->sim) - w->begin_us) / 1e6 : 0.0,
            (double)(sim_now(w->sim) - SIM_BEGIN_US) / 1e6, w->backbone ? "there" : "gone",
            sim_backbone(w->sim)->relays ? "there" : "none", (double)w->weather.delay_us / 1e3,
            w->weather.loss * 100);
    for (unsigned i = 0; i < w->count; i++)
        describe_node(w, i);
    for (unsigned i = 0; i < w->act_next; i++)
        world_describe_act(&w->acts[i]);
    for (unsigned a = 0; a < w->count; a++)
        for (unsigned b = 0; b < w->count; b++)
            if (w->wants[a][b] || w->wants[b][a])
                describe_way(w, a, b);
}
