/* SPDX-License-Identifier: Apache-2.0 */
/* When a peer is dialled, and where. docs/PROTOCOL.md §6. Control thread. */

#include "proto/peer/peer.h"

#include "base/clock.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#define DIAL_STAGGER_US  200000ull  /* between any two dials of a peer, whatever it names */
#define DIAL_SESSION_US  2000000ull /* what the session is ahead of the others */
#define DIAL_ANSWERED_US 1000000ull /* and the first address of a round that takes a connection */
/* Likewise of a member that nobody waits for. A node that is busy sees late that it is connected, and many handshakes at once
 * take long: a second one makes all slower. */
#define DIAL_STAGGER_TURN_US  1000000ull
#define DIAL_ANSWERED_TURN_US 4000000ull
#define DIAL_BACKOFF_MIN_US   250000ull
#define DIAL_BACKOFF_MAX_US   15000000ull
#define DIAL_BACKOFF_TURNS_US 120000000ull /* for a member of a full mesh, which dials us, too */
#define DIAL_BACKOFF_KNOWN_US 1000000ull   /* for a peer that was connected lately */
#define DIAL_KNOWN_US         60000000ull
/* Two hosts with one key would throw each other out all the time. */
#define USURPED_LEAST_US     30000000ull
#define USURPED_MOST_US      480000000ull
#define USURPED_FORGOTTEN_US 1800000000ull
/* Between a handshake and the next with the same peer; doubled until a path is sound: where datagrams do not pass,
 * handshakes succeed and mend nothing. */
#define RENEW_LEAST_US 1000000ull
#define RENEW_MOST_US  15000000ull
/* A path that fails mostly heals or has a substitute; if not, the peer may be another process by now and a
 * new handshake helps. Beyond some time, and one that succeeded, it is the network, and handshakes do not. */
#define BROKEN_US         2000000ull
#define BROKEN_GIVE_UP_US 30000000ull

static bool same_targets(const struct peer *p, const struct target *list, unsigned count)
{
    for (unsigned i = 0; i < count && count == p->dial.count; i++)
        if (!target_same(&list[i], &p->dial.targets[i]))
            return false;
    return count == p->dial.count;
}

void peer_set_targets(struct peer *p, const struct target *list, unsigned count, bool given)
{
    struct target kept[PEER_TARGETS_MAX];
    unsigned n = 0;
    unsigned keep = given ? 0 : p->dial.given;
    for (unsigned i = 0; i < keep; i++)
        kept[n++] = p->dial.targets[i];
    for (unsigned i = 0; i < count && n < PEER_TARGETS_MAX; i++) {
        bool known = false;
        for (unsigned j = 0; j < n; j++)
            known = known || target_same(&kept[j], &list[i]);
        if (!known)
            kept[n++] = list[i];
    }
    if (given)
        p->dial.given = n;
    if (!same_targets(p, kept, n)) {
        memcpy(p->dial.targets, kept, n * sizeof(kept[0]));
        p->dial.count = n;
        p->dial.next = 0;
        p->dial.at_us = 0; /* news: no waiting */
    }
}

void peer_add_target(struct peer *p, const struct target *target)
{
    for (unsigned i = 0; i < p->dial.count; i++)
        if (target_same(&p->dial.targets[i], target))
            return;
    unsigned at = p->dial.count < PEER_TARGETS_MAX ? p->dial.count++ : PEER_TARGETS_MAX - 1;
    p->dial.targets[at] = *target;
}

/* The list without target, or without its last one where it is full of others. */
static void take_out(struct peer *p, const struct target *target)
{
    unsigned at = p->dial.given;
    while (at < p->dial.count && !target_same(&p->dial.targets[at], target))
        at++;
    if (at == p->dial.count && at < PEER_TARGETS_MAX)
        return;
    at = at == PEER_TARGETS_MAX ? at - 1 : at;
    p->dial.count--;
    p->dial.next -= p->dial.next > at;
    memmove(&p->dial.targets[at], &p->dial.targets[at + 1],
            (p->dial.count - at) * sizeof(p->dial.targets[0]));
}

void peer_dial_here(struct peer *p, const struct target *target, uint64_t now_us)
{
    for (unsigned i = 0; i < p->dial.given; i++)
        if (target_same(&p->dial.targets[i], target))
            return;
    if (p->dial.given == PEER_TARGETS_MAX)
        return;
    take_out(p, target);
    unsigned at = p->dial.running && p->dial.next > p->dial.given ? p->dial.next : p->dial.given;
    memmove(&p->dial.targets[at + 1], &p->dial.targets[at],
            (p->dial.count - at) * sizeof(p->dial.targets[0]));
    p->dial.targets[at] = *target;
    p->dial.count++;
    peer_dial_soon(p, now_us);
}

/* Its paths are broken since then, and a handshake may help. */
static bool may_mend(const struct peer *p, uint64_t since_us, uint64_t now_us)
{
    return since_us && (now_us - since_us < BROKEN_GIVE_UP_US || link_live_us(p->current) < since_us);
}

