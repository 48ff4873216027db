/* SPDX-License-Identifier: Apache-2.0 */
/* Who relays between a peer and us, of the peers that would: sought, compared by what they say of the way, asked. A node that
 * relays is believed in nothing: the peer at the other end is who proves a path. docs/PROTOCOL.md §17. Control thread. */

#include "proto/mesh/mesh_relay_nodes.h"

#include "base/clock.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_relay_serve.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_state.h"

static_assert(MESSAGE_TOKEN_LEN == ENVELOPE_TOKEN_LEN, "the token of an end");

/* ---- who would ---- */

static bool is_node(const struct mesh *m, const struct peer *p)
{
    return p->current && peer_send_session(p) && mesh_is_listed(p) &&
           carrier_in(CARRIER_RELAY, m->config.carriers) &&
           link_both_can(p->current, HELLO_FEATURE_RELAY_NODES) &&
           link_theirs(p->current)->features & HELLO_FEATURE_RELAYS;
}

/* Each peer may have a better one now. What turns they waited for is void. */
static void seek_anew(struct mesh *m)
{
    m->relay_words.next_us = 0;
    for (unsigned i = 0; i < m->slot_end; i++) {
        if (!m->peers[i])
            continue;
        relay_places_seek_anew(&m->peers[i]->places);
        mesh_touch(m, m->peers[i]);
    }
}

static bool add_node(struct mesh *m, const struct peer *p)
{
    if (m->relay_node_count == MESH_RELAY_NODES_MAX)
        return false;
    m->relay_nodes[m->relay_node_count++] = p->id;
    return true;
}

static void remove_node(struct mesh *m, const struct peer *p)
{
    for (unsigned i = 0; i < m->relay_node_count; i++)
        if (id_compare(&m->relay_nodes[i], &p->id) == 0) {
            m->relay_nodes[i] = m->relay_nodes[--m->relay_node_count];
            return;
        }
}

/* Straight, or datagrams would go in two envelopes. NULL: it has no such path now. */
static const struct addr *straight_to(const struct peer *p)
{
    const struct path *best = path_best(p->paths);
    bool straight = best && best->endpoint.carrier == CARRIER_UDP && best->state == PATH_STATE_PROVEN;
    return straight ? &best->endpoint.remote : NULL;
}

/* From when it can be asked on. A path that is silent for a while changes nothing of that. */
void mesh_update_relay_node(struct mesh *m, struct peer *p)
{
    bool is = is_node(m, p) && (p->relays_for_us || straight_to(p));
    if (is == p->relays_for_us)
        return;
    if (is && !add_node(m, p))
        return; /* there are enough */
    if (!is)
        remove_node(m, p);
    peer_relays(p, is);
    if (is)
        seek_anew(m);
}

/* Where it relays, if it can be asked now. */
static const struct addr *address_of(const struct peer *node)
{
    return node && node->relays_for_us ? straight_to(node) : NULL;
}

/* ---- seeking ---- */

static bool is_first(const struct mesh *m, const struct peer *p)
{
    return id_compare(identity_id(m->config.me), &p->id) < 0;
}

bool mesh_chooses_nodes(const struct peer *p)
{
    return p->current && link_both_can(p->current, HELLO_FEATURE_RELAY_NODES) && is_first(p->mesh, p);
}

uint64_t mesh_seek_deadline(const struct peer *p)
{
    return mesh_chooses_nodes(p) && p->mesh->relay_node_count ? p->places.seek_us : TIME_NEVER;
}

/* Those that can be asked now about p. */
static unsigned askable(const struct mesh *m, const struct peer *p, struct peer *out[MESH_RELAY_NODES_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < m->relay_node_count; i++) {
        struct peer *node = mesh_find_peer(m, &m->relay_nodes[i]);
        if (node != p && address_of(node))
            out[count++] = node;
    }
    return count;
}

/* By TCP it may be that nothing flows, as a backbone lets little pass. */
static bool has_datagrams(const struct peer *p)
{
    const struct path *best = path_best(p->paths);
    return best && (best->endpoint.carrier == CARRIER_UDP || best->endpoint.carrier == CARRIER_RELAY);
}

void mesh_seek_relays(struct mesh *m, struct peer *p, uint64_t now_us)
{
    const struct message seek = {.type = MESSAGE_RELAY_SEEK, .relay.id = p->id};
    struct peer *nodes[MESH_RELAY_NODES_MAX];
    uint64_t at_us;
    if (mesh_seek_deadline(p) > now_us)
        return;
    unsigned count = askable(m, p, nodes);
    if (count && !mesh_has_turn(m, &m->relay_words, count, now_us, &at_us)) {
        relay_places_put_off(&p->places, at_us);
        return;
    }
    relay_places_sought(&p->places, !has_datagrams(p), now_us);
    for (unsigned i = 0; i < count; i++)
        mesh_say_sealed(nodes[i]->current, &seek);
}

