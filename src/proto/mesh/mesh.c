/* SPDX-License-Identifier: Apache-2.0 */
/* Peers: who they are, what is known of where they are, and what we tell them of ourselves. docs/PROTOCOL.md §6.
 * Control thread. */

#include "proto/mesh/mesh.h"

#include "base/clock.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_state.h"
#include <stdio.h>
#include <stdlib.h>

#define CONTROL_FRAGMENT_SLOTS 16

uint32_t mesh_random(const struct mesh *m)
{
    uint32_t value;
    random_fill(&m->config.random, &value, sizeof(value));
    return value;
}

int mesh_new(const struct mesh_config *config, struct mesh **out)
{
    struct mesh *m = calloc(1, sizeof(*m));
    if (!m)
        return ERR_NOMEM;
    m->config = *config;
    if (m->config.peers_max == 0 || m->config.peers_max > MESH_PEERS_MAX)
        m->config.peers_max = MESH_PEERS_MAX;
    snprintf(m->name, sizeof(m->name), "%s", config->name);
    const struct random_source *random = &m->config.random;
    random_fill(random, m->boot, sizeof(m->boot));
    random_fill(random, m->by_id.seed, sizeof(m->by_id.seed));
    int err = tls_context_new(config->me, &m->tls);
    if (!err)
        err = table_new(&m->streams);
    if (!err)
        err = table_new(&m->receivers);
    if (!err)
        err =
            limits_new(MESH_ACCEPT_SOURCES, MESH_ACCEPT_INTERVAL_US, MESH_ACCEPT_BURST, random, &m->accepts);
    if (!err)
        err = known_new(MESH_KNOWN_SOURCES, random, &m->known);
    if (!err)
        err = lobby_new(random, &m->lobby);
    if (!err)
        err = crowd_new(MESH_HALF_OPEN_MAX, MESH_HALF_OPEN_PER_HOST_MAX, random, &m->half_open_crowd);
    if (!err)
        err = fragment_table_new(CONTROL_FRAGMENT_SLOTS, &m->fragments);
    if (err) {
        mesh_free(m);
        return err;
    }
    *out = m;
    return 0;
}

void mesh_free(struct mesh *m)
{
    if (!m)
        return;
    m->ending = true;
    const struct mesh_output *o;
    while ((o = mesh_take_output(m)))
        if (o->kind == MESH_OUTPUT_RETIRE)
            session_free(o->session);
    for (unsigned i = 0; i < MESH_HALF_OPEN_MAX; i++)
        link_free(m->half_open[i]);
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        for (unsigned j = 0; p && j < p->link_count; j++)
            mesh_release_promise(m, p->links[j]);
        if (p)
            peer_free(p);
    }
    fragment_table_free(m->fragments);
    crowd_free(m->half_open_crowd);
    lobby_free(m->lobby);
    known_free(m->known);
    limits_free(m->accepts);
    table_free(m->receivers);
    table_free(m->streams);
    tls_context_free(m->tls);
    outputs_fini(&m->outputs);
    heap_fini(&m->due);
    free(m);
}

void mesh_shutdown(struct mesh *m, uint64_t now_us)
{
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        for (unsigned j = 0; p && j < p->link_count; j++) {
            mesh_touch(m, p);
            if (!link_has_stream(p->links[j]))
                mesh_say_bye(p->links[j], BYE_SHUTDOWN);
            link_drain(p->links[j], BYE_SHUTDOWN, "", now_us);
            mesh_flush(m, p->links[j]);
        }
    }
}

struct peer *mesh_find_peer(const struct mesh *m, const struct node_id *id)
{
    return peer_index_find(&m->by_id, id);
}

