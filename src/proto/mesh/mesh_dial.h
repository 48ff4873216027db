/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Dialling a peer at one target; when and where is the peer's to know (proto/peer/peer.h). */

#include <stdbool.h>
#include <stdint.h>

struct link;
struct mesh;
struct peer;
struct target;

void mesh_dial(struct mesh *m, struct peer *p, const struct target *to, uint64_t now_us);

/* Dialled links that are not LIVE yet. */
bool mesh_has_attempts(const struct peer *p);

/* The first address with the right key behind it is enough. */
void mesh_drop_other_attempts(struct mesh *m, struct peer *p, const struct link *keep);
