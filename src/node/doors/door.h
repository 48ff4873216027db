/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A port at which connections arrive, and where they lead. */

#include "base/addr.h"
#include "node/config/config.h"
#include "proto/doors/destination.h"

#define DOORS_MAX        (2 * CONFIG_DOORS_MAX + 2)
#define DOOR_TARGETS_MAX 2 /* addresses of one target, tried in turn */

enum door_kind {
    DOOR_FORWARD, /* from this machine to the mesh */
    DOOR_LISTEN,  /* from the mesh to this machine, or what it reaches */
    DOOR_SOCKS,   /* where the client asks for, by SOCKS … */
    DOOR_HTTP,    /* … or by CONNECT of HTTP */
};

struct door {
    enum door_kind kind;
    bool udp;              /* else TCP; of DOOR_FORWARD, which leads to an address then */
    struct addr at;        /* family 0: at the addresses of the mesh's device */
    unsigned target_count; /* 0: name says where to, or the client */
    struct addr targets[DOOR_TARGETS_MAX];
    char name[DESTINATION_NAME_MAX];
    uint16_t port; /* of the name; targets have it, too */
    int fd;        /* listens */
};
