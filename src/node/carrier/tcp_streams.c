/* SPDX-License-Identifier: Apache-2.0 */
/* Who dials, and who is accepted, over libuv's TCP. Control thread. docs/ARCHITECTURE.md, "Control". */

#include "node/carrier/tcp_streams.h"

#include "node/carrier/tcp_stream.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTEN_BACKLOG  512
#define ACCEPT_ROUND    16 /* connections accepted in a round of … */
#define ACCEPT_ROUND_MS 5  /* so long: 3,200 a second, so that a flood leaves time for everything else */

static void on_next_round(uv_timer_t *timer);

/* A connection that is not accepted stays with libuv, which listens no further until it is. */
static void hold(struct tcp_streams *s)
{
    s->held = true;
    uv_timer_start(&s->next_round, on_next_round, ACCEPT_ROUND_MS, 0);
}

static void accept_one(struct tcp_streams *s)
{
    struct tcp_stream *st = tcp_stream_make(s, 0);
    if (!st) {
        hold(s); /* until there is memory */
        return;
    }
    struct sockaddr_storage sa;
    int len = sizeof(sa);
    struct addr remote = {0};
    bool known = uv_accept((uv_stream_t *)&s->listener, (uv_stream_t *)&st->tcp) == 0 &&
                 uv_tcp_getpeername(&st->tcp, (struct sockaddr *)&sa, &len) == 0 &&
                 addr_from_sockaddr((struct sockaddr *)&sa, &remote) == 0;
    const struct target from = target_tcp(&remote);
    int err = known ? stream_accepted(&st->base, &from) : ERR_IO;
    if (!err)
        tcp_stream_read(st);
    else if (err == ERR_NOMEM)
        tcp_stream_fail(st, "out of memory");
    else
        tcp_stream_reset(st);
}

static void begin_round(struct tcp_streams *s)
{
    s->round_ms = uv_now(s->loop);
    s->round_left = ACCEPT_ROUND;
}

static void on_next_round(uv_timer_t *timer)
{
    struct tcp_streams *s = timer->data;
    begin_round(s);
    s->held = false;
    s->round_left--;
    accept_one(s);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct tcp_streams *s = listener->data;
    if (status || s->held)
        return;
    if (uv_now(s->loop) - s->round_ms >= ACCEPT_ROUND_MS)
        begin_round(s);
    if (s->round_left == 0) {
        hold(s);
        return;
    }
    s->round_left--;
    accept_one(s);
}

static int bind_and_listen(struct tcp_streams *s, uint16_t port)
{
    struct sockaddr_in6 any6;
    struct sockaddr_in any4;
    uv_ip6_addr("::", port, &any6);
    uv_ip4_addr("0.0.0.0", port, &any4);
    int err = uv_tcp_bind(&s->listener, (struct sockaddr *)&any6, 0);
    if (err == UV_EAFNOSUPPORT || err == UV_EADDRNOTAVAIL)
        err = uv_tcp_bind(&s->listener, (struct sockaddr *)&any4, 0);
    tcp_stream_limit_segments(&s->listener);
    if (!err)
        err = uv_listen((uv_stream_t *)&s->listener, LISTEN_BACKLOG, on_connection);
    return err;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct tcp_streams *s = handle->data;
    s->handles--;
    tcp_streams_release(s);
}

int tcp_streams_new(uv_loop_t *loop, uint16_t port, struct streams *all, struct tcp_streams **out)
{
    struct tcp_streams *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->loop = loop;
    s->all = all;
    uv_tcp_init(loop, &s->listener);
    uv_timer_init(loop, &s->next_round);
    s->listener.data = s->next_round.data = s;
    s->handles = 2;
    int err = bind_and_listen(s, port);
    if (err) {
        tcp_streams_close(s);
        errno = -err;
        return err_from_errno(-err);
    }
    *out = s;
    return 0;
}

void tcp_streams_close(struct tcp_streams *s)
{
    s->closing = true;
    for (struct tcp_stream *st = s->first; st; st = st->next)
        if (st->open)
            tcp_stream_close(&st->base);
    uv_close((uv_handle_t *)&s->listener, on_listener_closed);
    uv_close((uv_handle_t *)&s->next_round, on_listener_closed);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct tcp_stream *st = request->data;
    st->connecting = false;
    if (!st->open)
        return;
    if (status) {
        tcp_stream_fail(st, tcp_stream_reason(status));
        return;
    }
    tcp_stream_read(st);
    stream_connected(&st->base);
}

void tcp_streams_dial(struct tcp_streams *s, uint64_t conn, const struct addr *to)
{
    struct sockaddr_storage sa;
    addr_to_sockaddr(to, false, &sa);
    struct tcp_stream *st = tcp_stream_make(s, sa.ss_family);
    if (!st)
        return;
    st->connect.data = st;
    int err = stream_dialled(&st->base, conn) ? UV_ENOMEM : 0;
    if (!err)
        err = uv_tcp_connect(&st->connect, &st->tcp, (struct sockaddr *)&sa, on_connected);
    st->connecting = err == 0;
    if (err)
        tcp_stream_fail(st, tcp_stream_reason(err));
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
    bool local = bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 || errno != EADDRNOTAVAIL;
    close(fd);
    return local;
}

void tcp_streams_drop_homeless(struct tcp_streams *s)
{
    for (struct tcp_stream *st = s->first; st; st = st->next) {
        struct sockaddr_storage sa = {0};
        int len = sizeof(sa);
        if (!st->open || uv_tcp_getsockname(&st->tcp, (struct sockaddr *)&sa, &len))
            continue;
        if (!is_local(&sa))
            tcp_stream_fail(st, "its local address is gone");
    }
}
