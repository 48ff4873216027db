/* SPDX-License-Identifier: Apache-2.0 */
/* Two queues, and as many places as the pool has threads: what waits is ours to sort, and nobody's to wait for. Control
 * thread, but for run(). */

#include "node/carrier/handshake_pool.h"

#include "proto/link/link_work.h"
#include <stdlib.h>

struct place {
    uv_work_t request;
    struct handshake_pool *pool;
    struct link_work *work; /* NULL: free */
};

struct queue {
    struct link_work *first, *last;
};

struct handshake_pool {
    uv_loop_t *loop;
    void (*done)(void *context, struct link_work *work);
    void *context;
    struct place places[HANDSHAKE_POOL_THREADS];
    unsigned running;
    struct queue known, strangers;
    bool closing;
};

static void put(struct queue *q, struct link_work *work)
{
    *link_work_next(work) = NULL;
    if (q->first)
        *link_work_next(q->last) = work;
    else
        q->first = work;
    q->last = work;
}

static struct link_work *take(struct queue *q)
{
    struct link_work *work = q->first;
    if (work)
        q->first = *link_work_next(work);
    return work;
}

/* The next one, or NULL. Strangers may go away faster than they are served: theirs costs nothing then. */
static struct link_work *next_wanted(struct handshake_pool *p)
{
    struct link_work *work;
    while ((work = take(&p->known)) || (work = take(&p->strangers))) {
        if (link_work_is_wanted(work))
            return work;
        p->done(p->context, work);
    }
    return NULL;
}

static struct place *free_place(struct handshake_pool *p)
{
    for (unsigned i = 0; i < HANDSHAKE_POOL_THREADS; i++)
        if (!p->places[i].work)
            return &p->places[i];
    return NULL;
}

/* A thread of the pool. */
static void run(uv_work_t *request)
{
    const struct place *place = request->data;
    link_work_run(place->work);
}

static void start_next(struct handshake_pool *p);

static void on_done(uv_work_t *request, int status)
{
    struct place *place = request->data;
    struct handshake_pool *p = place->pool;
    struct link_work *work = place->work;
    (void)status; /* the work knows whether it was done */
    place->work = NULL;
    p->running--;
    p->done(p->context, work);
    start_next(p);
    if (p->closing && !p->running)
        free(p);
}

static void start_next(struct handshake_pool *p)
{
    struct place *place = free_place(p);
    struct link_work *work = place ? next_wanted(p) : NULL;
    if (!work)
        return;
    place->work = work;
    p->running++;
    uv_queue_work(p->loop, &place->request, run, on_done); /* fails for want of a function alone */
}

int handshake_pool_new(uv_loop_t *loop, void (*done)(void *context, struct link_work *work), void *context,
                       struct handshake_pool **out)
{
    char threads[16];
    struct handshake_pool *p = calloc(1, sizeof(*p));
    snprintf(threads, sizeof(threads), "%d", HANDSHAKE_POOL_THREADS);
    if (!p || setenv("UV_THREADPOOL_SIZE", threads, 1)) {
        free(p);
        return ERR_NOMEM;
    }
    p->loop = loop;
    p->done = done;
    p->context = context;
    for (unsigned i = 0; i < HANDSHAKE_POOL_THREADS; i++) {
        p->places[i].pool = p;
        p->places[i].request.data = &p->places[i];
    }
    *out = p;
    return 0;
}

void handshake_pool_add(struct handshake_pool *p, struct link_work *work, bool stranger)
{
    put(stranger ? &p->strangers : &p->known, work);
    start_next(p);
}

void handshake_pool_close(struct handshake_pool *p)
{
    if (!p)
        return;
    struct link_work *work;
    while ((work = take(&p->known)) || (work = take(&p->strangers)))
        p->done(p->context, work);
    p->closing = true;
    for (unsigned i = 0; i < HANDSHAKE_POOL_THREADS; i++)
        if (p->places[i].work)
            uv_cancel((uv_req_t *)&p->places[i].request); /* on_done follows */
    if (!p->running)
        free(p);
}
