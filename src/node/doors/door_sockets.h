/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The sockets at which doors listen: made before the process that serves them is forked, which has no right to make any. Those of the
 * mesh wait for its device. Main thread, before all others; it speaks. */

#include "node/doors/door.h"

struct door_sockets {
    unsigned count; /* of -listen's */
    int fds[CONFIG_DOORS_MAX];
};

#define DOOR_SOCKETS_NONE                                                                                    \
    (struct door_sockets)                                                                                    \
    {                                                                                                        \
        .count = 0                                                                                           \
    }

/* Fills doors, DOORS_MAX at most, and returns how many; each has a descriptor for the process. kept gets those that the node has
 * to bind itself. Negative: it cannot, and said why. */
int door_sockets_open(const struct config *config, struct door *doors, struct door_sockets *kept) must_check;

/* What was kept hears the mesh from here on, by that device, and is closed here. False: it cannot, and said why. */
bool door_sockets_bind(struct door_sockets *kept, const struct config *config, uint32_t interface) must_check;
