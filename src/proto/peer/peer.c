/* SPDX-License-Identifier: Apache-2.0 */
/* The books of one peer. docs/PROTOCOL.md §6. Control thread. */

#include "proto/peer/peer.h"

#include "base/clock.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DIAL_STAGGER_US       200000ull  /* between any two dials of a peer, whatever it names */
#define DIAL_SESSION_US       2000000ull /* what the session is ahead of the others */
#define DIAL_BACKOFF_MIN_US   250000ull
#define DIAL_BACKOFF_MAX_US   15000000ull
#define DIAL_BACKOFF_KNOWN_US 1000000ull /* for a peer that was connected lately */
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
 * new handshake helps. Beyond some time it is the network, and handshakes do not. */
#define BROKEN_US         2000000ull
#define BROKEN_GIVE_UP_US 30000000ull
#define LOOK_US           500000ull
#define LOOK_OFTEN_US     100000ull
#define CEASED_SHARE      4 /* less than one in so many of what came between two looks shortly before */
#define LOSS_SLOT_US      2000000ull
#define ACTIVE_US         5000000ull

int peer_new(struct mesh *mesh, const struct node_id *id, uint32_t slot, const struct path_set_config *paths,
             struct peer **out)
{
    struct peer *p = calloc(1, sizeof(*p));
    if (!p)
        return ERR_NOMEM;
    p->mesh = mesh;
    p->id = *id;
    p->slot = slot;
    int err = path_set_new(paths, &p->paths);
    if (err) {
        free(p);
        return err;
    }
    *out = p;
    return 0;
}

void peer_free(struct peer *p)
{
    for (unsigned i = 0; i < p->link_count; i++)
        link_free(p->links[i]);
    path_set_free(p->paths);
    stream_set_free(p->streams);
    free(p);
}

struct stream_set *peer_streams(struct peer *p)
{
    if (!p->streams)
        p->streams = stream_set_new();
    return p->streams;
}

bool peer_carries_control(const struct peer *p)
{
    return p->current && link_state(p->current) == LINK_STATE_LIVE &&
           link_both_can(p->current, HELLO_FEATURE_SESSION) && peer_send_session(p);
}

void peer_want(struct peer *p)
{
    p->wanted = true;
    p->barred = false;
}

void peer_leave_alone(struct peer *p)
{
    p->wanted = false;
    p->wanted_us = 0;
    peer_set_targets(p, NULL, 0, true);
}

void peer_allow(struct peer *p)
{
    p->allowed = true;
    p->barred = false;
}

void peer_bar(struct peer *p)
{
    p->allowed = false;
    p->barred = true;
}

uint64_t peer_wanted_since(struct peer *p, uint64_t now_us)
{
    if (!p->wanted_us)
        p->wanted_us = now_us;
    return p->wanted_us;
}

void peer_set_name(struct peer *p, const char *name)
{
    snprintf(p->name, sizeof(p->name), "%s", name);
}

void peer_set_boot_before(struct peer *p, const uint8_t boot[MESSAGE_BOOT_LEN])
{
    memcpy(p->boot_before, boot, MESSAGE_BOOT_LEN);
}

void peer_promise(struct peer *p, unsigned places)
{
    p->promised = places;
}

void peer_path_told(struct peer *p, const struct endpoint *best)
{
    p->path_told = *best;
}

static void set_bit(uint8_t *bits, unsigned n, bool on)
{
    if (on)
        *bits |= (uint8_t)(1u << n);
    else
        *bits &= (uint8_t) ~(1u << n);
}

void peer_pair_asked(struct peer *p, unsigned backbone, bool on)
{
    set_bit(&p->pairs_asked, backbone, on);
    if (!on)
        peer_paired(p, backbone, false);
}

void peer_paired(struct peer *p, unsigned backbone, bool on)
{
    set_bit(&p->paired, backbone, on);
}

void peer_on_tick(struct peer *p, uint64_t now_us)
{
    p->ticked_us = now_us;
}

