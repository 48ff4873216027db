/* SPDX-License-Identifier: Apache-2.0 */
/* Trunks: who dials one where, and whose it is that comes. What proves that is sealed: no byte of a stranger's gets past
 * the first batch. docs/PROTOCOL.md §18. Control thread. */

#include "proto/mesh/mesh_trunk.h"

#include "base/clock.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_state.h"
#include "proto/wire/trunk.h"
#include <string.h>

#define PATIENCE_US       (3 * USEC_PER_SEC / 10) /* for an answer over UDP, before a trunk is dialled … */
#define PATIENCE_OTHER_US USEC_PER_SEC /* … and for the side that has reached the other already */

bool mesh_is_trunk_of(const struct peer *p, const struct endpoint *from)
{
    return p->trunk.state == TRUNK_OPEN && p->trunk.conn == from->conn;
}

static bool is_able(const struct mesh *m, const struct peer *p)
{
    return carrier_in(CARRIER_TCP, m->config.carriers) && peer_send_session(p) &&
           link_theirs(p->current)->features & HELLO_FEATURE_TRUNK;
}

void mesh_update_trunk(struct mesh *m, struct peer *p, uint64_t now_us)
{
    bool able = is_able(m, p);
    uint64_t patience_us = m->config.carriers == CARRIERS_TCP ? 0 : PATIENCE_US;
    if (able && !link_is_opener(p->current))
        patience_us += PATIENCE_OTHER_US;
    trunk_want(&p->trunk, able && path_wants_trunk(p->paths), patience_us, now_us);
    if (path_trunk_sound(p->paths))
        trunk_proved(&p->trunk);
}

/* ---- its end ---- */

static void forget(struct peer *p, const char *why, uint64_t now_us)
{
    path_remove_trunk(p->paths);
    trunk_gone(&p->trunk, why, now_us);
}

void mesh_end_trunk(struct mesh *m, struct peer *p, const char *why, uint64_t now_us)
{
    if (p->trunk.state == TRUNK_NONE)
        return;
    table_remove(m->trunks, p->trunk.conn);
    mesh_stream_end(m, p->trunk.conn, MESH_OUTPUT_STREAM_ABORT);
    forget(p, why, now_us);
}

bool mesh_on_trunk_closed(struct mesh *m, uint64_t conn, const char *why, uint64_t now_us)
{
    struct peer *p = table_remove(m->trunks, conn);
    if (!p)
        return false;
    outputs_give_back(&m->outputs, 1);
    mesh_touch(m, p);
    forget(p, why, now_us);
    mesh_poll_paths(m, p, now_us);
    return true;
}

/* It speaks before it was spoken to. */
bool mesh_on_trunk_bytes(struct mesh *m, uint64_t conn, uint64_t now_us)
{
    struct peer *p = table_get(m->trunks, conn);
    if (!p)
        return false;
    mesh_touch(m, p);
    mesh_end_trunk(m, p, "it speaks out of turn", now_us);
    mesh_poll_paths(m, p, now_us);
    return true;
}

/* ---- one that we dial ---- */

/* Where the link was dialled, then where else the peer may be. False: that was the last. */
static bool address_at(const struct peer *p, unsigned number, struct addr *out)
{
    const struct target *proven = link_remote(p->current);
    bool straight = link_is_opener(p->current) && proven->kind == TARGET_TCP;
    if (straight && number-- == 0) {
        *out = proven->addr;
        return true;
    }
    for (unsigned i = 0; i < p->dial.count; i++) {
        const struct target *t = &p->dial.targets[i];
        if (t->kind != TARGET_TCP || (straight && target_same(t, proven)) || number-- > 0)
            continue;
        *out = t->addr;
        return true;
    }
    return false;
}

static void dial(struct mesh *m, struct peer *p, uint64_t now_us)
{
    struct mesh_output o = {.kind = MESH_OUTPUT_DIAL, .conn = m->last_conn + 1};
    struct addr to;
    if (!address_at(p, p->trunk.next, &to) || outputs_promise(&m->outputs, 1)) {
        trunk_round_over(&p->trunk, now_us);
        return;
    }
    o.target = target_tcp(&to);
    if (table_put(m->trunks, o.conn, p) || outputs_put(&m->outputs, &o, NULL, 0)) {
        table_remove(m->trunks, o.conn);
        outputs_give_back(&m->outputs, 1);
        trunk_round_over(&p->trunk, now_us);
        return;
    }
    m->last_conn++;
    trunk_dial(&p->trunk, o.conn, &to, now_us);
}

