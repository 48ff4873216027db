/* SPDX-License-Identifier: Apache-2.0 */
/* What time brings about: which path is asked next, and which has failed. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path.h"

#include "base/clock.h"
#include "proto/path/path_choice.h"
#include "proto/path/path_pace.h"
#include "proto/path/path_quiet.h"
#include "proto/path/path_set.h"
#include "proto/path/path_standby.h"
#include "proto/wire/wire.h"

#define RETRY_US        30000000ull
#define RETRY_KNOWN_US  8000000ull /* while nothing is proven, of one that once was */
#define RETRY_FIRST_US  1000000ull /* while nothing is proven; doubles up to RETRY_US */
#define RETRIES_LEARNED 10         /* then an address that nobody announced is forgotten */

/* Tries of unproven candidates: 16 of them three times at once, then 10 a second. */
static const struct bucket_rate try_rate = {100000, CANDIDATES_MAX *PATH_TRIES_MAX};

static uint64_t random_below(struct path_set *set, uint64_t bound)
{
    uint64_t v;
    random_fill(&set->config.random, &v, sizeof(v));
    return v % bound;
}

/* One that nobody named may be gone then. */
static void fail(struct path_set *set, struct path_entry *e, uint64_t now_us)
{
    bool only_one = true;
    for (struct path_entry *other = path_set_next(set, NULL); other; other = path_set_next(set, other)) {
        if (other != e && path_entry_live(other) && path_tier(other) <= path_tier(e))
            only_one = false;
    }
    e->failures += e->failures < UINT8_MAX;
    uint64_t wait = RETRY_US;
    if (only_one && e->failures < 6)
        wait = RETRY_FIRST_US << (e->failures - 1);
    uint64_t most = only_one && e->once_proven ? RETRY_KNOWN_US : RETRY_US;
    wait = wait < most ? wait : most;
    e->path.state = PATH_STATE_FAILED;
    e->path.endpoint.local = (struct addr){0};
    e->path.size = 0;
    e->path.rtt_us = 0;
    e->samples = e->unanswered = e->full_lost = 0;
    e->roaming = false;
    set->dirty |= e->waking; /* what carried meanwhile is not for the moment alone */
    e->waking = false;
    e->fail_us = e->roam_us = e->challenge_us = e->full_us = TIME_NEVER;
    e->try_us = now_us + wait - wait / 6 + random_below(set, wait / 3);
    if (e->learned && (!e->once_proven || e->failures > RETRIES_LEARNED) && e != set->best)
        path_set_remove(set, e);
}

/* What time alone brings about. */
static void advance(struct path_set *set, uint64_t now_us)
{
    for (struct path_entry *e = path_set_next(set, NULL), *next; e; e = next) {
        next = path_set_next(set, e);
        enum path_state before = e->path.state;
        bool sound = !e->unanswered;
        path_entry_expire(e, path_set_limit(set, e), now_us);
        if (e == set->best && sound && e->unanswered)
            path_standby_check(set, now_us);
        if (e == set->best && before == PATH_STATE_PROVEN && e->path.state == PATH_STATE_SUSPECT)
            path_set_ask_all(set, now_us);
        if (path_entry_exhausted(e, now_us))
            fail(set, e, now_us);
    }
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (e->roam_us <= now_us)
            path_decide_roam(set, e, now_us);
    }
    path_quiet_update(set, now_us);
    path_standby_update(set, now_us);
    path_choose(set, now_us);
}

/* A try of an unproven candidate. */
static bool due_try(struct path_set *set, struct path_entry *e, uint64_t now_us, struct path_due *due)
{
    if (e->try_us > now_us)
        return false;
    bool costs =
        e->path.endpoint.carrier == CARRIER_UDP; /* the others are no addresses of the peer's choice */
    if (costs && !e->charged && !bucket_take(&set->tries, &try_rate, 1, now_us)) {
        e->try_us = now_us + try_rate.interval_us;
        return false;
    }
    if (e->path.state != PATH_STATE_PROBING) {
        e->tries = 0;
        set->standby_call |= e->path.endpoint.interface != 0;
    }
    e->charged = false;
    e->path.state = PATH_STATE_PROBING;
    e->try_us = now_us + (PATH_TRY_US << e->tries++);
    /* The last one tells a path that carries little from one that carries nothing. */
    *due = (struct path_due){.size = e->tries < PATH_TRIES_MAX ? WIRE_BASE_SIZE : WIRE_LEAST_SIZE};
    return true;
}

static bool due(struct path_set *set, struct path_entry *e, uint64_t now_us, struct path_due *out)
{
    if (!path_entry_live(e))
        return due_try(set, e, now_us, out);
    bool check_full =
        set->active && e == set->best && !path_set_by_stream(e); /* whose size nothing changes on the way */
    return path_entry_due(e, path_interval(set, e), check_full, now_us, out) ||
           (!path_rests(set, e) && path_entry_due_size(e, now_us, out));
}

static bool send_next(struct path_set *set, uint64_t now_us, struct path_probe *probe, struct endpoint *to)
{
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        struct path_due what;
        if (!due(set, e, now_us, &what))
            continue;
        *probe = (struct path_probe){.kind = PATH_PROBE_REQUEST, .size = what.size};
        random_fill(&set->config.random, &probe->token, sizeof(probe->token));
        *to = e->path.endpoint;
        path_entry_on_sent(e, &what, probe->token, now_us);
        if (e == set->best)
            path_receipts_ask(&set->receipts, probe->token, set->sent);
        return true;
    }
    return false;
}

bool path_poll(struct path_set *set, uint64_t now_us, struct path_probe *probe, struct endpoint *to,
               bool *changed)
{
    path_set_heard(set, now_us);
    advance(set, now_us);
    bool more = send_next(set, now_us, probe, to);
    set->dirty |= path_set_report(set);
    *changed = set->dirty;
    set->dirty &= more;
    return more;
}

uint64_t path_next_deadline(const struct path_set *set)
{
    uint64_t at = TIME_NEVER;
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        uint64_t next = path_entry_next(e, path_interval(set, e), !path_rests(set, e));
        at = next < at ? next : at;
    }
    return at;
}
