/* SPDX-License-Identifier: Apache-2.0 */
/* One stream over libuv's TCP, from open to gone. Control thread. */

#include "node/carrier/tcp_stream.h"

#include "net/tcp.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_MS        1000 /* what closes may take to send the rest and to see the other end close */
#define QUEUE_MAX        (256 * 1024) /* bytes that may wait for a peer that does not read */
#define KEEPALIVE_IDLE_S 10
#define USER_TIMEOUT_MS  15000

void tcp_streams_release(struct tcp_streams *s)
{
    if (!s->closing || s->handles || s->first)
        return;
    free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tcp_stream *st = handle->data;
    if (--st->handles > 0)
        return;
    struct tcp_streams *s = st->owner;
    if (st->previous)
        st->previous->next = st->next;
    else
        s->first = st->next;
    if (st->next)
        st->next->previous = st->previous;
    free(st);
    tcp_streams_release(s);
}

static void destroy(struct tcp_stream *st)
{
    if (!st->open)
        return;
    st->open = false;
    stream_leave(&st->base);
    uv_close((uv_handle_t *)&st->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&st->report, on_handle_closed);
}

void tcp_stream_reset(struct tcp_stream *st)
{
    if (!st->open)
        return;
    st->open = false;
    stream_leave(&st->base);
    if (uv_tcp_close_reset(&st->tcp, on_handle_closed))
        uv_close((uv_handle_t *)&st->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&st->report, on_handle_closed);
}

void tcp_stream_limit_segments(uv_tcp_t *tcp)
{
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)tcp, &fd) == 0)
        tcp_limit_segments(fd);
}

static void report_failure(uv_timer_t *timer)
{
    struct tcp_stream *st = timer->data;
    const struct stream gone = st->base;
    char reason[sizeof(st->failure)];
    memcpy(reason, st->failure, sizeof(reason));
    bool told = st->closing;
    destroy(st);
    if (!told)
        stream_closed(&gone, reason);
}

void tcp_stream_fail(struct tcp_stream *st, const char *reason)
{
    if (!st->open || st->failure[0])
        return;
    snprintf(st->failure, sizeof(st->failure), "%s", reason);
    uv_read_stop((uv_stream_t *)&st->tcp);
    uv_timer_start(&st->report, report_failure, 0, 0);
}

const char *tcp_stream_reason(int uv_error)
{
    switch (uv_error) {
    case UV_EOF:
        return "the connection was closed";
    case UV_ECONNREFUSED:
        return "connection refused";
    case UV_ECONNRESET:
        return "the connection was reset";
    case UV_ETIMEDOUT:
        return "no answer";
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
        return "no route to it";
    default:
        return uv_strerror(uv_error);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct tcp_stream *st = handle->data;
    *buf = uv_buf_init((char *)st->owner->buffer, sizeof(st->owner->buffer));
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct tcp_stream *st = handle->data;
    if (n < 0 && st->closing)
        destroy(st);
    else if (n < 0)
        tcp_stream_fail(st, tcp_stream_reason((int)n));
    else if (n > 0 && !st->closing)
        stream_bytes(&st->base, (const uint8_t *)buf->base, (size_t)n);
}

/* A peer that vanished is noticed in half a minute at the latest; the paths notice sooner. */
void tcp_stream_read(struct tcp_stream *st)
{
    uv_os_fd_t fd;
    int timeout = USER_TIMEOUT_MS, interval = 3, count = 3;
    uv_tcp_nodelay(&st->tcp, 1);
    uv_tcp_keepalive(&st->tcp, 1, KEEPALIVE_IDLE_S);
    if (uv_fileno((uv_handle_t *)&st->tcp, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    }
    int err = uv_read_start((uv_stream_t *)&st->tcp, on_alloc, on_read);
    if (err)
        tcp_stream_fail(st, tcp_stream_reason(err));
}

struct pending_write {
    uv_write_t request;
    uint8_t data[];
};

static void on_written(uv_write_t *request, int status)
{
    struct tcp_stream *st = request->handle->data;
    free(request);
    if (status && status != UV_ECANCELED)
        tcp_stream_fail(st, tcp_stream_reason(status));
}

static void send_bytes(struct stream *base, const uint8_t *data, size_t len)
{
    struct tcp_stream *st = (struct tcp_stream *)base;
    if (st->closing || st->failure[0])
        return;
    if (uv_stream_get_write_queue_size((uv_stream_t *)&st->tcp) + len > QUEUE_MAX) {
        tcp_stream_fail(st, "the peer does not read");
        return;
    }
    struct pending_write *w = malloc(sizeof(*w) + len);
    if (!w) {
        tcp_stream_fail(st, "out of memory");
        return;
    }
    memcpy(w->data, data, len);
    uv_buf_t buf = uv_buf_init((char *)w->data, (unsigned)len);
    int err = uv_write(&w->request, (uv_stream_t *)&st->tcp, &buf, 1, on_written);
    if (err) {
        free(w);
        tcp_stream_fail(st, tcp_stream_reason(err));
    }
}

/* Our end is sent. Closing with bytes unread would reset the connection and could take our last words with
 * it, so what still comes is read and thrown away until the other end closes too, for a moment at most. */
static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct tcp_stream *st = request->handle->data;
    free(request);
    if (status)
        destroy(st);
}

static bool start_shutdown(struct tcp_stream *st)
{
    uv_shutdown_t *request = malloc(sizeof(*request));
    if (request && uv_shutdown(request, (uv_stream_t *)&st->tcp, on_shutdown) == 0)
        return true;
    free(request);
    return false;
}

/* A stream that still connects has sent nothing, and its shutdown would wait for an answer that may never come. One
 * that does not take our last words is given up when the time is over. */
void tcp_stream_close(struct stream *base)
{
    struct tcp_stream *st = (struct tcp_stream *)base;
    if (st->closing)
        return;
    st->closing = true;
    stream_leave(base);
    if (st->connecting || st->failure[0] || !start_shutdown(st))
        destroy(st);
    else
        uv_timer_start(&st->report, report_failure, LINGER_MS, 0);
}

static void abort_stream(struct stream *base)
{
    tcp_stream_reset((struct tcp_stream *)base);
}

static int release_socket(struct stream *base)
{
    struct tcp_stream *st = (struct tcp_stream *)base;
    uv_os_fd_t fd;
    if (!st->open || st->connecting || st->closing || st->failure[0] ||
        uv_fileno((uv_handle_t *)&st->tcp, &fd))
        return -1;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own >= 0)
        destroy(st);
    return own;
}

static const struct stream_ops tcp_ops = {send_bytes, tcp_stream_close, abort_stream, release_socket};

struct tcp_stream *tcp_stream_make(struct tcp_streams *s, unsigned family)
{
    struct tcp_stream *st = calloc(1, sizeof(*st));
    if (!st)
        return NULL;
    uv_tcp_init_ex(s->loop, &st->tcp, family);
    if (family)
        tcp_stream_limit_segments(&st->tcp);
    uv_timer_init(s->loop, &st->report);
    st->tcp.data = st->report.data = st;
    st->base = (struct stream){.ops = &tcp_ops, .all = s->all};
    st->owner = s;
    st->open = true;
    st->handles = 2;
    st->next = s->first;
    if (s->first)
        s->first->previous = st;
    s->first = st;
    return st;
}
