/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the mesh lets in, what it says of us, and which link carries then. docs/PROTOCOL.md §6, §25. Control thread. */

#include "proto/mesh/mesh_handshake.h"

#include "crypto/aead_policy.h"
#include "proto/mesh/mesh_accept.h"
#include "proto/mesh/mesh_announce.h"
#include "proto/mesh/mesh_datagram.h"
#include "proto/mesh/mesh_keychain.h"
#include "proto/mesh/mesh_sealed.h"
#include "proto/mesh/mesh_asking.h"
#include "proto/mesh/mesh_dial.h"
#include "proto/mesh/mesh_entry.h"
#include "proto/mesh/mesh_link.h"
#include "proto/mesh/mesh_lists.h"
#include "proto/mesh/mesh_members.h"
#include "proto/mesh/mesh_news.h"
#include "proto/mesh/mesh_outputs.h"
#include "proto/mesh/mesh_peers.h"
#include "proto/mesh/mesh_punch.h"
#include "proto/mesh/mesh_reach.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_rolls.h"
#include "proto/mesh/mesh_state.h"
#include "proto/mesh/mesh_uplink.h"
#include <stdio.h>

static void say_hello(struct mesh *m, struct link *l)
{
    const struct peer *p = link_owner(l);
    struct hello h = {.version_min = MESSAGE_VERSION, .version_max = MESSAGE_VERSION};
    h.aead_count = (unsigned)aead_policy_offer(m->config.aead, h.aeads);
#ifdef SHADOWMESH_BENCH_NULL
    if (m->config.null_cipher) { /* alone, so that nobody who was not told the same agrees to it */
        h.aeads[0] = AEAD_NULL;
        h.aead_count = 1;
    }
#endif
    h.features =
        HELLO_FEATURE_FRESH_ROOT | HELLO_FEATURE_SESSION | HELLO_FEATURE_GOSSIP | HELLO_FEATURE_SPARSE;
    if (carrier_in(CARRIER_RELAY, m->config.carriers))
        h.features |= HELLO_FEATURE_RELAY | HELLO_FEATURE_RELAY_NODES;
    if (m->config.desk)
        h.features |= HELLO_FEATURE_RELAYS;
    if (carrier_in(CARRIER_TCP, m->config.carriers))
        h.features |= HELLO_FEATURE_TRUNK;
    if (m->config.carriers == CARRIERS_AUTO)
        h.features |= HELLO_FEATURE_PUNCH;
    if (m->config.carriers == CARRIERS_AUTO && m->config.sides)
        h.features |= HELLO_FEATURE_BIRTHDAY;
    if (m->config.network)
        h.features |= HELLO_FEATURE_NETWORK | HELLO_FEATURE_LEAVE;
    if (m->config.network && m->config.version)
        h.features |= HELLO_FEATURE_ABOUT;
    h.features &= ~m->config.features_off;
    h.lanes = m->config.lanes;
    h.mtu = m->config.mtu;
    memcpy(h.name, m->name, sizeof(h.name));
    h.address_count = m->overlay_count;
    memcpy(h.addresses, m->overlay, sizeof(h.addresses));
    h.mac_count = 1;
    memcpy(h.macs[0], m->config.mac, sizeof(h.macs[0]));
    h.candidates.count = m->candidate_count;
    memcpy(h.candidates.list, m->candidates, sizeof(m->candidates));
    h.receiver_index = mesh_reserve_index(p);
    memcpy(h.boot, m->boot, sizeof(h.boot));
    h.generation = p->generation + 1;
    if (!h.receiver_index || link_greet(l, &h))
        link_on_closed(l, "cannot send on the control channel");
}

static void turn_away(struct mesh *m, struct link *l, enum refuse_code code, const char *text,
                      const char *note)
{
    const struct node_id id = *link_peer_id(l);
    const struct peer *p = mesh_find_peer(m, &id);
    char remote[TARGET_TEXT_MAX], line[320];
    snprintf(line, sizeof(line), "%s: %s", target_format(link_remote(l), remote), note);
    mesh_note_id(m, MESH_NOTICE_REFUSED, &id, p ? p->name : "", line);
    link_refuse(l, code, text);
    mesh_discard_link(m, l);
}