/* From when on another link is of use. A member without a session waits for its turn. */
static uint64_t wants_link_at(const struct peer *p, uint64_t now_us)
{
    if (!dial_turn_has(&p->turn) && !peer_send_session(p))
        return TIME_NEVER;
    const struct link *l = p->current;
    uint64_t at = p->dial.rehandshake_at_us, since_us = p->path_told.carrier ? p->reach.silent_us : 0;
    bool needed = p->dial.broke || !peer_carries_control(p);
    if (!l || !peer_send_session(p) || (!link_has_stream(l) && needed))
        at = 0;
    else if (may_mend(p, since_us, now_us) && since_us + BROKEN_US < at)
        at = since_us + BROKEN_US;
    return at > p->dial.renew_at_us ? at : p->dial.renew_at_us;
}

static bool wants_link(const struct peer *p, uint64_t now_us)
{
    return p->wanted && now_us >= wants_link_at(p, now_us);
}

/* For our own attempts; the peer's need room, too. */
static bool links_full(const struct peer *p)
{
    return p->link_count >= PEER_LINKS_MAX - 2;
}

/* When the next target may be dialled. */
static uint64_t dial_at(const struct peer *p)
{
    uint64_t least = p->dial.last_us ? p->dial.last_us + DIAL_STAGGER_US : 0;
    return p->dial.at_us > least ? p->dial.at_us : least;
}

bool peer_dial_all_tried(const struct peer *p)
{
    return p->dial.running && p->dial.next >= p->dial.count && !p->dial.uplinks_left && !p->dial.session_left;
}

/* The session first. Then what is nearest; the uplinks beside it, before the others: of those many may be dead. */
static bool next_target(struct peer *p, struct target *out)
{
    if (p->dial.session_left) {
        p->dial.session_left = false;
        *out = target_session(&p->id);
        return true;
    }
    if (p->dial.uplinks_left && (p->dial.next > 0 || p->dial.count == 0)) {
        unsigned backbone = (unsigned)__builtin_ctz(p->dial.uplinks_left);
        p->dial.uplinks_left &= (uint8_t) ~(1u << backbone);
        *out = target_uplink(backbone, &p->id);
        return true;
    }
    if (p->dial.next >= p->dial.count)
        return false;
    *out = p->dial.targets[p->dial.next++];
    return true;
}

bool peer_dial_due(struct peer *p, uint64_t now_us, struct target *out)
{
    if (!wants_link(p, now_us)) {
        p->dial.running = false;
        return false;
    }
    if (now_us < dial_at(p) || links_full(p))
        return false;
    if (!p->dial.running) {
        p->dial.running = true;
        p->dial.answered = false;
        p->dial.next = 0;
        p->dial.uplinks_left = p->dial.uplinks;
        p->dial.session_left = peer_carries_control(p) && peer_path_answers(p);
        p->dial.attempt_rank = UINT_MAX;
    }
    if (!next_target(p, out))
        return false;
    p->dial.last_us = now_us;
    bool waits = out->kind == TARGET_SESSION && !p->dial.broke;
    uint64_t stagger_us = dial_turn_has_time(&p->turn) ? DIAL_STAGGER_TURN_US : DIAL_STAGGER_US;
    p->dial.at_us = now_us + (waits ? DIAL_SESSION_US : stagger_us);
    return true;
}

uint64_t peer_dial_next(const struct peer *p, uint64_t now_us)
{
    if (!p->wanted)
        return TIME_NEVER;
    if (wants_link(p, now_us)) {
        return peer_dial_all_tried(p) || links_full(p) ? TIME_NEVER : dial_at(p);
    }
    return wants_link_at(p, now_us);
}

uint64_t peer_hard_age_us(uint64_t rehandshake_us)
{
    uint64_t grace_us = rehandshake_us / 12;
    return rehandshake_us + (grace_us > LINK_HANDSHAKE_US ? grace_us : LINK_HANDSHAKE_US);
}

/* The opener's handshake is planned; the other side's is for an opener that makes none. Where sessions end at their hard age
 * there is time left for both. */
static uint64_t planned_us(const struct peer *p, uint64_t rehandshake_us, uint64_t jitter)
{
    bool opener = p->current && link_is_opener(p->current);
    if (!p->current || !link_both_can(p->current, HELLO_FEATURE_SESSION))
        return opener ? rehandshake_us * 9 / 10 + rehandshake_us / 5 * jitter / 1024
                      : peer_hard_age_us(rehandshake_us);
    return opener ? rehandshake_us * 5 / 6 + rehandshake_us / 8 * jitter / 1024
                  : rehandshake_us + rehandshake_us / 24;
}

void peer_dial_succeeded(struct peer *p, uint64_t rehandshake_us, uint32_t jitter, uint64_t now_us)
{
    p->dial.running = false;
    p->dial.refused = p->dial.broke = false;
    p->dial.backoff_us = 0;
    p->dial.error[0] = p->dial.told[0] = '\0';
    uint64_t wait_us = p->dial.renew_wait_us ? p->dial.renew_wait_us * 2 : RENEW_LEAST_US;
    p->dial.renew_wait_us = wait_us > RENEW_MOST_US ? RENEW_MOST_US : wait_us;
    p->dial.renew_at_us = now_us + p->dial.renew_wait_us;
    p->dial.rehandshake_at_us = now_us + planned_us(p, rehandshake_us, jitter % 1024);
}

