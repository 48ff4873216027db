/* SPDX-License-Identifier: Apache-2.0 */
/* From an accepted stream to a link: who may wait, whose handshake is next, and what strangers can hold of us.
 * docs/PROTOCOL.md §6. Control thread.
 *
 *   accepted ──▶ lobby ── whole ClientHello, turn ──▶ half-open ── identified ──▶ peer
 *      │           │ └─ a trunk's first batch ──▶ peer  │
 *      ▼           ▼ pushed out, late, no ClientHello   ▼ pushed out, late, failed
 *   refused      aborted                             aborted, or closed with an alert
 */

#include "proto/mesh/mesh_accept.h"

#include "base/clock.h"
#include "proto/admission/source.h"
#include "proto/mesh/mesh_entry.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_session.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_stream.h"
#include "proto/mesh/mesh_trunk.h"
#include "proto/mesh/mesh_uplink.h"

bool mesh_expects(const struct mesh *m, const struct target *from)
{
    if (from->kind == TARGET_TCP)
        return known_has(m->known, &from->addr);
    const struct peer *p = mesh_find_peer(m, &from->id);
    return p && (p->wanted || p->allowed);
}

static bool welcomes_host(struct mesh *m, const struct addr *remote, bool known, uint64_t now_us)
{
    return (known ? limits_take_alone(m->accepts, remote, 1, now_us)
                  : limits_take(m->accepts, remote, 1, now_us)) == 0;
}

static bool welcomes(struct mesh *m, const struct target *from, bool known, uint64_t now_us)
{
    switch (from->kind) {
    case TARGET_TCP:
        return welcomes_host(m, &from->addr, known, now_us);
    case TARGET_UPLINK:
        return mesh_welcomes(m, from, known, now_us);
    case TARGET_SESSION:
        return mesh_session_welcomes(m, from, now_us);
    }
    return false;
}

uint64_t mesh_on_accept(struct mesh *m, const struct target *from, uint64_t now_us)
{
    bool known = mesh_expects(m, from);
    if (!welcomes(m, from, known, now_us))
        return 0;
    if (outputs_promise(&m->outputs, 1))
        return 0;
    uint64_t conn = ++m->last_conn;
    uint64_t loser = lobby_enter(m->lobby, conn, from, known, now_us);
    if (loser)
        mesh_turn_away(m, loser);
    return conn;
}

void mesh_expect_peer_at(struct mesh *m, const struct peer *p, const struct candidate *list, unsigned count)
{
    for (unsigned i = 0; (p->wanted || p->allowed) && i < count; i++)
        if (mesh_usable(m, &list[i].addr))
            known_note(m->known, &list[i].addr);
}

void mesh_leave_half_open(struct mesh *m, const struct link *l)
{
    for (unsigned i = 0; i < MESH_HALF_OPEN_MAX; i++) {
        if (m->half_open[i] != l)
            continue;
        m->half_open[i] = NULL;
        crowd_leave(m->half_open_crowd, i);
    }
}

void mesh_end_half_open(struct mesh *m)
{
    for (unsigned i = 0; i < MESH_HALF_OPEN_MAX; i++) {
        struct link *l = m->half_open[i];
        if (!l)
            continue;
        mesh_abandon_link(m, l);
        mesh_discard_link(m, l);
    }
}

/* No last words: there is nobody we owe them to. */
static void abort_half_open(struct mesh *m, struct link *l)
{
    if (table_remove(m->streams, link_conn(l)))
        mesh_turn_away(m, link_conn(l));
    link_detach(l);
    mesh_discard_link(m, l);
}

/* The guest's handshake begins. */
static int receive(struct mesh *m, const struct lobby_guest *g, uint64_t now_us)
{
    struct link *l;
    int err = link_new(m->tls, g->conn, &g->from, NULL, now_us, &l);
    if (err)
        return err;
    err = table_put(m->streams, g->conn, l);
    if (err) {
        link_free(l);
        return err;
    }
    const struct addr source = source_of(&g->from);
    unsigned place = crowd_place(m->half_open_crowd, &source);
    if (m->half_open[place])
        abort_half_open(m, m->half_open[place]);
    crowd_enter(m->half_open_crowd, place, &source, g->known, now_us);
    m->half_open[place] = l;
    link_on_bytes(l, g->hello, g->len);
    mesh_advance(m, l, now_us);
    return 0;
}

/* Who is next is the lobby's to say, when it can be served: behind others it would wait in the order of coming, and lose
 * its place to newer ones. */
void mesh_receive_guests(struct mesh *m, uint64_t now_us)
{
    const struct lobby_guest *g;
    while (m->works < MESH_WORKS_MAX && (g = lobby_next(m->lobby, now_us)))
        if (receive(m, g, now_us))
            mesh_turn_away(m, g->conn);
}

void mesh_on_guest_bytes(struct mesh *m, uint64_t conn, const uint8_t *data, size_t len, uint64_t now_us)
{
    int err = lobby_feed(m->lobby, conn, data, len, now_us);
    if (err == ERR_FORMAT && lobby_leave(m->lobby, conn))
        mesh_turn_away(m, conn);
    if (err == LOBBY_TRUNK)
        mesh_on_trunk_guest(m, lobby_take(m->lobby, conn), now_us);
    if (!err)
        mesh_receive_guests(m, now_us);
}

void mesh_tick_accepted(struct mesh *m, uint64_t now_us)
{
    uint64_t conn;
    int oldest;
    while ((conn = lobby_expired(m->lobby, now_us)))
        mesh_turn_away(m, conn);
    while ((oldest = crowd_oldest(m->half_open_crowd)) >= 0 && link_is_late(m->half_open[oldest], now_us)) {
        mesh_note_unentered(m, m->half_open[oldest], "it has not said within 5 s what it wants");
        abort_half_open(m, m->half_open[oldest]);
    }
    mesh_receive_guests(m, now_us);
}

uint64_t mesh_accepted_deadline(const struct mesh *m, uint64_t now_us)
{
    int oldest = crowd_oldest(m->half_open_crowd);
    uint64_t lobby_us = lobby_next_deadline(m->lobby, now_us);
    uint64_t late_us = oldest < 0 ? TIME_NEVER : link_next_deadline(m->half_open[oldest]);
    return lobby_us < late_us ? lobby_us : late_us;
}
