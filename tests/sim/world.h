/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A small internet, drawn from a seed, and what happens to it: nodes behind NATs or none, a backbone with or without a relay,
 * weather; then a schedule of acts. Nodes talk in pairs all the while. What should come of it is judge.h's. */

#include "sim.h"

#define WORLD_NODES_MAX 8
#define WORLD_ACTS_MAX  24
#define WORLD_STEP_US   50000ull

struct world;

/* Something that happens to node, between it and other, or to all. */
struct act {
    uint64_t at_us; /* since the acts began */
    unsigned kind;  /* a row of the table in world_acts.c */
    unsigned node, other;
    uint64_t random; /* what else is to be drawn */
};

struct world {
    uint64_t seed, random;
    struct sim *sim;
    struct sim_weather weather;          /* when it is calm */
    uint64_t ratchet_us, rehandshake_us; /* of all */
    unsigned count;
    struct sim_node *nodes[WORLD_NODES_MAX];
    bool wants[WORLD_NODES_MAX][WORLD_NODES_MAX];  /* the first dials the second */
    bool silent[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* of those that do, for now */
    bool severed[WORLD_NODES_MAX][WORLD_NODES_MAX];
    uint64_t mended_us[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* when it ended; 0: it was not */
    bool lies[WORLD_NODES_MAX];                           /* it has named addresses that are nobody's … */
    uint64_t lied_us;                                     /* … since then; 0: nobody has */
    uint64_t disturbed_us[WORLD_NODES_MAX];     /* when something last happened to it, or around it */
    uint64_t linked_us[WORLD_NODES_MAX];        /* no uplink before that */
    bool registered[WORLD_NODES_MAX];           /* since it has its uplink, … */
    struct addr registered_at[WORLD_NODES_MAX]; /* … as seen there */
    uint64_t seq;                               /* of the last record */
    bool backbone;                              /* it is there */
    bool storm;
    uint64_t storm_us; /* when one ended; 0: there was none */
    struct act acts[WORLD_ACTS_MAX];
    unsigned act_count, act_next;
    uint64_t begin_us; /* of the acts; 0: not yet */
    bool verbose;
};

/* Draws and starts it. verbose: what happens is printed. */
void world_open(struct world *w, uint64_t seed, bool verbose);
void world_close(struct world *w);

/* Virtual time passes: acts that are due, uplinks and look-ups, frames between those who talk. */
void world_step(struct world *w);

/* The acts begin; whether all are over. */
void world_begin(struct world *w);
bool world_is_over(const struct world *w);

/* The world, and what has happened to it, as text on stderr. */
void world_describe(const struct world *w);

/* The net of which nobody is; its last byte is any. */
extern const struct addr world_nobody;

/* Whether a and b exchange frames now. */
bool world_talks(const struct world *w, unsigned a, unsigned b);

/* ---- for world_acts.c ---- */

uint64_t world_draw(struct world *w, uint64_t below);
bool world_chance(struct world *w, unsigned percent);
void world_disturb(struct world *w, unsigned node);
/* It starts, or starts anew, with what it is configured with. */
void world_start(struct world *w, unsigned node);
/* A kind of NAT, or NULL for none. */
const struct nat_kind *world_draw_kind(struct world *w);

/* world_acts.c: draws the schedule; does those that are due. */
void world_plan(struct world *w);
void world_act(struct world *w);
void world_describe_act(const struct act *a);
