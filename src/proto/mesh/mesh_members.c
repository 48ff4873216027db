/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of pairs that come up at once must not cost thousands of handshakes twice, nor ask a directory for each member
 * before what was kept of it is tried. docs/PROTOCOL.md §6, "A full mesh". Control thread. */

#include "proto/mesh/mesh_members.h"

#include "base/clock.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_state.h"
#include <stddef.h>

#define AT_ONCE       32                 /* turns that are looked at in one tick */
#define SPREAD_US     10000ull           /* for each member: so long the first turns of all take … */
#define SPREAD_MAX_US (2 * USEC_PER_SEC) /* … and no longer */
#define LEAVE_US      (3 * USEC_PER_SEC) /* what the one of a pair that dials is ahead of the other, and … */
#define LEAVE_MAX_US  (120 * USEC_PER_SEC) /* … while others still come */
#define ASK_US        USEC_PER_SEC         /* that the directory may take */

/* What all that are apart may ask of directories. */
static const struct bucket_rate ask_rate = {USEC_PER_SEC / 8, 16};

/* Members that frames seek. */
static const struct bucket_rate sought_rate = {USEC_PER_SEC / MESH_SOUGHT_RATE, MESH_SOUGHT_BURST};

static struct peer *peer_of(struct dial_turn *d)
{
    return (struct peer *)((char *)d - offsetof(struct peer, turn));
}

bool mesh_takes_turns(const struct peer *p)
{
    return p->turn.state != DIAL_TURN_NONE;
}

/* Both ends come to the same, and each node dials half of its pairs. */
static bool is_ours(const struct mesh *m, const struct peer *p)
{
    const struct node_id *me = identity_id(m->config.me);
    bool higher = id_compare(me, &p->id) > 0;
    return higher == ((me->bytes[ID_LEN - 1] ^ p->id.bytes[ID_LEN - 1]) & 1);
}

/* In an order that is another one at each node, so that not all begin with the same. */
static uint64_t spread_us(const struct mesh *m)
{
    uint64_t all_us = m->turns.members.count * SPREAD_US;
    return mesh_random(m) % (all_us < SPREAD_MAX_US ? all_us : SPREAD_MAX_US);
}

int mesh_member_join(struct mesh *m, struct peer *p)
{
    if (!m->config.full_mesh || p->wanted)
        return 0;
    int err = dial_turn_join(&m->turns, &p->turn);
    if (err)
        return err;
    peer_want(p);
    if (!p->current)
        mesh_tell_member(m, p);
    mesh_gossip_on_want(m);
    return 0;
}

void mesh_member_leave(struct mesh *m, struct peer *p)
{
    dial_turn_leave(&m->turns, &p->turn);
}

/* ---- whose turn it is ---- */

/* Until when it is left to it: a while, and a while after the last one that came by itself. */
static uint64_t left_until_us(const struct mesh *m, const struct peer *p)
{
    uint64_t from_us = p->turn.apart_us > m->member_came_us ? p->turn.apart_us : m->member_came_us;
    uint64_t most_us = p->turn.apart_us + LEAVE_MAX_US;
    return from_us + LEAVE_US < most_us ? from_us + LEAVE_US : most_us;
}

/* When it may be dialled, which may have passed. */
static uint64_t may_be_dialled_us(const struct mesh *m, struct peer *p, uint64_t now_us)
{
    bool first = dial_turn_apart(&p->turn, now_us);
    if (p->dial.renew_at_us > now_us)
        return p->dial.renew_at_us;
    if (p->turn.demanded)
        return now_us;
    if (!is_ours(m, p) && left_until_us(m, p) > now_us)
        return left_until_us(m, p);
    return first ? now_us + spread_us(m) : now_us;
}

/* Whether the directory is asked first: where nothing is known of it, or what was known has failed. Then until when it waits
 * for the answer, or for its turn to ask. */
static bool asks_first(struct mesh *m, struct peer *p, uint64_t now_us, uint64_t *until_us)
{
    if (p->turn.asked || (p->dial.count > 0 && !p->turn.tried))
        return false;
    uint64_t wait_us = p->turn.demanded ? 0 : bucket_wait(&m->member_asks, &ask_rate, 1, now_us);
    *until_us = now_us + (wait_us ? wait_us : ASK_US);
    if (wait_us)
        return true;
    bucket_spend(&m->member_asks, &ask_rate, 1, now_us);
    dial_turn_ask(&p->turn);
    mesh_want(m, &p->id, true);
    return true;
}

