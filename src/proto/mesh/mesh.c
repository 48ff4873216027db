/* SPDX-License-Identifier: Apache-2.0 */
/* A mesh from its start to its end, and what holds of all peers at once. docs/PROTOCOL.md §6. Control thread. */

#include "proto/mesh/mesh.h"

#include "base/clock.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_accept.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_rolls.h"
#include "proto/mesh/mesh_scope.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_timers.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define CONTROL_FRAGMENT_SLOTS 16

static_assert(MESH_PEERS_MAX <= SLOT_SET_MAX, "each peer can have changed");

int mesh_new(const struct mesh_config *config, struct mesh **out)
{
    struct mesh *m = calloc(1, sizeof(*m));
    if (!m)
        return ERR_NOMEM;
    m->config = *config;
    if (m->config.peers_max == 0 || m->config.peers_max > MESH_PEERS_MAX)
        m->config.peers_max = MESH_PEERS_MAX;
    if (m->config.control_idle_us == 0)
        m->config.control_idle_us = MESH_CONTROL_IDLE_US;
    if (m->config.quiet_us == 0)
        m->config.quiet_us = MESH_QUIET_US;
    static const struct bucket_rate asks = {MESH_RELAY_ASK_INTERVAL_US, MESH_RELAY_ASK_BURST};
    static const struct bucket_rate words = {MESH_RELAY_WORD_INTERVAL_US, MESH_RELAY_WORD_BURST};
    m->relay_asks.rate = &asks; /* a hub has thousands of peers, and a backbone takes 500 messages a second */
    m->relay_words.rate = &words;
    m->gossip.at_us = TIME_NEVER;
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
        err = table_new(&m->session_streams);
    if (!err)
        err = table_new(&m->trunks);
    if (!err)
        err = table_new(&m->channels);
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
    if (!err)
        err = mesh_rolls_init(m);
    if (err) {
        mesh_free(m);
        return err;
    }
    *out = m;
    return 0;
}

static void drop_outputs(struct mesh *m)
{
    const struct mesh_output *o;
    while ((o = mesh_take_output(m)))
        if (o->kind == MESH_OUTPUT_RETIRE)
            session_free(o->session);
        else if (o->kind == MESH_OUTPUT_WORK)
            (void)link_worked(o->work);
}

void mesh_free(struct mesh *m)
{
    if (!m)
        return;
    m->ending = true;
    drop_outputs(m);
    for (unsigned i = 0; i < MESH_HALF_OPEN_MAX; i++)
        link_free(m->half_open[i]);
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        for (unsigned j = 0; p && j < p->link_count; j++)
            mesh_release_promise(m, p->links[j]);
        if (p)
            peer_free(p);
    }
    mesh_rolls_fini(m);
    mesh_gossip_fini(m);
    fragment_table_free(m->fragments);
    crowd_free(m->half_open_crowd);
    lobby_free(m->lobby);
    known_free(m->known);
    limits_free(m->accepts);
    table_free(m->session_streams);
    table_free(m->trunks);
    table_free(m->channels);
    table_free(m->receivers);
    table_free(m->streams);
    tls_context_free(m->tls);
    outputs_fini(&m->outputs);
    heap_fini(&m->due);
    dial_turns_fini(&m->turns);
    free(m);
}

void mesh_shutdown(struct mesh *m, uint64_t now_us)
{
    mesh_end_half_open(m);
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct peer *p = m->peers[i];
        for (unsigned j = 0; p && j < p->link_count; j++) {
            mesh_touch(m, p);
            if (mesh_needs_datagrams(p->links[j]))
                mesh_say_bye(p->links[j], BYE_SHUTDOWN, "");
            link_drain(p->links[j], BYE_SHUTDOWN, "", now_us);
            mesh_flush(m, p->links[j]);
        }
    }
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
        path_forget_locals(p->paths, m->config.filter.interface_of, m->config.filter.context);
        path_wake(p->paths, local_max, now_us);
        mesh_hurry_relays(p, now_us);
        mesh_look_at_held_back(m, p, now_us);
        punch_hurry(&p->punch, now_us);
        birthday_hurry(&p->birthday);
        mesh_publish(m, p); /* nothing leaves from an address that is gone */
        peer_dial_soon(p, now_us);
        mesh_member_hurry(m, p, now_us);
    }
    mesh_tick(m, now_us);
}
