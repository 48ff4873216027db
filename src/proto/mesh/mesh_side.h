/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Side sockets: a port of our own for one peer alone, from a birthday or a look at our NAT. docs/PROTOCOL.md §19. */

#include <stdbool.h>
#include <stdint.h>

struct mesh;
struct peer;

/* p may get one: it has none, and there is room. */
bool mesh_may_have_side(const struct mesh *m, const struct peer *p);

/* p gets that one, by its number; room for its end was promised (outputs_promise). */
void mesh_take_side(struct mesh *m, struct peer *p, unsigned side);

/* Keeps the path by it awake, and closes it when no path leaves by it and no round needs it any more. */
void mesh_poll_side(struct mesh *m, struct peer *p, uint64_t now_us);

/* The peer goes, or its session ends: so does its side socket. */
void mesh_end_side(struct mesh *m, struct peer *p);
