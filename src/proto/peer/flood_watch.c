/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that floods wake, one after the other. docs/PROTOCOL.md §9. Pure; control thread. */

#include "proto/peer/flood_watch.h"

#include "base/clock.h"

static const struct bucket_rate few_rate = {FLOODS_FEW_US, FLOODS_FEW_BURST};

uint32_t flood_watch_passed(const struct flood_watch *w, const struct flood_counts *counts)
{
    return counts->sent - w->seen.sent + counts->received - w->seen.received;
}

/* What was withheld was too much already. */
static bool were_many(struct flood_watch *w, const struct flood_counts *counts, uint64_t now_us)
{
    bool few_sent = bucket_take(&w->sent, &few_rate, counts->sent - w->seen.sent, now_us);
    bool few_received = bucket_take(&w->received, &few_rate, counts->received - w->seen.received, now_us);
    bool withheld = counts->withheld != w->seen.withheld;
    w->seen = *counts;
    return withheld || !few_sent || !few_received;
}

static void wait_for_turn(struct flood_watch *w, struct flood_turns *turns, uint64_t now_us)
{
    w->turn_us = turns->next_us > now_us ? turns->next_us : now_us;
    turns->next_us = w->turn_us + FLOOD_WAKE_US;
}

bool flood_watch_look(struct flood_watch *w, struct flood_turns *turns, const struct flood_counts *counts,
                      bool sleeps, uint64_t now_us)
{
    bool many = were_many(w, counts, now_us);
    if (!sleeps) {
        w->turn_us = 0;
        return many;
    }
    if (many && !w->turn_us)
        wait_for_turn(w, turns, now_us);
    if (!w->turn_us || now_us < w->turn_us)
        return false;
    w->turn_us = 0;
    return true;
}

uint64_t flood_watch_deadline(const struct flood_watch *w)
{
    return w->turn_us ? w->turn_us : TIME_NEVER;
}
