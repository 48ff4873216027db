/* SPDX-License-Identifier: Apache-2.0 */
/* What others may read of the mesh: the forwarding table's contents, and peers for people. Control thread. */

#include "base/clock.h"
#include "proto/mesh/mesh_dial.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_punch.h"
#include "proto/mesh/mesh_reach.h"
#include "proto/mesh/mesh_state.h"
#include <assert.h>
#include <stdio.h>

const struct hello *mesh_hello(const struct mesh *m, uint32_t slot, const struct node_id **id)
{
    const struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    if (!p || !p->current)
        return NULL;
    *id = &p->id;
    return link_theirs(p->current);
}

static_assert(MESH_RECEIVE_MAX == PEER_LINKS_MAX * (KEYCHAIN_OLD_MAX + 2), "room for each session of a peer");

void mesh_forward(const struct mesh *m, uint32_t slot, struct mesh_forward *out)
{
    const struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    *out = (struct mesh_forward){.tx = p ? peer_send_session(p) : NULL};
    if (out->tx) {
        out->path = path_best(p->paths);
        out->sleeps = path_sleeps(p->paths);
        out->relay_count = path_relays(p->paths, out->relays);
    }
    for (unsigned i = 0; p && i < p->link_count; i++)
        if (link_keychain(p->links[i]))
            out->rx_count += keychain_sessions(link_keychain(p->links[i]), out->rx + out->rx_count,
                                               MESH_RECEIVE_MAX - out->rx_count);
}

const char *mesh_peer_state_name(enum mesh_peer_state state)
{
    switch (state) {
    case MESH_PEER_CONNECTING:
        return "connecting";
    case MESH_PEER_CONNECTED:
        return "connected";
    case MESH_PEER_NO_PATH:
        return "no path";
    case MESH_PEER_BACKOFF:
        return "backoff";
    case MESH_PEER_REFUSED:
        return "refused";
    case MESH_PEER_DISALLOWED:
        return "disallowed";
    }
    return "unknown";
}

const char *mesh_control_name(enum mesh_control control)
{
    switch (control) {
    case MESH_CONTROL_NONE:
        return "none";
    case MESH_CONTROL_IDLE:
        return "idle";
    case MESH_CONTROL_TCP:
        return "tcp";
    case MESH_CONTROL_UPLINK:
        return "uplink";
    case MESH_CONTROL_SESSION:
        return "session";
    }
    return "unknown";
}

static enum mesh_control control_of(const struct peer *p)
{
    if (!p->current || !link_has_stream(p->current))
        return peer_carries_control(p) ? MESH_CONTROL_IDLE : MESH_CONTROL_NONE;
    switch (link_remote(p->current)->kind) {
    case TARGET_TCP:
        return MESH_CONTROL_TCP;
    case TARGET_UPLINK:
        return MESH_CONTROL_UPLINK;
    case TARGET_SESSION:
        return MESH_CONTROL_SESSION;
    }
    return MESH_CONTROL_NONE;
}

static enum mesh_peer_state state_of(const struct peer *p)
{
    if (peer_send_session(p) && p->reach.state == REACH_OPEN)
        return MESH_PEER_CONNECTED;
    if (peer_send_session(p) && p->reach.state == REACH_DARK)
        return MESH_PEER_NO_PATH;
    if (peer_send_session(p))
        return MESH_PEER_CONNECTING;
    if (p->barred)
        return MESH_PEER_DISALLOWED;
    if (p->dial.refused)
        return MESH_PEER_REFUSED;
    return p->dial.running || mesh_has_attempts(p) || !p->dial.error[0] ? MESH_PEER_CONNECTING
                                                                        : MESH_PEER_BACKOFF;
}

