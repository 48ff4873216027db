/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the paths carries. Pure; control thread. docs/PROTOCOL.md §9.
 *
 *   best suspect or failed         any proven one takes over, provisionally until it answers: one that has answered since
 *                                  best did, and of the lowest tier first
 *   another is of a lower tier     at its full size; after a failure once it has answered for 10 s
 *   another of the tier is faster  by a quarter and 2 ms, measured since the last change, at its full size; only
 *                                  one that the peer or a person named: whoever sends our datagrams on from an
 *                                  address of his own can be as fast as he likes
 *   best is doubted                one that is not takes over (proto/path/path_doubt.h)
 *   another is a trunk, and an uplink carries that is not faster by so much
 *   the peer moved                 see path_decide_roam
 */

#include "proto/path/path_choice.h"

#include "base/clock.h"
#include "proto/path/path_set.h"
#include "proto/path/path_standby.h"

#define BETTER_US      2000u
#define ROAM_SPREAD_US 10000u
#define RETURN_US      10000000ull /* a path that flaps would fail again and again */

unsigned path_tier(const struct path_entry *e)
{
    return endpoint_tier(&e->path.endpoint);
}

static bool answers_faster(const struct path_entry *a, const struct path_entry *b)
{
    uint64_t ra = a->path.rtt_us, rb = b->path.rtt_us;
    return 4 * ra < 3 * rb && ra + BETTER_US < rb;
}

bool path_settled(const struct path_entry *e)
{
    return e->size.trial == 0;
}

bool path_steady(const struct path_entry *e)
{
    return !e->distrust_us || (e->since_us + RETURN_US <= e->answer_us && !path_entry_troubled(e));
}

bool path_goes_round(const struct path_entry *e, const struct path_entry *straight)
{
    return e->path.endpoint.carrier == CARRIER_UPLINK && straight->path.endpoint.carrier == CARRIER_TCP;
}

/* a carries in the place of best, which is proven. What a did before best was chosen says nothing: a peer
 * that moved leaves fast paths behind that are dead. */
static bool displaces(const struct path_set *set, const struct path_entry *a)
{
    const struct path_entry *b = set->best;
    if (path_doubted(set, a) != path_doubted(set, b))
        return path_doubted(set, b);
    if (a->proof_us < set->chosen_us)
        return false;
    /* What killed the path before best may have killed best too. */
    if (set->provisional)
        return true;
    if (path_tier(a) != path_tier(b))
        return path_tier(a) < path_tier(b) && path_settled(a) && path_steady(a) &&
               !(a->doubt.times && path_far_slower(a, b));
    bool measured = a->samples >= 2 && b->samples >= 2;
    if (path_goes_round(b, a))
        return measured && path_settled(a) && path_steady(a) && !answers_faster(b, a);
    return a->named && measured && path_settled(a) && a->distrust_us <= set->now_us && answers_faster(a, b);
}

static void set_best(struct path_set *set, struct path_entry *e, bool provisional, uint64_t now_us)
{
    if (!set->best)
        path_stay_awake(set, now_us);
    set->best = e;
    set->provisional = provisional;
    set->chosen_us = now_us;
    path_receipts_begin(&set->receipts);
    set->watch = (struct path_watch){0};
    if (!e)
        return;
    e->roaming = false;
    e->roam_us = TIME_NEVER;
    /* Its next round is due. */
    e->round_us = 0;
}

void path_choice_moved(struct path_set *set, struct path_entry *e, uint64_t now_us)
{
    if (e == set->best)
        set_best(set, e, false, now_us);
}

static bool goes_before(const struct path_set *set, const struct path_entry *a, const struct path_entry *b)
{
    if (path_doubted(set, a) != path_doubted(set, b))
        return path_doubted(set, b);
    if (path_standby_outlives(set, a) != path_standby_outlives(set, b))
        return path_standby_outlives(set, a);
    if (path_tier(a) != path_tier(b))
        return path_tier(a) < path_tier(b);
    return a->path.rtt_us < b->path.rtt_us;
}

