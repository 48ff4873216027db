/* SPDX-License-Identifier: Apache-2.0 */
/* A fixed array of connections under a lock: the HTTP thread adds and removes, the main thread cuts. */

#include "backbone/connections.h"

#include "crypto/secret.h"
#include "proto/admission/crowd.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#define NO_PLACE (-1)

struct connection {
    int fd;
    int place; /* in the crowd; NO_PLACE once it was shut down */
    struct connection *next_free;
};

struct connections {
    pthread_mutex_t lock;
    struct crowd *crowd;
    struct connection **holders; /* by place */
    struct connection *free;     /* list */
    struct connection all[];
};

int connections_new(unsigned max, unsigned per_source, unsigned leaving, struct connections **out)
{
    unsigned count = max + leaving;
    struct connections *c = calloc(1, sizeof(*c) + count * sizeof(*c->all));
    if (!c)
        return ERR_NOMEM;
    pthread_mutex_init(&c->lock, NULL);
    c->holders = calloc(max, sizeof(*c->holders));
    int err = c->holders ? crowd_new(max, per_source, &secret_source, &c->crowd) : ERR_NOMEM;
    if (err) {
        connections_free(c);
        return err;
    }
    for (unsigned i = 0; i < count; i++) {
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
    crowd_free(c->crowd);
    free(c->holders);
    free(c);
}

static void leave(struct connections *c, struct connection *one)
{
    if (one->place == NO_PLACE)
        return;
    crowd_leave(c->crowd, (unsigned)one->place);
    one->place = NO_PLACE;
}

static void shut_down(struct connections *c, unsigned place)
{
    struct connection *one = c->holders[place];
    shutdown(one->fd, SHUT_RDWR);
    leave(c, one);
}

/* A place for one; returns whether another connection lost it. */
static bool enter(struct connections *c, struct connection *one, const struct addr *source, uint64_t now_us)
{
    unsigned place = crowd_place(c->crowd, source);
    bool held = crowd_held(c->crowd, place);
    if (held)
        shut_down(c, place);
    crowd_enter(c->crowd, place, source, false, now_us);
    c->holders[place] = one;
    one->place = (int)place;
    return held;
}

struct connection *connections_add(struct connections *c, int fd, const struct addr *source, uint64_t now_us,
                                   bool *pushed)
{
    *pushed = false;
    pthread_mutex_lock(&c->lock);
    struct connection *one = c->free;
    if (one) {
        c->free = one->next_free;
        *one = (struct connection){.fd = fd};
        *pushed = enter(c, one, source, now_us);
    }
    pthread_mutex_unlock(&c->lock);
    return one;
}

void connections_served(struct connections *c, struct connection *one, uint64_t now_us)
{
    if (!one)
        return;
    pthread_mutex_lock(&c->lock);
    if (one->place != NO_PLACE)
        crowd_renew(c->crowd, (unsigned)one->place, now_us);
    pthread_mutex_unlock(&c->lock);
}

void connections_remove(struct connections *c, struct connection *one)
{
    if (!one)
        return;
    pthread_mutex_lock(&c->lock);
    leave(c, one);
    one->next_free = c->free;
    c->free = one;
    pthread_mutex_unlock(&c->lock);
}

unsigned connections_cut(struct connections *c, uint64_t limit_us)
{
    unsigned count = 0;
    int oldest;
    pthread_mutex_lock(&c->lock);
    while ((oldest = crowd_oldest(c->crowd)) >= 0 && crowd_since(c->crowd, (unsigned)oldest) < limit_us) {
        shut_down(c, (unsigned)oldest);
        count++;
    }
    pthread_mutex_unlock(&c->lock);
    return count;
}
