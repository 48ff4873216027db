/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Connections from their arrival at a door to their end: a place, a connection to what the door leads to, and the pump between the
 * two. One thread, by the loop that it is given. */

#include "node/doors/door.h"
#include "node/doors/doors_counts.h"
#include "node/doors/mesh_side.h"
#include <uv.h>

#define PASSAGES_CONNECT_MS 10000 /* for each address of what a door leads to */
#define PASSAGES_SILENT_S   60    /* then a connection is asked whether its other end is still there */
#define PASSAGES_LOST_S     120   /* that nothing which was sent is acknowledged: it is broken */

struct passages;

struct passages_config {
    uv_loop_t *loop;
    unsigned max; /* PLACES_MAX at most */
    const struct mesh_side *mesh;
    struct doors_counts *counts;
};

/* ERR_NOMEM. */
int passages_new(const struct passages_config *config, struct passages **out) must_check;

/* Takes fd, which has arrived at door from there. What finds no place is broken. */
void passages_begin(struct passages *p, const struct door *door, int fd, const struct addr *from);

/* Once none is left; for tests, since the process that has them ends. NULL is allowed. */
void passages_free(struct passages *p);
