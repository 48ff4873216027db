/* SPDX-License-Identifier: Apache-2.0 */
/* The paths to one peer: which there are, and what arrives by them. Pure; control thread. docs/PROTOCOL.md §9. Which is
 * asked when is path_poll.c, one candidate's own part path_entry.c, the search for sizes path_size.c.
 *
 * An address costs us little before it has answered: what goes to unproven ones is bounded per peer, small, and caused
 * only by authenticated datagrams, so nobody can be flooded through us. */

#include "proto/path/path.h"

#include "proto/path/path_choice.h"
#include "proto/path/path_pace.h"
#include "proto/path/path_quiet.h"
#include "proto/path/path_room.h"
#include "proto/path/path_set.h"
#include "proto/path/path_standby.h"
#include "proto/wire/wire.h"
#include <stdlib.h>

#define ALERT_US 3000000ull /* how long path_wake makes every path hurried */

/* Challenges of new sources: 4 a second. */
static const struct bucket_rate challenge_rate = {250000, 4};

static uint16_t clamp_max(uint16_t local_max)
{
    if (local_max < WIRE_LEAST_SIZE)
        return WIRE_LEAST_SIZE;
    return local_max < WIRE_DATAGRAM_MAX ? local_max : WIRE_DATAGRAM_MAX;
}

int path_set_new(const struct path_set_config *config, struct path_set **out)
{
    struct path_set *set = calloc(1, sizeof(*set));
    *out = NULL;
    if (!set)
        return ERR_NOMEM;
    set->config = *config;
    set->config.local_max = clamp_max(config->local_max);
    *out = set;
    return 0;
}

void path_set_free(struct path_set *set)
{
    while (set && set->first)
        path_set_remove(set, set->first);
    free(set);
}

static bool is_group(const struct addr *a)
{
    return a->family == 4 ? a->ip[0] >= 224 : a->ip[0] == 0xff;
}

static bool usable(const struct addr *a)
{
    return (a->family == 4 || a->family == 6) && a->port && !addr_is_unspecified(a) && !is_group(a);
}

/* NULL when there is no room, or no way. */
static struct path_entry *add(struct path_set *set, const struct endpoint *to, uint64_t now_us)
{
    if (!carrier_in(to->carrier, set->config.carriers) || !usable(&to->remote))
        return NULL;
    struct path_entry *e = path_set_find(set, to);
    if (e) {
        path_set_retry(e, now_us);
        return e;
    }
    return path_room_put(set, to, false, now_us);
}

void path_add(struct path_set *set, const struct addr *remote, enum candidate_kind kind, uint64_t now_us)
{
    path_set_heard(set, now_us);
    const struct endpoint to = {.carrier = carrier_for(kind), .remote = *remote};
    struct path_entry *e = add(set, &to, now_us);
    if (!e)
        return;
    e->learned = false;
    e->named = true;
}

void path_add_observed(struct path_set *set, const struct addr *remote, uint64_t now_us)
{
    path_set_heard(set, now_us);
    const struct endpoint to = endpoint_udp(remote);
    struct path_entry *e = add(set, &to, now_us);
    if (e)
        e->learned = false;
}

void path_add_standby(struct path_set *set, const struct addr *remote, uint64_t now_us)
{
    path_set_heard(set, now_us);
    const struct endpoint to = endpoint_udp(remote);
    struct path_entry *e = add(set, &to, now_us);
    if (e && e->added_us == now_us)
        e->learned = true; /* it is forgotten if it does not answer: the peer says so again */
}

/* It is forgotten when it does not answer: the socket goes with it. */
void path_add_side(struct path_set *set, const struct addr *remote, unsigned side, uint64_t now_us)
{
    path_set_heard(set, now_us);
    const struct endpoint to = endpoint_side(remote, side);
    struct path_entry *e = add(set, &to, now_us);
    if (!e)
        return;
    e->learned = e->named = true;
}

bool path_has_side(const struct path_set *set, unsigned side)
{
    for (const struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e))
        if (e->path.endpoint.side == side)
            return true;
    return false;
}

void path_drop_side(struct path_set *set, unsigned side)
{
    for (struct path_entry *e = path_set_next(set, NULL), *next; e; e = next) {
        next = path_set_next(set, e);
        if (e->path.endpoint.side == side)
            path_set_remove(set, e);
    }
    path_choose(set, set->now_us);
}

static bool listed(const struct path_entry *e, const struct candidate *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (addr_equal(&list[i].addr, &e->path.endpoint.remote))
            return true;
    }
    return false;
}

void path_announced(struct path_set *set, const struct candidate *list, unsigned count, uint64_t now_us)
{
    for (struct path_entry *e = path_set_next(set, NULL), *next; e; e = next) {
        next = path_set_next(set, e);
        if (!e->announced || listed(e, list, count))
            continue;
        e->announced = e->named = false;
        e->learned = true;
        if (!path_entry_live(e) && e->path.state != PATH_STATE_QUIET)
            path_set_remove(set, e);
    }
    for (unsigned i = 0; i < count; i++) {
        const struct endpoint to = endpoint_udp(&list[i].addr);
        path_add(set, &list[i].addr, list[i].kind, now_us);
        struct path_entry *e = path_set_find(set, &to);
        if (e)
            e->announced = true;
    }
}

