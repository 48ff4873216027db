/* SPDX-License-Identifier: Apache-2.0 */
/* The trunks' thread. It never waits for a trunk or a worker: what one does not take in time is lost, so that no queue grows
 * beyond batch_queue.h's. docs/PROTOCOL.md §18.
 *
 *   control ── add, end ──▶ lists under a lock ──▶ ┌────────┐
 *   worker i ── batches ──▶ channel i ───────────▶ │ thread │ ──▶ queue ──▶ TCP
 *   worker i ◀── by lane and index ── channel i ── └────────┘ ◀────────── TCP
 *   control ◀── ended, by the loop ── list
 */

#include "node/carrier/trunks.h"

#include "base/clock.h"
#include "base/table.h"
#include "node/carrier/trunk_socket.h"
#include "node/helper/uplink_channel.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUND_PACKETS 32 /* of one channel, before others have their turn */
#define EVENTS        64
#define SMALL_MAX     16384 /* a packet that is copied; a larger one keeps the buffer in which it came */
#define EXPIRE_MS     10
#define CHANNELS_MAX  (1 + TRUNKS_WORKERS_MAX) /* the control thread's, then the workers' */
#define CHANNEL_BYTES (512 << 10) /* that may wait in each; the kernel counts its own part besides */

/* What an event of epoll is of. Numbers of trunks are above. */
#define SOURCE_COMMANDS 0
#define SOURCE_CHANNEL  1

struct order {
    struct order *next;
    uint64_t conn;
};

struct trunks {
    struct trunks_config config;
    pthread_t thread;
    bool started;
    uv_async_t ended_async;
    int mine[CHANNELS_MAX], theirs[CHANNELS_MAX]; /* ends of the channels: the thread's, the others' */
    int epoll, wake;
    _Atomic bool stop;
    _Atomic uint64_t backlog, overload, malformed;

    pthread_mutex_t lock; /* of what follows */
    struct trunk *coming;
    struct trunk **coming_at;
    struct trunk *ended;
    struct order *ending;

    /* the thread's */
    struct table *by_conn;
    struct trunk *waiting; /* for their sockets */
    struct batch *spare;   /* room for the largest packet */
    uint64_t now_us, expired_us;
};

/* ---- what is lost ---- */

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

struct trunks_lost trunks_lost(struct trunks *t)
{
    return (struct trunks_lost){.backlog = atomic_exchange_explicit(&t->backlog, 0, memory_order_relaxed),
                                .overload = atomic_exchange_explicit(&t->overload, 0, memory_order_relaxed),
                                .malformed =
                                    atomic_exchange_explicit(&t->malformed, 0, memory_order_relaxed)};
}

static void count_dropped(struct trunks *t, struct trunk *trunk)
{
    count(&t->backlog, trunk->queue.dropped);
    trunk->queue.dropped = 0;
}

/* ---- in: from trunks to workers ---- */

static void pass(void *context, const uint8_t head[UPLINK_BATCH_HEAD_LEN], const uint8_t *data, size_t len)
{
    struct trunks *t = context;
    const struct iovec pieces[] = {{(void *)head, UPLINK_BATCH_HEAD_LEN}, {(void *)data, len}};
    unsigned worker = uplink_channel_worker(data, len, t->config.workers);
    if (uplink_channel_send(t->mine[1 + worker], pieces, 2))
        count(&t->overload, 1);
}

/* ---- a trunk's coming and going ---- */

static void leave_waiting(struct trunks *t, const struct trunk *trunk)
{
    struct trunk **at = &t->waiting;
    while (*at && *at != trunk)
        at = &(*at)->after_waiting;
    if (*at)
        *at = trunk->after_waiting;
}

static int watch(struct trunks *t, struct trunk *trunk, int op)
{
    struct epoll_event e = {.events = trunk->writable ? EPOLLIN : EPOLLIN | EPOLLOUT,
                            .data.u64 = trunk->conn};
    e.data.u64 += SOURCE_CHANNEL + CHANNELS_MAX;
    return epoll_ctl(t->epoll, op, trunk->fd, &e) ? ERR_IO : 0;
}