static void take_turn(struct mesh *m, struct peer *p, uint64_t now_us)
{
    uint64_t at_us = may_be_dialled_us(m, p, now_us);
    if (at_us > now_us || asks_first(m, p, now_us, &at_us)) {
        dial_turn_wait(&m->turns, &p->turn, at_us, now_us);
        return;
    }
    dial_turn_begin(&m->turns, &p->turn, now_us);
    peer_dial_now(p, now_us);
    mesh_touch(m, p);
}

void mesh_tick_members(struct mesh *m, uint64_t now_us)
{
    struct dial_turn *d;
    for (unsigned i = 0; i < AT_ONCE && (d = dial_turns_next(&m->turns, now_us)); i++)
        take_turn(m, peer_of(d), now_us);
}

/* ---- what happens to one ---- */

void mesh_member_answered(struct mesh *m, struct peer *p, uint64_t now_us)
{
    dial_turn_answered(&m->turns, &p->turn, now_us);
}

void mesh_member_live(struct mesh *m, struct peer *p, bool it_dialled, uint64_t now_us)
{
    if (mesh_takes_turns(p) && p->turn.state != DIAL_TURN_DONE && it_dialled)
        m->member_came_us = now_us;
    dial_turn_done(&m->turns, &p->turn, now_us);
}

void mesh_member_lost(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (p->turn.state == DIAL_TURN_DONE)
        dial_turn_wait(&m->turns, &p->turn, now_us, now_us);
}

void mesh_member_failed(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (!mesh_takes_turns(p))
        return;
    mesh_want(m, &p->id, false);
    dial_turn_wait(&m->turns, &p->turn, p->dial.at_us, now_us);
}

/* An answer that only repeats what is known is the one that it waits for, too. */
void mesh_member_news(struct mesh *m, struct peer *p, uint64_t now_us)
{
    bool is_news = p->dial.at_us == 0;
    if (is_news || p->turn.asked)
        dial_turn_hurry(&m->turns, &p->turn, now_us);
}

void mesh_member_unknown(struct mesh *m, struct peer *p)
{
    if (p->turn.asked)
        dial_turn_hurry(&m->turns, &p->turn, m->ticked_us);
}

bool mesh_member_is_sought(const struct peer *p)
{
    return !mesh_takes_turns(p) || p->turn.asked || p->turn.tried;
}

void mesh_member_hurry(struct mesh *m, struct peer *p, uint64_t now_us)
{
    if (mesh_takes_turns(p))
        dial_turn_hurry(&m->turns, &p->turn, now_us + spread_us(m));
}

void mesh_on_demand(struct mesh *m, uint32_t slot, uint64_t now_us)
{
    struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    if (!p || !mesh_takes_turns(p))
        return;
    dial_turn_demand(&m->turns, &p->turn);
    mesh_tick(m, now_us);
}

void mesh_on_sought(struct mesh *m, uint32_t slot, uint64_t now_us)
{
    const struct peer *p = slot < m->slot_end ? m->peers[slot] : NULL;
    if (p && p->turn.state == DIAL_TURN_WAITING && !p->turn.demanded &&
        bucket_take(&m->member_sought, &sought_rate, 1, now_us))
        mesh_on_demand(m, slot, now_us);
}

/* ---- for people ---- */

const char *mesh_describe_turn(const struct mesh *m, const struct peer *p)
{
    if (p->turn.state != DIAL_TURN_WAITING)
        return "";
    return is_ours(m, p) ? "its turn to be dialled has not come yet"
                         : "it is waited for: of this pair it dials";
}

void mesh_members(const struct mesh *m, unsigned *count, unsigned *connected)
{
    *count = *connected = 0;
    for (unsigned i = 0; i < m->slot_end; i++) {
        const struct peer *p = m->peers[i];
        if (!p || !p->allowed)
            continue;
        ++*count;
        *connected += p->reach.state == REACH_OPEN;
    }
}
