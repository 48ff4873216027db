/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Our own candidates, told to peers: however often they change, peers hear of them at a bounded rate, and of the newest. */

#include <stdint.h>

struct mesh;
struct peer;

/* A part of it, when that is due. */
void mesh_announce(struct mesh *m, uint64_t now_us);
uint64_t mesh_announcement_due(const struct mesh *m);

/* What changed while p's handshake ran. */
void mesh_announce_to(struct mesh *m, const struct peer *p);