static void remove_trunk(struct trunks *t, struct trunk *trunk)
{
    table_remove(t->by_conn, trunk->conn);
    leave_waiting(t, trunk);
    (void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, trunk->fd, NULL);
    count_dropped(t, trunk);
}

/* It has ended by itself: the control thread tells, and frees it. */
static void tell_ended(struct trunks *t, struct trunk *trunk)
{
    pthread_mutex_lock(&t->lock);
    trunk->next = t->ended;
    t->ended = trunk;
    pthread_mutex_unlock(&t->lock);
    uv_async_send(&t->ended_async);
}

static void on_end(struct trunks *t, struct trunk *trunk, int err)
{
    if (err == ERR_FORMAT)
        count(&t->malformed, 1);
    remove_trunk(t, trunk);
    tell_ended(t, trunk);
}

static void take_in(struct trunks *t, struct trunk *trunk)
{
    if (table_put(t->by_conn, trunk->conn, trunk) || watch(t, trunk, EPOLL_CTL_ADD)) {
        table_remove(t->by_conn, trunk->conn);
        tell_ended(t, trunk);
        return;
    }
    int err = trunk_parse(trunk, pass, t);
    if (err)
        on_end(t, trunk, err);
}

static void end_ordered(struct trunks *t, struct order *o)
{
    struct trunk *trunk = table_get(t->by_conn, o->conn);
    if (trunk) {
        (void)!trunk_write(trunk, t->now_us);
        remove_trunk(t, trunk);
    }
    trunk_free(trunk);
    free(o);
}

static void take_commands(struct trunks *t)
{
    pthread_mutex_lock(&t->lock);
    struct trunk *coming = t->coming;
    struct order *ending = t->ending;
    t->coming = NULL;
    t->coming_at = &t->coming;
    t->ending = NULL;
    pthread_mutex_unlock(&t->lock);
    while (coming) {
        struct trunk *next = coming->next;
        take_in(t, coming);
        coming = next;
    }
    while (ending) {
        struct order *next = ending->next;
        end_ordered(t, ending);
        ending = next;
    }
}

/* ---- out: from workers to trunks ---- */

/* Sends what it can; an error has ended it. One whose socket is full is looked at again when it is not, or when something is too old. */
static int push(struct trunks *t, struct trunk *trunk)
{
    bool before = trunk->writable;
    int err = trunk_write(trunk, t->now_us);
    count_dropped(t, trunk);
    if (err) {
        on_end(t, trunk, err);
    } else if (before && !trunk->writable) {
        (void)!watch(t, trunk, EPOLL_CTL_MOD);
        trunk->after_waiting = t->waiting;
        t->waiting = trunk;
    }
    return err;
}

static void on_writable(struct trunks *t, struct trunk *trunk)
{
    trunk->writable = true;
    leave_waiting(t, trunk);
    if (push(t, trunk) == 0 && trunk->writable)
        (void)!watch(t, trunk, EPOLL_CTL_MOD);
}

/* What comes right behind the order to take a trunk in may be seen before it. */
static struct trunk *trunk_of(struct trunks *t, const struct batch *b)
{
    uint64_t conn = trunk_named(b->bytes + UPLINK_BATCH_ID_AT);
    struct trunk *trunk = table_get(t->by_conn, conn);
    if (trunk)
        return trunk;
    take_commands(t);
    return table_get(t->by_conn, conn);
}

/* The packet in the spare buffer, as a batch of its own. NULL: no memory. */
static struct batch *take_spare(struct trunks *t, size_t len)
{
    struct batch *b = len > SMALL_MAX ? t->spare : batch_new(len);
    if (b == t->spare)
        t->spare = NULL;
    else if (b)
        memcpy(b->bytes, t->spare->bytes, len);
    if (b)
        b->len = len;
    return b;
}

