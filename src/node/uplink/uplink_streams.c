/* SPDX-License-Identifier: Apache-2.0 */
/* A stream is known by its number as long as it is open at our side; what comes for another one is late, and skipped. What
 * happens within a call of the mesh is told from the loop, by a timer. */
#include "node/uplink/uplink_streams.h"

#include "base/clock.h"
#include "base/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_MS   1000                /* what closes may take to send the rest */
#define GRANTED_MAX (1u << 20)          /* bytes that may be granted and unused */
#define GRANT_AT    (UPLINK_WINDOW / 2) /* bytes that were consumed: they are granted anew */

struct uplink_stream {
    struct stream base; /* first: streams are cast back */
    struct uplink_streams *owner;
    struct uplink_stream *previous, *next;
    uint32_t number;
    bool opened;     /* the backbone knows it */
    bool connecting; /* the mesh is still to be told that it is open */
    bool closing;    /* the mesh has closed it: no more events, what comes is discarded */
    uint64_t linger_us;
    uint32_t may_send, may_receive, consumed;
    size_t queued; /* bytes that wait for credit */
    uint8_t *queue;
    const char *failure; /* not NULL: to be told */
};

struct uplink_streams {
    struct uplink_streams_config config;
    bool up;
    uint32_t credit;      /* of a new stream, each way */
    unsigned most;        /* that either side may have open */
    uint32_t last_number; /* of ours */
    unsigned open[2];     /* theirs, ours */
    struct table *by_number;
    struct uplink_stream *first;
    uv_timer_t soon, linger;
    unsigned handles;
};

static void on_soon(uv_timer_t *timer);
static void on_linger(uv_timer_t *timer);

static bool is_ours(uint32_t number)
{
    return number & 1;
}

/* ---- the life of a stream ---- */

static const struct stream_ops ops;

static struct uplink_stream *make(struct uplink_streams *s, uint32_t number)
{
    struct uplink_stream *st = calloc(1, sizeof(*st));
    if (!st || table_put(s->by_number, number, st)) {
        free(st);
        return NULL;
    }
    st->base = (struct stream){.ops = &ops, .all = s->config.all};
    st->owner = s;
    st->number = number;
    st->may_send = st->may_receive = s->credit;
    st->next = s->first;
    if (s->first)
        s->first->previous = st;
    s->first = st;
    s->open[is_ours(number)]++;
    return st;
}

static void release(struct uplink_stream *st)
{
    struct uplink_streams *s = st->owner;
    stream_leave(&st->base);
    (void)table_remove(s->by_number, st->number);
    if (st->previous)
        st->previous->next = st->next;
    else
        s->first = st->next;
    if (st->next)
        st->next->previous = st->previous;
    s->open[is_ours(st->number)]--;
    free(st->queue);
    free(st);
}

static void say_close(struct uplink_streams *s, uint32_t number, enum uplink_end code)
{
    const struct uplink_message m = {.kind = UPLINK_CLOSE, .stream = number, .code = (uint8_t)code};
    if (s->up)
        (void)!uplink_line_send(s->config.line, &m); /* without room for it the uplink ends soon */
}

/* The backbone is told, if it knows of the stream. */
static void finish(struct uplink_stream *st, enum uplink_end code)
{
    if (st->opened)
        say_close(st->owner, st->number, code);
    release(st);
}

/* From the loop. */
static void end(struct uplink_stream *st, enum uplink_end code, const char *reason)
{
    const struct stream gone = st->base;
    bool told = st->closing;
    finish(st, code);
    if (!told)
        stream_closed(&gone, reason);
}

static void fail(struct uplink_stream *st, const char *reason)
{
    if (st->failure)
        return;
    st->failure = reason;
    uv_timer_start(&st->owner->soon, on_soon, 0, 0);
}

static void on_soon(uv_timer_t *timer)
{
    struct uplink_streams *s = timer->data;
    for (struct uplink_stream *st = s->first, *next; st; st = next) {
        next = st->next;
        if (st->failure) {
            end(st, UPLINK_END_DONE, st->failure);
            continue;
        }
        bool connected = st->connecting && !st->closing;
        st->connecting = false;
        if (connected)
            stream_connected(&st->base);
    }
}

