/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What speaks against the overlay addresses that a peer announces: logged once for each peer and cause, and again when it
 * was mended in between; for status as long as it holds. Control thread. */

#include "base/id.h"

struct hello;
struct node;

struct overlay_told {
    struct node_id id; /* of the peer in this slot */
    unsigned causes;   /* a bit for each that holds, and was told */
};

#define OVERLAY_WARNINGS_MAX 16 /* peers of which status tells */

/* What holds of peers that are connected. */
void overlay_warnings(struct node *n, void (*visit)(void *context, const char *text), void *context);

/* After device_peer_addresses. */
void overlay_check(struct node *n, uint32_t slot, const struct node_id *id, const struct hello *theirs);
