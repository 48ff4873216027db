/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What happens to peers, as lines for the person who runs the node. A line that a stranger can cause is told now and
 * then, with how many like it were withheld. Time comes in. Control thread. */

#include "base/id.h"
#include "base/log.h"
#include "proto/mesh/mesh.h"
#include <stdbool.h>
#include <stdint.h>

struct addr;
struct switch_pin;
struct warnings;
struct worker_event;

struct report {
    const struct mesh *mesh;   /* knows the peers' names */
    struct warnings *warnings; /* where what lasts stands for who looks later */
    struct log_limit unpinned_limit, claim_limit, excess_limit, refused_limit, circle_limit, shared_limit,
        conflict_limit;
    bool clock_off; /* and the log has told it */
};

/* Borrows both. */
void report_init(struct report *r, const struct mesh *mesh, struct warnings *warnings);

/* What the mesh has noticed of a peer: MESH_OUTPUT_NOTICE. */
void report_notice(struct report *r, enum mesh_notice what, const struct node_id *id, const char *name,
                   const char *text, uint64_t now_us);

/* The peer in slot announces a MAC address that it does not get. */
void report_unpinned(struct report *r, uint32_t slot, const struct switch_pin *pin, uint64_t now_us);

/* It sends with a MAC address of another: WORKER_EVENT_CLAIM. */
void report_claim(struct report *r, const struct worker_event *claim, uint64_t now_us);

/* Another machine has an overlay address of ours, at the peer in slot; SWITCH_PORT_FLOOD: nobody knows whose it is. */
void report_conflict(struct report *r, const struct addr *ours, const uint8_t mac[6], int slot,
                     uint64_t now_us);

/* The tunnel leads through itself, by a route into the device. */
void report_circle(struct report *r, const char *device, uint64_t now_us);

/* A socket holds so many bytes of the UDP_QUEUE that were asked for: told once where that is less than half. */
void report_queue(struct report *r, size_t bytes);

/* Ours is so many seconds ahead of the backbone's: told when that is too far, and when it is mended. */
void report_clock(struct report *r, int64_t ahead_s);
