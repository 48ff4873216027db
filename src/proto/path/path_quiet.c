/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are left alone, and until when. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path_quiet.h"

#include "base/clock.h"
#include "proto/path/path_choice.h"
#include "proto/path/path_set.h"

static bool is_warm(const struct path_entry *e, enum carrier carrier)
{
    return e->path.endpoint.carrier == carrier && e->path.state == PATH_STATE_PROVEN &&
           !path_entry_troubled(e);
}

/* By which the peer can be woken, and we: an uplink, which others keep open for all peers at once, or else a relay. */
static const struct path_entry *warm_one(const struct path_set *set)
{
    const struct path_entry *relay = NULL;
    for (const struct path_entry *e = set->first; e; e = e->next) {
        if (is_warm(e, CARRIER_UPLINK))
            return e;
        if (!relay && is_warm(e, CARRIER_RELAY))
            relay = e;
    }
    return relay;
}

/* What is being tried is so until it has answered, or failed. */
static void leave_alone(struct path_entry *e)
{
    if (e->path.state == PATH_STATE_FAILED)
        e->try_us = TIME_NEVER;
    if (!path_entry_live(e))
        return;
    e->path.state = PATH_STATE_QUIET;
    e->try_us = e->full_us = e->challenge_us = e->fail_us = e->roam_us = TIME_NEVER;
    e->unanswered = e->full_lost = 0;
    e->roaming = false;
    for (unsigned i = 0; i < PATH_SENT_MAX; i++)
        e->sent[i].open = false;
}

static void wake(struct path_set *set, uint64_t now_us)
{
    for (struct path_entry *e = set->first; e; e = e->next) {
        bool quiet = e->path.state == PATH_STATE_QUIET;
        if (!quiet && (e->path.state != PATH_STATE_FAILED || e->try_us != TIME_NEVER))
            continue;
        e->waking = quiet;
        path_entry_try(e, now_us);
    }
}

void path_quiet_update(struct path_set *set, uint64_t now_us)
{
    const struct path_entry *warm = warm_one(set);
    bool quiet =
        warm && !set->active && set->config.quiet_us && now_us >= set->flowed_us + set->config.quiet_us;
    if (set->quiet && !quiet)
        wake(set, now_us);
    set->dirty |= set->quiet != quiet; /* path_sleeps */
    set->quiet = quiet;
    for (struct path_entry *e = set->first; quiet && e; e = e->next)
        if (path_tier(e) < path_tier(warm))
            leave_alone(e);
}

bool path_quiet_waking(const struct path_set *set)
{
    for (const struct path_entry *e = set->first; e; e = e->next)
        if (e->waking)
            return true;
    return false;
}