int mesh_add_peer(struct mesh *m, const struct node_id *id, struct peer **out)
{
    unsigned slot = m->free_count ? m->free_slots[m->free_count - 1] : m->slot_end;
    if (slot == m->config.peers_max)
        return ERR_SPACE;
    const struct path_set_config paths = {.random = m->config.random, .local_max = m->config.local_max};
    if (heap_reserve(&m->due) || outputs_promise(&m->outputs, 1))
        return ERR_NOMEM;
    struct peer *p;
    if (peer_new(m, id, slot, &paths, &p)) {
        outputs_give_back(&m->outputs, 1);
        return ERR_NOMEM;
    }
    peer_promise(p, 1);
    m->peers[slot] = p;
    if (m->free_count)
        m->free_count--;
    else
        m->slot_end++;
    peer_index_add(&m->by_id, p);
    mesh_touch(m, p);
    *out = p;
    return 0;
}

void mesh_forget_peer(struct mesh *m, struct peer *p)
{
    mesh_tell_gone(m, p);
    outputs_give_back(&m->outputs, p->promised);
    heap_remove(&m->due, &p->due);
    peer_index_remove(&m->by_id, p);
    m->peers[p->slot] = NULL;
    m->free_slots[m->free_count++] = (uint16_t)p->slot;
    peer_free(p);
}

void mesh_set_given_addresses(struct mesh *m, const struct node_id *id, const struct addr *list,
                              unsigned count, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p)
        return;
    mesh_touch(m, p);
    struct target targets[PEER_TARGETS_MAX];
    for (unsigned i = 0; i < count && i < PEER_TARGETS_MAX; i++) {
        targets[i] = target_tcp(&list[i]);
        mesh_expect_peer_at(m, p, &(struct candidate){.addr = list[i]}, 1);
    }
    peer_set_targets(p, targets, count < PEER_TARGETS_MAX ? count : PEER_TARGETS_MAX, true);
    mesh_tick(m, now_us);
}

/* What others name must be able to be another machine's; what a person gives or a packet came from need not. */
static bool may_be_named(const struct mesh *m, const struct addr *a)
{
    return addr_is_routable(a) && mesh_usable(m, a);
}

void mesh_learn_candidates(struct mesh *m, struct peer *p, const struct candidate *list, unsigned count,
                           uint64_t now_us)
{
    struct candidate usable[CANDIDATES_MAX];
    struct target targets[CANDIDATES_MAX];
    unsigned kept = 0, dialled = 0;
    for (unsigned i = 0; i < count; i++) {
        struct addr control = list[i].addr;
        control.port = list[i].control_port;
        if (may_be_named(m, &list[i].addr))
            usable[kept++] = list[i];
        if (control.port && may_be_named(m, &control))
            targets[dialled++] = target_tcp(&control);
    }
    mesh_touch(m, p);
    peer_set_targets(p, targets, dialled, false);
    if (p->current)
        path_announced(p->paths, usable, kept, now_us);
}

void mesh_set_record(struct mesh *m, const struct node_id *id, const char *name, const struct candidate *list,
                     unsigned count, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p)
        return;
    if (!p->name[0])
        peer_set_name(p, name);
    mesh_learn_candidates(m, p, list, count, now_us);
    mesh_expect_peer_at(m, p, list, count);
    mesh_tick(m, now_us);
}

void mesh_set_missing(struct mesh *m, const struct node_id *id, const char *why)
{
    struct peer *p = mesh_find_peer(m, id);
    if (!p)
        return;
    peer_dial_missing(p, why);
}

void mesh_set_overlay(struct mesh *m, const struct addr_prefix *list, unsigned count)
{
    m->overlay_count = count > MESSAGE_ADDRS_MAX ? MESSAGE_ADDRS_MAX : count;
    memcpy(m->overlay, list, m->overlay_count * sizeof(*list));
}

void mesh_network_changed(struct mesh *m, uint16_t local_max, uint64_t now_us)
{
    m->config.local_max = local_max;
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        if (!p)
            continue;
        mesh_touch(m, p);
        path_forget_locals(p->paths, m->config.filter.is_ours, m->config.filter.context);
        path_wake(p->paths, local_max, now_us);
        peer_dial_soon(p, now_us);
    }
    mesh_tick(m, now_us);
}