/* Whoever dialled us may be heard. False: it was turned away. */
static bool may_be_heard(struct mesh *m, struct link *l)
{
    const struct peer *p = mesh_find_peer(m, link_peer_id(l));
    const char *text = link_remote(l)->kind == TARGET_SESSION ? "the session is another node's"
                                                              : "the backbone says that you are another node";
    if (!mesh_is_as_told(l))
        turn_away(m, l, REFUSE_STRANGER, text, text);
    else if (id_compare(link_peer_id(l), identity_id(m->config.me)) == 0)
        turn_away(m, l, REFUSE_SELF, "you are me: two nodes run with the same key",
                  "you are me: two nodes run with the same key");
    else if (p && p->barred)
        turn_away(m, l, REFUSE_STRANGER, "your id was taken off my lists: allow it again",
                  "it was disallowed here");
    else if (!mesh_may_enter(m, p))
        turn_away(m, l, REFUSE_STRANGER,
                  "not public, and your id is not on my list: start me with -public, or "
                  "-connect or -allow your id",
                  "a stranger: we are not -public, and it is in no -connect or -allow of ours");
    else
        return true;
    return false;
}

/* Whoever dialled us becomes a peer, if there is room. False: the link is gone. */
static bool let_in(struct mesh *m, struct link *l, uint64_t now_us)
{
    const struct node_id id = *link_peer_id(l);
    struct peer *p = mesh_find_peer(m, &id);
    const char *text = "too many connections from your id at once";
    int err = p ? 0 : mesh_add_peer(m, &id, &p);
    if (err)
        text = err == ERR_NOMEM ? "out of memory" : "too many peers";
    if (err || !allowance_take(&p->allowance, ALLOWANCE_CONNECTION, 1, now_us) || peer_add_link(p, l)) {
        turn_away(m, l, REFUSE_FULL, text, text);
        return false;
    }
    mesh_leave_half_open(m, l);
    mesh_touch(m, p);
    return true;
}

static void greet(struct mesh *m, struct link *l)
{
    mesh_say_member(m, l);
    say_hello(m, l);
    mesh_update_pairs(m, link_owner(l));
}

bool mesh_on_identified(struct mesh *m, struct link *l, uint64_t now_us)
{
    bool opener = link_is_opener(l);
    if (mesh_refuses_revoked(m, l, now_us) || (!opener && !may_be_heard(m, l)))
        return false;
    if (opener)
        mesh_drop_other_attempts(m, link_owner(l), l);
    if (opener && mesh_begin_asking(m, l))
        return true;
    if (mesh_begin_entry(m, l, mesh_find_peer(m, link_peer_id(l)))) {
        link_on_closed(l, "out of memory");
        return true;
    }
    if (!opener && mesh_awaits_entry(l))
        return true;
    if (!opener && !let_in(m, l, now_us))
        return false;
    greet(m, l);
    return true;
}

/* While its certificate was waited for, a person may have spoken. */
bool mesh_on_entered(struct mesh *m, struct link *l, uint64_t now_us)
{
    bool opener = link_is_opener(l);
    if (!opener && (!may_be_heard(m, l) || !let_in(m, l, now_us)))
        return false;
    if (!opener)
        greet(m, l);
    return true;
}

/* Told once, until they do agree: each side refuses the other, and hears no more of it. */
static void note_difference(struct mesh *m, struct peer *p, const struct link *l, const char *text)
{
    char remote[TARGET_TEXT_MAX], note[320];
    peer_dial_error(p, "%s", text);
    snprintf(note, sizeof(note), "%s: %s", target_format(link_remote(l), remote), text);
    if (!p->dial.refused)
        mesh_note(m, MESH_NOTICE_REFUSED, p, note);
    peer_dial_refused(p);
}

bool mesh_on_keyable(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    mesh_keep_certificate(m, l);
    peer_set_name(p, p->member ? p->member->cert.name : link_theirs(l)->name);
    const struct keychain_config config = {.peer_slot = p->slot, .ratchet_us = m->config.ratchet_us};
    const struct keychain_ops ops = mesh_keychain_ops(l);
    if (mesh_promise_overlay(m, p) == 0 && link_key(l, &config, &ops, now_us) == 0)
        return true;
    const char *differs = link_difference(l);
    if (differs)
        note_difference(m, p, l, differs);
    else
        peer_dial_error(p, "no memory: no keys could be agreed upon with %s", p->name);
    mesh_discard_link(m, l);
    return false;
}