/* The path for data when best does not answer: a proven one, else one that may still come back. */
static struct path_entry *substitute(struct path_set *set)
{
    struct path_entry *proven = NULL, *suspect = NULL;
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        bool is_suspect = e->path.state == PATH_STATE_SUSPECT;
        if (e->path.state == PATH_STATE_PROVEN && (!proven || goes_before(set, e, proven)))
            proven = e;
        if (is_suspect && (!suspect || e->answer_us > suspect->answer_us))
            suspect = e;
    }
    return proven ? proven : suspect;
}

static void choose_faster(struct path_set *set, uint64_t now_us)
{
    if (set->best->proof_us >= set->chosen_us)
        set->provisional = false;
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (e != set->best && e->path.state == PATH_STATE_PROVEN && displaces(set, e))
            set_best(set, e, false, now_us);
    }
}

static void choose(struct path_set *set, uint64_t now_us)
{
    struct path_entry *b = set->best;
    if (b && b->path.state == PATH_STATE_PROVEN) {
        choose_faster(set, now_us);
        return;
    }
    struct path_entry *e = substitute(set);
    bool hopeful = b && b->path.state == PATH_STATE_SUSPECT;
    if (hopeful && e->path.state == PATH_STATE_SUSPECT)
        return;
    if (e != b)
        set_best(set, e, hopeful && !path_standby_outlives(set, e), now_us);
}

/* What would carry in its place: something of a higher tier, or another relay. */
static bool backs(const struct path_entry *e, const struct path_entry *best)
{
    bool relays = e->path.endpoint.carrier == CARRIER_RELAY && best->path.endpoint.carrier == CARRIER_RELAY;
    return path_tier(e) > path_tier(best) || (relays && e != best);
}

/* By another way out the relay takes us in, too, and the backbone. */
static bool may_leave_by_standby(const struct path_set *set)
{
    const struct endpoint *e = &set->best->path.endpoint;
    if (!set->config.ways || e->interface)
        return false;
    if (e->carrier == CARRIER_UPLINK)
        return ways_next(set->config.ways, 0, 0);
    return e->carrier == CARRIER_RELAY && ways_next(set->config.ways, e->remote.family, 0);
}

static bool has_backing(const struct path_set *set)
{
    if (set->best && may_leave_by_standby(set))
        return true;
    for (struct path_entry *e = path_set_next(set, NULL); set->best && e; e = path_set_next(set, e)) {
        if (e->path.state == PATH_STATE_PROVEN && backs(e, set->best))
            return true;
    }
    return false;
}

void path_choose(struct path_set *set, uint64_t now_us)
{
    choose(set, now_us);
    set->backed = has_backing(set);
}

/* When the answer of the best path to the question that went out with a challenge is overdue: at once when it
 * has already missed a round. */
static uint64_t overdue(const struct path_entry *best, uint64_t challenged_us)
{
    uint64_t spread = 4ull * best->rttvar_us;
    if (best->unanswered)
        return challenged_us;
    return challenged_us + best->path.rtt_us + (spread > ROAM_SPREAD_US ? spread : ROAM_SPREAD_US);
}

/* A peer that has moved sends from its new address and answers there, and answers at the old one no more. One
 * whose datagrams somebody copies to us from elsewhere still answers at the old one, and stays there. */
void path_decide_roam(struct path_set *set, struct path_entry *e, uint64_t now_us)
{
    struct path_entry *b = set->best;
    e->roam_us = TIME_NEVER;
    if (!e->roaming || e->path.state != PATH_STATE_PROVEN || e->answer_us < e->challenged_us)
        return;
    if (!b || e == b || path_doubted(set, e) ||
        (b->path.state == PATH_STATE_PROVEN && b->proof_us >= e->challenged_us)) {
        e->roaming = false;
        return;
    }
    uint64_t at = overdue(b, e->challenged_us);
    if (at <= now_us)
        set_best(set, e, false, now_us);
    else
        e->roam_us = at;
}
