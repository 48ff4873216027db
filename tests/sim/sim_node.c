/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: how they start, stop and move, and what they know of each other. */

#include "sim_impl.h"

#include "crypto/secret.h"
#include "proto/switch/floods.h"
#include "sim_random.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

uint32_t sim_interface(const void *context, const struct addr *a)
{
    const struct sim_node *n = context;
    return addr_same_host(&n->standby, a) ? SIM_STANDBY : addr_same_host(&n->addr, a);
}

static bool usable(const void *context, const struct addr *a)
{
    (void)context;
    return a->ip[0] != 10; /* as if 10/8 were the overlay */
}

static bool in_scope(const void *context, const struct addr *a, const struct candidate *list, unsigned count)
{
    (void)list, (void)count;
    return !addr_same_host(a, &((const struct sim_node *)context)->out_of_scope);
}

/* The mesh's share of what sim_random_seed has made foreseeable. */
static void fill(void *context, void *out, size_t len)
{
    (void)context;
    secret_random(out, len);
}

static struct flood_counts count_floods(const void *context, uint32_t slot)
{
    const struct sim_node *n = context;
    return floods_counts(n->floods, slot);
}

static void start(struct sim_node *n, bool is_public, uint64_t ratchet_us, uint64_t rehandshake_us)
{
    char name[16];
    sim_start_relaying(n);
    snprintf(name, sizeof(name), "node-%u", n->number);
    const struct mesh_config config = {.me = n->identity,
                                       .name = name,
                                       .is_public = is_public,
                                       .full_mesh = n->full_mesh,
                                       .network = n->network,
                                       .version = SIM_VERSION,
                                       .serving = n->serving,
                                       .lanes = 1,
                                       .mtu = 1500,
                                       .ratchet_us = ratchet_us,
                                       .rehandshake_us = rehandshake_us,
                                       .local_max = 1472,
                                       .carriers = n->carriers,
                                       .aead = n->aead,
                                       .sides = SIDES_MAX,
                                       .rolls = n->rolls,
                                       .desk = n->desk,
                                       .features_off = n->features_off,
                                       .control_idle_us = n->control_idle_us,
                                       .quiet_us = n->quiet_us,
                                       .filter = {usable, in_scope, sim_interface, n},
                                       .floods = {count_floods, n},
                                       .random = {.fill = fill}};
    int err = n->floods ? 0 : floods_new(SIM_NODES_MAX, &n->floods);
    assert(err == 0);
    err = mesh_new(&config, &n->mesh);
    assert(err == 0);
    (void)err;
    const struct candidate here = {CANDIDATE_HOST, n->addr, (uint16_t)(n->addr.port - 1000)};
    mesh_set_candidates(n->mesh, &here, 1, n->sim->now_us);
}

static struct addr fresh_address(struct sim *sim)
{
    struct addr a = {.family = 4, .port = 9443};
    unsigned number = ++sim->addresses;
    a.ip[0] = 198;
    a.ip[1] = 18;
    a.ip[2] = (uint8_t)(number >> 8);
    a.ip[3] = (uint8_t)number;
    return a;
}

/* With what each is started anew. */
static struct {
    bool is_public;
    uint64_t ratchet_us, rehandshake_us;
} started[SIM_NODES_MAX];

struct sim_node *sim_add(struct sim *sim, bool is_public, uint64_t ratchet_us, uint64_t rehandshake_us)
{
    assert(sim->node_count < SIM_NODES_MAX);
    struct sim_node *n = &sim->nodes[sim->node_count];
    *n = (struct sim_node){.sim = sim, .number = sim->node_count++, .addr = fresh_address(sim)};
    int err = identity_generate(&n->identity);
    assert(err == 0);
    (void)err;
    started[n->number].is_public = is_public;
    started[n->number].ratchet_us = ratchet_us;
    started[n->number].rehandshake_us = rehandshake_us;
    start(n, is_public, ratchet_us, rehandshake_us);
    return n;
}

