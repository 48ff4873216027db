/* SPDX-License-Identifier: Apache-2.0 */
/* A list under a lock, and poll(2) on an event and the store's socket. */

#include "backbone/desk.h"

#include "backbone/store.h"
#include "base/clock.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE_US USEC_PER_SEC /* whatever happens */

struct desk {
    struct desk_config config;
    pthread_t thread;
    bool runs;
    int wake;
    pthread_mutex_t lock; /* of what follows */
    struct errand *first, **end;
    unsigned count;
    bool closed;
};

/* Runs what was given; returns whether the desk is closed. */
static bool run_errands(struct desk *d)
{
    eventfd_t count;
    (void)eventfd_read(d->wake, &count);
    pthread_mutex_lock(&d->lock);
    struct errand *e = d->first;
    bool closed = d->closed;
    d->first = NULL;
    d->end = &d->first;
    d->count = 0;
    pthread_mutex_unlock(&d->lock);
    while (e) {
        struct errand *next = e->next;
        e->run(e->context);
        e = next;
    }
    return closed;
}

static void wait_until(struct desk *d, uint64_t at_us)
{
    struct store_watch w = store_watch(d->config.store);
    struct pollfd fds[2] = {{.fd = d->wake, .events = POLLIN}, {.fd = w.fd, .events = w.events}};
    uint64_t now_us = clock_monotonic_us(), until_us = now_us + PATIENCE_US;
    until_us = w.at_us < until_us ? w.at_us : until_us;
    until_us = at_us < until_us ? at_us : until_us;
    uint64_t left_us = until_us > now_us ? until_us - now_us : 0;
    (void)poll(fds, 2, (int)((left_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
}

static void *run(void *context)
{
    struct desk *d = context;
    bool closed = false;
    while (!closed) {
        uint64_t at_us = UINT64_MAX, now_us = clock_monotonic_us();
        closed = run_errands(d);
        if (d->config.turn)
            at_us = d->config.turn(d->config.context, now_us, clock_unix_s());
        store_turn(d->config.store, now_us);
        if (!closed)
            wait_until(d, at_us);
    }
    return NULL;
}

int desk_start(const struct desk_config *config, struct desk **out)
{
    struct desk *d = calloc(1, sizeof(*d));
    if (!d)
        return ERR_NOMEM;
    d->config = *config;
    d->end = &d->first;
    pthread_mutex_init(&d->lock, NULL);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = d->wake < 0 ? ERR_IO : 0;
    if (!err && pthread_create(&d->thread, NULL, run, d) != 0)
        err = ERR_NOMEM;
    d->runs = !err;
    if (err)
        desk_free(d);
    else
        *out = d;
    return err;
}

bool desk_give(struct desk *d, struct errand *e)
{
    e->next = NULL;
    pthread_mutex_lock(&d->lock);
    bool room = d->count < DESK_ERRANDS_MAX && !d->closed;
    if (room) {
        *d->end = e;
        d->end = &e->next;
        d->count++;
    }
    pthread_mutex_unlock(&d->lock);
    if (room)
        desk_wake(d);
    return room;
}

void desk_wake(struct desk *d)
{
    (void)eventfd_write(d->wake, 1);
}

void desk_close(struct desk *d)
{
    if (!d || !d->runs)
        return;
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    pthread_mutex_unlock(&d->lock);
    desk_wake(d);
    pthread_join(d->thread, NULL);
    d->runs = false;
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    desk_close(d);
    if (d->wake >= 0)
        close(d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
