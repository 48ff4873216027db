/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll watches them all, and the loop watches that. Who gets one takes it out of there. Control thread. */

#include "node/underlay/draw.h"

#include "base/clock.h"
#include "proto/punch/birthday.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READY_MAX 16 /* sockets that are looked at before others of the loop have their turn */

struct draw {
    struct draw_config config;
    uint32_t slot;
    struct udp_socket sockets[BIRTHDAY_SOCKETS];
    unsigned count;          /* that are open, the first ones */
    struct udp_batch *batch; /* NULL: none is open */
    int epoll;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles; /* that are being closed */
};

static void close_sockets(struct draw *d)
{
    uv_timer_stop(&d->timer);
    udp_close(d->sockets, d->count);
    udp_batch_free(d->batch);
    d->count = 0;
    d->batch = NULL;
}

static void on_timer(uv_timer_t *timer)
{
    close_sockets(timer->data);
}

/* The last one takes its place. */
static void let_go(struct draw *d, struct udp_socket *s)
{
    (void)epoll_ctl(d->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    *s = d->sockets[--d->count];
    close_sockets(d);
}

/* True when it was met. */
static bool take(struct draw *d, struct udp_socket *s)
{
    struct udp_message messages[UDP_BATCH];
    uint64_t overflow = 0;
    int count = udp_receive(s, d->batch, messages, &overflow);
    for (int i = 0; i < count; i++) {
        if (!d->config.met(d->config.context, d->slot, s, &messages[i]))
            continue;
        let_go(d, s);
        return true;
    }
    return false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct draw *d = poll->data;
    struct epoll_event ready[READY_MAX];
    (void)status, (void)events;
    int count = epoll_wait(d->epoll, ready, READY_MAX, 0);
    for (int i = 0; i < count; i++)
        if (take(d, &d->sockets[ready[i].data.u32]))
            return;
}

int draw_new(const struct draw_config *config, struct draw **out)
{
    struct draw *d = calloc(1, sizeof(*d));
    if (!d)
        return ERR_NOMEM;
    d->config = *config;
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (d->epoll < 0 || uv_poll_init(config->loop, &d->poll, d->epoll)) {
        if (d->epoll >= 0)
            close(d->epoll);
        free(d);
        return ERR_IO;
    }
    uv_timer_init(config->loop, &d->timer);
    d->poll.data = d->timer.data = d;
    uv_poll_start(&d->poll, UV_READABLE, on_readable);
    *out = d;
    return 0;
}

static bool open_next(struct draw *d)
{
    struct udp_socket *s = &d->sockets[d->count];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = d->count};
    if (udp_open(0, 1, s))
        return false;
    d->count++;
    return epoll_ctl(d->epoll, EPOLL_CTL_ADD, s->fd, &event) == 0;
}

/* With fewer the luck is smaller, that is all. */
void draw_begin(struct draw *d, uint32_t slot, const struct addr *to, uint8_t hops, const uint8_t *data,
                size_t len)
{
    static const struct addr any;
    close_sockets(d);
    d->slot = slot;
    if (udp_batch_new(&d->batch))
        return;
    while (d->count < BIRTHDAY_SOCKETS && open_next(d)) {
        struct udp_socket *s = &d->sockets[d->count - 1];
        struct udp_remote remote;
        udp_remote_init(s, &any, to, &remote);
        (void)!udp_send_near(s, &remote, data, len, hops);
    }
    uv_timer_start(&d->timer, on_timer, BIRTHDAY_OPEN_US / USEC_PER_MSEC, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct draw *d = handle->data;
    if (--d->handles == 0)
        free(d);
}

void draw_close(struct draw *d)
{
    if (!d)
        return;
    close_sockets(d);
    d->handles = 2;
    uv_close((uv_handle_t *)&d->timer, on_closed);
    uv_close((uv_handle_t *)&d->poll, on_closed);
    close(d->epoll);
}
