/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Private addresses that peers name mean another machine in another network. docs/PROTOCOL.md §9. Control thread. */

#include "proto/wire/candidate.h"

struct mesh;
struct peer;

/* Copies those of a peer's candidates that are its own from here, too. The whole list is kept if any is not. Returns how many. */
unsigned mesh_keep_in_scope(struct mesh *m, struct peer *p, const struct candidate *said, unsigned count,
                            struct candidate out[CANDIDATES_MAX]);

/* The network changed: what was held back of what the peer said is looked at again. */
void mesh_look_at_held_back(struct mesh *m, struct peer *p, uint64_t now_us);