/* It rests, or is asked whether it still does. */
static bool answered_of_late(const struct path_entry *e)
{
    return e->path.state == PATH_STATE_PROVEN || e->path.state == PATH_STATE_QUIET || e->waking;
}

void path_drop(struct path_set *set, const struct addr *remote, unsigned side)
{
    const struct endpoint to = endpoint_side(remote, side);
    struct path_entry *e = path_set_find(set, &to);
    if (e && !e->announced && !path_entry_live(e) && !answered_of_late(e) && e != set->best)
        path_set_remove(set, e);
}

void path_drop_quiet(struct path_set *set)
{
    struct path_entry *e = path_set_next(set, NULL), *next;
    for (; e; e = next) {
        next = path_set_next(set, e);
        if (e->path.endpoint.carrier == CARRIER_UDP && e->path.state == PATH_STATE_QUIET && !e->announced &&
            e != set->best)
            path_set_remove(set, e);
    }
}

bool path_straight_answers(const struct path_set *set, bool named)
{
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e))
        if (e->path.endpoint.carrier == CARRIER_UDP && !e->path.endpoint.interface &&
            !(named && e->learned) && answered_of_late(e))
            return true;
    return false;
}

/* NULL when there is no memory. */
static struct path_entry *learn(struct path_set *set, const struct endpoint *from, uint64_t now_us)
{
    struct path_entry *e = path_set_find(set, from);
    if (!e && (e = path_room_put(set, from, true, now_us)))
        e->learned = true;
    return e;
}

/* True when a datagram from there tells something that is not being looked into. */
static bool worth_asking(const struct path_set *set, const struct path_entry *e, uint64_t now_us)
{
    if (!e)
        return true;
    switch (e->path.state) {
    case PATH_STATE_UNTRIED:
    case PATH_STATE_PROBING:
        return !e->roaming;
    case PATH_STATE_PROVEN:
        /* Rarely: two ends that disagree on the best path must not challenge each other all the time. */
        return now_us - e->challenged_us >= (set->active ? PATH_ACTIVE_OTHER_US : PATH_IDLE_OTHER_US);
    case PATH_STATE_SUSPECT:
    case PATH_STATE_FAILED:
        return true;
    case PATH_STATE_QUIET: /* the peer is not, or not yet: its probes are answered, that is all */
        return false;
    }
    return false;
}

/* True when the peer reaches us at an address from which we do not ask it, though what we ask gets no answer: it may let
 * in nothing but what comes from there. */
static bool asks_from_elsewhere(const struct path_entry *e, const struct addr *local)
{
    return e->path.state != PATH_STATE_PROVEN && e->path.state != PATH_STATE_QUIET && local->family &&
           !addr_same_host(&e->path.endpoint.local, local);
}

static void ask_about(struct path_set *set, const struct endpoint *from, uint64_t now_us)
{
    struct path_entry *e = learn(set, from, now_us);
    if (!e)
        return;
    if (asks_from_elsewhere(e, &from->local))
        e->path.endpoint.local = from->local;
    e->roaming = true;
    e->challenged_us = now_us;
    e->charged = true;
    if (path_entry_live(e))
        e->challenge_us = now_us;
    else
        path_entry_try(e, now_us);
    if (set->best)
        set->best->challenge_us = now_us;
}

/* The other end is bound to the relay by now: what went there before may be lost. */
static void on_relayed(struct path_set *set, struct path_entry *e, uint64_t now_us)
{
    if (e && e->path.state == PATH_STATE_PROBING && e->tries < PATH_TRIES_MAX &&
        bucket_take(&set->challenges, &challenge_rate, 1, now_us))
        e->try_us = now_us;
}

/* began: it had not, of late. */
static void on_source(struct path_set *set, const struct endpoint *from, bool began, uint64_t now_us)
{
    path_set_heard(set, now_us);
    if (from->carrier == CARRIER_RELAY)
        on_relayed(set, path_set_find(set, from), now_us);
    if (from->carrier != CARRIER_UDP || !carrier_in(CARRIER_UDP, set->config.carriers))
        return;
    struct path_entry *e = path_set_find(set, from);
    bool elsewhere = e && asks_from_elsewhere(e, &from->local);
    if (!usable(&from->remote) || (e && e == set->best && !elsewhere))
        return;
    if ((elsewhere || began || worth_asking(set, e, now_us)) &&
        bucket_take(&set->challenges, &challenge_rate, 1, now_us))
        ask_about(set, from, now_us);
}

void path_on_source(struct path_set *set, const struct endpoint *from, uint64_t now_us)
{
    on_source(set, from, false, now_us);
}

void path_on_data(struct path_set *set, const struct endpoint *from, uint64_t now_us)
{
    struct path_entry *e = path_set_find(set, from);
    bool quiet = e && e->path.state == PATH_STATE_QUIET;
    bool began = e && !quiet && now_us - e->data_us >= PATH_DATA_GAP_US;
    if (e)
        e->data_us = now_us;
    on_source(set, from, began, now_us);
}

