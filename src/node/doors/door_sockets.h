/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The sockets at which doors listen, which the process that serves them has no right to make. Those of this machine are there before
 * it is forked. Those of the mesh wait for its device: the node makes them, keeps them, and hands them out. Main thread, before all
 * others; it speaks. */

#include "node/doors/door.h"
#include "node/doors/mesh_side.h"

/* Of a door of the mesh. */
struct door_socket {
    unsigned door; /* which */
    int fd;        /* -1: it is not there yet */
};

struct door_sockets {
    unsigned count;
    struct door_socket at[CONFIG_DOORS_MAX];
};

/* Fills doors, DOORS_MAX at most, and returns how many; those of this machine listen. kept gets those of the mesh. Negative: it
 * cannot, and said why. */
int door_sockets_open(const struct config *config, struct door *doors, struct door_sockets *kept) must_check;

/* Makes those of the mesh, which listen. While the node has its rights. False: it cannot, and said why. */
bool door_sockets_listen(struct door_sockets *s, const struct config *config,
                         const struct mesh_side *mesh) must_check;

void door_sockets_close(struct door_sockets *s);