int peer_add_link(struct peer *p, struct link *l)
{
    if (p->link_count == PEER_LINKS_MAX)
        return ERR_SPACE;
    p->links[p->link_count++] = l;
    link_set_owner(l, p);
    return 0;
}

void peer_remove_link(struct peer *p, struct link *l)
{
    unsigned kept = 0;
    p->ratchets += link_drop_keys(l);
    for (unsigned i = 0; i < p->link_count; i++)
        if (p->links[i] != l)
            p->links[kept++] = p->links[i];
    p->link_count = kept;
    if (p->current == l)
        p->current = NULL;
    link_set_owner(l, NULL);
}

void peer_on_live(struct peer *p, struct link *l, bool wins)
{
    p->handshakes++;
    if (link_generation(l) > p->generation)
        p->generation = link_generation(l);
    if (wins)
        p->current = l;
}

bool peer_prefers(const struct peer *p, const struct node_id *me, const struct link *a, const struct link *b)
{
    bool a_newer = link_live_us(a) >= link_live_us(b);
    if (memcmp(link_theirs(a)->boot, link_theirs(b)->boot, MESSAGE_BOOT_LEN) != 0)
        return a_newer;
    if (link_generation(a) != link_generation(b))
        return link_generation(a) > link_generation(b);
    if (link_is_opener(a) != link_is_opener(b))
        return link_is_opener(a) == (id_compare(me, &p->id) < 0);
    return a_newer;
}

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

void peer_set_uplink(struct peer *p, unsigned backbone, bool up, uint64_t now_us)
{
    set_bit(&p->dial.uplinks, backbone, up);
    set_bit(&p->dial.uplinks_left, backbone, up);
    if (!up)
        peer_pair_asked(p, backbone, false);
    else if (!p->dial.running)
        p->dial.at_us = now_us;
}

/* From when on another link is of use. */
static uint64_t wants_link_at(const struct peer *p, uint64_t now_us)
{
    const struct link *l = p->current;
    uint64_t at = p->dial.rehandshake_at_us, since_us = p->path_told.carrier ? p->reach.silent_us : 0;
    bool needed = p->dial.broke || !peer_carries_control(p);
    if (!l || !peer_send_session(p) || (!link_has_stream(l) && needed))
        at = 0;
    else if (since_us && now_us - since_us < BROKEN_GIVE_UP_US && since_us + BROKEN_US < at)
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
        set_bit(&p->dial.uplinks_left, backbone, false);
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
        p->dial.next = 0;
        p->dial.uplinks_left = p->dial.uplinks;
        p->dial.session_left = peer_carries_control(p) && peer_path_answers(p);
        p->dial.attempt_rank = UINT_MAX;
    }
    if (!next_target(p, out))
        return false;
    p->dial.last_us = now_us;
    bool waits = out->kind == TARGET_SESSION && !p->dial.broke;
    p->dial.at_us = now_us + (waits ? DIAL_SESSION_US : DIAL_STAGGER_US);
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
    uint64_t most = known ? DIAL_BACKOFF_KNOWN_US : DIAL_BACKOFF_MAX_US;
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

