/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that answer and do not carry. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path_doubt.h"

#include "proto/path/path_choice.h"
#include "proto/path/path_set.h"
#include <stddef.h>

#define SAMPLES_LEAST 2 /* of a round trip that is compared */

bool path_doubted(const struct path_set *set, const struct path_entry *e)
{
    return e->doubt.until_us > set->now_us;
}

bool path_far_slower(const struct path_entry *a, const struct path_entry *b)
{
    return path_tier(a) < path_tier(b) && a->samples >= SAMPLES_LEAST && b->samples >= SAMPLES_LEAST &&
           (uint64_t)a->path.rtt_us > 2ull * b->path.rtt_us + PATH_DOUBT_SLOWER_US;
}

static bool is_clean(const struct path_set *set, const struct path_entry *e)
{
    return e->path.state == PATH_STATE_PROVEN && !path_entry_troubled(e) && !path_doubted(set, e);
}

/* Somewhere else the data may go: it answers, and has since then. */
static bool has_other(const struct path_set *set, uint64_t since_us)
{
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (e != set->best && is_clean(set, e) && e->proof_us >= since_us)
            return true;
    }
    return false;
}

static bool has_faster(const struct path_set *set)
{
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (is_clean(set, e) && !e->path.endpoint.interface && path_far_slower(set->best, e))
            return true;
    }
    return false;
}

static void doubt(struct path_set *set, enum path_why why, uint64_t now_us)
{
    struct path_doubt *d = &set->best->doubt;
    if (now_us - set->chosen_us >= PATH_DOUBT_FORGOTTEN_US)
        d->times = 0;
    d->why = why;
    d->until_us = now_us + (PATH_DOUBT_US << (d->times < PATH_DOUBT_DOUBLED ? d->times : PATH_DOUBT_DOUBLED));
    d->times += d->times < UINT8_MAX;
}

/* Since when something is so; 0: it is not. */
static void keep_since(uint64_t *since_us, bool is_so, uint64_t now_us)
{
    if (!is_so)
        *since_us = 0;
    else if (!*since_us)
        *since_us = now_us;
}

static bool for_long(const struct path_set *set, uint64_t since_us, uint64_t now_us)
{
    return since_us && now_us - since_us >= PATH_DOUBT_AFTER_US && has_other(set, since_us);
}

void path_doubt_judge(struct path_set *set, enum path_verdict verdict, uint64_t now_us)
{
    struct path_watch *w = &set->watch;
    if (verdict == PATH_VERDICT_CARRIES || verdict == PATH_VERDICT_LOSES)
        keep_since(&w->losing_us, verdict == PATH_VERDICT_LOSES, now_us);
    keep_since(&w->slow_us, has_faster(set), now_us);
    if (verdict == PATH_VERDICT_SWALLOWS && has_other(set, 0))
        doubt(set, PATH_WHY_SWALLOWS, now_us);
    else if (for_long(set, w->losing_us, now_us))
        doubt(set, PATH_WHY_LOSES, now_us);
    else if (for_long(set, w->slow_us, now_us))
        doubt(set, PATH_WHY_FAR_SLOWER, now_us);
}

void path_doubt_on_lost(struct path_entry *e, uint64_t now_us)
{
    uint64_t most_us = now_us + PATH_DOUBT_US, later_us = e->doubt.until_us + PATH_DOUBT_LOST_US;
    if (e->doubt.until_us > now_us && e->doubt.until_us < most_us)
        e->doubt.until_us = later_us < most_us ? later_us : most_us;
}
