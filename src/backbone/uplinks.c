/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll loop: what arrived is read, proofs are verified in their turn, deadlines kept, what waits is sent. */

#include "backbone/uplinks.h"

#include "backbone/relay_server.h"
#include "backbone/uplink.h"
#include "backbone/uplink_hub.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS       256
#define READ_MAX     65536 /* bytes of one uplink before it is another's turn */
#define ARRIVALS_MAX 1024  /* that the thread has not looked at yet */
#define VERIFY_TURN  4     /* signatures before everybody is served again */
#define NOTSENT_LOWAT                                                                                        \
    32768 /* bytes in the kernel that are not on their way: what comes later can still go before them */
#define STOP_US        (USEC_PER_SEC / 2)
#define RESTART_MS     1000 /* and one more for each node: so many signatures can be verified */
#define VERIFY_WAIT_MS 1    /* until the next signature may be verified */

struct arrival {
    struct arrival *next;
    int fd;
    struct addr source;
    bool visits;
    size_t len;
    uint8_t early[];
};

struct uplinks {
    struct uplink_hub hub;
    pthread_t thread;
    int epoll, wake;
    pthread_mutex_t lock; /* of what follows */
    struct arrival *first, *last;
    unsigned arrivals;
    bool stop;
    uint8_t buffer[READ_MAX]; /* the thread's */
};

static void watch(struct uplinks *s, struct uplink *u, int operation)
{
    struct epoll_event e = {.events = EPOLLIN | (u->out.blocked ? EPOLLOUT : 0u), .data.ptr = u};
    if (epoll_ctl(s->epoll, operation, u->fd, &e) != 0)
        uplink_lose(u);
}

static void set_options(int fd)
{
    int on = 1, off = 0, lowat = NOTSENT_LOWAT;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

static void accept_one(struct uplinks *s, const struct arrival *a)
{
    struct uplink *u;
    set_options(a->fd);
    if (uplink_new(&s->hub, a->fd, &a->source, a->visits, &u) != 0)
        return;
    watch(s, u, EPOLL_CTL_ADD);
    if (a->len && u->state != UPLINK_GONE)
        uplink_read(u, a->early, a->len);
}

/* Returns whether the thread is to stop. */
static bool on_wake(struct uplinks *s)
{
    eventfd_t count;
    (void)eventfd_read(s->wake, &count);
    pthread_mutex_lock(&s->lock);
    struct arrival *a = s->first;
    bool stop = s->stop;
    s->first = NULL;
    s->arrivals = 0;
    pthread_mutex_unlock(&s->lock);
    while (a) {
        struct arrival *next = a->next;
        accept_one(s, a);
        free(a);
        a = next;
    }
    return stop;
}

static void on_readable(struct uplinks *s, struct uplink *u)
{
    ssize_t len = recv(u->fd, s->buffer, sizeof(s->buffer), 0);
    if (len > 0)
        uplink_read(u, s->buffer, (size_t)len);
    else if (len == 0 || (errno != EAGAIN && errno != EINTR))
        uplink_lose(u);
}

static void on_event(struct uplinks *s, struct uplink *u, uint32_t events)
{
    if (u->state == UPLINK_GONE)
        return;
    if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN))
        uplink_lose(u);
    else if (events & EPOLLIN)
        on_readable(s, u);
    if (events & EPOLLOUT)
        uplink_hub_list(u);
}

/* Returns whether more may be verified soon. */
static bool verify(struct uplinks *s)
{
    for (int i = 0; i < VERIFY_TURN && s->hub.first_proof; i++) {
        if (!uplink_rates_verify(s->hub.rates, s->hub.now_us))
            return true;
        (void)uplink_hub_verify(&s->hub);
    }
    return s->hub.first_proof;
}

static void flush(struct uplinks *s)
{
    struct uplink *u;
    while ((u = uplink_hub_take_unsent(&s->hub))) {
        bool was_blocked = u->out.blocked;
        uplink_flush(u);
        if (u->state != UPLINK_GONE && u->out.blocked != was_blocked)
            watch(s, u, EPOLL_CTL_MOD);
    }
}

