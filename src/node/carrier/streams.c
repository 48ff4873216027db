/* SPDX-License-Identifier: Apache-2.0 */
/* From numbers to streams, and from what carries them to the mesh's events. Control thread. docs/ARCHITECTURE.md,
 * "Control". */

#include "node/carrier/streams.h"

#include "base/table.h"
#include "node/carrier/tcp_streams.h"
#include "proto/path/endpoint.h"
#include <assert.h>
#include <stdlib.h>

struct streams {
    struct streams_events events;
    struct table *by_conn;
    struct tcp_streams *tcp;
    struct streams_uplink uplinks[UPLINKS_MAX];
};

static void free_streams(struct streams *s)
{
    table_free(s->by_conn);
    free(s);
}

int streams_new(uv_loop_t *loop, uint16_t port, const struct streams_events *events, struct streams **out)
{
    struct streams *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->events = *events;
    int err = table_new(&s->by_conn);
    if (!err)
        err = tcp_streams_new(loop, port, s, &s->tcp);
    if (err)
        free_streams(s);
    else
        *out = s;
    return err;
}

void streams_close_all(struct streams *s)
{
    tcp_streams_close(s->tcp);
    free_streams(s);
}

void streams_add_uplink(struct streams *s, unsigned backbone, const struct streams_uplink *uplink)
{
    assert(backbone < UPLINKS_MAX);
    s->uplinks[backbone] = *uplink;
}

/* ---- the mesh's orders ---- */

static void dial_by_uplink(struct streams *s, uint64_t conn, const struct target *to)
{
    const struct streams_uplink *u = &s->uplinks[to->backbone];
    if (u->dial)
        u->dial(u->context, conn, to);
}

void streams_dial(struct streams *s, uint64_t conn, const struct target *to)
{
    switch (to->kind) {
    case TARGET_TCP:
        tcp_streams_dial(s->tcp, conn, &to->addr);
        return;
    case TARGET_UPLINK:
        dial_by_uplink(s, conn, to);
        return;
    case TARGET_SESSION: /* the mesh's own */
        return;
    }
}

void streams_send(struct streams *s, uint64_t conn, const uint8_t *data, size_t len)
{
    struct stream *st = table_get(s->by_conn, conn);
    if (st)
        st->ops->send(st, data, len);
}

void streams_close(struct streams *s, uint64_t conn)
{
    struct stream *st = table_get(s->by_conn, conn);
    if (st)
        st->ops->close(st);
}

bool streams_abort(struct streams *s, uint64_t conn)
{
    struct stream *st = table_get(s->by_conn, conn);
    if (st)
        st->ops->abort(st);
    return st != NULL;
}

int streams_release(struct streams *s, uint64_t conn)
{
    struct stream *st = table_get(s->by_conn, conn);
    return st && st->ops->release ? st->ops->release(st) : -1;
}

void streams_drop_homeless(struct streams *s)
{
    tcp_streams_drop_homeless(s->tcp);
}

/* ---- what streams tell ---- */

int stream_dialled(struct stream *st, uint64_t conn)
{
    st->conn = conn;
    return table_put(st->all->by_conn, conn, st);
}

int stream_accepted(struct stream *st, const struct target *from)
{
    uint64_t conn = st->all->events.accepted(st->all->events.context, from);
    return conn ? stream_dialled(st, conn) : ERR_PERMISSION;
}

void stream_leave(struct stream *st)
{
    if (st->conn)
        table_remove(st->all->by_conn, st->conn);
    st->conn = 0;
}

void stream_connected(const struct stream *st)
{
    st->all->events.connected(st->all->events.context, st->conn);
}

void stream_bytes(const struct stream *st, const uint8_t *data, size_t len)
{
    st->all->events.bytes(st->all->events.context, st->conn, data, len);
}

void stream_closed(const struct stream *gone, const char *reason)
{
    gone->all->events.closed(gone->all->events.context, gone->conn, reason);
}
