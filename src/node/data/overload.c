/* SPDX-License-Identifier: Apache-2.0 */
/* Max-min fair shares of what a worker opens: the level is that to which the heaviest are lowered so that the sum of
 * all is three quarters of what was opened in the last period. Up to it nobody is dropped. The last quarter is
 * whoever's the queue brings, by which the level follows a worker that becomes faster or slower. A quarter of the
 * level may come at once, the rest as the period passes: the queue may be shorter than what all may have in one. */

#include "node/data/overload.h"

#include "base/fair.h"

#include <stdlib.h>

#define NOBODY UINT32_MAX

struct overload {
    enum overload_state state;
    uint64_t calm_us;   /* when counting ends */
    uint64_t period_us; /* when this period began */
    uint32_t level;     /* datagrams of one peer in a period … */
    uint32_t allowed;   /* … and so far */
    uint32_t last;      /* who was there last … */
    bool others;        /* … and not it alone in this period */
    uint64_t alone_us;  /* when a peer that is still there counts as alone */
    unsigned count;
    uint16_t active[OVERLOAD_PEERS]; /* slots of which something was opened in this period */
    uint32_t opened[OVERLOAD_PEERS];
};

int overload_new(struct overload **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : ERR_NOMEM;
}

void overload_free(struct overload *o)
{
    free(o);
}

static const void *next_peer(const void *set, const void *at, uint64_t *wanted)
{
    const struct overload *o = set;
    const uint16_t *slot = at ? (const uint16_t *)at + 1 : o->active;
    if (slot == o->active + o->count)
        return NULL;
    *wanted = o->opened[*slot];
    return slot;
}

static uint64_t sum_opened(const struct overload *o)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < o->count; i++)
        sum += o->opened[o->active[i]];
    return sum;
}

/* A period is as long as its last batch makes it. */
static void end_period(struct overload *o, uint64_t now_us)
{
    uint64_t sum = sum_opened(o), took = now_us - o->period_us;
    if (sum)
        o->level = (uint32_t)(fair_level(o, next_peer, sum * 3 / 4) * (uint64_t)OVERLOAD_PERIOD_US / took);
    if (o->others)
        o->alone_us = now_us + OVERLOAD_MEMORY_US;
    for (unsigned i = 0; i < o->count; i++)
        o->opened[o->active[i]] = 0;
    o->count = 0;
    o->others = false;
    o->period_us = now_us;
}

static void begin(struct overload *o, bool company, uint64_t now_us)
{
    o->period_us = now_us;
    o->alone_us = now_us + (company ? OVERLOAD_MEMORY_US : 0);
    o->level = UINT32_MAX - OVERLOAD_LEAST;
    o->last = NOBODY;
}

static uint32_t allowed_after(const struct overload *o, uint64_t elapsed_us)
{
    uint64_t share_us = OVERLOAD_PERIOD_US / 4 + elapsed_us;
    if (share_us > OVERLOAD_PERIOD_US)
        share_us = OVERLOAD_PERIOD_US;
    return (uint32_t)(o->level * share_us / OVERLOAD_PERIOD_US) + OVERLOAD_LEAST;
}

enum overload_state overload_round(struct overload *o, unsigned percent, bool company, uint64_t now_us)
{
    if (percent >= OVERLOAD_WATCH)
        o->calm_us = now_us + OVERLOAD_MEMORY_US;
    if (o->state == OVERLOAD_NONE && now_us < o->calm_us)
        begin(o, company, now_us);
    else if (o->state != OVERLOAD_NONE && now_us - o->period_us >= OVERLOAD_PERIOD_US)
        end_period(o, now_us);
    o->allowed = allowed_after(o, now_us - o->period_us);
    if (now_us >= o->calm_us)
        o->state = OVERLOAD_NONE;
    else
        o->state = percent >= OVERLOAD_SHED && now_us < o->alone_us ? OVERLOAD_SHEDS : OVERLOAD_COUNTS;
    return o->state;
}

void overload_present(struct overload *o, uint32_t slot)
{
    if (slot == o->last)
        return;
    o->others |= o->last != NOBODY;
    o->last = slot;
}

void overload_opened(struct overload *o, uint32_t slot)
{
    if (slot >= OVERLOAD_PEERS)
        return;
    overload_present(o, slot);
    if (!o->opened[slot]++)
        o->active[o->count++] = (uint16_t)slot;
}

bool overload_sheds(const struct overload *o, uint32_t slot)
{
    return slot < OVERLOAD_PEERS && o->opened[slot] >= o->allowed;
}
