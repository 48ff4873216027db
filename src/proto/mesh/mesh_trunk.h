/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Trunks: TCP connections that carry the datagrams of one peer. docs/PROTOCOL.md §18. */

#include <stdbool.h>
#include <stdint.h>

struct endpoint;
struct lobby_guest;
struct mesh;
struct peer;

/* The first batch of a guest is here: the connection is a peer's from now on, or is turned away. */
void mesh_on_trunk_guest(struct mesh *m, const struct lobby_guest *g, uint64_t now_us);

/* Of a connection that may be one that we dialled, or one that is a peer's. False: it is none. */
bool mesh_on_trunk_connected(struct mesh *m, uint64_t conn, uint64_t now_us);
bool mesh_on_trunk_bytes(struct mesh *m, uint64_t conn, uint64_t now_us);
bool mesh_on_trunk_closed(struct mesh *m, uint64_t conn, const char *why, uint64_t now_us);

/* p's paths may have changed: whether a trunk is wanted. */
void mesh_update_trunk(struct mesh *m, struct peer *p, uint64_t now_us);

/* Dials, or ends what is of no more use. */
void mesh_tick_trunk(struct mesh *m, struct peer *p, uint64_t now_us);

/* It is of no use, or p is to be forgotten. */
void mesh_end_trunk(struct mesh *m, struct peer *p, const char *why, uint64_t now_us);

/* Whether what comes from there comes by p's own trunk. */
bool mesh_is_trunk_of(const struct peer *p, const struct endpoint *from);
