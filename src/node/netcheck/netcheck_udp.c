/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams of the inquiries go out when they are due, and what comes is handed to both: each knows its own. */

#include "node/netcheck/netcheck_udp.h"

#include "base/clock.h"
#include "crypto/secret.h"

static void send_due(struct netcheck_udp *u, struct nat_check *c, uint64_t now_us)
{
    static struct nat_check_datagram d;
    while (nat_check_next(c, now_us, &d)) {
        struct udp_socket *s = &u->sockets[d.socket];
        static const struct addr any;
        struct udp_remote to;
        udp_remote_init(s, &any, &d.to, &to);
        /* Unreachable, or too large: no answer tells it as well. */
        (void)!udp_send(s, &to, d.data, d.len, d.len, 0);
    }
}

static void on_timer(uv_timer_t *timer);

static void go_on(struct netcheck_udp *u)
{
    uint64_t now_us = clock_monotonic_us(), at_us = TIME_NEVER;
    for (unsigned i = 0; i < 2; i++) {
        send_due(u, &u->checks[i], now_us);
        uint64_t next_us = nat_check_deadline(&u->checks[i], now_us);
        at_us = next_us < at_us ? next_us : at_us;
    }
    uv_timer_stop(&u->timer);
    if (at_us != TIME_NEVER)
        uv_timer_start(&u->timer, on_timer, (at_us - now_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC, 0);
    u->progress(u->context);
}

static void on_timer(uv_timer_t *timer)
{
    go_on(timer->data);
}

static void take(struct netcheck_udp *u, enum nat_check_socket socket, const struct udp_message *m)
{
    uint64_t now_us = clock_monotonic_us();
    for (size_t at = 0; at < m->len; at += m->segment) {
        size_t len = m->len - at < m->segment ? m->len - at : m->segment;
        for (unsigned i = 0; i < 2; i++)
            nat_check_take(&u->checks[i], socket, &m->from, m->data + at, len, now_us);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct netcheck_udp *u = poll->data;
    struct udp_message messages[UDP_BATCH];
    enum nat_check_socket socket = poll == &u->polls[NAT_CHECK_SECOND] ? NAT_CHECK_SECOND : NAT_CHECK_MAIN;
    uint64_t overflow = 0;
    int count = udp_receive(&u->sockets[socket], u->batch, messages, &overflow);
    for (int i = 0; i < count; i++)
        take(u, socket, &messages[i]);
    if (count > 0)
        go_on(u);
}

static void read_local_addresses(struct netcheck_udp *u)
{
    struct rtnl *r;
    if (rtnl_open(&r))
        return;
    int count = rtnl_addresses(r, u->local, NETCHECK_LOCAL_MAX);
    u->local_count = count < 0 ? 0 : count < NETCHECK_LOCAL_MAX ? (size_t)count : NETCHECK_LOCAL_MAX;
    rtnl_close(r);
}

static int open_sockets(struct netcheck_udp *u)
{
    int err = udp_batch_new(&u->batch);
    if (!err)
        err = udp_open(0, 1, &u->sockets[NAT_CHECK_MAIN]);
    if (err) {
        udp_batch_free(u->batch);
        return err;
    }
    err = udp_open(0, 1, &u->sockets[NAT_CHECK_SECOND]);
    if (err) {
        udp_close(&u->sockets[NAT_CHECK_MAIN], 1);
        udp_batch_free(u->batch);
    }
    return err;
}

int netcheck_udp_open(struct netcheck_udp *u, uv_loop_t *loop, void (*progress)(void *context), void *context)
{
    *u = (struct netcheck_udp){.progress = progress, .context = context};
    int err = open_sockets(u);
    if (err)
        return err;
    nat_check_init(&u->checks[0], 4, &secret_source);
    nat_check_init(&u->checks[1], 6, &secret_source);
    read_local_addresses(u);
    uv_timer_init(loop, &u->timer);
    u->timer.data = u;
    for (unsigned i = 0; i < 2; i++) {
        uv_poll_init(loop, &u->polls[i], u->sockets[i].fd);
        u->polls[i].data = u;
        uv_poll_start(&u->polls[i], UV_READABLE, on_readable);
    }
    return 0;
}

void netcheck_udp_add(struct netcheck_udp *u, const struct addr *server)
{
    nat_check_add(&u->checks[server->family == 6], server, clock_monotonic_us());
    uv_timer_start(&u->timer, on_timer, 0, 0);
}

bool netcheck_udp_look(struct netcheck_udp *u, enum nat_check_socket socket, const struct addr *server)
{
    struct nat_check *c = &u->checks[server->family == 6];
    if (!nat_check_look(c, socket, server, clock_monotonic_us()))
        return false;
    uv_timer_start(&u->timer, on_timer, 0, 0);
    return true;
}

const struct addr *netcheck_udp_seen(const struct netcheck_udp *u, enum nat_check_socket socket,
                                     unsigned family)
{
    return nat_check_seen(&u->checks[family == 6], socket);
}

bool netcheck_udp_is_over(const struct netcheck_udp *u)
{
    uint64_t now_us = clock_monotonic_us();
    return nat_check_deadline(&u->checks[0], now_us) == TIME_NEVER &&
           nat_check_deadline(&u->checks[1], now_us) == TIME_NEVER;
}

static bool is_ours(const void *context, const struct addr *a)
{
    const struct netcheck_udp *u = context;
    return rtnl_addresses_have(u->local, u->local_count, a);
}

void netcheck_udp_judge(const struct netcheck_udp *u, unsigned family, struct nat *out)
{
    nat_check_judge(&u->checks[family == 6], is_ours, u, u->sockets[NAT_CHECK_MAIN].port, out);
}

bool netcheck_udp_has_address(const struct netcheck_udp *u, unsigned family)
{
    for (size_t i = 0; i < u->local_count; i++)
        if (u->local[i].prefix.addr.family == family && addr_is_routable(&u->local[i].prefix.addr))
            return true;
    return false;
}

static void on_closed(uv_handle_t *handle)
{
    struct netcheck_udp *u = handle->data;
    if (--u->handles == 0)
        u->progress(u->context);
}

struct udp_socket netcheck_udp_take(struct netcheck_udp *u, enum nat_check_socket socket)
{
    struct udp_socket taken = u->sockets[socket];
    u->sockets[socket].fd = -1;
    return taken;
}

void netcheck_udp_close(struct netcheck_udp *u, void (*closed)(void *context))
{
    u->progress = closed;
    u->handles = 3;
    for (unsigned i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&u->polls[i], on_closed);
        if (u->sockets[i].fd >= 0)
            udp_close(&u->sockets[i], 1);
    }
    udp_batch_free(u->batch);
    uv_close((uv_handle_t *)&u->timer, on_closed);
}
