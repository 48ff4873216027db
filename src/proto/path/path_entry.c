/* SPDX-License-Identifier: Apache-2.0 */
/* One candidate of a path set. Pure; control thread. docs/PROTOCOL.md §9. */

#include "proto/path/path_entry.h"
#include "base/clock.h"
#include "proto/wire/wire.h"
#include <string.h>

/* RFC 6298: gains 1/8 and 1/4; four deviations, but never less than a scheduler's hiccup. */
#define VARIANCE_MIN_US 100000u

void path_entry_init(struct path_entry *e, uint8_t place, const struct endpoint *to, uint64_t now_us)
{
    *e = (struct path_entry){.place = place, .added_us = now_us};
    e->path.state = PATH_STATE_UNTRIED;
    e->path.endpoint = *to;
    e->try_us = now_us;
    e->full_us = e->challenge_us = e->fail_us = e->roam_us = e->late_us = TIME_NEVER;
}

bool path_entry_live(const struct path_entry *e)
{
    return e->path.state == PATH_STATE_PROVEN || e->path.state == PATH_STATE_SUSPECT;
}

bool path_entry_troubled(const struct path_entry *e)
{
    return e->unanswered || e->full_lost;
}

uint64_t path_entry_timeout(const struct path_entry *e)
{
    uint64_t spread = 4ull * e->rttvar_us;
    uint64_t timeout = e->path.rtt_us + (spread > VARIANCE_MIN_US ? spread : VARIANCE_MIN_US);
    if (timeout < PATH_TIMEOUT_US)
        return PATH_TIMEOUT_US;
    return timeout < PATH_TIMEOUT_MAX ? timeout : PATH_TIMEOUT_MAX;
}

void path_entry_try(struct path_entry *e, uint64_t now_us)
{
    e->path.state = PATH_STATE_UNTRIED;
    e->tries = 0;
    e->try_us = now_us;
}

uint16_t path_entry_base(const struct path_entry *e)
{
    return e->path.size < WIRE_BASE_SIZE || e->path.state == PATH_STATE_SUSPECT ? WIRE_LEAST_SIZE
                                                                                : WIRE_BASE_SIZE;
}

static void restart_size(struct path_entry *e, uint16_t proven, uint16_t limit, uint64_t now_us)
{
    path_size_start(&e->size, proven, limit, e->path.size, now_us);
    e->path.size = e->size.proven;
    e->full_lost = 0;
    e->full_us = TIME_NEVER;
}

void path_entry_shrink(struct path_entry *e, uint16_t limit, uint64_t now_us)
{
    restart_size(e, e->path.size > WIRE_BASE_SIZE ? WIRE_BASE_SIZE : WIRE_LEAST_SIZE, limit, now_us);
}

/* Lost at full size, twice, while the base size passed in between: the path has shrunk. */
static void judge_size(struct path_entry *e, uint16_t limit, uint64_t now_us)
{
    if (e->full_lost >= PATH_FULL_LOST && e->base_proof_us > e->full_lost_us)
        path_entry_shrink(e, limit, now_us);
}

static void on_lost(struct path_entry *e, const struct path_sent *sent, uint64_t now_us)
{
    if (sent->round)
        path_doubt_on_lost(e, now_us);
    if (sent->full && sent->size == e->path.size && e->full_lost < UINT8_MAX) {
        if (e->full_lost++ == 0)
            e->full_lost_us = sent->sent_us;
    }
    /* Another probe's answer since then speaks for the path. */
    if (sent->round && e->answer_us < sent->sent_us && e->unanswered < UINT8_MAX)
        e->unanswered++;
}

void path_entry_expire(struct path_entry *e, uint16_t limit, uint64_t now_us)
{
    if (!path_entry_live(e))
        return;
    for (unsigned i = 0; i < PATH_SENT_MAX; i++) {
        struct path_sent *sent = &e->sent[i];
        if (sent->open && !sent->counted && sent->expiry_us <= now_us) {
            sent->counted = true;
            on_lost(e, sent, now_us);
        }
    }
    judge_size(e, limit, now_us);
    if (e->path.state == PATH_STATE_PROVEN && e->unanswered >= PATH_UNANSWERED) {
        e->path.state = PATH_STATE_SUSPECT;
        e->fail_us = now_us + PATH_SUSPECT_US;
        e->distrust_us = now_us + 2 * PATH_SUSPECT_US;
    }
}

bool path_entry_exhausted(const struct path_entry *e, uint64_t now_us)
{
    if (e->path.state == PATH_STATE_SUSPECT)
        return e->fail_us <= now_us;
    return e->path.state == PATH_STATE_PROBING && e->tries == PATH_TRIES_MAX && e->try_us <= now_us;
}

static bool due_round(struct path_entry *e, bool check_full, uint64_t now_us, struct path_due *due)
{
    bool full = check_full && e->path.size > path_entry_base(e);
    bool alone = full && !path_entry_troubled(e);
    e->round_us = now_us;
    if (!full)
        e->full_lost = 0;
    /* After a miss both sizes are asked for, so that loss and shrinking are told apart. */
    if (full && !alone)
        e->full_us = now_us;
    *due = (struct path_due){.size = alone ? e->path.size : path_entry_base(e), .round = true, .full = alone};
    return true;
}