/* From now on the connection carries datagrams; rest came behind the first batch. False without memory. */
static bool open_trunk(struct mesh *m, struct peer *p, const struct endpoint *e, struct slice rest,
                       uint64_t now_us)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_TRUNK, .conn = e->conn};
    if (outputs_put(&m->outputs, &o, rest.data, rest.len))
        return false;
    trunk_opened(&p->trunk, e->conn, &e->remote, p->trunk.state == TRUNK_DIALLING, now_us);
    path_add_trunk(p->paths, e, now_us);
    return true;
}

bool mesh_on_trunk_connected(struct mesh *m, uint64_t conn, uint64_t now_us)
{
    struct peer *p = table_get(m->trunks, conn);
    if (!p)
        return false;
    const struct endpoint e = endpoint_tcp(conn, &p->trunk.remote);
    mesh_touch(m, p);
    if (!is_able(m, p) || !open_trunk(m, p, &e, (struct slice){0}, now_us))
        mesh_end_trunk(m, p, "there is no session, or no memory", now_us);
    mesh_poll_paths(m, p, now_us);
    return true;
}

void mesh_tick_trunk(struct mesh *m, struct peer *p, uint64_t now_us)
{
    mesh_update_trunk(m, p, now_us);
    if (path_trunk_failed(p->paths) || (p->trunk.state != TRUNK_NONE && !is_able(m, p)))
        mesh_end_trunk(m, p, "no answer", now_us);
    switch (trunk_step(&p->trunk, now_us)) {
    case TRUNK_STEP_NONE:
        break;
    case TRUNK_STEP_DIAL:
        dial(m, p, now_us);
        break;
    case TRUNK_STEP_END:
        mesh_end_trunk(m, p, "no answer", now_us);
        break;
    }
}

/* ---- one that comes ---- */

/* Whose first datagram it is: opened in place, with what shuts repetitions out. NULL: nobody's. */
static struct peer *open_first(struct mesh *m, uint8_t *datagram, size_t len)
{
    struct wire_header h;
    struct path_probe probe;
    uint8_t *plain;
    size_t plain_len;
    if (wire_header_decode(datagram, len, &h) != DROP_NONE || h.type != WIRE_PROBE)
        return NULL;
    const struct mesh_receiver *r = table_get(m->receivers, h.receiver);
    if (!r || !r->session || !session_hold(r->session, WIRE_LANE_CONTROL))
        return NULL;
    enum drop drop = session_open(r->session, &h, datagram, len, &plain, &plain_len);
    session_release(r->session, WIRE_LANE_CONTROL);
    if (drop != DROP_NONE || plain_len < WIRE_INNER_LEN ||
        path_probe_decode(plain + WIRE_INNER_LEN, plain_len - WIRE_INNER_LEN, &probe) ||
        probe.kind != PATH_PROBE_TRUNK)
        return NULL;
    return link_owner(r->link);
}

/* In the place of the one before. */
static bool accept_trunk(struct mesh *m, struct peer *p, const struct endpoint *e, struct slice rest,
                         uint64_t now_us)
{
    bool lower = id_compare(identity_id(m->config.me), &p->id) < 0;
    if (!is_able(m, p) || !allowance_take(&p->allowance, ALLOWANCE_CONNECTION, 1, now_us) ||
        trunk_stays(&p->trunk, lower, path_trunk_sound(p->paths), now_us) || table_put(m->trunks, e->conn, p))
        return false;
    mesh_end_trunk(m, p, "a newer one took its place", now_us);
    if (open_trunk(m, p, e, rest, now_us))
        return true;
    table_remove(m->trunks, e->conn);
    return false;
}

void mesh_on_trunk_guest(struct mesh *m, const struct lobby_guest *g, uint64_t now_us)
{
    uint8_t datagram[TRUNK_FIRST_MAX];
    struct trunk_batch first;
    const struct endpoint e = endpoint_tcp(g->conn, &g->from.addr);
    struct peer *p = NULL;
    size_t used = 0;
    if (trunk_decode_first(g->hello, g->len, &first) == 1) {
        used = TRUNK_HEAD_LEN + first.len;
        memcpy(datagram, g->hello + TRUNK_HEAD_LEN, first.len);
        p = open_first(m, datagram, first.len);
    }
    if (p)
        mesh_touch(m, p);
    if (!p || !accept_trunk(m, p, &e, (struct slice){g->hello + used, g->len - used}, now_us)) {
        mesh_turn_away(m, g->conn);
        return;
    }
    (void)mesh_on_opened(m, p->slot, &e, datagram, first.len, now_us);
}
