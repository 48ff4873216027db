/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's side of the trunks' thread (trunks_thread.c): what it is told, what it tells, its start and its stop. */

#include "node/carrier/trunks_impl.h"

#include "node/helper/uplink_channel.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Few, since what waits in a channel is late: what finds no room is lost. The kernel counts its own part besides. */
#define CHANNEL_BYTES (512 << 10)

struct trunks_lost trunks_lost(struct trunks *t)
{
    return (struct trunks_lost){.backlog = atomic_exchange_explicit(&t->backlog, 0, memory_order_relaxed),
                                .overload = atomic_exchange_explicit(&t->overload, 0, memory_order_relaxed),
                                .malformed =
                                    atomic_exchange_explicit(&t->malformed, 0, memory_order_relaxed)};
}

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
    trunk->next = t->coming;
    t->coming = trunk;
    pthread_mutex_unlock(&t->lock);
    wake(t);
    return 0;
}

static struct trunk *take_from(struct trunk **list, uint64_t conn)
{
    while (*list && (*list)->conn != conn)
        list = &(*list)->next;
    struct trunk *trunk = *list;
    if (trunk)
        *list = trunk->next;
    return trunk;
}

/* The thread ends it. */
static void order_end(struct trunks *t, struct trunk *trunk)
{
    if (!trunk || trunk->ordered)
        return;
    trunk->ordered = true;
    trunk->next = t->ending;
    t->ending = trunk;
}

void trunks_end(struct trunks *t, uint64_t conn)
{
    pthread_mutex_lock(&t->lock);
    struct trunk *free_now = take_from(&t->coming, conn);
    if (!free_now)
        free_now = take_from(&t->ended, conn);
    if (!free_now)
        order_end(t, table_get(t->by_conn, conn));
    pthread_mutex_unlock(&t->lock);
    trunk_free(free_now);
    wake(t);
}

static void on_ended(uv_async_t *handle)
{
    struct trunks *t = handle->data;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        struct trunk *trunk = t->ended;
        if (trunk)
            t->ended = trunk->next;
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

static int open_channel(struct trunks *t, unsigned number)
{
    int size = CHANNEL_BYTES;
    int err = uplink_channel_open(&t->theirs[number], &t->mine[number]);
    if (err)
        return err;
    (void)!setsockopt(t->theirs[number], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void)!setsockopt(t->mine[number], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return add_source(t, t->mine[number], TRUNKS_SOURCE_CHANNEL + number);
}

static int open_all(struct trunks *t)
{
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->epoll < 0 || t->wake < 0)
        return ERR_IO;
    int err = add_source(t, t->wake, TRUNKS_SOURCE_COMMANDS);
    for (unsigned i = 0; !err && i <= t->config.workers; i++)
        err = open_channel(t, i);
    return err ? err : table_new(&t->by_conn);
}

static int start_thread(struct trunks *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&t->thread, NULL, trunks_run, t);
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
    t->epoll = t->wake = -1;
    for (unsigned i = 0; i < TRUNKS_CHANNELS_MAX; i++)
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
    for (unsigned i = 0; i < TRUNKS_CHANNELS_MAX; i++) {
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
        trunks_take_commands(t);
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