/* The answer is to a question that left from another address of ours than we ask from now. */
static bool asked_from_elsewhere(const struct path_entry *e, const struct endpoint *from)
{
    const struct addr *local = &e->path.endpoint.local;
    return local->family && !addr_same_host(local, &from->local);
}

/* What was asked there, by whichever interface: the kernel may have taken another for its choice since then. NULL: nothing was. */
static struct path_entry *find_asked(struct path_set *set, const struct endpoint *from, uint64_t token,
                                     struct path_sent **sent)
{
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (endpoint_same_way(&e->path.endpoint, from) && (*sent = path_entry_find(e, token)))
            return e;
    }
    return NULL;
}

/* The best path has answered. What is lost of a stream's data is lost in queues of ours, and tells nothing of the way. */
static void judge(struct path_set *set, const struct path_probe *answer, uint64_t now_us)
{
    enum path_verdict verdict = PATH_VERDICT_NONE;
    if (!path_set_by_stream(set->best))
        verdict = path_receipts_judge(&set->receipts, answer->token, &answer->receipt, now_us);
    if (verdict == PATH_VERDICT_SUSPECTS)
        set->best->challenge_us = now_us + PATH_RECEIPTS_AGAIN_US;
    path_doubt_judge(set, verdict, now_us);
}

bool path_on_answer(struct path_set *set, const struct path_probe *answer, const struct endpoint *from,
                    uint64_t now_us)
{
    path_set_heard(set, now_us);
    if (answer->kind != PATH_PROBE_ANSWER)
        return false;
    struct path_sent *sent;
    struct path_entry *e = find_asked(set, from, answer->token, &sent);
    /* An answer from another address than was asked proves nothing about either. */
    if (!e) {
        path_on_source(set, from, now_us);
        return false;
    }
    if (answer->size != sent->size || now_us - sent->sent_us > PATH_SUSPECT_US ||
        asked_from_elsewhere(e, from))
        return false;
    path_entry_on_answer(e, sent, path_set_limit(set, e), now_us);
    if (e == set->best)
        judge(set, answer, now_us);
    path_decide_roam(set, e, now_us);
    path_choose(set, now_us);
    return path_set_report(set);
}

void path_set_active(struct path_set *set, bool active, uint64_t now_us)
{
    path_set_heard(set, now_us);
    if (active || set->active)
        path_stay_awake(set, now_us);
    set->active = active;
}

void path_set_sent(struct path_set *set, uint64_t datagrams)
{
    set->sent = datagrams;
}

void path_stay_awake(struct path_set *set, uint64_t now_us)
{
    set->flowed_us = now_us;
}

bool path_is_active(const struct path_set *set)
{
    return set->active;
}

bool path_is_quiet(const struct path_set *set)
{
    return set->quiet || path_quiet_waking(set);
}

bool path_sleeps(const struct path_set *set)
{
    return set->quiet;
}

bool path_is_backed(const struct path_set *set)
{
    return set->backed;
}

void path_on_silence(struct path_set *set, uint64_t now_us)
{
    path_set_heard(set, now_us);
    struct path_entry *e = set->best;
    if (!e || !set->backed || e->path.state != PATH_STATE_PROVEN || path_entry_troubled(e))
        return;
    e->unanswered = 1;
    e->round_us = 0;
    path_standby_check(set, now_us);
}

void path_on_too_big(struct path_set *set, uint64_t now_us)
{
    path_set_heard(set, now_us);
    if (set->best && !path_set_by_stream(set->best) && set->best->path.size > WIRE_LEAST_SIZE)
        path_entry_shrink(set->best, path_set_limit(set, set->best), now_us);
}

static void take_local_max(struct path_set *set, uint16_t local_max, uint64_t now_us)
{
    uint16_t max = clamp_max(local_max);
    if (max == set->config.local_max)
        return;
    set->config.local_max = max;
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (!(path_entry_live(e) || e->path.state == PATH_STATE_QUIET) || path_set_by_stream(e))
            continue;
        path_size_raise(&e->size, path_set_limit(set, e), now_us);
        e->path.size = e->size.proven;
    }
}

void path_forget_locals(struct path_set *set,
                        uint32_t (*interface_of)(const void *context, const struct addr *a),
                        const void *context)
{
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        struct addr *local = &e->path.endpoint.local;
        if (local->family && !interface_of(context, local))
            *local = (struct addr){0};
    }
}

void path_wake(struct path_set *set, uint16_t local_max, uint64_t now_us)
{
    path_set_heard(set, now_us);
    take_local_max(set, local_max, now_us);
    set->alert_us = now_us + ALERT_US;
    path_stay_awake(set, now_us);
    path_set_ask_all(set, now_us);
    for (struct path_entry *e = path_set_next(set, NULL); e; e = path_set_next(set, e)) {
        if (path_entry_live(e) && e->round_us + PATH_HURRIED_US <= now_us)
            e->unanswered += e->unanswered == 0;
    }
}

const struct path *path_best(const struct path_set *set)
{
    return set->best ? &set->best->path : NULL;
}