bool path_entry_due(struct path_entry *e, uint64_t interval_us, bool check_full, uint64_t now_us,
                    struct path_due *due)
{
    if (e->round_us + interval_us <= now_us)
        return due_round(e, check_full, now_us, due);
    if (e->full_us <= now_us) {
        e->full_us = TIME_NEVER;
        *due = (struct path_due){.size = e->path.size, .full = true};
        return true;
    }
    if (e->challenge_us <= now_us) {
        e->challenge_us = TIME_NEVER;
        *due = (struct path_due){.size = path_entry_base(e)};
        return true;
    }
    return false;
}

bool path_entry_due_size(struct path_entry *e, uint64_t now_us, struct path_due *due)
{
    if (e->path.state != PATH_STATE_PROVEN || !path_size_due(&e->size, now_us))
        return false;
    path_size_on_sent(&e->size, now_us, path_entry_timeout(e));
    *due = (struct path_due){.size = e->size.trial};
    return true;
}

void path_entry_on_sent(struct path_entry *e, const struct path_due *due, uint64_t token, uint64_t now_us)
{
    e->sent[e->next_sent++ % PATH_SENT_MAX] = (struct path_sent){
        .token = token,
        .sent_us = now_us,
        .expiry_us = now_us + path_entry_timeout(e),
        .size = due->size,
        .open = true,
        .counted = !due->round && !due->full,
        .round = due->round,
        .full = due->full,
    };
    e->sent_us = now_us;
}

struct path_sent *path_entry_find(struct path_entry *e, uint64_t token)
{
    for (unsigned i = 0; i < PATH_SENT_MAX; i++) {
        if (e->sent[i].open && e->sent[i].token == token)
            return &e->sent[i];
    }
    return NULL;
}

/* RFC 6298 §2. Every probe has its own token, so Karn's doubt does not arise. */
static void measure(struct path_entry *e, uint64_t sample_us)
{
    uint32_t r = sample_us < UINT32_MAX / 8 ? (uint32_t)sample_us : UINT32_MAX / 8;
    r = r ? r : 1;
    if (e->samples == 0) {
        e->path.rtt_us = r;
        e->rttvar_us = r / 2;
    } else {
        uint32_t off = r > e->path.rtt_us ? r - e->path.rtt_us : e->path.rtt_us - r;
        e->rttvar_us = (3 * (uint64_t)e->rttvar_us + off) / 4;
        e->path.rtt_us = (uint32_t)((7 * (uint64_t)e->path.rtt_us + r) / 8);
        e->path.rtt_us = e->path.rtt_us ? e->path.rtt_us : 1;
    }
    e->samples += e->samples < UINT8_MAX;
}

/* A queue that was held up lets go of late answers all at once, which tells nothing of how long others will take: one to a
 * question that was asked since then does. */
static bool tells_round_trip(struct path_entry *e, const struct path_sent *sent, uint64_t now_us)
{
    bool late = e->samples && now_us - sent->sent_us >= path_entry_timeout(e);
    bool tells = !late || sent->sent_us >= e->late_us;
    if (!late)
        e->late_us = TIME_NEVER;
    else if (e->late_us == TIME_NEVER)
        e->late_us = now_us;
    return tells;
}

/* size passed. A suspect path may have shrunk below what it was asked at before: it is measured anew from there. */
static void prove(struct path_entry *e, uint16_t size, uint16_t limit, uint64_t now_us)
{
    uint16_t proven = size < WIRE_BASE_SIZE ? WIRE_LEAST_SIZE : WIRE_BASE_SIZE;
    e->path.state = PATH_STATE_PROVEN;
    e->since_us = now_us;
    e->fail_us = TIME_NEVER;
    e->tries = e->failures = 0;
    if (e->path.size) {
        if (size < WIRE_BASE_SIZE)
            restart_size(e, proven, limit, now_us);
        return;
    }
    e->once_proven = true;
    e->round_us = now_us;
    path_size_start(&e->size, proven, limit, 0, now_us);
    e->path.size = e->size.proven;
}

void path_entry_on_answer(struct path_entry *e, struct path_sent *sent, uint16_t limit, uint64_t now_us)
{
    sent->open = false;
    if (tells_round_trip(e, sent, now_us))
        measure(e, now_us - sent->sent_us);
    e->answer_us = now_us;
    e->unanswered = 0;
    e->waking = false;
    if (sent->sent_us > e->proof_us)
        e->proof_us = sent->sent_us;
    if (sent->size == path_entry_base(e) && sent->sent_us > e->base_proof_us)
        e->base_proof_us = sent->sent_us;
    if (e->path.state != PATH_STATE_PROVEN)
        prove(e, sent->size, limit, now_us);
    if (sent->size >= e->path.size)
        e->full_lost = 0;
    path_size_on_answer(&e->size, sent->size, now_us);
    e->path.size = e->size.proven;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_live(const struct path_entry *e, uint64_t interval_us, bool with_size)
{
    uint64_t at = least(e->round_us + interval_us, least(e->full_us, e->challenge_us));
    if (with_size && e->path.state == PATH_STATE_PROVEN)
        at = least(at, path_size_next(&e->size));
    at = least(at, e->fail_us);
    for (unsigned i = 0; i < PATH_SENT_MAX; i++) {
        if (e->sent[i].open && !e->sent[i].counted)
            at = least(at, e->sent[i].expiry_us);
    }
    return at;
}

uint64_t path_entry_next(const struct path_entry *e, uint64_t interval_us, bool with_size)
{
    uint64_t at = path_entry_live(e) ? next_live(e, interval_us, with_size) : e->try_us;
    return least(at, e->roam_us);
}