/* ---- bytes ---- */

static void pump(struct uplink_stream *st)
{
    while (st->queued && st->may_send) {
        size_t n = st->queued < UPLINK_DATA_MAX ? st->queued : UPLINK_DATA_MAX;
        n = n < st->may_send ? n : st->may_send;
        const struct uplink_message m = {.kind = UPLINK_DATA, .stream = st->number, .data = {st->queue, n}};
        if (uplink_line_send(st->owner->config.line, &m)) {
            fail(st, "the uplink takes too little");
            return;
        }
        st->may_send -= (uint32_t)n;
        st->queued -= n;
        memmove(st->queue, st->queue + n, st->queued);
    }
}

static void send_bytes(struct stream *base, const uint8_t *data, size_t len)
{
    struct uplink_stream *st = (struct uplink_stream *)base;
    if (st->closing || st->failure)
        return;
    if (st->queued + len > UPLINK_STREAM_QUEUE) {
        fail(st, "the peer does not read");
        return;
    }
    uint8_t *queue = realloc(st->queue, st->queued + len);
    if (!queue) {
        fail(st, "out of memory");
        return;
    }
    memcpy(queue + st->queued, data, len);
    st->queue = queue;
    st->queued += len;
    pump(st);
}

static void close_stream(struct stream *base)
{
    struct uplink_stream *st = (struct uplink_stream *)base;
    st->closing = true;
    if (!st->queued || st->failure) {
        finish(st, UPLINK_END_DONE);
        return;
    }
    st->linger_us = clock_monotonic_us() + LINGER_MS * USEC_PER_MSEC;
    uv_timer_start(&st->owner->linger, on_linger, LINGER_MS, 0);
}

static void abort_stream(struct stream *base)
{
    finish((struct uplink_stream *)base, UPLINK_END_REFUSED);
}

static const struct stream_ops ops = {send_bytes, close_stream, abort_stream, NULL};

static void on_linger(uv_timer_t *timer)
{
    struct uplink_streams *s = timer->data;
    uint64_t now_us = clock_monotonic_us();
    bool more = false;
    for (struct uplink_stream *st = s->first, *next; st; st = next) {
        next = st->next;
        if (st->closing && now_us >= st->linger_us)
            finish(st, UPLINK_END_DONE);
        else
            more |= st->closing;
    }
    if (more)
        uv_timer_start(&s->linger, on_linger, LINGER_MS, 0);
}

/* ---- the mesh's orders ---- */

static const char *open_at_backbone(struct uplink_stream *st, const struct node_id *id)
{
    struct uplink_streams *s = st->owner;
    const struct uplink_message m = {.kind = UPLINK_OPEN, .stream = st->number, .id = *id};
    if (!s->up)
        return "there is no uplink";
    if (s->open[true] > s->most)
        return "too many streams at once";
    if (uplink_line_send(s->config.line, &m))
        return "the uplink takes too little";
    st->opened = true;
    return NULL;
}

void uplink_streams_dial(struct uplink_streams *s, uint64_t conn, const struct node_id *id)
{
    s->last_number += 2;
    struct uplink_stream *st = make(s, s->last_number);
    if (!st)
        return;
    const char *failure = stream_dialled(&st->base, conn) ? "out of memory" : open_at_backbone(st, id);
    st->connecting = true;
    if (failure)
        fail(st, failure);
    uv_timer_start(&s->soon, on_soon, 0, 0);
}

/* ---- from the backbone ---- */

static int on_open(struct uplink_streams *s, const struct uplink_message *m)
{
    const struct target from = target_uplink(s->config.backbone, &m->id);
    if (is_ours(m->stream) || table_get(s->by_number, m->stream))
        return ERR_FORMAT;
    struct uplink_stream *st = s->open[false] < s->most ? make(s, m->stream) : NULL;
    if (!st) {
        say_close(s, m->stream, UPLINK_END_TOO_MANY);
        return 0;
    }
    st->opened = true;
    int err = stream_accepted(&st->base, &from);
    if (err == ERR_PERMISSION)
        finish(st, UPLINK_END_REFUSED);
    else if (err)
        fail(st, "out of memory");
    return 0;
}

