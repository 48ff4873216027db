/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll for the listener and those that wait. Bytes of a header are looked at where they are, and taken off when all are
 * there: SO_RCVLOWAT wakes us then, or for the end of the stream. */

#include "backbone/arrivals.h"

#include "backbone/proxy_header.h"
#include "base/clock.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS     64
#define ROUND      64 /* accepted before others have their turn */
#define NO_ROOM_MS 10 /* until it is asked for again */

/* In the order of their coming, which is that of their deadlines. */
struct arrival {
    struct arrival *before, *after;
    int fd;
    struct addr from;
    uint64_t until_us;
};

struct arrivals {
    struct arrivals_config config;
    pthread_t thread;
    int epoll, wake;
    atomic_bool stop;
    struct arrival *first, *last;
    unsigned waiting;
    bool exhausted; /* no descriptor, or no memory, for another one */
};

static void forget(struct arrivals *a, struct arrival *w)
{
    if (w->before)
        w->before->after = w->after;
    else
        a->first = w->after;
    if (w->after)
        w->after->before = w->before;
    else
        a->last = w->before;
    a->waiting--;
    free(w);
}

static void drop(struct arrivals *a, struct arrival *w)
{
    close(w->fd);
    forget(a, w);
}

static void refuse(struct arrivals *a, struct arrival *w)
{
    a->config.refused(a->config.context);
    drop(a, w);
}

static bool wait_for_bytes(int fd, size_t len)
{
    int least = (int)len;
    return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least)) == 0;
}

/* ---- headers ---- */

static bool has_room(const struct arrivals *a)
{
    return a->config.room(a->config.context);
}

/* What is no header is the HTTP server's to judge. While it waited, others may have taken the last place. */
static void pass(struct arrivals *a, struct arrival *w, const struct addr *named)
{
    const struct addr source = named->family ? *named : w->from;
    int fd = w->fd;
    if (!has_room(a)) {
        refuse(a, w);
        return;
    }
    (void)epoll_ctl(a->epoll, EPOLL_CTL_DEL, fd, NULL);
    forget(a, w);
    if (wait_for_bytes(fd, 1))
        a->config.arrived(a->config.context, fd, &source);
    else
        close(fd);
}

static void on_bytes(struct arrivals *a, struct arrival *w, bool ended)
{
    uint8_t bytes[PROXY_HEADER_MAX];
    struct addr source;
    size_t len = 0;
    ssize_t have = recv(w->fd, bytes, sizeof(bytes), MSG_PEEK);
    if (have < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (have <= 0) { /* a check of whether we are here, or a connection that is gone */
        drop(a, w);
        return;
    }
    int err = proxy_header_decode(bytes, (size_t)have, &source, &len);
    if (err == ERR_UNSUPPORTED || (!err && recv(w->fd, bytes, len, 0) == (ssize_t)len))
        pass(a, w, &source);
    else if (err != ERR_AGAIN || ended || !wait_for_bytes(w->fd, len))
        refuse(a, w);
}

static void wait_for_header(struct arrivals *a, int fd, const struct addr *from)
{
    struct arrival *w = calloc(1, sizeof(*w));
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = w};
    if (!w || !wait_for_bytes(fd, PROXY_HEADER_LEAST) || epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
        free(w);
        close(fd);
        return;
    }
    if (a->waiting == ARRIVALS_WAITING_MAX)
        refuse(a, a->first);
    *w = (struct arrival){.before = a->last,
                          .fd = fd,
                          .from = *from,
                          .until_us = clock_monotonic_us() + ARRIVALS_HEADER_S * USEC_PER_SEC};
    if (a->last)
        a->last->after = w;
    else
        a->first = w;
    a->last = w;
    a->waiting++;
}

/* ---- the loop ---- */

/* False when there is none. */
static bool accept_one(struct arrivals *a)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr from;
    int fd = accept4(a->config.listener, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        a->exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return errno == EINTR || errno == ECONNABORTED;
    }
    if (addr_from_sockaddr((struct sockaddr *)&sa, &from) != 0)
        close(fd);
    else if (forwarded_trusts(a->config.proxies, &from))
        wait_for_header(a, fd, &from);
    else
        a->config.arrived(a->config.context, fd, &from);
    return true;
}

static void accept_all(struct arrivals *a)
{
    for (int i = 0; i < ROUND && has_room(a) && accept_one(a); i++)
        ;
}

static void expire(struct arrivals *a)
{
    uint64_t now_us = clock_monotonic_us();
    while (a->first && a->first->until_us <= now_us)
        refuse(a, a->first);
}

static int patience_ms(const struct arrivals *a, bool listening)
{
    int most = listening ? -1 : NO_ROOM_MS;
    if (!a->first)
        return most;
    uint64_t now_us = clock_monotonic_us(), at_us = a->first->until_us;
    int ms = at_us > now_us ? (int)((at_us - now_us) / USEC_PER_MSEC) + 1 : 0;
    return listening || ms < most ? ms : most;
}

static void listen_while(struct arrivals *a, bool room)
{
    struct epoll_event e = {.events = room ? EPOLLIN : 0, .data.ptr = a};
    (void)epoll_ctl(a->epoll, EPOLL_CTL_MOD, a->config.listener, &e);
}

static void *run(void *context)
{
    struct arrivals *a = context;
    struct epoll_event events[EVENTS];
    while (!atomic_load(&a->stop)) {
        bool room = has_room(a) && !a->exhausted;
        a->exhausted = false;
        listen_while(a, room);
        int count = epoll_wait(a->epoll, events, EVENTS, patience_ms(a, room));
        bool accepts = false;
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == a)
                accepts = true;
            else if (events[i].data.ptr)
                on_bytes(a, events[i].data.ptr, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
        }
        expire(a);
        if (accepts) /* last: it may let one go that an event is about */
            accept_all(a);
    }
    return NULL;
}

/* ---- life ---- */

static void free_all(struct arrivals *a)
{
    while (a->first)
        drop(a, a->first);
    if (a->epoll >= 0)
        close(a->epoll);
    if (a->wake >= 0)
        close(a->wake);
    free(a);
}

static int open_loop(struct arrivals *a)
{
    struct epoll_event wake = {.events = EPOLLIN}, listener = {.events = EPOLLIN, .data.ptr = a};
    a->epoll = epoll_create1(EPOLL_CLOEXEC);
    a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return a->epoll < 0 || a->wake < 0 || epoll_ctl(a->epoll, EPOLL_CTL_ADD, a->wake, &wake) != 0 ||
                   epoll_ctl(a->epoll, EPOLL_CTL_ADD, a->config.listener, &listener) != 0
               ? ERR_IO
               : 0;
}

int arrivals_start(const struct arrivals_config *config, struct arrivals **out)
{
    struct arrivals *a = calloc(1, sizeof(*a));
    if (!a)
        return ERR_NOMEM;
    a->config = *config;
    a->epoll = a->wake = -1;
    int err = open_loop(a);
    if (!err && pthread_create(&a->thread, NULL, run, a) != 0)
        err = ERR_NOMEM;
    if (err)
        free_all(a);
    else
        *out = a;
    return err;
}

void arrivals_stop(struct arrivals *a)
{
    if (!a)
        return;
    atomic_store(&a->stop, true);
    eventfd_write(a->wake, 1);
    pthread_join(a->thread, NULL);
    free_all(a);
}
