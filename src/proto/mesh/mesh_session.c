/* SPDX-License-Identifier: Apache-2.0 */
/* docs/PROTOCOL.md §16. Control thread.
 *
 *   link ── bytes ──▶ stream ── segments, sealed, on the path that carries ──▶ peer
 *   link, or the lobby ◀── bytes in order ── stream ◀── segments, each answered ── peer
 */

#include "proto/mesh/mesh_session.h"

#include "base/clock.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_entry.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_state.h"
#include <stdlib.h>

/* The lowest bit of the numbers that one side draws. */
static bool draws_odd(const struct mesh *m, const struct peer *p, bool ours)
{
    return (id_compare(identity_id(m->config.me), &p->id) > 0) == ours;
}

static uint32_t draw_number(const struct mesh *m, const struct peer *p)
{
    uint32_t number;
    do
        number = (mesh_random(m) & ~1u) | draws_odd(m, p, true);
    while (stream_set_by_number(p->streams, number));
    return number;
}

/* The path's round trip, from which a stream's begins. */
static uint64_t rtt_us(const struct peer *p)
{
    const struct path *best = path_best(p->paths);
    return best ? best->rtt_us : 0;
}

static int add_stream(struct mesh *m, struct peer *p, uint32_t number, uint64_t conn, bool ours)
{
    struct stream_set *set = peer_streams(p);
    struct session_stream *s = set ? session_stream_new(number, conn, ours, rtt_us(p)) : NULL;
    if (!s)
        return ERR_NOMEM;
    int err = table_put(m->session_streams, conn, p);
    if (!err && !stream_set_add(set, s)) {
        table_remove(m->session_streams, conn);
        err = ERR_SPACE;
    }
    if (err)
        session_stream_free(s);
    else
        m->session_guests += !ours;
    return err;
}

/* What was sent of it and comes yet is answered by a reset. */
static void remove_stream(struct mesh *m, struct peer *p, struct session_stream *s)
{
    m->session_guests -= !s->ours;
    if (s->conn)
        table_remove(m->session_streams, s->conn);
    stream_set_remove(p->streams, s);
    mesh_touch(m, p);
}

/* Whoever reads it learns that nothing more comes. */
static void end_stream(struct mesh *m, struct peer *p, struct session_stream *s, const char *why,
                       uint64_t now_us)
{
    uint64_t conn = s->conn;
    remove_stream(m, p, s);
    if (conn)
        mesh_on_closed(m, conn, why, now_us);
}

static void say(struct peer *p, const struct message *message)
{
    if (p->current)
        mesh_say_sealed(p->current, message);
}

static void say_reset(struct peer *p, uint32_t number)
{
    say(p, &(struct message){.type = MESSAGE_STREAM_RESET, .reset = {number}});
}

int mesh_session_open(struct mesh *m, struct peer *p, uint64_t conn)
{
    return add_stream(m, p, draw_number(m, p), conn, true);
}

bool mesh_session_welcomes(struct mesh *m, const struct target *from, uint64_t now_us)
{
    struct peer *p = mesh_find_peer(m, &from->id);
    return mesh_may_enter(m, p) && m->session_guests < MESH_SESSION_STREAMS_MAX &&
           stream_set_has_room(p->streams) && allowance_take(&p->allowance, ALLOWANCE_STREAM, 1, now_us);
}

static struct session_stream *stream_of(const struct mesh *m, uint64_t conn, struct peer **p)
{
    *p = table_get(m->session_streams, conn);
    return *p ? stream_set_by_conn((*p)->streams, conn) : NULL;
}

int mesh_session_write(struct mesh *m, uint64_t conn, const uint8_t *data, size_t len)
{
    struct peer *p;
    struct session_stream *s = stream_of(m, conn, &p);
    if (!s)
        return ERR_CLOSED;
    mesh_touch(m, p);
    return stream_sender_write(&s->out, data, len);
}

bool mesh_session_let_go(struct mesh *m, uint64_t conn, bool reset)
{
    struct peer *p;
    struct session_stream *s = stream_of(m, conn, &p);
    if (!s)
        return false;
    if (reset) {
        say_reset(p, s->number);
        remove_stream(m, p, s);
        return true;
    }
    table_remove(m->session_streams, conn);
    session_stream_let_go(s);
    mesh_touch(m, p);
    return true;
}

/* ---- what comes in ---- */

static struct session_stream *accept_stream(struct mesh *m, struct peer *p, const struct segment *first,
                                            uint64_t now_us)
{
    const struct target from = target_session(&p->id);
    if (!(first->flags & SEGMENT_FIRST) || (first->stream & 1) != draws_odd(m, p, false))
        return NULL;
    uint64_t conn = mesh_on_accept(m, &from, now_us);
    if (!conn)
        return NULL;
    if (add_stream(m, p, first->stream, conn, false)) {
        mesh_on_closed(m, conn, "out of memory", now_us);
        return NULL;
    }
    return stream_set_by_number(p->streams, first->stream);
}

