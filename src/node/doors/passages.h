/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Connections from their arrival at a door to their end: a place, where they want to go, a connection there, and the pump between the
 * two. One thread, by the loop that it is given. */

#include "node/doors/door.h"
#include "node/doors/door_request.h"
#include "node/doors/doors_counts.h"
#include "node/doors/mesh_side.h"
#include "node/doors/places.h"
#include <uv.h>

#define PASSAGES_ASKING_MAX 256   /* from other machines, that have not said where to */
#define PASSAGES_REQUEST_MS 10000 /* for a client to say where it wants to go */
#define PASSAGES_NAME_MS    20000 /* for a name to be looked up */
#define PASSAGES_WRONG_MS   1000  /* before wrong words are refused: who guesses waits */
#define PASSAGES_SILENT_S   60    /* then a connection is asked whether its other end is still there */
#define PASSAGES_LOST_S     120   /* that nothing which was sent is acknowledged: it is broken */

struct passages;

struct passages_config {
    uv_loop_t *loop;
    struct places *places; /* a connection takes one */
    const struct mesh_side *mesh;
    const struct words *words; /* that clients have to know; NULL: none */
    bool direct;               /* clients reach what is not the mesh's, too, as this machine does */
    struct doors_counts *counts;
    /* Asks for the addresses of a name: passages_found tells them, with token. ERR_AGAIN: it cannot now. */
    int (*look_up)(void *context, uint32_t token, const char *name);
    void *context;
};

/* ERR_NOMEM. */
int passages_new(const struct passages_config *config, struct passages **out) must_check;

/* Takes fd, which has arrived at door from there. What finds no place is broken. */
void passages_begin(struct passages *p, const struct door *door, int fd, const struct addr *from);

/* What came of look_up: count addresses, 0 when nobody has the name. A token that nobody waits for is none. */
void passages_found(struct passages *p, uint32_t token, const struct addr *addresses, unsigned count);

/* Once none is left; for tests, since the process that has them ends. NULL is allowed. */
void passages_free(struct passages *p);
