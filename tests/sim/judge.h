/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Judges a world while it runs, by what is promised: frames flow within 10 s of being possible, straight within 15 s where the
 * model's rules allow it; nothing is sent, dropped or kept beyond its bound. What holds in every simulation is in sim_watch.c.
 * What fails aborts (sim_fail). */

#include "world.h"

struct judge {
    struct world *world;
    uint64_t open_us[WORLD_NODES_MAX][WORLD_NODES_MAX];     /* since when frames could flow */
    uint64_t straight_us[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* … straight */
    bool held[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* they went straight, and nothing has happened since */
    uint64_t ticks[WORLD_NODES_MAX], second_us;  /* at the last full second */
    uint64_t worst_dark_us, worst_crooked_us;
    unsigned straight, pairs; /* at the end: of those that talk and could, … that do */
};

void judge_begin(struct judge *j, struct world *w);

/* After each step. */
void judge_look(struct judge *j);

/* Everybody has what he could have. */
bool judge_is_content(const struct judge *j);

/* The end: everybody stops, and nothing is left on its way. */
void judge_end(struct judge *j);