static void grant(struct uplink_stream *st)
{
    const struct uplink_message m = {.kind = UPLINK_CREDIT, .stream = st->number, .credit = st->consumed};
    if (st->consumed < GRANT_AT || st->closing)
        return;
    if (uplink_line_send(st->owner->config.line, &m)) {
        fail(st, "the uplink takes too little");
        return;
    }
    st->may_receive += st->consumed;
    st->consumed = 0;
}

static void on_data(struct uplink_stream *st, struct slice data)
{
    if (data.len > st->may_receive) {
        end(st, UPLINK_END_RULES, "more came on it than was granted");
        return;
    }
    st->may_receive -= (uint32_t)data.len;
    st->consumed += (uint32_t)data.len;
    if (!st->closing && !st->failure)
        stream_bytes(&st->base, data.data, data.len);
    grant(st);
}

static void on_credit(struct uplink_stream *st, uint32_t credit)
{
    if (credit > GRANTED_MAX - st->may_send) {
        end(st, UPLINK_END_RULES, "it was granted more than a stream may have");
        return;
    }
    st->may_send += credit;
    pump(st);
    if (st->closing && !st->queued)
        finish(st, UPLINK_END_DONE);
}

static const char *reason_of(uint8_t code)
{
    switch ((enum uplink_end)code) {
    case UPLINK_END_DONE:
        return "the connection was closed";
    case UPLINK_END_ABSENT:
        return "it has no uplink there";
    case UPLINK_END_REFUSED:
        return "it refuses us";
    case UPLINK_END_TOO_MANY:
        return "too many streams at once, or of late";
    case UPLINK_END_RULES:
        return "more was sent on it than is allowed";
    case UPLINK_END_LOST:
        return "its uplink was lost";
    }
    return "it refuses us";
}

int uplink_streams_on_message(struct uplink_streams *s, const struct uplink_message *m)
{
    if (m->kind == UPLINK_OPEN)
        return on_open(s, m);
    struct uplink_stream *st = table_get(s->by_number, m->stream);
    if (!st)
        return 0;
    if (m->kind == UPLINK_DATA)
        on_data(st, m->data);
    else if (m->kind == UPLINK_CREDIT)
        on_credit(st, m->credit);
    else
        end(st, UPLINK_END_DONE, reason_of(m->code));
    return 0;
}

/* ---- life ---- */

int uplink_streams_new(const struct uplink_streams_config *config, struct uplink_streams **out)
{
    struct uplink_streams *s = calloc(1, sizeof(*s));
    if (!s || table_new(&s->by_number)) {
        free(s);
        return ERR_NOMEM;
    }
    s->config = *config;
    s->last_number = UINT32_MAX; /* the first is 1 */
    uv_timer_init(config->loop, &s->soon);
    uv_timer_init(config->loop, &s->linger);
    s->soon.data = s->linger.data = s;
    s->handles = 2;
    *out = s;
    return 0;
}

void uplink_streams_begin(struct uplink_streams *s, uint32_t credit, unsigned streams)
{
    s->up = true;
    s->credit = credit < GRANTED_MAX ? credit : GRANTED_MAX;
    s->most = streams < UPLINK_STREAMS ? streams : UPLINK_STREAMS;
}

void uplink_streams_end(struct uplink_streams *s, const char *reason)
{
    s->up = false;
    while (s->first)
        end(s->first, UPLINK_END_DONE, reason);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct uplink_streams *s = handle->data;
    if (--s->handles == 0)
        free(s);
}

void uplink_streams_close(struct uplink_streams *s)
{
    if (!s)
        return;
    while (s->first)
        release(s->first);
    table_free(s->by_number);
    uv_close((uv_handle_t *)&s->soon, on_handle_closed);
    uv_close((uv_handle_t *)&s->linger, on_handle_closed);
}
