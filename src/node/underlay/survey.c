/* SPDX-License-Identifier: Apache-2.0 */
/* One survey runs at a time; who asks meanwhile gets its result, too. docs/PROTOCOL.md §19. Control thread. */

#include "node/underlay/survey.h"

#include "base/clock.h"
#include "base/slot_set.h"
#include "crypto/secret.h"
#include "net/udp.h"
#include "node/underlay/addresses.h"
#include "proto/message/stun.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SOCKETS 2
#define TRIES   3
#define HANDLES 2

struct survey {
    struct survey_config config;
    struct slot_set waiting;
    struct punch_seen found; /* by the last one … */
    uint64_t found_us;       /* … then; 0: it does not count */
    bool running;
    struct addr server;
    struct udp_socket sockets[SOCKETS];
    struct addr mapped[SOCKETS];
    unsigned at, tries; /* which socket asks, and how often it has */
    uint8_t transaction[STUN_TRANSACTION_LEN];
    int epoll; /* of the sockets */
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned closed; /* of the two handles */
};

static void tell_all(struct survey *s)
{
    uint32_t slot;
    for (unsigned count = s->waiting.count; count && slot_set_take(&s->waiting, &slot); count--)
        s->config.seen(s->config.context, slot, &s->found);
}

static void close_sockets(struct survey *s)
{
    for (unsigned i = 0; i < SOCKETS; i++)
        if (s->sockets[i].fd >= 0)
            udp_close(&s->sockets[i], 1);
}

static void finish(struct survey *s, const struct punch_seen *found)
{
    s->running = false;
    s->found = *found;
    s->found_us = clock_monotonic_us();
    uv_timer_stop(&s->timer);
    close_sockets(s);
    tell_all(s);
}

static void fail(struct survey *s)
{
    finish(s, &(struct punch_seen){0});
}

static void send_request(struct survey *s)
{
    uint8_t request[STUN_MESSAGE_MAX];
    struct udp_remote to;
    const struct addr anywhere = {0};
    size_t len = stun_request_encode(s->transaction, request);
    udp_remote_init(&s->sockets[s->at], &anywhere, &s->server, &to);
    (void)!udp_send(&s->sockets[s->at], &to, request, len, len, 0); /* a lost request is asked again */
    s->tries++;
}

static void on_timer(uv_timer_t *timer)
{
    struct survey *s = timer->data;
    if (s->tries == TRIES)
        fail(s);
    else
        send_request(s);
}

static void ask_with(struct survey *s, unsigned number)
{
    s->at = number;
    s->tries = 0;
    secret_random(s->transaction, sizeof(s->transaction));
    send_request(s);
    uv_timer_start(&s->timer, on_timer, SURVEY_TRY_US / USEC_PER_MSEC, SURVEY_TRY_US / USEC_PER_MSEC);
}

static int open_socket(struct survey *s, unsigned i)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    int err = udp_open(0, 1, &s->sockets[i]);
    if (!err && epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->sockets[i].fd, &event))
        err = ERR_IO;
    return err;
}

static void begin(struct survey *s)
{
    s->running = true;
    s->server = *addresses_stun_server(s->config.addresses);
    if (!s->server.family || open_socket(s, 0) || open_socket(s, 1))
        fail(s);
    else
        ask_with(s, 0);
}

static void on_mapped(struct survey *s, const struct addr *mapped)
{
    struct punch_seen found = {.ports = NAT_PORTS_KEPT, .last = *mapped};
    s->mapped[s->at] = *mapped;
    if (s->at == 0 && mapped->port != s->sockets[0].port) {
        ask_with(s, 1);
        return;
    }
    if (s->at == 1) {
        found.step = (int32_t)mapped->port - s->mapped[0].port;
        found.ports = abs(found.step) <= NAT_SEQUENTIAL_MAX ? NAT_PORTS_SEQUENTIAL : NAT_PORTS_RANDOM;
    }
    finish(s, &found);
}

/* False when nothing waits there. */
static bool take_answer(struct survey *s, const struct udp_socket *socket)
{
    uint8_t data[STUN_RESPONSE_MAX];
    struct sockaddr_storage sa;
    struct addr from, mapped;
    socklen_t sa_len = sizeof(sa);
    ssize_t len = recvfrom(socket->fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&sa, &sa_len);
    if (len < 0)
        return false;
    if (socket == &s->sockets[s->at] && addr_from_sockaddr((struct sockaddr *)&sa, &from) == 0 &&
        addr_equal(&from, &s->server) &&
        stun_response_decode(data, (size_t)len, s->transaction, &mapped) == 0)
        on_mapped(s, &mapped);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct survey *s = poll->data;
    struct epoll_event ready;
    for (unsigned i = 0; s->running && i < SOCKETS; i++)
        if (epoll_wait(s->epoll, &ready, 1, 0) == 1)
            (void)take_answer(s, &s->sockets[ready.data.u32]);
}

int survey_new(const struct survey_config *config, struct survey **out)
{
    struct survey *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->config = *config;
    s->sockets[0].fd = s->sockets[1].fd = -1;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0) {
        free(s);
        return ERR_IO;
    }
    uv_timer_init(config->loop, &s->timer);
    uv_poll_init(config->loop, &s->poll, s->epoll);
    s->timer.data = s->poll.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
    *out = s;
    return 0;
}

/* A sequence goes on meanwhile: it is looked at anew each time. */
static bool still_holds(const struct survey *s)
{
    return s->found_us && clock_monotonic_us() - s->found_us < SURVEY_KEEP_US &&
           (s->found.ports == NAT_PORTS_KEPT || s->found.ports == NAT_PORTS_RANDOM);
}

void survey_look(struct survey *s, uint32_t slot)
{
    slot_set_add(&s->waiting, slot);
    if (s->running)
        return;
    if (still_holds(s))
        tell_all(s);
    else
        begin(s);
}

void survey_forget(struct survey *s)
{
    s->found_us = 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct survey *s = handle->data;
    if (++s->closed < HANDLES)
        return;
    close(s->epoll);
    free(s);
}

void survey_close(struct survey *s)
{
    if (!s)
        return;
    close_sockets(s);
    s->waiting = (struct slot_set){0};
    uv_close((uv_handle_t *)&s->timer, on_closed);
    uv_close((uv_handle_t *)&s->poll, on_closed);
}
