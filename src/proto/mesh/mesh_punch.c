/* SPDX-License-Identifier: Apache-2.0 */
/* What a round of punching (proto/punch) says, sends and adds to the paths. docs/PROTOCOL.md §19. Control thread. */

#include "proto/mesh/mesh_punch.h"

#include "proto/mesh/mesh_birthday.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_side.h"
#include "proto/mesh/mesh_state.h"
#include "proto/punch/punch_targets.h"

bool mesh_punches(const struct peer *p)
{
    return p->current && link_both_can(p->current, HELLO_FEATURE_PUNCH);
}

void mesh_punch_hold(struct peer *p, const struct candidate *list, unsigned count)
{
    struct addr held[CANDIDATES_MAX];
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (list[i].kind == CANDIDATE_REFLEXIVE)
            held[kept++] = list[i].addr;
    punch_hold(&p->punch, held, kept);
}

/* A public address of ours needs nobody to tell how we are seen. */
static bool is_named(const struct mesh *m)
{
    for (unsigned i = 0; i < m->candidate_count; i++)
        if (m->candidates[i].kind == CANDIDATE_REFLEXIVE || !addr_is_private(&m->candidates[i].addr))
            return true;
    return false;
}

/* Who asks for a round has no straight path but by its standby, if by any. */
static struct punch_way way_to(struct mesh *m, const struct peer *p)
{
    const struct path *best = path_best(p->paths);
    bool straight = path_straight_answers(p->paths, punch_is_asked(&p->punch)) || path_is_quiet(p->paths);
    return (struct punch_way){.straight = straight,
                              .carries = !straight && best && best->state == PATH_STATE_PROVEN,
                              .lower = id_compare(identity_id(m->config.me), &p->id) < 0,
                              .named = is_named(m),
                              .rtt_us = best ? best->rtt_us : 0,
                              .turns = &m->punches};
}

bool mesh_small_probe(struct mesh *m, struct peer *p, uint8_t out[MESH_SMALL_PROBE_LEN])
{
    uint8_t head[WIRE_INNER_LEN], body[PATH_PROBE_LEN];
    struct session *s = peer_send_session(p);
    struct path_probe probe = {.kind = PATH_PROBE_REQUEST};
    random_fill(&m->config.random, &probe.token, sizeof(probe.token));
    wire_inner_encode(&(struct wire_inner){0}, head);
    path_probe_encode(&probe, body);
    const struct slice pieces[] = {{head, sizeof(head)}, {body, sizeof(body)}};
    return s && session_seal(s, WIRE_PROBE, WIRE_LANE_CONTROL, pieces, 2, out) == MESH_SMALL_PROBE_LEN;
}

static void send_small(struct mesh *m, struct peer *p, const struct addr *to, uint8_t hops)
{
    uint8_t datagram[MESH_SMALL_PROBE_LEN];
    const struct endpoint by = endpoint_side(to, punch_side(&p->punch, to));
    if (mesh_small_probe(m, p, datagram))
        mesh_send_near(m, &by, hops, datagram, sizeof(datagram));
}

static void add_way(struct peer *p, const struct addr *to, uint64_t now_us)
{
    unsigned side = punch_side(&p->punch, to);
    if (side)
        path_add_side(p->paths, to, side, now_us);
    else
        path_add(p->paths, to, CANDIDATE_REFLEXIVE, now_us);
}

/* Of a side socket only where the rounds go by it, or have just ceased to: what a birthday met has its own answer to wait for. */
static void drop_way(struct peer *p, const struct addr *to)
{
    path_drop(p->paths, to, 0);
    if (p->side && p->side == p->punch.seen.side)
        path_drop(p->paths, to, p->side);
}

/* In the order that both ends keep. What waits from a round before would go too far. */
static void open_ways(struct mesh *m, struct peer *p)
{
    struct addr targets[PUNCH_TARGETS_MAX];
    unsigned guessed, count = punch_targets(&p->punch, targets, &guessed);
    for (unsigned i = 0; i < count; i++) {
        drop_way(p, &targets[i]);
        send_small(m, p, &targets[i], punch_hops(&p->punch));
    }
}

static void probe_ways(struct mesh *m, struct peer *p, uint64_t now_us)
{
    struct addr targets[PUNCH_TARGETS_MAX];
    unsigned guessed, count = punch_targets(&p->punch, targets, &guessed);
    for (unsigned i = 0; i < guessed; i++)
        send_small(m, p, &targets[i], 0);
    for (unsigned i = guessed; i < count; i++)
        add_way(p, &targets[i], now_us);
}

static void end_round(struct peer *p)
{
    struct addr targets[PUNCH_TARGETS_MAX];
    unsigned guessed, count = punch_targets(&p->punch, targets, &guessed);
    for (unsigned i = guessed; i < count; i++)
        drop_way(p, &targets[i]);
    for (unsigned i = 0; i < p->punch.theirs.held_count; i++)
        drop_way(p, &p->punch.theirs.held[i]);
}

void mesh_punch_begin(struct peer *p)
{
    if (p->punch.state != PUNCH_RESTING)
        end_round(p);
    punch_begin(&p->punch);
}

