/* SPDX-License-Identifier: Apache-2.0 */
/* Time passes: whom to dial, whom to forget, and when to look next. docs/PROTOCOL.md §6. Control thread.
 *
 * Timers of the mesh:
 *   lobby, half-open   who waits for a handshake, and whose handshake takes too long (mesh_accept.c)
 *   announcement       our new candidates, to a few peers at a time (mesh_announce.c)
 *   expiry             channels of ours that nobody uses, where we relay (mesh_relay_serve.c)
 *   gossip             the next question for records (mesh_gossip.c)
 *   lists              peers to be told which we hold; a question that has no answer yet (mesh_rolls.c)
 *   members            the next turn of one that is to be dialled (mesh_members.c)
 * Timers of a peer, of which the heap holds the earliest:
 *   its links          a handshake or a drain that has taken too long; the ratchet (proto/link/keychain.h)
 *   its certificate    that admitted it: its end (mesh_entry.c)
 *   its paths          probes, answers that are overdue (proto/path/path.h)
 *   its relays         a channel to be asked for, an address to be shown (proto/relay/relay_end.h); nodes that relay to be
 *                      sought (proto/peer/relay_places.h)
 *   its punching       a round, or a part of one (proto/punch/punch.h)
 *   its birthday       a question without an answer, the next probe (proto/punch/birthday.h)
 *   its reach          a path that has not answered for too long (proto/peer/reach.h)
 *   its trunk          to be dialled, given up or closed (proto/peer/trunk_plan.h)
 *   dialling           the next target, the next round, the next handshake
 *   look               what workers have counted, while it has a session: twice a second, every 8 s when it is idle
 *   its streams        segments of control streams over its session, that are to be sent or repeated (mesh_session.c)
 *   its end            at once, when nobody wants it and it has no link
 *
 * An event that changes a peer calls mesh_touch: its deadline is made anew before the heap is asked again. */

#include "proto/mesh/mesh_timers.h"

#include "base/clock.h"
#include "proto/mesh/mesh_accept.h"
#include "proto/mesh/mesh_announce.h"
#include "proto/mesh/mesh_birthday.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_dial.h"
#include "proto/mesh/mesh_entry.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_punch.h"
#include "proto/mesh/mesh_reach.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_relay_nodes.h"
#include "proto/mesh/mesh_relay_serve.h"
#include "proto/mesh/mesh_rolls.h"
#include "proto/mesh/mesh_session.h"
#include "proto/mesh/mesh_side.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_stream.h"
#include "proto/mesh/mesh_trunk.h"
#include "proto/mesh/mesh_uplink.h"
#include <stddef.h>
#include <stdio.h>

#define FIND_US     3000000ull /* how long finding an address may take before it is worth a line */
#define TICK_MIN_US 10000ull   /* between two looks at the clock, and at one peer */
#define TICK_PEERS  32         /* at most, in one turn: events and callers get theirs */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool round_is_over(const struct peer *p)
{
    return peer_dial_all_tried(p) && !mesh_has_attempts(p);
}

static bool is_needless(const struct peer *p)
{
    return !p->wanted && !p->allowed && !p->barred && p->link_count == 0 && stream_set_is_empty(p->streams);
}

uint64_t mesh_peer_deadline(const struct peer *p, uint64_t now_us)
{
    if (round_is_over(p) || is_needless(p))
        return later(now_us, p->ticked_us + TICK_MIN_US);
    uint64_t at = peer_send_session(p) ? path_next_deadline(p->paths) : TIME_NEVER;
    at = earlier(at, peer_dial_next(p, now_us));
    at = earlier(at, reach_deadline(&p->reach));
    at = earlier(at, mesh_certificate_deadline(p));
    at = earlier(at, mesh_session_deadline(p));
    at = earlier(at, trunk_next(&p->trunk));
    at = earlier(at, mesh_relay_deadline(p));
    if (p->current && mesh_punches(p))
        at = earlier(at, punch_next(&p->punch));
    at = earlier(at, mesh_birthday_deadline(p));
    if (p->current)
        at = earlier(at, p->stats.look_at_us);
    for (unsigned i = 0; i < p->link_count; i++)
        at = earlier(at, link_next_deadline(p->links[i]));
    return later(at, p->ticked_us + TICK_MIN_US);
}