void peer_dial_failed(struct peer *p, const struct target *remote, bool is_another, const char *why)
{
    char at[TARGET_TEXT_MAX];
    unsigned rank = is_another ? 0 : rank_of(p, remote);
    if (remote->kind == TARGET_SESSION)
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

bool peer_path_answers(const struct peer *p)
{
    const struct path *best = path_best(p->paths);
    return best && best->state == PATH_STATE_PROVEN;
}

struct session *peer_send_session(const struct peer *p)
{
    return p->current ? keychain_send_session(link_keychain(p->current)) : NULL;
}

void peer_account(struct peer *p, const struct session *s)
{
    struct session_stats one;
    session_stats(s, &one);
    p->stats.rx_bytes += one.rx_bytes;
    p->stats.tx_bytes += one.tx_bytes;
    p->stats.rx_datagrams += one.rx_datagrams;
    p->stats.rx_expected += one.rx_expected;
    p->stats.datagrams += one.rx_datagrams + one.tx_datagrams;
}

/* Sums up the living sessions and those that are gone. *datagrams counts both directions. */
static void sum(const struct peer *p, struct peer_totals *out, uint64_t *datagrams)
{
    *out = (struct peer_totals){.rx_bytes = p->stats.rx_bytes,
                                .tx_bytes = p->stats.tx_bytes,
                                .rx_datagrams = p->stats.rx_datagrams,
                                .rx_expected = p->stats.rx_expected};
    *datagrams = p->stats.datagrams;
    for (unsigned i = 0; i < p->link_count; i++) {
        struct session *list[KEYCHAIN_OLD_MAX + 2];
        if (!link_keychain(p->links[i]))
            continue;
        size_t n = keychain_sessions(link_keychain(p->links[i]), list, KEYCHAIN_OLD_MAX + 2);
        for (size_t j = 0; j < n; j++) {
            struct session_stats one;
            session_stats(list[j], &one);
            out->rx_bytes += one.rx_bytes;
            out->tx_bytes += one.tx_bytes;
            out->rx_datagrams += one.rx_datagrams;
            out->rx_expected += one.rx_expected;
            *datagrams += one.rx_datagrams + one.tx_datagrams;
        }
    }
}

void peer_totals(const struct peer *p, struct peer_totals *out)
{
    uint64_t datagrams;
    sum(p, out, &datagrams);
    unsigned oldest = (p->stats.loss_at + 1) % PEER_LOSS_SLOTS;
    uint64_t expected = out->rx_expected - p->stats.loss_expected[oldest];
    uint64_t received = out->rx_datagrams - p->stats.loss_received[oldest];
    out->loss = expected > received ? (double)(expected - received) / (double)expected : 0;
}

uint64_t peer_sent(const struct peer *p)
{
    struct peer_totals totals;
    uint64_t datagrams;
    sum(p, &totals, &datagrams);
    return datagrams - totals.rx_datagrams;
}

uint64_t peer_received(const struct peer *p)
{
    struct peer_totals totals;
    uint64_t datagrams;
    sum(p, &totals, &datagrams);
    return totals.rx_datagrams;
}

/* Answers to what we send, and acknowledgements, come all the time while data flows: when they cease, the path may be
 * gone, and a stream's retransmissions need another before they back off. */
static void look_for_silence(struct peer *p, uint64_t rx_datagrams, uint64_t now_us)
{
    uint64_t came = rx_datagrams - p->stats.rx_seen, *before = p->stats.came;
    if (came * CEASED_SHARE < (before[0] > before[1] ? before[0] : before[1]))
        path_on_silence(p->paths, now_us);
    before[1] = before[0];
    before[0] = came;
    p->stats.rx_seen = rx_datagrams;
}

void peer_look(struct peer *p, uint64_t now_us)
{
    if (now_us < p->stats.look_at_us)
        return;
    struct peer_totals totals;
    uint64_t datagrams;
    sum(p, &totals, &datagrams);
    if (datagrams != p->stats.data_seen)
        p->stats.active_until_us = now_us + ACTIVE_US;
    p->stats.data_seen = datagrams;
    look_for_silence(p, totals.rx_datagrams, now_us);
    if (peer_path_answers(p))
        p->dial.renew_wait_us = 0;
    bool active = now_us < p->stats.active_until_us;
    path_set_active(p->paths, active, now_us);
    p->stats.look_at_us = now_us + (active && path_is_backed(p->paths) ? LOOK_OFTEN_US : LOOK_US);
    unsigned slot = (unsigned)(now_us / LOSS_SLOT_US % PEER_LOSS_SLOTS);
    if (slot != p->stats.loss_at) {
        p->stats.loss_at = slot;
        p->stats.loss_received[slot] = totals.rx_datagrams;
        p->stats.loss_expected[slot] = totals.rx_expected;
    }
}
