/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one place where sockets towards the mesh are made. They leave by the mesh's device and hear what comes in there, whatever else
 * this machine is connected to. Of a node without root the device is in a namespace, where its broker makes them (net/broker.h).
 * One thread. */

#include "base/addr.h"
#include "base/bytes.h"

#define MESH_SIDE_PREFIXES_MAX 8
#define MESH_SIDE_LEN_MAX      (MESH_SIDE_PREFIXES_MAX * 18) /* of its prefixes, as the node tells them */

struct mesh_side {
    int broker;         /* a channel to it; -1: the device is here */
    uint32_t interface; /* its index; 0: it is not known yet */
    unsigned prefix_count;
    struct addr_prefix prefixes[MESH_SIDE_PREFIXES_MAX]; /* whose addresses are the mesh's */
};

/* A socket of that family (4 or 6) and type (SOCK_STREAM, SOCK_DGRAM), which does not block. The broker is waited for, a second at
 * most. ERR_IO with errno set. */
int mesh_side_socket(const struct mesh_side *m, unsigned family, int type, int *out) must_check;

/* Whether an address is the mesh's. */
bool mesh_side_has(const struct mesh_side *m, const struct addr *a);

/* Its prefixes as bytes; returns how many. */
size_t mesh_side_encode(const struct mesh_side *m, uint8_t out[MESH_SIDE_LEN_MAX]);

/* Reads the prefixes and leaves the rest. ERR_FORMAT: then nothing has changed. */
int mesh_side_decode(struct slice bytes, struct mesh_side *out) must_check;
