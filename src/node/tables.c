/* SPDX-License-Identifier: Apache-2.0 */
/* The workers' forwarding table, made from the mesh, and the sessions that may be freed once no worker can
 * hold them. Control thread. */

#include "node/node.h"
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
    struct node *node;
    struct fwd_table *table;
};

static void build_peer(void *context, uint32_t slot, struct session *tx, const struct path *path)
{
    struct table_builder *b = context;
    struct fwd_peer peer = {.slot = slot, .tx = tx};
    if (path && carrier_remote_init(&b->node->sockets[0], &path->endpoint, &peer.to) == 0) {
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

void tables_free_retired(struct node *n)
{
    for (size_t i = 0; i < n->retired.count; i++)
        session_free(n->retired.list[i]);
    n->retired.count = 0;
}

/* Only now: a worker with the old table would teach them anew. */
static void forget_addresses(struct node *n)
{
    for (uint32_t slot = 0; slot < MESH_PEERS_MAX; slot++)
        if (n->forget[slot])
            switch_forget(n->sw, slot);
    memset(n->forget, 0, sizeof(n->forget));
    n->forgetting = false;
}

void tables_publish(struct node *n)
{
    size_t counts[2] = {0, 0};
    mesh_forward(n->mesh, count_peer, count_session, counts);
    struct table_builder b = {n, fwd_table_new(counts[0], counts[1])};
    if (!b.table)
        return; /* out of memory: still stale, so it is tried again */
    mesh_forward(n->mesh, build_peer, build_session, &b);
    fwd_publish(n->fwd, b.table);
    n->tables_stale = false;
    if (n->forgetting)
        forget_addresses(n);
    tables_free_retired(n);
}

void tables_retire(struct node *n, struct session *s)
{
    if (n->retired.count == n->retired.cap) {
        size_t cap = n->retired.cap ? n->retired.cap * 2 : 16;
        struct session **list = realloc(n->retired.list, cap * sizeof(*list));
        if (!list)
            return; /* out of memory: the keys are leaked rather than freed under a worker's feet */
        n->retired.list = list;
        n->retired.cap = cap;
    }
    n->retired.list[n->retired.count++] = s;
}
