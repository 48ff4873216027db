/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Doors for UDP: each client of a door has a socket towards the mesh of its own, so that answers find back to it. One thread, by the
 * loop that it is given. */

#include "node/doors/door.h"
#include "node/doors/doors_counts.h"
#include "node/doors/mesh_side.h"
#include "node/doors/places.h"
#include <uv.h>

#define DATAGRAMS_IDLE_MS                                                                                    \
    120000                /* that nothing passes, either way: then a client is forgotten (RFC 4787, REQ-5) */
#define DATAGRAMS_TURN 64 /* of a socket, before others have their turn */

struct datagrams;

struct datagrams_config {
    uv_loop_t *loop;
    const struct mesh_side *mesh;
    struct places *places; /* a client takes one */
    struct doors_counts *counts;
    uint64_t idle_ms; /* DATAGRAMS_IDLE_MS, but in tests */
};

/* ERR_NOMEM. */
int datagrams_new(const struct datagrams_config *config, struct datagrams **out) must_check;

/* Serves a door of loopback, whose socket it has, once; both are borrowed for ever. ERR_NOMEM, ERR_IO. */
int datagrams_serve(struct datagrams *d, const struct door *door) must_check;

/* Forgets all clients and serves no door any more; for tests, since the process that has them ends. What is left is freed once the
 * loop has closed it. */
void datagrams_close(struct datagrams *d);