static void release(struct peer *p, uint64_t now_us)
{
    for (unsigned i = 0; i < p->punch.theirs.held_count; i++)
        path_add(p->paths, &p->punch.theirs.held[i], CANDIDATE_REFLEXIVE, now_us);
}

static void say_offer(const struct mesh *m, const struct peer *p)
{
    struct message said = {.type = MESSAGE_PUNCH};
    punch_offer_make(&p->punch, m->candidates, m->candidate_count, &said.punch);
    mesh_say_sealed(p->current, &said);
}

static void say_go(const struct peer *p)
{
    const struct message said = {.type = MESSAGE_PUNCH_GO, .punch_go = {p->punch.round}};
    mesh_say_sealed(p->current, &said);
}

/* A birthday may need the one that p may have. */
static bool wants_fresh(const struct mesh *m, const struct peer *p)
{
    return punch_wants_fresh(&p->punch) && !birthday_is_busy(&p->birthday) && mesh_may_have_side(m, p);
}

static void act(struct mesh *m, struct peer *p, enum punch_step step, uint64_t now_us)
{
    switch (step) {
    case PUNCH_STEP_NONE:
        break;
    case PUNCH_STEP_RELEASE:
        release(p, now_us);
        break;
    case PUNCH_STEP_LOOK:
        mesh_ask_look(m, p, wants_fresh(m, p));
        break;
    case PUNCH_STEP_ASK:
    case PUNCH_STEP_ANSWER:
        say_offer(m, p);
        break;
    case PUNCH_STEP_GO:
        say_go(p);
        break;
    case PUNCH_STEP_OPEN:
        open_ways(m, p);
        break;
    case PUNCH_STEP_PROBE:
        probe_ways(m, p, now_us);
        break;
    case PUNCH_STEP_END:
        end_round(p);
        break;
    }
}

void mesh_poll_punch(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (!peer_send_session(p) || !mesh_punches(p))
        return;
    /* What nothing flows by is punched again when something does. */
    if (path_is_quiet(p->paths) && p->punch.theirs.held_count)
        path_drop_quiet(p->paths);
    const struct punch_way way = way_to(m, p);
    enum punch_step step;
    while ((step = punch_step(&p->punch, &way, now_us)) != PUNCH_STEP_NONE)
        act(m, p, step, now_us);
}

/* One of ours is there: a server that lies cannot have us name another host. */
static bool is_our_host(const struct mesh *m, const struct addr *a)
{
    for (unsigned i = 0; i < m->candidate_count; i++)
        if (addr_same_host(&m->candidates[i].addr, a))
            return true;
    return false;
}

static bool takes_fresh(struct mesh *m, const struct peer *p, const struct punch_seen *seen)
{
    return seen->side && addr_is_routable(&seen->fresh) && is_our_host(m, &seen->fresh) &&
           wants_fresh(m, p) && !outputs_promise(&m->outputs, 1);
}

bool mesh_on_seen(struct mesh *m, uint32_t slot, const struct punch_seen *seen, uint64_t now_us)
{
    struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    if (!p)
        return false;
    struct punch_seen found = *seen;
    if (!takes_fresh(m, p, seen))
        found.side = 0;
    mesh_touch(m, p);
    bool taken = punch_on_seen(&p->punch, &found, now_us);
    if (taken)
        mesh_take_side(m, p, found.side);
    mesh_poll_punch(m, p, now_us);
    return taken;
}

/* Without those that nobody may make us send to, or that we have no way to. */
static void keep_usable(const struct mesh *m, struct punch_offer *o)
{
    const struct mesh_filter *f = &m->config.filter;
    struct message_candidates kept = {0};
    unsigned families = 0;
    for (unsigned i = 0; i < m->candidate_count; i++)
        families |= 1u << m->candidates[i].addr.family;
    for (unsigned i = 0; i < o->candidates.count; i++) {
        const struct candidate *c = &o->candidates.list[i];
        if (mesh_may_be_named(m, &c->addr) && families & 1u << c->addr.family &&
            f->in_scope(f->context, &c->addr, o->candidates.list, o->candidates.count))
            kept.list[kept.count++] = *c;
        else if (i == 0)
            o->count = 0;
    }
    o->candidates = kept;
}

enum drop mesh_on_punch(struct mesh *m, struct peer *p, const struct message *message, uint64_t now_us)
{
    if (!allowance_take(&p->allowance, ALLOWANCE_MESSAGE, 1, now_us))
        return DROP_CONTROL_RATE;
    if (message->type == MESSAGE_PUNCH_GO) {
        punch_on_go(&p->punch, message->punch_go.round, now_us);
    } else {
        struct punch_offer offer = message->punch;
        const struct punch_way way = way_to(m, p);
        keep_usable(m, &offer);
        punch_on_offer(&p->punch, &offer, &way, now_us);
    }
    mesh_poll_punch(m, p, now_us);
    mesh_poll_paths(m, p, now_us);
    return DROP_NONE;
}

const char *mesh_describe_punch(const struct peer *p)
{
    if (!p->current || path_straight_answers(p->paths, false))
        return "";
    const char *tried = mesh_describe_birthday(p);
    if (tried[0])
        return tried;
    return mesh_punches(p) ? punch_why_text(&p->punch) : "";
}
