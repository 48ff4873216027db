/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What speaks against the overlay addresses that a peer announces: told once for each peer and cause, and again when it
 * was mended in between. Control thread. */

#include "base/id.h"

struct hello;
struct node;

struct overlay_told {
    struct node_id id; /* of the peer in this slot */
    unsigned causes;   /* a bit for each that holds, and was told */
};

/* After device_peer_addresses. */
void overlay_check(struct node *n, uint32_t slot, const struct node_id *id, const struct hello *theirs);
