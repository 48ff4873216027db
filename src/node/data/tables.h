/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The workers' forwarding table, made from the mesh, and what waits until no worker uses the old one: sessions that
 * are to be freed, peers whose addresses the switch is to forget. Control thread. */

#include "proto/mesh/mesh.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fwd;
struct switch_table;
struct udp_socket;

/* What a table is made of, and whom it is for; borrowed. */
struct tables_config {
    const struct mesh *mesh;
    struct fwd *fwd;
    struct switch_table *sw;
    const struct udp_socket *socket; /* from which paths are sent to */
};

struct tables {
    struct tables_config config;
    bool stale; /* it has to be made anew */
    struct {
        struct session **list;
        size_t count, cap;
    } retired;                   /* sessions to free once it is */
    bool forget[MESH_PEERS_MAX]; /* slots of peers to forget once it is */
    bool forgetting;             /* any of them */
};

void tables_init(struct tables *t, const struct tables_config *config);

/* Once the workers have ended. Frees what was retired; tables that were never initialised may be all zero. */
void tables_fini(struct tables *t);

/* What it is made of has changed: the next tables_publish makes it anew. */
void tables_change(struct tables *t);

/* Takes s, which the published table may hold. */
void tables_retire(struct tables *t, struct session *s);

/* The switch is to forget what it knows of the peer in slot, once no worker can teach it anew. */
void tables_forget(struct tables *t, uint32_t slot);

/* Makes and publishes the table if something has changed, then frees and forgets what waited for it. Out of memory: it
 * stays as it was, and the next call tries again. */
void tables_publish(struct tables *t);
