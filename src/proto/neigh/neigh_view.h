/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What workers do where the device has no link layer: an Ethernet header for each packet that leaves it, none for those that
 * come to it. They look things up alone; what takes thought goes to the control thread (neigh.h). */

#include "proto/neigh/neigh_plan.h"
#include "proto/neigh/neigh_table.h"
#include <stdatomic.h>

/* Borrowed; the plan is replaced as a whole by the control thread, which keeps one as long as workers may use it. */
struct neigh_view {
    struct neigh_table *table;
    _Atomic(const struct neigh_plan *) plan;
};

#define NEIGH_HEADROOM 14 /* in front of each packet: room for the Ethernet header */

enum neigh_verdict {
    NEIGH_PASS,    /* to peers, or to the device */
    NEIGH_CONTROL, /* to the control thread: its next hop is not known, or it is a neighbour's message to us */
    NEIGH_NOTHING, /* nothing is to be done: the kernel speaks of a link layer that it has not got, or neighbours with others */
    NEIGH_NOT_IP, /* nothing that a device without a link layer can take, or for another machine */
};

/* A packet of the device lies behind NEIGH_HEADROOM bytes; len and cap count from there on back. Writes the header, whose
 * destination is zero with NEIGH_CONTROL; *len may grow by an option. */
enum neigh_verdict neigh_view_out(const struct neigh_view *v, uint8_t *frame, size_t *len, size_t cap);

/* A frame that came from a peer. */
enum neigh_verdict neigh_view_in(const struct neigh_view *v, const uint8_t *frame, size_t len);

/* The next hop of a frame that neigh_view_out has judged. */
struct addr neigh_view_hop(const struct neigh_plan *p, const uint8_t *frame);