static int patience_ms(const struct uplinks *s, bool proofs)
{
    const struct heap_node *n = heap_first(&s->hub.deadlines);
    if (proofs)
        return VERIFY_WAIT_MS;
    if (!n)
        return -1;
    uint64_t now_us = clock_monotonic_us();
    return n->at_us <= now_us ? 0 : (int)((n->at_us - now_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

/* One turn. Returns whether the thread is to stop. */
static bool turn(struct uplinks *s, int patience)
{
    struct epoll_event events[EVENTS];
    bool stop = false;
    int count = epoll_wait(s->epoll, events, EVENTS, patience);
    s->hub.now_us = clock_monotonic_us();
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr)
            on_event(s, events[i].data.ptr, events[i].events);
        else
            stop = on_wake(s);
    }
    return stop;
}

static bool settle(struct uplinks *s)
{
    bool proofs = verify(s);
    uplink_hub_fire(&s->hub);
    flush(s);
    uplink_hub_bury(&s->hub);
    return proofs;
}

static void restart_all(struct uplinks *s)
{
    uint32_t count = (uint32_t)atomic_load_explicit(&s->hub.metrics->proven, memory_order_relaxed);
    const struct uplink_message m = {.kind = UPLINK_RESTARTING, .wait_ms = RESTART_MS + count};
    for (struct uplink *u = s->hub.all; u; u = u->after) {
        if (u->state == UPLINK_UP)
            uplink_say(u, &m);
        uplink_end(u, UPLINK_ENDED_RESTARTING, "the backbone restarts");
    }
}

static void *run(void *context)
{
    struct uplinks *s = context;
    bool stop = false, proofs = false;
    while (!stop) {
        stop = turn(s, patience_ms(s, proofs));
        proofs = settle(s);
    }
    restart_all(s);
    uint64_t until_us = s->hub.now_us + STOP_US;
    (void)settle(s);
    while (s->hub.all && s->hub.now_us < until_us) {
        (void)turn(s, (int)((until_us - s->hub.now_us) / USEC_PER_MSEC));
        (void)settle(s);
    }
    return NULL;
}

static int open_loop(struct uplinks *s)
{
    struct epoll_event e = {.events = EPOLLIN};
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->epoll < 0 || s->wake < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &e) != 0 ? ERR_IO : 0;
}

static void free_all(struct uplinks *s)
{
    relay_server_stop(s->hub.relay);
    uplink_hub_close(&s->hub);
    for (struct arrival *a = s->first, *next; a; a = next) {
        next = a->next;
        close(a->fd);
        free(a);
    }
    if (s->epoll >= 0)
        close(s->epoll);
    if (s->wake >= 0)
        close(s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int start_relay(struct uplinks *s, const struct uplinks_config *config, struct metrics *metrics)
{
    const struct relay_server_config relay = {config->relay, config->relay_mbit,
                                              uplink_rates_datagrams(s->hub.rates), &metrics->relay};
    return config->relay ? relay_server_start(&relay, &s->hub.relay) : 0;
}

int uplinks_start(const struct uplinks_config *config, struct metrics *metrics, struct uplinks **out)
{
    struct uplinks *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->epoll = s->wake = -1;
    pthread_mutex_init(&s->lock, NULL);
    int err = uplink_hub_open(&s->hub, config, &metrics->uplinks);
    if (!err)
        err = open_loop(s);
    if (!err)
        err = start_relay(s, config, metrics);
    if (!err && pthread_create(&s->thread, NULL, run, s) != 0)
        err = ERR_NOMEM;
    if (err) {
        free_all(s);
        return err;
    }
    *out = s;
    return 0;
}

/* Takes a; false when too many wait. */
static bool enqueue(struct uplinks *s, struct arrival *a)
{
    pthread_mutex_lock(&s->lock);
    bool room = s->arrivals < ARRIVALS_MAX && !s->stop;
    if (room) {
        if (s->first)
            s->last->next = a;
        else
            s->first = a;
        s->last = a;
        s->arrivals++;
    }
    pthread_mutex_unlock(&s->lock);
    return room;
}

void uplinks_give(struct uplinks *s, int fd, const struct addr *source, bool visits, struct slice early)
{
    struct arrival *a = malloc(sizeof(*a) + early.len);
    if (a) {
        *a = (struct arrival){.fd = fd, .source = *source, .visits = visits, .len = early.len};
        if (early.len)
            memcpy(a->early, early.data, early.len);
    }
    if (a && enqueue(s, a)) {
        eventfd_write(s->wake, 1);
        return;
    }
    free(a);
    close(fd);
}

void uplinks_stop(struct uplinks *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_mutex_unlock(&s->lock);
    eventfd_write(s->wake, 1);
    pthread_join(s->thread, NULL);
    free_all(s);
}