struct sim_node *sim_add_carried(struct sim *sim, enum carriers carriers)
{
    struct sim_node *n = sim_add(sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    n->carriers = carriers;
    sim_start_anew(n);
    return n;
}

void sim_start_anew(struct sim_node *n)
{
    mesh_free(n->mesh);
    sim_stop_relaying(n);
    sim_restart(n);
}

struct sim_node *sim_add_copy(struct sim_node *original)
{
    struct sim *sim = original->sim;
    assert(sim->node_count < SIM_NODES_MAX);
    struct sim_node *n = &sim->nodes[sim->node_count];
    *n = (struct sim_node){.sim = sim,
                           .number = sim->node_count++,
                           .identity = original->identity,
                           .is_copy = true,
                           .addr = fresh_address(sim)};
    started[n->number] = started[original->number];
    sim_restart(n);
    return n;
}

void sim_kill(struct sim_node *n)
{
    sim_uplink(n, false);
    sim_cut_streams_of(n);
    n->seen = (struct addr){0};
    n->ask_us = 0;
    n->out_count = n->in_count = 0;
    sim_return_work(n, false);
    n->stale = (struct slot_set){0};
    memset(n->sides, 0, sizeof(n->sides));
    n->drawn.until_us = 0;
    mesh_free(n->mesh);
    n->mesh = NULL;
    sim_stop_relaying(n);
    sim_unwatch(n);
    sim_publish(n);
}

void sim_stop(struct sim_node *n)
{
    mesh_shutdown(n->mesh, n->sim->now_us);
    sim_do_outputs(n);
    sim_kill(n);
}

void sim_restart(struct sim_node *n)
{
    start(n, started[n->number].is_public, started[n->number].ratchet_us, started[n->number].rehandshake_us);
}

void sim_move(struct sim_node *n)
{
    n->addr = fresh_address(n->sim);
    sim_cut_streams_of(n);
    const struct candidate here = {CANDIDATE_HOST, n->addr, (uint16_t)(n->addr.port - 1000)};
    mesh_set_candidates(n->mesh, &here, 1, n->sim->now_us);
    mesh_network_changed(n->mesh, 1472, n->sim->now_us);
    sim_do_outputs(n);
}

void sim_want(struct sim_node *a, const struct sim_node *b)
{
    int err = mesh_connect(a->mesh, identity_id(b->identity));
    assert(err == 0);
    (void)err;
    mesh_tick(a->mesh, a->sim->now_us);
    sim_do_outputs(a);
}

void sim_connect(struct sim_node *a, struct sim_node *b, const struct node_id *expected_id)
{
    const struct node_id *id = expected_id ? expected_id : identity_id(b->identity);
    int err = mesh_connect(a->mesh, id);
    assert(err == 0);
    (void)err;
    struct addr control = b->addr;
    control.port = (uint16_t)(control.port - 1000);
    mesh_set_given_addresses(a->mesh, id, &control, 1, a->sim->now_us);
    sim_do_outputs(a);
}

struct peer_search {
    struct node_id id;
    struct mesh_peer *out;
    bool found;
};

static void match(void *context, const struct mesh_peer *peer)
{
    struct peer_search *s = context;
    if (id_compare(&peer->id, &s->id) != 0)
        return;
    s->found = true;
    *s->out = *peer;
}

bool sim_peer(const struct sim_node *a, const struct sim_node *b, struct mesh_peer *out)
{
    struct peer_search s = {*identity_id(b->identity), out, false};
    mesh_peers(a->mesh, match, &s);
    return s.found;
}

bool sim_connected(const struct sim_node *a, const struct sim_node *b)
{
    struct mesh_peer peer;
    return a->mesh && sim_peer(a, b, &peer) && peer.state == MESH_PEER_CONNECTED &&
           peer.path.endpoint.carrier != CARRIER_NONE;
}