/* Each piece may end the stream that it is of. */
static void deliver(struct mesh *m, struct peer *p, uint32_t number, uint64_t now_us)
{
    struct session_stream *s;
    struct stream_piece *piece;
    while ((s = stream_set_by_number(p->streams, number)) && (piece = stream_receiver_take(&s->in))) {
        bool last = piece->last;
        if (s->conn && piece->len > piece->skip)
            mesh_on_bytes(m, s->conn, piece->data + piece->skip, piece->len - piece->skip, now_us);
        free(piece);
        s = last ? stream_set_by_number(p->streams, number) : NULL;
        if (s)
            end_stream(m, p, s, "the peer closed the connection", now_us);
    }
}

static enum drop on_segment(struct mesh *m, struct peer *p, const struct segment *in, uint64_t now_us)
{
    struct session_stream *s = stream_set_by_number(p->streams, in->stream);
    struct message answer = {.type = MESSAGE_STREAM_ANSWER};
    if (!s)
        s = accept_stream(m, p, in, now_us);
    int err = s ? session_stream_on_segment(s, in, &answer.answered) : ERR_NOT_FOUND;
    if (err == ERR_SPACE || err == ERR_NOMEM)
        return DROP_CONTROL_QUEUE;
    if (err) {
        say_reset(p, in->stream);
        if (s)
            end_stream(m, p, s, "what it says over the session is malformed", now_us);
        return err == ERR_FORMAT ? DROP_INNER : DROP_NONE;
    }
    say(p, &answer);
    deliver(m, p, in->stream, now_us);
    return DROP_NONE;
}

static enum drop on_answer(struct mesh *m, struct peer *p, const struct segment_answer *a, uint64_t now_us)
{
    struct session_stream *s = stream_set_by_number(p->streams, a->stream);
    if (!s) {
        say_reset(p, a->stream);
        return DROP_NONE;
    }
    if (stream_sender_on_answer(&s->out, a, now_us) == 0)
        return DROP_NONE;
    say_reset(p, a->stream);
    end_stream(m, p, s, "what it says over the session is malformed", now_us);
    return DROP_INNER;
}

static enum drop on_reset(struct mesh *m, struct peer *p, uint32_t number, uint64_t now_us)
{
    struct session_stream *s = stream_set_by_number(p->streams, number);
    if (s)
        end_stream(m, p, s, "the peer closed the connection", now_us);
    return DROP_NONE;
}

enum drop mesh_on_session_stream(struct mesh *m, struct peer *p, const struct message *message,
                                 uint64_t now_us)
{
    enum drop drop = message->type == MESSAGE_STREAM          ? on_segment(m, p, &message->segment, now_us)
                     : message->type == MESSAGE_STREAM_ANSWER ? on_answer(m, p, &message->answered, now_us)
                                                              : on_reset(m, p, message->reset.stream, now_us);
    mesh_poll_session(m, p, now_us);
    return drop;
}

/* ---- what goes out ---- */

static void end_all(struct mesh *m, struct peer *p, uint64_t now_us)
{
    struct session_stream *s;
    while ((s = stream_set_any(p->streams)))
        end_stream(m, p, s, "the session ended", now_us);
}

void mesh_poll_session(struct mesh *m, struct peer *p, uint64_t now_us)
{
    struct session_stream *s;
    struct message message = {.type = MESSAGE_STREAM};
    if (stream_set_is_empty(p->streams))
        return;
    if (!peer_send_session(p)) {
        end_all(m, p, now_us);
        return;
    }
    const struct path *best = path_best(p->paths);
    while (best && stream_set_next(p->streams, mesh_segment_room(best), now_us, &message.segment))
        say(p, &message);
    while ((s = stream_set_over(p->streams, now_us))) {
        if (s->conn)
            say_reset(p, s->number);
        end_stream(m, p, s, "it does not answer over the session", now_us);
    }
    mesh_touch(m, p);
}

void mesh_session_hurry(struct mesh *m, uint64_t conn, uint64_t now_us)
{
    struct peer *p = table_get(m->session_streams, conn);
    if (p)
        mesh_poll_session(m, p, now_us);
}

/* Without a path there is nobody to send to: what is over is seen by the peer's other timers. */
uint64_t mesh_session_deadline(const struct peer *p)
{
    if (stream_set_is_empty(p->streams))
        return TIME_NEVER;
    if (!peer_send_session(p))
        return 0;
    return path_best(p->paths) ? stream_set_deadline(p->streams) : TIME_NEVER;
}
