/* SPDX-License-Identifier: Apache-2.0 */
/* libuv TCP under the mesh's stream numbers. Control thread. docs/ARCHITECTURE.md, "Control". */

#include "node/carrier/streams.h"

#include "base/table.h"
#include "net/tcp.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_BACKLOG   512
#define ACCEPT_ROUND     16   /* connections accepted in a round of … */
#define ACCEPT_ROUND_MS  5    /* so long: 3,200 a second, so that a flood leaves time for everything else */
#define LINGER_MS        1000 /* what closes may take to send the rest and to see the other end close */
#define QUEUE_MAX        (256 * 1024) /* bytes that may wait for a peer that does not read */
#define KEEPALIVE_IDLE_S 10
#define USER_TIMEOUT_MS  15000
#define READ_BUFFER_SIZE 16384

struct stream {
    uv_tcp_t tcp; /* first: handles are cast back */
    uv_connect_t connect;
    struct streams *owner;
    struct stream *previous, *next;
    uint64_t conn;
    bool connecting;
    bool closing;     /* streams_close was called: no more events, what comes is discarded */
    bool open;        /* the handle exists and is not being closed */
    char failure[64]; /* set: to be reported from the loop */
    uv_timer_t report;
    int handles; /* still to be closed before the memory goes */
};

struct streams {
    uv_tcp_t listener;
    uv_timer_t next_round; /* of accepting, when one is held back */
    bool held;
    uint64_t round_ms; /* when the present one began */
    unsigned round_left;
    uv_loop_t *loop;
    struct streams_ops ops;
    struct table *by_conn;
    struct stream *first;
    bool closing;
    int handles; /* of the listener, still to be closed */
    uint8_t buffer[READ_BUFFER_SIZE];
};

static void release_owner(struct streams *s)
{
    if (!s->closing || s->handles || s->first)
        return;
    table_free(s->by_conn);
    free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream *st = handle->data;
    if (--st->handles > 0)
        return;
    struct streams *s = st->owner;
    if (st->previous)
        st->previous->next = st->next;
    else
        s->first = st->next;
    if (st->next)
        st->next->previous = st->previous;
    free(st);
    release_owner(s);
}

static void destroy(struct stream *st)
{
    if (!st->open)
        return;
    st->open = false;
    table_remove(st->owner->by_conn, st->conn);
    uv_close((uv_handle_t *)&st->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&st->report, on_handle_closed);
}

/* Nothing is owed to the other end: no queue, no state of the kernel's is kept for it. */
static void reset(struct stream *st)
{
    if (!st->open)
        return;
    st->open = false;
    table_remove(st->owner->by_conn, st->conn);
    if (uv_tcp_close_reset(&st->tcp, on_handle_closed))
        uv_close((uv_handle_t *)&st->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&st->report, on_handle_closed);
}

static void limit_segments(uv_tcp_t *tcp)
{
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)tcp, &fd) == 0)
        tcp_limit_segments(fd);
}

/* family 0: the socket comes from accepting. */
static struct stream *make(struct streams *s, unsigned family)
{
    struct stream *st = calloc(1, sizeof *st);
    if (!st)
        return NULL;
    uv_tcp_init_ex(s->loop, &st->tcp, family);
    if (family)
        limit_segments(&st->tcp);
    uv_timer_init(s->loop, &st->report);
    st->tcp.data = st->report.data = st;
    st->owner = s;
    st->open = true;
    st->handles = 2;
    st->next = s->first;
    if (s->first)
        s->first->previous = st;
    s->first = st;
    return st;
}

static void report_failure(uv_timer_t *timer)
{
    struct stream *st = timer->data;
    struct streams *s = st->owner;
    uint64_t conn = st->conn;
    char reason[sizeof st->failure];
    memcpy(reason, st->failure, sizeof reason);
    bool told = st->closing;
    destroy(st);
    if (!told)
        s->ops.closed(s->ops.context, conn, reason);
}

/* Reports from the loop, so that no caller is called back. */
static void fail(struct stream *st, const char *reason)
{
    if (!st->open || st->failure[0])
        return;
    snprintf(st->failure, sizeof st->failure, "%s", reason);
    uv_read_stop((uv_stream_t *)&st->tcp);
    uv_timer_start(&st->report, report_failure, 0, 0);
}

