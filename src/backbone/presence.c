/* SPDX-License-Identifier: Apache-2.0 */
/* A table, and two lists in the order of time: what is news, and what was told and is to be told again. */

#include "backbone/presence.h"

#include "base/clock.h"
#include "base/table.h"
#include "crypto/secret.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct entry *first, *last;
};

struct entry {
    struct node_id id;
    bool on;
    uint64_t told_us;
    struct list *in;
    struct entry *before, *after;
};

struct presence {
    pthread_mutex_t lock;
    uint64_t seed; /* nobody chooses where in the table he lies */
    struct table *by_id;
    struct list news, told;
    unsigned gone;     /* among the news */
    uint64_t again_us; /* when one was last told anew */
};

int presence_new(struct presence **out)
{
    struct presence *p = calloc(1, sizeof(*p));
    if (!p)
        return ERR_NOMEM;
    if (table_new(&p->by_id) != 0) {
        free(p);
        return ERR_NOMEM;
    }
    pthread_mutex_init(&p->lock, NULL);
    secret_random(&p->seed, sizeof(p->seed));
    *out = p;
    return 0;
}

static uint64_t key_of(const struct presence *p, const struct node_id *id)
{
    uint64_t key;
    memcpy(&key, id->bytes, sizeof(key));
    return key ^ p->seed;
}

static void leave(struct entry *e)
{
    struct list *l = e->in;
    *(e->before ? &e->before->after : &l->first) = e->after;
    *(e->after ? &e->after->before : &l->last) = e->before;
    e->in = NULL;
}

static void enter(struct list *l, struct entry *e)
{
    e->in = l;
    e->before = l->last;
    e->after = NULL;
    *(l->last ? &l->last->after : &l->first) = e;
    l->last = e;
}

static void move(struct list *l, struct entry *e)
{
    leave(e);
    enter(l, e);
}

static void forget(struct presence *p, struct entry *e)
{
    p->gone -= !e->on;
    (void)table_remove(p->by_id, key_of(p, &e->id));
    leave(e);
    free(e);
}

void presence_free(struct presence *p)
{
    if (!p)
        return;
    while (p->news.first)
        forget(p, p->news.first);
    while (p->told.first)
        forget(p, p->told.first);
    table_free(p->by_id);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* NULL without memory, or when an id with the same first bytes is here. */
static struct entry *entry_of(struct presence *p, const struct node_id *id)
{
    uint64_t key = key_of(p, id);
    struct entry *e = table_get(p->by_id, key);
    if (e)
        return id_compare(&e->id, id) == 0 ? e : NULL;
    e = calloc(1, sizeof(*e));
    if (!e || table_put(p->by_id, key, e) != 0) {
        free(e);
        return NULL;
    }
    *e = (struct entry){.id = *id, .on = true};
    enter(&p->news, e);
    return e;
}

void presence_set(struct presence *p, const struct node_id *id, bool on)
{
    pthread_mutex_lock(&p->lock);
    struct entry *e = entry_of(p, id);
    if (e) {
        p->gone = p->gone + !on - !e->on;
        e->on = on;
        move(&p->news, e);
        if (p->gone > PRESENCE_GONE_MAX)
            forget(p, e);
    }
    pthread_mutex_unlock(&p->lock);
}

static uint64_t next_due(const struct presence *p)
{
    const struct entry *e = p->told.first;
    if (p->news.first || !e)
        return p->news.first ? 0 : UINT64_MAX;
    uint64_t aged_us = e->told_us + PRESENCE_AGAIN_US, spaced_us = p->again_us + PRESENCE_SPACE_US;
    return aged_us > spaced_us ? aged_us : spaced_us;
}

uint64_t presence_due(struct presence *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t at_us = next_due(p);
    pthread_mutex_unlock(&p->lock);
    return at_us;
}

static struct entry *next_entry(struct presence *p, uint64_t now_us)
{
    if (next_due(p) > now_us)
        return NULL;
    if (p->news.first)
        return p->news.first;
    p->again_us = now_us;
    return p->told.first;
}

bool presence_take(struct presence *p, uint64_t now_us, struct presence_news *out)
{
    pthread_mutex_lock(&p->lock);
    struct entry *e = next_entry(p, now_us);
    if (e) {
        *out = (struct presence_news){e->id, e->on};
        e->told_us = now_us;
        if (e->on)
            move(&p->told, e);
        else
            forget(p, e);
    }
    pthread_mutex_unlock(&p->lock);
    return e;
}

void presence_again(struct presence *p, const struct presence_news *news)
{
    pthread_mutex_lock(&p->lock);
    struct entry *known = table_get(p->by_id, key_of(p, &news->id));
    struct entry *e = known || !news->on ? entry_of(p, &news->id) : NULL;
    if (e)
        move(&p->news, e);
    if (e && !known && p->gone < PRESENCE_GONE_MAX) {
        e->on = false;
        p->gone++;
    } else if (e && !known) {
        forget(p, e);
    }
    pthread_mutex_unlock(&p->lock);
}

void presence_repeat(struct presence *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->told.first)
        move(&p->news, p->told.first);
    pthread_mutex_unlock(&p->lock);
}
