/* SPDX-License-Identifier: Apache-2.0 */
/* Peers are told to the workers one by one, and all are waited for at once. Control thread. */

#include "node/data/tables.h"

#include "node/data/fwd.h"
#include "proto/switch/switch.h"
#include <assert.h>
#include <stdlib.h>

static_assert(MESH_PEERS_MAX <= SLOT_SET_MAX && MESH_PEERS_MAX <= FWD_PEERS, "each peer has a place");

void tables_init(struct tables *t, const struct tables_config *config)
{
    *t = (struct tables){.config = *config};
}

static void free_retired(struct tables *t)
{
    for (size_t i = 0; i < t->retired.count; i++)
        session_free(t->retired.list[i]);
    t->retired.count = 0;
}

void tables_fini(struct tables *t)
{
    free_retired(t);
    free(t->retired.list);
}

void tables_change(struct tables *t, uint32_t slot)
{
    slot_set_add(&t->stale, slot);
}

/* Where nobody can note it, workers are waited for at once. */
void tables_retire(struct tables *t, struct session *s)
{
    if (t->retired.count == t->retired.cap) {
        size_t cap = t->retired.cap ? t->retired.cap * 2 : 16;
        struct session **list = realloc(t->retired.list, cap * sizeof(*list));
        if (!list) {
            tables_publish(t);
            fwd_settle(t->config.fwd, true);
            session_free(s);
            return;
        }
        t->retired.list = list;
        t->retired.cap = cap;
    }
    t->retired.list[t->retired.count++] = s;
}

void tables_forget(struct tables *t, uint32_t slot)
{
    slot_set_add(&t->forget, slot);
}

static int publish_peer(struct tables *t, uint32_t slot)
{
    struct mesh_forward now;
    mesh_forward(t->config.mesh, slot, &now);
    struct fwd_peer peer = {.slot = slot, .tx = now.tx, .relays = now.relays, .relay_count = now.relay_count};
    if (now.path && carrier_remote_init(t->config.socket, &now.path->endpoint, &peer.to) == 0) {
        peer.has_path = true;
        peer.sleeps = now.sleeps;
        peer.endpoint = now.path->endpoint;
        peer.size = now.path->size;
    }
    return fwd_set(t->config.fwd, slot, now.tx ? &peer : NULL, now.rx, now.rx_count);
}

/* The switch forgets only now: a worker that still had the peer's session would teach it anew. */
void tables_publish(struct tables *t)
{
    uint32_t slot;
    if (!t->stale.count && !t->retired.count && !t->forget.count)
        return;
    for (unsigned left = t->stale.count; left > 0 && slot_set_take(&t->stale, &slot); left--)
        if (publish_peer(t, slot))
            slot_set_add(&t->stale, slot);
    fwd_settle(t->config.fwd, t->retired.count > 0);
    while (slot_set_take(&t->forget, &slot))
        switch_forget(t->config.sw, slot);
    free_retired(t);
}