static const char *reason_of(int uv_error)
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
    struct stream *st = handle->data;
    *buf = uv_buf_init((char *)st->owner->buffer, sizeof st->owner->buffer);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct stream *st = handle->data;
    if (n < 0 && st->closing)
        destroy(st);
    else if (n < 0)
        fail(st, reason_of((int)n));
    else if (n > 0 && !st->closing)
        st->owner->ops.bytes(st->owner->ops.context, st->conn, (const uint8_t *)buf->base, (size_t)n);
}

/* A peer that vanished is noticed in half a minute at the latest; the paths notice sooner. */
static void start_reading(struct stream *st)
{
    uv_os_fd_t fd;
    int timeout = USER_TIMEOUT_MS, interval = 3, count = 3;
    uv_tcp_nodelay(&st->tcp, 1);
    uv_tcp_keepalive(&st->tcp, 1, KEEPALIVE_IDLE_S);
    if (uv_fileno((uv_handle_t *)&st->tcp, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    }
    int rc = uv_read_start((uv_stream_t *)&st->tcp, on_alloc, on_read);
    if (rc)
        fail(st, reason_of(rc));
}

static void accept_one(struct streams *s)
{
    struct stream *st = make(s, 0);
    if (!st)
        return;
    struct sockaddr_storage sa;
    int len = sizeof sa;
    struct addr remote;
    bool known = uv_accept((uv_stream_t *)&s->listener, (uv_stream_t *)&st->tcp) == 0 &&
                 uv_tcp_getpeername(&st->tcp, (struct sockaddr *)&sa, &len) == 0 &&
                 addr_from_sockaddr((struct sockaddr *)&sa, &remote) == 0;
    st->conn = known ? s->ops.accepted(s->ops.context, &remote) : 0;
    if (!st->conn) {
        reset(st);
        return;
    }
    if (table_put(s->by_conn, st->conn, st))
        fail(st, "out of memory");
    else
        start_reading(st);
}

static void begin_round(struct streams *s)
{
    s->round_ms = uv_now(s->loop);
    s->round_left = ACCEPT_ROUND;
}

static void on_next_round(uv_timer_t *timer)
{
    struct streams *s = timer->data;
    begin_round(s);
    s->held = false;
    s->round_left--;
    accept_one(s);
}

/* A connection that is not accepted stays with libuv, which listens no further until it is. */
static void on_connection(uv_stream_t *listener, int status)
{
    struct streams *s = listener->data;
    if (status || s->held)
        return;
    if (uv_now(s->loop) - s->round_ms >= ACCEPT_ROUND_MS)
        begin_round(s);
    if (s->round_left == 0) {
        s->held = true;
        uv_timer_start(&s->next_round, on_next_round, ACCEPT_ROUND_MS, 0);
        return;
    }
    s->round_left--;
    accept_one(s);
}

static int bind_and_listen(struct streams *s, uint16_t port)
{
    struct sockaddr_in6 any6;
    struct sockaddr_in any4;
    uv_ip6_addr("::", port, &any6);
    uv_ip4_addr("0.0.0.0", port, &any4);
    int rc = uv_tcp_bind(&s->listener, (struct sockaddr *)&any6, 0);
    if (rc == UV_EAFNOSUPPORT || rc == UV_EADDRNOTAVAIL)
        rc = uv_tcp_bind(&s->listener, (struct sockaddr *)&any4, 0);
    limit_segments(&s->listener);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&s->listener, LISTEN_BACKLOG, on_connection);
    return rc;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct streams *s = handle->data;
    s->handles--;
    release_owner(s);
}

int streams_new(uv_loop_t *loop, uint16_t port, const struct streams_ops *ops, struct streams **out)
{
    struct streams *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    s->loop = loop;
    s->ops = *ops;
    if (table_new(&s->by_conn)) {
        free(s);
        return ERR_NOMEM;
    }
    uv_tcp_init(loop, &s->listener);
    uv_timer_init(loop, &s->next_round);
    s->listener.data = s->next_round.data = s;
    s->handles = 2;
    int rc = bind_and_listen(s, port);
    if (rc) {
        streams_close_all(s);
        errno = -rc;
        return err_from_errno(-rc);
    }
    *out = s;
    return 0;
}

