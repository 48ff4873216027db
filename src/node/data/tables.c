/* SPDX-License-Identifier: Apache-2.0 */
/* The table is made in two passes over the mesh: it is counted, then filled. Control thread. */

#include "node/data/tables.h"

#include "node/data/fwd.h"
#include "proto/switch/switch.h"
#include <stdlib.h>
#include <string.h>

static void count_peer(void *context, uint32_t slot, struct session *tx, const struct path *path)
{
    (void)slot, (void)tx, (void)path;
    ((size_t *)context)[0]++;
}

static void count_session(void *context, struct session *rx)
{
    (void)rx;
    ((size_t *)context)[1]++;
}

struct table_builder {
    const struct udp_socket *socket;
    struct fwd_table *table;
};

static void build_peer(void *context, uint32_t slot, struct session *tx, const struct path *path)
{
    struct table_builder *b = context;
    struct fwd_peer peer = {.slot = slot, .tx = tx};
    if (path && carrier_remote_init(b->socket, &path->endpoint, &peer.to) == 0) {
        peer.has_path = true;
        peer.endpoint = path->endpoint;
        peer.size = path->size;
    }
    fwd_table_add_peer(b->table, &peer);
}

static void build_session(void *context, struct session *rx)
{
    fwd_table_add_session(((struct table_builder *)context)->table, rx);
}

static void free_retired(struct tables *t)
{
    for (size_t i = 0; i < t->retired.count; i++)
        session_free(t->retired.list[i]);
    t->retired.count = 0;
}

void tables_init(struct tables *t, const struct tables_config *config)
{
    *t = (struct tables){.config = *config};
}

void tables_fini(struct tables *t)
{
    free_retired(t);
    free(t->retired.list);
}

void tables_change(struct tables *t)
{
    t->stale = true;
}

void tables_retire(struct tables *t, struct session *s)
{
    t->stale = true;
    if (t->retired.count == t->retired.cap) {
        size_t cap = t->retired.cap ? t->retired.cap * 2 : 16;
        struct session **list = realloc(t->retired.list, cap * sizeof(*list));
        if (!list)
            return; /* out of memory: the keys are leaked rather than freed under a worker's feet */
        t->retired.list = list;
        t->retired.cap = cap;
    }
    t->retired.list[t->retired.count++] = s;
}

void tables_forget(struct tables *t, uint32_t slot)
{
    t->forget[slot] = t->forgetting = t->stale = true;
}

/* Only now: a worker with the old table would teach them anew. */
static void forget_addresses(struct tables *t)
{
    for (uint32_t slot = 0; slot < MESH_PEERS_MAX; slot++)
        if (t->forget[slot])
            switch_forget(t->config.sw, slot);
    memset(t->forget, 0, sizeof(t->forget));
    t->forgetting = false;
}

void tables_publish(struct tables *t)
{
    size_t counts[2] = {0, 0};
    if (!t->stale)
        return;
    mesh_forward(t->config.mesh, count_peer, count_session, counts);
    struct table_builder b = {t->config.socket, fwd_table_new(counts[0], counts[1])};
    if (!b.table)
        return;
    mesh_forward(t->config.mesh, build_peer, build_session, &b);
    fwd_publish(t->config.fwd, b.table);
    t->stale = false;
    if (t->forgetting)
        forget_addresses(t);
    free_retired(t);
}