/* The peer that is due first, or NULL. */
static struct peer *first_due(struct mesh *m, uint64_t now_us)
{
    struct heap_node *n;
    while ((n = heap_first(&m->due))) {
        struct peer *p = (struct peer *)((char *)n - offsetof(struct peer, due));
        if (n->at_us)
            return p;
        heap_set(&m->due, n, mesh_peer_deadline(p, now_us));
    }
    return NULL;
}

static void end_round(struct mesh *m, struct peer *p, uint64_t now_us)
{
    uint64_t since_us = peer_wanted_since(p, now_us);
    bool early = p->dial.count == 0 && now_us - since_us < FIND_US; /* the directory is being asked */
    peer_dial_sum_up(p);
    if (p->dial.error[0] && strcmp(p->dial.error, p->dial.told) != 0 && !p->dial.refused && !early) {
        peer_dial_told(p);
        mesh_note(m, p->reach.state == REACH_OPEN ? MESH_NOTICE_UNHEARD : MESH_NOTICE_FAILED, p,
                  p->dial.error);
    }
    peer_dial_round_failed(p, mesh_random(m), now_us);
    if (mesh_takes_turns(p))
        mesh_member_failed(m, p, now_us);
    else
        mesh_want(m, &p->id, true);
}

/* Of a session that has lost its paths the peer may be elsewhere by now: what is known of it may take long to fail. */
static void seek_lost(struct mesh *m, struct peer *p, bool was_dialled)
{
    if (!p->current || mesh_takes_turns(p) || was_dialled == p->dial.running)
        return;
    if (was_dialled || !peer_path_answers(p))
        mesh_want(m, &p->id, p->dial.running);
}

static void tick_dialling(struct mesh *m, struct peer *p, uint64_t now_us)
{
    struct target to;
    bool was_dialled = p->dial.running;
    while (peer_dial_due(p, now_us, &to))
        mesh_dial(m, p, &to, now_us);
    seek_lost(m, p, was_dialled);
    if (round_is_over(p))
        end_round(m, p, now_us);
}

static void tick_peer(struct mesh *m, struct peer *p, uint64_t now_us)
{
    peer_on_tick(p, now_us);
    mesh_tick_certificate(m, p, now_us);
    mesh_tick_links(m, p, now_us);
    const struct flood_counts floods = mesh_floods_of(p);
    peer_look(p, &floods, &m->flood_turns, now_us);
    mesh_update_pairs(m, p);
    mesh_update_relaying(m, p);
    if (mesh_relay_needs(p))
        path_stay_awake(p->paths, now_us);
    mesh_update_reach(m, p, now_us);
    tick_dialling(m, p, now_us);
    mesh_poll_punch(m, p, now_us);
    mesh_poll_side(m, p, now_us);
    mesh_poll_birthday(m, p, now_us);
    mesh_poll_paths(m, p, now_us);
    mesh_poll_relays(m, p, now_us); /* those whose paths have just missed an answer are doubted now */
    mesh_poll_session(m, p, now_us);
    mesh_tick_trunk(m, p, now_us);
    if (is_needless(p))
        mesh_forget_peer(m, p);
    else
        mesh_touch(m, p);
}

void mesh_tick(struct mesh *m, uint64_t now_us)
{
    struct peer *p;
    unsigned ticked = 0;
    m->ticked_us = now_us;
    mesh_announce(m, now_us);
    mesh_gossip_tick(m, now_us);
    mesh_rolls_tick(m, now_us);
    mesh_tick_accepted(m, now_us);
    mesh_expire_channels(m, now_us);
    mesh_tick_members(m, now_us);
    while ((p = first_due(m, now_us)) && p->due.at_us <= now_us && ticked++ < TICK_PEERS)
        tick_peer(m, p, now_us);
    m->behind = p && p->due.at_us <= now_us;
}

/* From the last look, not from now: events that come often must not put the next one off. */
uint64_t mesh_next_deadline(struct mesh *m, uint64_t now_us)
{
    const struct peer *p = first_due(m, now_us);
    uint64_t at = earlier(mesh_accepted_deadline(m, now_us), mesh_announcement_due(m));
    at = earlier(at, mesh_expiry_due(m));
    at = earlier(at, mesh_gossip_due(m));
    at = earlier(at, mesh_rolls_due(m));
    at = earlier(at, dial_turns_deadline(&m->turns));
    at = earlier(at, p ? p->due.at_us : TIME_NEVER);
    return m->behind ? at : later(at, m->ticked_us + TICK_MIN_US);
}
