/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The peers of a mesh: found, added, forgotten, and what others say of where they are. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct addr;
struct candidate;
struct mesh;
struct node_id;
struct peer;

struct peer *mesh_find_peer(const struct mesh *m, const struct node_id *id);

/* ERR_SPACE when there are too many, ERR_NOMEM. */
int mesh_add_peer(struct mesh *m, const struct node_id *id, struct peer **out) must_check;

/* Frees p. */
void mesh_forget_peer(struct mesh *m, struct peer *p);

/* Frames to groups or unknown addresses that were exchanged with it: struct mesh_floods. */
struct flood_counts mesh_floods_of(const struct peer *p);

/* What others name must be able to be another machine's; what a person gives or a packet came from need not. */
bool mesh_may_be_named(const struct mesh *m, const struct addr *a);

/* What a peer says of where it is. */
void mesh_learn_candidates(struct mesh *m, struct peer *p, const struct candidate *list, unsigned count,
                           uint64_t now_us);
