/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The workers' forwarding table, kept as the mesh says, and what waits until no worker uses what was there before: sessions
 * that are to be freed, peers whose addresses the switch is to forget. Control thread. */

#include "base/slot_set.h"
#include "proto/mesh/mesh.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fwd;
struct switch_table;
struct udp_socket;

/* Where the table comes from, and whom it is for; borrowed. */
struct tables_config {
    const struct mesh *mesh;
    struct fwd *fwd;
    struct switch_table *sw;
    const struct udp_socket *socket; /* from which paths are sent to */
};

struct tables {
    struct tables_config config;
    struct slot_set stale; /* slots of peers of whom workers know something else */
    struct {
        struct session **list;
        size_t count, cap;
    } retired;              /* sessions to free once none is … */
    struct slot_set forget; /* … and slots of peers to forget */
};

void tables_init(struct tables *t, const struct tables_config *config);

/* Once the workers have ended. Frees what was retired; tables that were never initialised may be all zero. */
void tables_fini(struct tables *t);

/* What workers need of the peer in slot has changed: the next tables_publish tells them. */
void tables_change(struct tables *t, uint32_t slot);

/* Takes s, which workers may hold until the next tables_publish. */
void tables_retire(struct tables *t, struct session *s);

/* The switch is to forget what it knows of the peer in slot, once no worker can teach it anew. */
void tables_forget(struct tables *t, uint32_t slot);

/* Tells workers what has changed, then frees and forgets what waited for it. Costs as much as has changed. Out of memory:
 * workers know a peer in part, and the next call tries again. */
void tables_publish(struct tables *t);
