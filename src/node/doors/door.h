/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A port at which connections arrive, and where they lead. */

#include "base/addr.h"
#include "node/config/config.h"

#define DOORS_MAX        (2 * CONFIG_DOORS_MAX)
#define DOOR_TARGETS_MAX 2 /* addresses of one target, tried in turn */

enum door_kind {
    DOOR_FORWARD, /* from this machine to the mesh */
    DOOR_LISTEN,  /* from the mesh to this machine, or what it reaches */
};

struct door {
    enum door_kind kind;
    struct addr at; /* family 0: at the addresses of the mesh's device */
    unsigned target_count;
    struct addr targets[DOOR_TARGETS_MAX];
    int fd; /* listens */
};
