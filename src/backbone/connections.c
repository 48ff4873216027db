/* SPDX-License-Identifier: Apache-2.0 */
/* A fixed array of connections under a lock: the HTTP thread adds and removes, the main thread cuts. */

#include "backbone/connections.h"

#include "base/clock.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct connection {
    int fd;
    uint64_t since_us; /* begin, or end of the last answer; TIME_NEVER when cut */
    struct connection *next_free;
};

struct connections {
    pthread_mutex_t lock;
    struct connection *free; /* list */
    unsigned max;
    struct connection all[]; /* fd -1: free */
};

int connections_new(unsigned max, struct connections **out)
{
    struct connections *c = calloc(1, sizeof *c + max * sizeof *c->all);
    if (!c)
        return ERR_NOMEM;
    pthread_mutex_init(&c->lock, NULL);
    c->max = max;
    for (unsigned i = 0; i < max; i++) {
        c->all[i].fd = -1;
        c->all[i].next_free = c->free;
        c->free = &c->all[i];
    }
    *out = c;
    return 0;
}

void connections_free(struct connections *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct connection *connections_add(struct connections *c, int fd, uint64_t now_us)
{
    pthread_mutex_lock(&c->lock);
    struct connection *one = c->free;
    if (one) {
        c->free = one->next_free;
        *one = (struct connection){.fd = fd, .since_us = now_us};
    }
    pthread_mutex_unlock(&c->lock);
    return one;
}

void connections_served(struct connections *c, struct connection *one, uint64_t now_us)
{
    if (!one)
        return;
    pthread_mutex_lock(&c->lock);
    one->since_us = now_us;
    pthread_mutex_unlock(&c->lock);
}

void connections_remove(struct connections *c, struct connection *one)
{
    if (!one)
        return;
    pthread_mutex_lock(&c->lock);
    one->fd = -1;
    one->next_free = c->free;
    c->free = one;
    pthread_mutex_unlock(&c->lock);
}

unsigned connections_cut(struct connections *c, uint64_t limit_us)
{
    unsigned count = 0;
    pthread_mutex_lock(&c->lock);
    for (struct connection *one = c->all; one < c->all + c->max; one++) {
        if (one->fd < 0 || one->since_us == TIME_NEVER || one->since_us >= limit_us)
            continue;
        shutdown(one->fd, SHUT_RDWR);
        one->since_us = TIME_NEVER;
        count++;
    }
    pthread_mutex_unlock(&c->lock);
    return count;
}