void streams_close_all(struct streams *s)
{
    s->closing = true;
    for (struct stream *st = s->first; st; st = st->next)
        if (st->open)
            streams_close(s, st->conn);
    uv_close((uv_handle_t *)&s->listener, on_listener_closed);
    uv_close((uv_handle_t *)&s->next_round, on_listener_closed);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct stream *st = request->data;
    st->connecting = false;
    if (!st->open)
        return;
    if (status) {
        fail(st, reason_of(status));
        return;
    }
    start_reading(st);
    st->owner->ops.connected(st->owner->ops.context, st->conn);
}

void streams_dial(struct streams *s, uint64_t conn, const struct addr *to)
{
    struct sockaddr_storage sa;
    addr_to_sockaddr(to, false, &sa);
    struct stream *st = make(s, sa.ss_family);
    if (!st)
        return;
    st->conn = conn;
    st->connect.data = st;
    int rc = table_put(s->by_conn, conn, st) ? UV_ENOMEM : 0;
    if (!rc)
        rc = uv_tcp_connect(&st->connect, &st->tcp, (struct sockaddr *)&sa, on_connected);
    st->connecting = rc == 0;
    if (rc)
        fail(st, reason_of(rc));
}

struct pending_write {
    uv_write_t request;
    uint8_t data[];
};

static void on_written(uv_write_t *request, int status)
{
    struct stream *st = request->handle->data;
    free(request);
    if (status && status != UV_ECANCELED)
        fail(st, reason_of(status));
}

void streams_send(struct streams *s, uint64_t conn, const uint8_t *data, size_t len)
{
    struct stream *st = table_get(s->by_conn, conn);
    if (!st || st->closing || st->failure[0])
        return;
    if (uv_stream_get_write_queue_size((uv_stream_t *)&st->tcp) + len > QUEUE_MAX) {
        fail(st, "the peer does not read");
        return;
    }
    struct pending_write *w = malloc(sizeof *w + len);
    if (!w) {
        fail(st, "out of memory");
        return;
    }
    memcpy(w->data, data, len);
    uv_buf_t buf = uv_buf_init((char *)w->data, (unsigned)len);
    int rc = uv_write(&w->request, (uv_stream_t *)&st->tcp, &buf, 1, on_written);
    if (rc) {
        free(w);
        fail(st, reason_of(rc));
    }
}

/* Our end is sent. Closing with bytes unread would reset the connection and could take our last words with
 * it, so what still comes is read and thrown away until the other end closes too, for a moment at most. */
static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct stream *st = request->handle->data;
    free(request);
    if (status)
        destroy(st);
}

static bool start_shutdown(struct stream *st)
{
    uv_shutdown_t *request = malloc(sizeof *request);
    if (request && uv_shutdown(request, (uv_stream_t *)&st->tcp, on_shutdown) == 0)
        return true;
    free(request);
    return false;
}

/* A stream that still connects has sent nothing, and its shutdown would wait for an answer that may never come. One
 * that does not take our last words is given up when the time is over. */
void streams_close(struct streams *s, uint64_t conn)
{
    struct stream *st = table_get(s->by_conn, conn);
    if (!st || st->closing)
        return;
    st->closing = true;
    table_remove(s->by_conn, conn);
    if (st->connecting || st->failure[0] || !start_shutdown(st))
        destroy(st);
    else
        uv_timer_start(&st->report, report_failure, LINGER_MS, 0);
}

void streams_abort(struct streams *s, uint64_t conn)
{
    struct stream *st = table_get(s->by_conn, conn);
    if (st)
        reset(st);
}

/* An address that can be bound is the machine's. */
static bool is_local(const struct sockaddr_storage *sa)
{
    struct sockaddr_storage any = *sa;
    if (any.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&any)->sin6_port = 0;
    else
        ((struct sockaddr_in *)&any)->sin_port = 0;
    int fd = socket(any.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool local = bind(fd, (struct sockaddr *)&any, sizeof any) == 0 || errno != EADDRNOTAVAIL;
    close(fd);
    return local;
}

void streams_drop_homeless(struct streams *s)
{
    for (struct stream *st = s->first; st; st = st->next) {
        struct sockaddr_storage sa = {0};
        int len = sizeof sa;
        if (!st->open || uv_tcp_getsockname(&st->tcp, (struct sockaddr *)&sa, &len))
            continue;
        if (!is_local(&sa))
            fail(st, "its local address is gone");
    }
}