static void on_packet(struct trunks *t, size_t len)
{
    if (len <= UPLINK_BATCH_HEAD_LEN)
        return;
    struct batch *b = take_spare(t, len);
    struct trunk *trunk = b ? trunk_of(t, b) : NULL;
    if (!trunk) {
        count(&t->backlog, 1);
        batch_free(b);
        return;
    }
    batch_queue_put(&trunk->queue, b, t->now_us);
    (void)!push(t, trunk);
}

static void take_packets(struct trunks *t, int fd)
{
    for (unsigned i = 0; i < ROUND_PACKETS; i++) {
        if (!t->spare && !(t->spare = batch_new(UPLINK_MESSAGE_MAX)))
            return; /* until there is memory */
        ssize_t len = uplink_channel_receive(fd, t->spare->bytes);
        if (len == ERR_AGAIN || len == ERR_CLOSED)
            return;
        if (len > 0)
            on_packet(t, (size_t)len);
    }
}

/* ---- the thread ---- */

static void on_trunk(struct trunks *t, uint64_t conn, uint32_t events)
{
    struct trunk *trunk = table_get(t->by_conn, conn);
    if (trunk && events & EPOLLOUT)
        on_writable(t, trunk);
    trunk = table_get(t->by_conn, conn);
    int err = trunk && events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? trunk_read(trunk, pass, t) : 0;
    if (err)
        on_end(t, trunk, err);
}

static void on_event(struct trunks *t, const struct epoll_event *e)
{
    uint64_t wakes;
    if (e->data.u64 == SOURCE_COMMANDS)
        (void)!read(t->wake, &wakes, sizeof(wakes));
    else if (e->data.u64 < SOURCE_CHANNEL + CHANNELS_MAX)
        take_packets(t, t->mine[e->data.u64 - SOURCE_CHANNEL]);
    else
        on_trunk(t, e->data.u64 - SOURCE_CHANNEL - CHANNELS_MAX, e->events);
}

/* Of those whose sockets are full, what is too old is lost now, not when they are not. */
static void expire(struct trunks *t)
{
    if (t->now_us - t->expired_us < EXPIRE_MS * USEC_PER_MSEC)
        return;
    t->expired_us = t->now_us;
    for (struct trunk *trunk = t->waiting; trunk; trunk = trunk->after_waiting) {
        batch_queue_expire(&trunk->queue, t->now_us);
        count_dropped(t, trunk);
    }
}

static void *run(void *arg)
{
    struct trunks *t = arg;
    struct epoll_event events[EVENTS];
    while (!atomic_load_explicit(&t->stop, memory_order_acquire)) {
        int n = epoll_wait(t->epoll, events, EVENTS, t->waiting ? EXPIRE_MS : -1);
        t->now_us = clock_monotonic_us();
        take_commands(t);
        take_packets(t, t->mine[0]); /* probes go first, also here */
        for (int i = 0; i < n; i++)
            on_event(t, &events[i]);
        expire(t);
    }
    for (unsigned i = 0; i <= t->config.workers; i++)
        take_packets(t, t->mine[i]); /* the last words */
    return NULL;
}

/* ---- for the control thread ---- */

static void wake(struct trunks *t)
{
    uint64_t one = 1;
    (void)!write(t->wake, &one, sizeof(one));
}

int trunks_add(struct trunks *t, uint64_t conn, int fd, const uint8_t *bytes, size_t len)
{
    struct trunk *trunk;
    int err = trunk_new(conn, fd, bytes, len, &trunk);
    if (err) {
        close(fd);
        return err;
    }
    snprintf(trunk->reason, sizeof(trunk->reason), "out of memory"); /* should it not be taken in */
    pthread_mutex_lock(&t->lock);
    *t->coming_at = trunk;
    t->coming_at = &trunk->next;
    pthread_mutex_unlock(&t->lock);
    wake(t);
    return 0;
}

static struct trunk *take_ended(struct trunks *t, uint64_t conn)
{
    struct trunk **at = &t->ended;
    while (*at && conn && (*at)->conn != conn)
        at = &(*at)->next;
    struct trunk *trunk = *at;
    if (trunk)
        *at = trunk->next;
    return trunk;
}

