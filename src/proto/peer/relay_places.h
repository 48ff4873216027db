/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Nodes that relay between one peer and us: which of those that would, and when to look for them. Pure; control thread.
 * docs/PROTOCOL.md §17. */

#include "base/id.h"
#include "proto/path/endpoint.h"
#include <stdbool.h>
#include <stdint.h>

#define RELAY_SEEK_FIRST_US 250000ull  /* they are sought again after so long where TCP alone carries, … */
#define RELAY_SEEK_US       5000000ull /* … doubling up to this; elsewhere after this, … */
#define RELAY_SEEK_FACTOR   4          /* … so many times as long the next time, … */
#define RELAY_SEEK_MAX_US   600000000ull /* … and so long at most */
#define RELAY_FOUND_US      5000000ull   /* an answer comes within so long */
#define RELAY_AFTER_US      60000000ull  /* one that carries no more is sought again by then */
#define RELAY_PLACE_US      10000000ull  /* by then one that was chosen carries, if it ever does */

struct relay_place {
    bool used;
    struct node_id node;
    uint32_t rtt_us;   /* to both ends together, as it said; 0: the other end chose it */
    uint64_t since_us; /* when it was chosen */
};

/* All zero: none, and none sought. */
struct relay_places {
    struct relay_place list[RELAY_NODES_MAX];
    uint64_t seek_us; /* 0: at once, where any are wanted */
    uint64_t wait_us;
    uint64_t sought_us; /* when they last were; 0: never */
};

/* Place of a node, or -1. */
int relay_places_find(const struct relay_places *r, const struct node_id *node);

/* Where one with that round trip belongs: a free place, else that of the worst one, if this one is better by enough or nothing has
 * come of that; kept tells of each place whether it is to stay, answers whether its path answers. -1: nowhere. */
int relay_places_choose(const struct relay_places *r, uint32_t rtt_us, const bool kept[RELAY_NODES_MAX],
                        const bool answers[RELAY_NODES_MAX], uint64_t now_us);

void relay_places_put(struct relay_places *r, int place, const struct node_id *node, uint32_t rtt_us,
                      uint64_t now_us);
void relay_places_clear(struct relay_places *r, int place);

/* They are being sought now: when they are the next time. needed: no path over UDP carries. */
void relay_places_sought(struct relay_places *r, bool needed, uint64_t now_us);
/* Whether an answer may still come. */
bool relay_places_expects(const struct relay_places *r, uint64_t now_us);
/* No sooner than then; no later. */
void relay_places_put_off(struct relay_places *r, uint64_t at_us);
void relay_places_seek_by(struct relay_places *r, uint64_t at_us);
/* Another node offers itself, or the peer is another process. */
void relay_places_seek_anew(struct relay_places *r);
