/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What two nodes of a world could have, by the rules of its model alone: where they are, what their networks pass and how their
 * NATs work. Never from what the code under test found out. */

#include "world.h"

/* Both run, and both can be reached at the backbone. */
bool possible_at_all(const struct world *w, unsigned a, unsigned b);

/* As far as it is judged, a straight path: the rules of their NATs allow one, and each knows how it is seen now. Not judged are
 * liars; what has to guess a port where others make mappings at that router, too; routers that remember what came unasked,
 * once anything has happened (what a peer sends while it moves stays there); and the minute after a storm, whose losses are
 * held against a path (docs/PROTOCOL.md §9, "Doubt"). */
bool possible_straight(const struct world *w, unsigned a, unsigned b);
