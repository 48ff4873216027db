/* SPDX-License-Identifier: Apache-2.0 */
/* The books of one peer. docs/PROTOCOL.md §6. Control thread. */

#include "proto/peer/peer.h"

#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_US       500000ull
#define LOOK_OFTEN_US 100000ull
#define LOOK_COLD_US  8000000ull /* while the data lanes are as nobody uses them: who does tells of it */
#define CEASED_SHARE  4          /* less than one in so many of what came between two looks shortly before */
#define LOSS_SLOT_US  2000000ull
#define ACTIVE_US     5000000ull

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
    free(p->held_back);
    free(p->record);
    free(p->member);
    free(p->about);
    free(p);
}

void peer_hold_back(struct peer *p, const struct candidate *list, unsigned count)
{
    struct candidate *copy = count ? malloc(count * sizeof(*copy)) : NULL;
    if (copy)
        memcpy(copy, list, count * sizeof(*copy));
    free(p->held_back);
    p->held_back = copy;
    p->held_back_count = copy ? count : 0;
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
    p->barred = p->enrolled = false;
}

void peer_withdraw(struct peer *p)
{
    p->allowed = false;
}

void peer_bar(struct peer *p)
{
    p->allowed = p->enrolled = false;
    p->barred = true;
}

void peer_enroll(struct peer *p)
{
    p->allowed = p->enrolled = true;
}

void peer_dismiss(struct peer *p)
{
    p->allowed = p->enrolled = false;
}

void peer_shown(struct peer *p, uint64_t end_us)
{
    p->shown_end_us = end_us;
}

void peer_about(struct peer *p, const char *version, uint64_t time_s, uint64_t now_us)
{
    if (!p->about)
        p->about = malloc(sizeof(*p->about));
    if (!p->about)
        return;
    snprintf(p->about->version, sizeof(p->about->version), "%s", version);
    p->about->zero_s = (int64_t)time_s - (int64_t)(now_us / USEC_PER_SEC);
}

void peer_certify(struct peer *p, const struct cert *cert, const struct membership_seen *seen)
{
    if (!p->member)
        p->member = malloc(sizeof(*p->member));
    if (!p->member)
        return;
    p->member->cert = *cert;
    p->member->seen = *seen;
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

void peer_keep_record(struct peer *p, struct kept_record *record)
{
    free(p->record);
    p->record = record;
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

void peer_relays(struct peer *p, bool for_us)
{
    p->relays_for_us = for_us;
}

void peer_served(struct peer *p, bool served)
{
    p->served = served;
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

void peer_side(struct peer *p, unsigned side)
{
    p->side = (uint8_t)side;
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
 * gone, and a stream's retransmissions need another before they back off. Looks are not always as far apart. */
static void look_for_silence(struct peer *p, uint64_t rx_datagrams, bool flowing, uint64_t now_us)
{
    uint64_t passed_us = now_us - p->stats.looked_us + 1, *before = p->stats.came;
    uint64_t came = (rx_datagrams - p->stats.rx_seen) * USEC_PER_SEC / passed_us;
    if (flowing && came * CEASED_SHARE < (before[0] > before[1] ? before[0] : before[1]))
        path_on_silence(p->paths, now_us);
    before[1] = before[0];
    before[0] = came;
    p->stats.rx_seen = rx_datagrams;
    p->stats.looked_us = now_us;
}

/* A flooded frame that took several datagrams is data like any other. */
static bool flows(struct peer *p, uint64_t datagrams, const struct flood_counts *floods,
                  struct flood_turns *turns, uint64_t now_us)
{
    uint64_t came = datagrams - p->stats.data_seen;
    bool data = came > flood_watch_passed(&p->stats.floods, floods);
    p->stats.data_seen = datagrams;
    if (flood_watch_look(&p->stats.floods, turns, floods, path_sleeps(p->paths), now_us) || data)
        p->stats.active_until_us = now_us + ACTIVE_US;
    return now_us < p->stats.active_until_us;
}

static void look_by(struct peer *p, uint64_t at_us)
{
    uint64_t turn_us = flood_watch_deadline(&p->stats.floods);
    p->stats.look_at_us = at_us < turn_us ? at_us : turn_us;
}

void peer_look_at_data(struct peer *p, const struct flood_counts *floods, struct flood_turns *turns,
                       uint64_t now_us)
{
    struct peer_totals totals;
    uint64_t datagrams;
    sum(p, &totals, &datagrams);
    path_set_active(p->paths, flows(p, datagrams, floods, turns, now_us), now_us);
    uint64_t soon_us = now_us + LOOK_US;
    look_by(p, p->stats.look_at_us < soon_us ? p->stats.look_at_us : soon_us);
}

static uint64_t look_wait_us(const struct peer *p, bool active)
{
    if (active)
        return path_is_backed(p->paths) ? LOOK_OFTEN_US : LOOK_US;
    for (unsigned i = 0; i < p->link_count; i++)
        if (link_keychain(p->links[i]) && keychain_is_warm(link_keychain(p->links[i])))
            return LOOK_US;
    return LOOK_COLD_US;
}

/* In the place of slots in which nobody looked, too. */
static void keep_for_loss(struct peer *p, const struct peer_totals *totals, uint64_t now_us)
{
    unsigned slot = (unsigned)(now_us / LOSS_SLOT_US % PEER_LOSS_SLOTS);
    while (p->stats.loss_at != slot) {
        p->stats.loss_at = (p->stats.loss_at + 1) % PEER_LOSS_SLOTS;
        p->stats.loss_received[p->stats.loss_at] = totals->rx_datagrams;
        p->stats.loss_expected[p->stats.loss_at] = totals->rx_expected;
    }
}

void peer_look(struct peer *p, const struct flood_counts *floods, struct flood_turns *turns, uint64_t now_us)
{
    if (peer_path_answers(p))
        p->dial.renew_wait_us = 0;
    if (now_us < p->stats.look_at_us)
        return;
    struct peer_totals totals;
    uint64_t datagrams;
    sum(p, &totals, &datagrams);
    bool active = flows(p, datagrams, floods, turns, now_us);
    look_for_silence(p, totals.rx_datagrams, active, now_us);
    path_set_active(p->paths, active, now_us);
    look_by(p, now_us + look_wait_us(p, active));
    keep_for_loss(p, &totals, now_us);
}