void peer_dial_round_failed(struct peer *p, uint32_t jitter, uint64_t now_us)
{
    bool known = p->current && now_us - link_live_us(p->current) < DIAL_KNOWN_US;
    uint64_t most = p->turn.state != DIAL_TURN_NONE ? DIAL_BACKOFF_TURNS_US : DIAL_BACKOFF_MAX_US;
    most = known ? DIAL_BACKOFF_KNOWN_US : most;
    uint64_t wait = p->dial.backoff_us ? p->dial.backoff_us * 2 : DIAL_BACKOFF_MIN_US;
    p->dial.backoff_us = wait > most ? most : wait;
    p->dial.running = false;
    p->dial.at_us = now_us + p->dial.backoff_us * 3 / 4 + p->dial.backoff_us / 2 * (jitter % 1024) / 1024;
}

static unsigned rank_of(const struct peer *p, const struct target *remote)
{
    unsigned i = 0;
    while (i < p->dial.count && !target_same(&p->dial.targets[i], remote))
        i++;
    return i + 1;
}

/* A handshake takes longer where many are made at once, and a second one beside it makes both slower. Whoever takes connections
 * and says nothing delays a round but once. */
void peer_dial_answered(struct peer *p, const struct target *remote, uint64_t now_us)
{
    if (!p->dial.running || p->dial.answered || remote->kind != TARGET_TCP)
        return;
    p->dial.answered = true;
    p->dial.at_us = now_us + (dial_turn_has_time(&p->turn) ? DIAL_ANSWERED_TURN_US : DIAL_ANSWERED_US);
}

void peer_dial_failed(struct peer *p, const struct target *remote, bool is_another, const char *why)
{
    char at[TARGET_TEXT_MAX];
    unsigned rank = is_another ? 0 : rank_of(p, remote);
    if (remote->kind == TARGET_SESSION || (p->dial.running && p->dial.answered) ||
        dial_turn_has_time(&p->turn))
        p->dial.at_us = 0; /* the others need not wait */
    if (rank >= p->dial.attempt_rank)
        return;
    p->dial.attempt_rank = rank;
    snprintf(p->dial.attempt, sizeof(p->dial.attempt), "%s%s: %.150s", target_format(remote, at),
             is_another ? " is another node" : "", why);
}

void peer_dial_sum_up(struct peer *p)
{
    bool failed = p->dial.attempt_rank != UINT_MAX;
    if (p->dial.count == 0 && (p->dial.missing[0] || !failed))
        peer_dial_error(p, "%s", p->dial.missing[0] ? p->dial.missing : "no address of it is known yet");
    else if (!failed)
        return;
    else if (p->dial.count > 1 && p->dial.attempt_rank > 0)
        peer_dial_error(p, "none of its %u addresses answers; %s", p->dial.count, p->dial.attempt);
    else
        peer_dial_error(p, "%s", p->dial.attempt);
}

void peer_dial_error(struct peer *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->dial.error, sizeof(p->dial.error), format, args);
    va_end(args);
}

void peer_dial_usurped(struct peer *p, uint64_t now_us)
{
    bool again = p->dial.usurped_us && now_us - p->dial.usurped_us < USURPED_FORGOTTEN_US;
    uint64_t wait_us = again ? p->dial.usurped_wait_us * 2 : USURPED_LEAST_US;
    p->dial.usurped_wait_us = wait_us > USURPED_MOST_US ? USURPED_MOST_US : wait_us;
    p->dial.usurped_us = now_us;
    p->dial.renew_at_us = now_us + p->dial.usurped_wait_us;
}

void peer_dial_missing(struct peer *p, const char *why)
{
    snprintf(p->dial.missing, sizeof(p->dial.missing), "%s", why);
    if (p->dial.count == 0 && p->dial.error[0])
        peer_dial_error(p, "%s", why);
}

void peer_dial_told(struct peer *p)
{
    snprintf(p->dial.told, sizeof(p->dial.told), "%s", p->dial.error);
}

void peer_dial_refused(struct peer *p)
{
    p->dial.refused = true;
}

void peer_dial_stop(struct peer *p)
{
    p->dial.running = false;
}

void peer_rehandshake(struct peer *p, uint64_t now_us)
{
    p->dial.rehandshake_at_us = now_us;
}

void peer_rehandshake_by(struct peer *p, uint64_t at_us)
{
    if (at_us < p->dial.rehandshake_at_us)
        p->dial.rehandshake_at_us = at_us;
}

void peer_stream_broke(struct peer *p)
{
    p->dial.broke = true;
}

void peer_dial_soon(struct peer *p, uint64_t now_us)
{
    p->dial.backoff_us = 0;
    if (!p->dial.running)
        p->dial.at_us = now_us;
}

void peer_dial_now(struct peer *p, uint64_t now_us)
{
    if (!p->dial.running)
        p->dial.at_us = now_us;
}