/* ---- places ---- */

static int place_for(const struct peer *p, uint32_t rtt_us, uint64_t now_us)
{
    bool kept[RELAY_NODES_MAX], answers[RELAY_NODES_MAX];
    for (unsigned i = 0; i < RELAY_NODES_MAX; i++) {
        kept[i] = path_relay_carries(p->paths, UPLINKS_MAX + i);
        answers[i] = path_relay_answers(p->paths, UPLINKS_MAX + i);
    }
    return relay_places_choose(&p->places, rtt_us, kept, answers, now_us);
}

static void say_ask(struct mesh *m, const struct peer *p, const struct node_id *node_id, bool end)
{
    const struct peer *node = mesh_find_peer(m, node_id);
    struct message ask = {.type = MESSAGE_RELAY_ASK, .relay = {.id = p->id, .end = end}};
    if (address_of(node))
        mesh_say_sealed(node->current, &ask);
}

/* Its channel is given up. */
static void leave(struct mesh *m, struct peer *p, int place)
{
    if (p->places.list[place].used && mesh_chooses_nodes(p))
        say_ask(m, p, &p->places.list[place].node, true);
    mesh_drop_relay(m, p, UPLINKS_MAX + (unsigned)place);
}

void mesh_leave_node(struct mesh *m, struct peer *p, unsigned place, uint64_t now_us)
{
    leave(m, p, (int)place);
    relay_places_seek_by(&p->places, now_us + RELAY_AFTER_US);
}

bool mesh_ask_node(struct mesh *m, struct peer *p, unsigned place)
{
    const struct node_id node = p->places.list[place].node;
    if (!address_of(mesh_find_peer(m, &node))) {
        mesh_drop_relay(m, p, UPLINKS_MAX + place);
        relay_places_seek_anew(&p->places);
        return false;
    }
    say_ask(m, p, &node, false);
    return true;
}

enum drop mesh_on_relay_found(struct mesh *m, struct peer *node, const struct message *found, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, &found->relay.id);
    if (!p || p == node || !mesh_chooses_nodes(p) || !address_of(node) ||
        !relay_places_expects(&p->places, now_us))
        return DROP_RELAY;
    if (!found->relay.rtt_us || relay_places_find(&p->places, &node->id) >= 0)
        return DROP_NONE;
    int place = place_for(p, found->relay.rtt_us, now_us);
    if (place < 0)
        return DROP_NONE;
    leave(m, p, place);
    relay_places_put(&p->places, place, &node->id, found->relay.rtt_us, now_us);
    relay_end_want(&p->relays[UPLINKS_MAX + (unsigned)place], 0, now_us);
    mesh_touch(m, p);
    mesh_poll_relays(m, p, now_us);
    return DROP_NONE;
}

/* The place of a node that the other end chose. Whoever chooses takes only what it asked for. */
static int place_of(struct mesh *m, struct peer *p, const struct peer *node, uint64_t now_us)
{
    int place = relay_places_find(&p->places, &node->id);
    if (place >= 0 || is_first(m, p))
        return place;
    place = place_for(p, 0, now_us);
    if (place < 0)
        return place;
    leave(m, p, place);
    relay_places_put(&p->places, place, &node->id, 0, now_us);
    return place;
}

/* Or p has a session already, and asks for one, and ours is still to come: so we bind, and probe by it from then on. */
static bool may_take_part(const struct peer *p)
{
    return p->current ? link_both_can(p->current, HELLO_FEATURE_RELAY_NODES)
                      : p->link_count > 0 && mesh_is_listed(p);
}

enum drop mesh_on_relay_channel(struct mesh *m, struct peer *node, const struct message *given,
                                uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, &given->relay.id);
    const struct addr *at = address_of(node);
    if (!p || p == node || !at || !may_take_part(p))
        return DROP_RELAY;
    int place = place_of(m, p, node, now_us);
    if (place < 0)
        return DROP_RELAY;
    const struct mesh_channel channel = {*at, given->relay.channel, given->relay.token};
    mesh_take_channel(m, p, UPLINKS_MAX + (unsigned)place, &channel, now_us);
    return DROP_NONE;
}

/* One that would relay is awake until there is a straight path to it, too. */
bool mesh_relay_needs(const struct peer *p)
{
    const struct mesh *m = p->mesh;
    return p->relays_for_us || p->served || (m->relay_node_count < MESH_RELAY_NODES_MAX && is_node(m, p));
}
