/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked up at the backbone, and what was seen. Control thread. docs/PROTOCOL.md §8. */
#include "node/rendezvous/rendezvous_wants.h"

#include "base/clock.h"

#include <stdlib.h>

#define CAP_FIRST 16

void wants_fini(struct wants *w)
{
    free(w->list);
    *w = (struct wants){0};
}

static struct want *find(const struct wants *w, const struct node_id *id)
{
    for (unsigned i = 0; i < w->count; i++)
        if (id_compare(&w->list[i].id, id) == 0)
            return &w->list[i];
    return NULL;
}

static bool grow(struct wants *w)
{
    unsigned cap = w->cap ? 2 * w->cap : CAP_FIRST;
    struct want *list = cap <= WANTS_KNOWN_MAX ? realloc(w->list, cap * sizeof(*list)) : NULL;
    if (!list)
        return false;
    w->list = list;
    w->cap = cap;
    return true;
}

/* NULL when all that are known are wanted, which is less than there is room for, or memory is short. */
static struct want *longest_forgotten(const struct wants *w)
{
    struct want *oldest = NULL;
    for (unsigned i = 0; i < w->count; i++) {
        struct want *want = &w->list[i];
        if (!want->wanted && (!oldest || want->forgotten_us < oldest->forgotten_us))
            oldest = want;
    }
    return oldest;
}

static struct want *place(struct wants *w)
{
    return w->count < w->cap || grow(w) ? &w->list[w->count++] : longest_forgotten(w);
}

void wants_add(struct wants *w, const struct node_id *id, uint64_t now_us)
{
    struct want *want = find(w, id);
    bool is_new = !want || !want->wanted;
    if (is_new && w->wanted == WANTS_WANTED_MAX)
        return;
    if (!want) {
        want = place(w);
        if (!want)
            return;
        *want = (struct want){.id = *id};
    }
    w->wanted += is_new;
    want->wanted = true;
    want->since_us = now_us;
    if (is_new)
        want->next_us = now_us;
    else if (want->next_us > now_us + USEC_PER_SEC)
        want->next_us = now_us + USEC_PER_SEC;
}

void wants_forget(struct wants *w, const struct node_id *id, uint64_t now_us)
{
    struct want *want = wants_find(w, id);
    if (!want)
        return;
    want->wanted = false;
    want->forgotten_us = now_us;
    w->wanted--;
}

void wants_hurry(struct wants *w, uint64_t now_us)
{
    for (unsigned i = 0; i < w->count; i++)
        w->list[i].since_us = w->list[i].next_us = now_us;
}

struct want *wants_find(const struct wants *w, const struct node_id *id)
{
    struct want *want = find(w, id);
    return want && want->wanted ? want : NULL;
}

struct want *wants_due(const struct wants *w, const struct want *after, uint64_t now_us)
{
    for (unsigned i = after ? (unsigned)(after - w->list) + 1 : 0; i < w->count; i++)
        if (w->list[i].wanted && w->list[i].next_us <= now_us)
            return &w->list[i];
    return NULL;
}

uint64_t wants_next(const struct wants *w)
{
    uint64_t next = TIME_NEVER;
    for (unsigned i = 0; i < w->count; i++)
        if (w->list[i].wanted && w->list[i].next_us < next)
            next = w->list[i].next_us;
    return next;
}
