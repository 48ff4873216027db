/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What speaks against the overlay addresses that a peer announces: logged once for each peer and cause, and again when it
 * was mended in between; for status as long as it holds. Control thread. */

#include "base/id.h"
#include "proto/mesh/mesh.h"
#include <stdint.h>

struct device;
struct hello;

#define OVERLAY_WARNINGS_MAX 16 /* peers of which status tells */

struct overlay {
    const struct mesh *mesh;
    const struct device *device; /* holds our addresses, and the peers' */
    struct overlay_told {
        struct node_id id; /* of the peer in this slot */
        unsigned causes;   /* a bit for each that holds, and was told */
    } told[MESH_PEERS_MAX];
};

/* Borrows both; o is all zero until then. */
void overlay_init(struct overlay *o, const struct mesh *mesh, const struct device *device);

/* What holds of peers that are connected. */
void overlay_warnings(struct overlay *o, void (*visit)(void *context, const char *text), void *context);

/* After device_peer_addresses. */
void overlay_check(struct overlay *o, uint32_t slot, const struct node_id *id, const struct hello *theirs);