static void view_session(const struct peer *p, struct mesh_peer *out)
{
    const struct link *l = p->current;
    if (!l)
        return;
    out->suite = link_suite(l);
    out->features = link_theirs(l)->features;
    out->our_features = link_ours(l)->features;
    out->fresh_root = link_has_fresh_root(l);
    out->address_count = link_theirs(l)->address_count;
    memcpy(out->addresses, link_theirs(l)->addresses, sizeof(out->addresses));
    out->handshake_us = link_live_us(l);
    out->ratchet_us = keychain_last_step_us(link_keychain(l));
    const struct path *best = path_best(p->paths);
    out->path_count = path_list(p->paths, out->paths, PATHS_MAX);
    for (size_t i = 0; best && i < out->path_count; i++)
        if (endpoint_same_path(&out->paths[i].endpoint, &best->endpoint))
            out->path = out->paths[i];
}

/* Who is only allowed to come, and has not, is no peer yet. */
static bool is_peer(const struct peer *p)
{
    return p && (p->wanted || p->barred || p->link_count > 0);
}

bool mesh_connected(const struct mesh *m, const struct node_id *id)
{
    const struct peer *p = mesh_find_peer(m, id);
    return p && peer_send_session(p);
}

bool mesh_peer_name(const struct mesh *m, uint32_t slot, struct node_id *id, const char **name)
{
    if (slot >= m->slot_end || !is_peer(m->peers[slot]))
        return false;
    *id = m->peers[slot]->id;
    *name = m->peers[slot]->name;
    return true;
}

static void view_totals(const struct peer *p, struct mesh_peer *out)
{
    struct peer_totals totals;
    peer_totals(p, &totals);
    out->rx_bytes = totals.rx_bytes;
    out->tx_bytes = totals.tx_bytes;
    out->loss = totals.loss;
    out->handshakes = p->handshakes;
    out->ratchets = p->ratchets;
    for (unsigned i = 0; i < p->link_count; i++)
        if (link_keychain(p->links[i]))
            out->ratchets += keychain_steps(link_keychain(p->links[i]));
}

static bool knows_clock(const struct mesh *m, const struct peer *p, uint64_t now_us, int64_t *ahead_s)
{
    if (!p || !p->about || !peer_send_session(p))
        return false;
    *ahead_s = p->about->zero_s + (int64_t)(now_us / USEC_PER_SEC) -
               (int64_t)membership_clock(m->config.network, now_us);
    return true;
}

bool mesh_knows_clock(const struct mesh *m, const struct node_id *id, uint64_t now_us, int64_t *ahead_s)
{
    return knows_clock(m, mesh_find_peer(m, id), now_us, ahead_s);
}

unsigned mesh_clocks(const struct mesh *m, uint64_t now_us, int64_t *ahead_s, unsigned max)
{
    unsigned count = 0;
    for (unsigned i = 0; i < m->slot_end && count < max; i++)
        count += knows_clock(m, m->peers[i], now_us, &ahead_s[count]);
    return count;
}

static void view(const struct mesh *m, const struct peer *p, struct mesh_peer *out)
{
    *out = (struct mesh_peer){.id = p->id,
                              .slot = p->slot,
                              .name = p->name,
                              .suite = "",
                              .version = p->about ? p->about->version : "",
                              .state = state_of(p),
                              .control = control_of(p),
                              .state_us = p->reach.since_us ? p->reach.since_us : p->wanted_us,
                              .certificate = p->member ? &p->member->cert : NULL,
                              .crooked = mesh_describe_punch(p)};
    if (out->state == MESH_PEER_NO_PATH)
        mesh_describe_dark(p, out->error);
    else
        snprintf(out->error, sizeof(out->error), "%s",
                 p->dial.error[0] ? p->dial.error : mesh_describe_turn(m, p));
    view_totals(p, out);
    view_session(p, out);
}

bool mesh_view_peer(const struct mesh *m, const struct node_id *id, struct mesh_peer *out)
{
    const struct peer *p = mesh_find_peer(m, id);
    if (is_peer(p))
        view(m, p, out);
    return is_peer(p);
}

void mesh_peers(const struct mesh *m, void (*visit)(void *context, const struct mesh_peer *peer),
                void *context)
{
    for (unsigned i = 0; i < m->slot_end; i++) {
        struct mesh_peer out;
        if (!is_peer(m->peers[i]))
            continue;
        view(m, m->peers[i], &out);
        visit(context, &out);
    }
}