/* Besides what it says: where its connection comes from, which is more than it may know itself. */
static void learn_addresses(struct mesh *m, struct peer *p, const struct link *l, uint64_t now_us)
{
    const struct hello *h = link_theirs(l);
    mesh_learn_candidates(m, p, h->candidates.list, h->candidates.count, now_us);
    mesh_expect_peer_at(m, p, h->candidates.list, h->candidates.count);
    if (!target_is_host(link_remote(l)))
        return;
    mesh_expect_peer_at(m, p, &(struct candidate){.addr = link_remote(l)->addr}, 1);
    for (unsigned i = 0; i < h->candidates.count; i++) {
        struct addr beside = link_remote(l)->addr;
        beside.port = h->candidates.list[i].addr.port;
        if (!mesh_usable(m, &beside))
            continue;
        if (link_is_opener(l))
            path_add(p->paths, &beside, CANDIDATE_REFLEXIVE, now_us);
        else
            path_add_observed(p->paths, &beside, now_us);
    }
}

/* That data can flow is told when it can (mesh_reach.c). */
static void tell_handshake(struct mesh *m, struct peer *p, bool first, bool unheard)
{
    char text[MESH_HOW_MAX];
    mesh_describe_link(p->current, text);
    if (unheard)
        mesh_note(m, MESH_NOTICE_REACHED, p, text);
    else if (!first)
        mesh_note(m, MESH_NOTICE_HANDSHAKE, p, text);
}

/* Where loser was, l is now; or l is no more, since the other carries on. Processes come after each other: one that
 * returns runs beside its follower, with the same key. */
static void replace(struct mesh *m, struct link *loser, const struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    char to[TARGET_TEXT_MAX] = "", from[TARGET_TEXT_MAX], text[2 * TARGET_TEXT_MAX + 8];
    if (memcmp(link_theirs(l)->boot, link_theirs(loser)->boot, MESSAGE_BOOT_LEN) != 0) {
        target_format(link_remote(l), to);
        snprintf(text, sizeof(text), "%s and %s", target_format(link_remote(loser), from), to);
        if (memcmp(link_theirs(l)->boot, p->boot_before, MESSAGE_BOOT_LEN) == 0)
            mesh_note(m, MESH_NOTICE_SHARED_KEY, p, text);
        peer_set_boot_before(p, link_theirs(loser)->boot);
    }
    if (!link_has_stream(loser) && link_both_can(loser, HELLO_FEATURE_SESSION))
        mesh_say_bye(loser, BYE_REPLACED, to);
    link_drain(loser, BYE_REPLACED, to, now_us);
    mesh_end_stream(m, loser);
}

void mesh_on_live(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    struct link *old = p->current;
    bool first = !peer_send_session(p), unheard = p->dial.told[0] != '\0';
    bool wins =
        !old || link_state(old) != LINK_STATE_LIVE || peer_prefers(p, identity_id(m->config.me), l, old);
    struct link *loser = wins ? old : l;
    peer_on_live(p, l, wins);
    mesh_note_shown(m, l);
    if (loser)
        replace(m, loser, l, now_us);
    mesh_punch_begin(p);
    birthday_begin(&p->birthday);
    learn_addresses(m, p, l, now_us);
    relay_places_seek_anew(&p->places);
    mesh_update_relaying(m, p);
    peer_dial_succeeded(p, m->config.rehandshake_us, mesh_random(m), now_us);
    mesh_want(m, &p->id, false);
    mesh_member_live(m, p, !link_is_opener(l), now_us);
    mesh_tell_overlay(m, p);
    mesh_announce_to(m, p);
    mesh_tell_about(m, l, now_us);
    mesh_publish(m, p);
    tell_handshake(m, p, first, unheard);
    mesh_update_reach(m, p, now_us);
    mesh_rolls_on_open(m, p, now_us);
    /* Of a peer that stays connected, too, the record is renewed. */
    const struct hello *h = link_theirs(l);
    mesh_gossip_on_moved(m, p, h->candidates.list, h->candidates.count, now_us);
    mesh_poll_paths(m, p, now_us);
}
