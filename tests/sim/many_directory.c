/* SPDX-License-Identifier: Apache-2.0 */
/* One instance of a backbone as a directory: it does one request after the other, and has no time for one that would wait for
 * longer than half a second, as where the store is shared (docs/SCALE.md). The nodes' look-ups go at the pace of theirs. */

#include "many_impl.h"

#include "base/clock.h"
#include "node/rendezvous/rendezvous_schedule.h"
#include <string.h>

#define REGISTER_US 925 /* a challenge and a registration … */
#define LOOK_UP_US  260 /* … and a look-up, as measured */
#define WAIT_MAX_US (USEC_PER_SEC / 2)

/* When it has answered; 0: it is too busy. */
static uint64_t serve(struct many *m, uint64_t cost_us, struct many_rate *rate)
{
    struct many_directory *d = &m->directory;
    uint64_t arrived_us = m->now_us + many_travel(m);
    uint64_t begins_us = d->free_us > arrived_us ? d->free_us : arrived_us;
    many_count(m, rate);
    if (begins_us - arrived_us > WAIT_MAX_US) {
        many_count(m, &d->busy);
        return 0;
    }
    d->free_us = begins_us + cost_us;
    return d->free_us + many_travel(m);
}

/* at_us 0: nothing comes but the word that it is too busy. */
static void answer(struct many_node *n, enum many_event_kind kind, const struct node_id *id, uint64_t at_us)
{
    struct many *m = n->many;
    struct many_event *e = many_event_new(m, kind, n->number, id, id ? sizeof(*id) : 0);
    e->on = at_us != 0;
    many_count(m, &n->asks);
    many_push(m, e, at_us ? at_us : m->now_us + 2 * many_travel(m));
}

static void look_up(struct many_node *n, const struct node_id *id)
{
    answer(n, MANY_FOUND, id, serve(n->many, LOOK_UP_US, &n->many->directory.lookups));
}

/* One that is registered only asks whether the backbone is there, which is no work for the directory. */
static void register_or_check(struct many_node *n)
{
    struct many *m = n->many;
    uint64_t checked_us = m->now_us + 2 * many_travel(m);
    n->register_us = TIME_NEVER;
    answer(n, MANY_REGISTERED, NULL,
           n->registered ? checked_us : serve(m, REGISTER_US, &m->directory.registrations));
}

void many_directory_start(struct many_node *n)
{
    n->failing_us = n->register_us = n->many->now_us;
    n->registered = n->reachable = n->doubted = n->looking = false;
    n->failures = 0;
}

void many_directory_stop(struct many_node *n)
{
    wants_fini(&n->wants);
}

static bool may_look(const struct many_node *n)
{
    return n->reachable && !n->doubted && !n->looking;
}

uint64_t many_directory_next(const struct many_node *n)
{
    uint64_t look_us = may_look(n) ? wants_next(&n->wants) : TIME_NEVER;
    return look_us < n->register_us ? look_us : n->register_us;
}

void many_directory_tick(struct many_node *n)
{
    uint64_t now_us = n->many->now_us;
    struct want *want = may_look(n) ? wants_due(&n->wants, NULL, now_us) : NULL;
    if (n->register_us <= now_us)
        register_or_check(n);
    if (!want)
        return;
    want->next_us = now_us + rendezvous_lookup_us(now_us - want->since_us, n->wants.wanted,
                                                  (uint32_t)many_random(n->many));
    n->looking = true;
    look_up(n, &want->id);
}

static void on_found(struct many_node *n, const struct many_event *e)
{
    struct node_id id;
    unsigned other;
    memcpy(&id, e->data, sizeof(id));
    n->looking = false;
    for (unsigned i = 0; e->on && many_listed(n->many, n->number, i, &other); i++) {
        const struct many_node *found = &n->many->nodes[other];
        if (id_compare(identity_id(found->identity), &id) != 0)
            continue;
        if (found->registered)
            many_set_where(n, other);
        else
            mesh_set_missing(n->mesh, &id, "the backbone knows no such id");
        return;
    }
}

static void on_registered(struct many_node *n, bool done)
{
    uint64_t now_us = n->many->now_us;
    n->registered = n->registered || done;
    n->doubted = false;
    if (done && !n->reachable)
        wants_hurry(&n->wants, now_us);
    if (n->reachable)
        n->failing_us = now_us;
    n->reachable = done;
    n->failures = done ? 0 : n->failures + 1;
    if (!done)
        n->register_us =
            now_us + rendezvous_retry_us(n->failures, now_us - n->failing_us, (uint32_t)many_random(n->many));
}

/* A look-up that is refused puts in doubt whether the backbone is there: a registration tells. */
void many_directory_answered(struct many_node *n, const struct many_event *e)
{
    if (e->kind == MANY_FOUND)
        on_found(n, e);
    else
        on_registered(n, e->on);
    if (e->on)
        return;
    n->doubted = n->doubted || e->kind == MANY_FOUND;
    if (n->doubted)
        n->register_us = n->many->now_us;
}
