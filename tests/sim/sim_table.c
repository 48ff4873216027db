/* SPDX-License-Identifier: Apache-2.0 */
/* What the forwarding table of a node would hold, told peer by peer: and it is what a walk over all of them finds. */

#include "sim_impl.h"

#include "proto/mesh/mesh_state.h"
#include <assert.h>
#include <string.h>

static void drop_slot(struct sim_node *n, uint32_t slot)
{
    size_t out = 0, in = 0;
    for (size_t i = 0; i < n->out_count; i++)
        if (n->out[i].slot != slot)
            n->out[out++] = n->out[i];
    for (size_t i = 0; i < n->in_count; i++)
        if (session_peer_slot(n->in[i]) != slot)
            n->in[in++] = n->in[i];
    n->out_count = out;
    n->in_count = in;
}

static void add_slot(struct sim_node *n, uint32_t slot)
{
    struct mesh_forward now;
    mesh_forward(n->mesh, slot, &now);
    if (now.tx) {
        sim_on_keys(n, now.tx);
        assert(n->out_count < SIM_NODES_MAX);
        n->out[n->out_count].slot = slot;
        n->out[n->out_count].tx = now.tx;
        n->out[n->out_count].has_path = now.path != NULL;
        n->out[n->out_count].sleeps = now.sleeps;
        n->out[n->out_count].size = now.path ? now.path->size : 0;
        n->out[n->out_count++].endpoint = now.path ? now.path->endpoint : (struct endpoint){0};
    }
    assert(n->in_count + now.rx_count <= SIM_IN_MAX);
    memcpy(n->in + n->in_count, now.rx, now.rx_count * sizeof(now.rx[0]));
    n->in_count += now.rx_count;
    /* By which workers share the peers: the same after every change of keys. */
    for (size_t i = 0; i < now.rx_count; i++)
        assert(session_peer_slot(now.rx[i]) == slot && (session_rx_index(now.rx[i]) & 0xff) == (slot & 0xff));
}

static bool receives(const struct sim_node *n, const struct session *s)
{
    for (size_t i = 0; i < n->in_count; i++)
        if (n->in[i] == s)
            return true;
    return false;
}

static bool sends(const struct sim_node *n, uint32_t slot, const struct mesh_forward *now)
{
    for (size_t i = 0; i < n->out_count; i++)
        if (n->out[i].slot == slot)
            return n->out[i].tx == now->tx && n->out[i].has_path == (now->path != NULL) &&
                   n->out[i].sleeps == now->sleeps &&
                   (!now->path || (n->out[i].size == now->path->size &&
                                   endpoint_same(&n->out[i].endpoint, &now->path->endpoint)));
    return !now->tx;
}

/* What was told peer by peer is what a walk over all of them finds. */
void sim_check_tables(const struct sim_node *n)
{
    size_t in = 0, out = 0;
    for (uint32_t slot = 0; slot < n->mesh->slot_end; slot++) {
        struct mesh_forward now;
        mesh_forward(n->mesh, slot, &now);
        assert(sends(n, slot, &now));
        for (size_t i = 0; i < now.rx_count; i++)
            assert(receives(n, now.rx[i]));
        in += now.rx_count;
        out += now.tx != NULL;
    }
    assert(in == n->in_count && out == n->out_count);
    (void)in, (void)out;
}

void sim_publish(struct sim_node *n)
{
    uint32_t slot;
    while (n->mesh && slot_set_take(&n->stale, &slot)) {
        drop_slot(n, slot);
        add_slot(n, slot);
    }
    for (size_t i = 0; i < n->retired_count; i++)
        session_free(n->retired[i]);
    n->retired_count = 0;
}