void trunks_end(struct trunks *t, uint64_t conn)
{
    struct order *o = malloc(sizeof(*o));
    pthread_mutex_lock(&t->lock);
    struct trunk *ended = take_ended(t, conn);
    if (o && !ended) {
        *o = (struct order){t->ending, conn};
        t->ending = o;
        o = NULL;
    }
    pthread_mutex_unlock(&t->lock);
    trunk_free(ended);
    free(o);
    wake(t);
}

static void on_ended(uv_async_t *handle)
{
    struct trunks *t = handle->data;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        struct trunk *trunk = take_ended(t, 0);
        pthread_mutex_unlock(&t->lock);
        if (!trunk)
            return;
        t->config.closed(t->config.context, trunk->conn, trunk->reason);
        trunk_free(trunk);
    }
}

int trunks_channel(const struct trunks *t)
{
    return t->theirs[0];
}

const int *trunks_channels(const struct trunks *t)
{
    return t->theirs + 1;
}

static int add_source(struct trunks *t, int fd, uint64_t source)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = source};
    return epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &e) ? ERR_IO : 0;
}

/* Few, since what waits there is late: what finds no room is lost. */
static int open_channel(struct trunks *t, unsigned number)
{
    int size = CHANNEL_BYTES;
    int err = uplink_channel_open(&t->theirs[number], &t->mine[number]);
    if (err)
        return err;
    (void)!setsockopt(t->theirs[number], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void)!setsockopt(t->mine[number], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return add_source(t, t->mine[number], SOURCE_CHANNEL + number);
}

static int open_all(struct trunks *t)
{
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->epoll < 0 || t->wake < 0)
        return ERR_IO;
    int err = add_source(t, t->wake, SOURCE_COMMANDS);
    for (unsigned i = 0; !err && i <= t->config.workers; i++)
        err = open_channel(t, i);
    return err ? err : table_new(&t->by_conn);
}

static int start_thread(struct trunks *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->started = err == 0;
    if (t->started)
        (void)pthread_setname_np(t->thread, "trunks");
    return err ? ERR_NOMEM : 0;
}

int trunks_new(const struct trunks_config *config, struct trunks **out)
{
    struct trunks *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_NOMEM;
    t->config = *config;
    t->coming_at = &t->coming;
    t->epoll = t->wake = -1;
    for (unsigned i = 0; i < CHANNELS_MAX; i++)
        t->mine[i] = t->theirs[i] = -1;
    pthread_mutex_init(&t->lock, NULL);
    uv_async_init(config->loop, &t->ended_async, on_ended);
    t->ended_async.data = t;
    int err = open_all(t);
    if (!err)
        err = start_thread(t);
    if (err)
        trunks_close(t);
    else
        *out = t;
    return err;
}

static void free_list(struct trunk *list)
{
    while (list) {
        struct trunk *next = list->next;
        trunk_free(list);
        list = next;
    }
}

static void free_trunk(void *context, void *trunk)
{
    (void)context;
    trunk_free(trunk);
}

static void close_all(struct trunks *t)
{
    for (unsigned i = 0; i < CHANNELS_MAX; i++) {
        if (t->mine[i] >= 0)
            close(t->mine[i]);
        if (t->theirs[i] >= 0)
            close(t->theirs[i]);
    }
    if (t->epoll >= 0)
        close(t->epoll);
    if (t->wake >= 0)
        close(t->wake);
}

static void on_async_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void trunks_close(struct trunks *t)
{
    if (!t)
        return;
    atomic_store_explicit(&t->stop, true, memory_order_release);
    if (t->started) {
        wake(t);
        pthread_join(t->thread, NULL);
        take_commands(t);
    }
    free_list(t->ended);
    if (t->by_conn)
        table_each(t->by_conn, free_trunk, NULL);
    table_free(t->by_conn);
    batch_free(t->spare);
    close_all(t);
    pthread_mutex_destroy(&t->lock);
    uv_close((uv_handle_t *)&t->ended_async, on_async_closed);
}
