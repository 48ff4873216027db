/* SPDX-License-Identifier: Apache-2.0 */
/* Links on streams: admission, handshakes, which link carries, and their end. docs/PROTOCOL.md
 * §6. Control thread. */

#include "base/clock.h"
#include "crypto/aead.h"
#include "proto/mesh/mesh_state.h"
#include <stdio.h>

#define STREAM_CHUNK      4096
#define KILOBYTE          1024
#define RENEW_REPEAT_PART 65 /* of the hard age: a minute */

/* Gives the stream up as it is. */
static void leave_stream(struct mesh *m, struct link *l, enum mesh_output_kind kind)
{
    if (link_owner(l))
        mesh_touch(m, link_owner(l));
    if (table_remove(m->streams, link_conn(l))) {
        if (link_has_stream(l))
            mesh_stream_end(m, link_conn(l), kind);
        else
            outputs_give_back(&m->outputs, 1);
    }
    link_detach(l);
}

void mesh_flush(struct mesh *m, struct link *l)
{
    uint8_t chunk[STREAM_CHUNK];
    size_t n;
    const struct mesh_output o = {.kind = MESH_OUTPUT_STREAM_SEND, .conn = link_conn(l)};
    while ((n = link_take_output(l, chunk, sizeof(chunk))) > 0)
        if (outputs_put(&m->outputs, &o, chunk, n)) {
            leave_stream(m, l, MESH_OUTPUT_STREAM_ABORT); /* a stream with a hole is of no use */
            return;
        }
}

/* Gives the stream up; keys live on. */
static void end_stream(struct mesh *m, struct link *l)
{
    mesh_flush(m, l);
    leave_stream(m, l, MESH_OUTPUT_STREAM_CLOSE);
}

void mesh_release_promise(struct mesh *m, const struct link *l)
{
    uint32_t index = link_promised_index(l);
    if (index)
        mesh_release_index(m, index);
}

void mesh_discard_link(struct mesh *m, struct link *l)
{
    end_stream(m, l);
    mesh_leave_half_open(m, l);
    struct peer *p = link_owner(l);
    mesh_release_promise(m, l);
    if (p) {
        mesh_touch(m, p);
        bool carried = p->current == l;
        peer_remove_link(p, l);
        if (carried)
            mesh_publish(m);
    }
    link_free(l);
}

/* Ends the link that carries: the peer is without a session. why NULL: people know already. */
static void lose(struct mesh *m, struct peer *p, struct link *l, const char *why, uint64_t now_us)
{
    bool carried = p->current == l;
    mesh_discard_link(m, l);
    if (!carried)
        return;
    mesh_update_reach(m, p, now_us);
    if (why)
        mesh_note(m, MESH_NOTICE_LOST, p, why);
    mesh_tell_gone(m, p);
    peer_dial_soon(p, now_us);
    if (p->wanted)
        mesh_want(m, &p->id, true);
}

/* Ends l without a byte more from its keys, of sessions or TLS. */
static void abandon(struct mesh *m, struct link *l)
{
    if (link_keychain(l))
        keychain_stop_sealing(link_keychain(l));
    leave_stream(m, l, MESH_OUTPUT_STREAM_CLOSE);
}

static void abandon_peer(struct mesh *m, struct peer *p, uint64_t now_us)
{
    mesh_touch(m, p);
    while (p->link_count > 0) {
        struct link *l = p->links[p->link_count - 1];
        abandon(m, l);
        lose(m, p, l, "this machine was resumed from a snapshot", now_us);
    }
    peer_dial_stop(p);
    peer_dial_soon(p, now_us);
}

void mesh_rekey_all(struct mesh *m, uint64_t now_us)
{
    random_fill(&m->config.random, m->boot,
                sizeof(m->boot)); /* to peers we are another process: what we open wins */
    for (unsigned i = 0; i < MESH_HALF_OPEN_MAX; i++) {
        struct link *l = m->half_open[i];
        if (!l)
            continue;
        abandon(m, l);
        mesh_discard_link(m, l);
    }
    for (unsigned i = 0; i < m->slot_end; i++)
        if (m->peers[i])
            abandon_peer(m, m->peers[i], now_us);
    mesh_tick(m, now_us);
}

void mesh_end_peer(struct mesh *m, struct peer *p, enum bye_code code, const char *why, uint64_t now_us)
{
    while (p->link_count > 0) {
        struct link *l = p->links[p->link_count - 1];
        if (!link_has_stream(l))
            mesh_say_bye(l, code);
        link_drain(l, code, "", now_us);
        lose(m, p, l, why, now_us);
    }
    peer_dial_stop(p);
    peer_dial_error(p, "%s", why);
}

bool mesh_has_attempts(const struct peer *p)
{
    for (unsigned i = 0; i < p->link_count; i++)
        if (link_is_opener(p->links[i]) && link_state(p->links[i]) < LINK_STATE_LIVE)
            return true;
    return false;
}

static int begin_stream(struct mesh *m, struct link *l)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_DIAL, .conn = link_conn(l), .target = *link_remote(l)};
    int err = table_put(m->streams, link_conn(l), l);
    if (err)
        return err;
    err = outputs_promise(&m->outputs, 1);
    if (!err && (err = outputs_put(&m->outputs, &o, NULL, 0)))
        outputs_give_back(&m->outputs, 1);
    if (err)
        table_remove(m->streams, link_conn(l));
    return err;
}

void mesh_dial(struct mesh *m, struct peer *p, const struct target *to, uint64_t now_us)
{
    struct link *l;
    uint64_t conn = ++m->last_conn;
    if (link_new(m->tls, conn, to, &p->id, now_us, &l)) {
        peer_dial_error(p, "out of memory");
        return;
    }
    if (peer_add_link(p, l) || begin_stream(m, l)) {
        peer_remove_link(p, l);
        link_free(l);
    }
}

static void say_hello(struct mesh *m, struct link *l)
{
    const struct peer *p = link_owner(l);
    struct hello h = {.version_min = MESSAGE_VERSION, .version_max = MESSAGE_VERSION};
    enum aead_suite first = aead_cpu_has_aes() ? AEAD_AES_256_GCM : AEAD_CHACHA20_POLY1305;
    h.aeads[h.aead_count++] = (uint8_t)first;
    h.aeads[h.aead_count++] = first == AEAD_AES_256_GCM ? AEAD_CHACHA20_POLY1305 : AEAD_AES_256_GCM;
#ifdef SHADOWMESH_BENCH_NULL
    if (m->config.null_cipher) { /* alone, so that nobody who was not told the same agrees to it */
        h.aeads[0] = AEAD_NULL;
        h.aead_count = 1;
    }
#endif
    h.features = HELLO_FEATURE_FRESH_ROOT;
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

/* Admits or refuses whoever dialled us. False: the link is gone. */
static bool admit(struct mesh *m, struct link *l, uint64_t now_us)
{
    const struct node_id id = *link_peer_id(l);
    struct peer *p = mesh_find_peer(m, &id);
    enum refuse_code code = 0;
    const char *text = "";
    int err = 0;
    if (id_compare(&id, identity_id(m->config.me)) == 0) {
        code = REFUSE_SELF;
        text = "you are me: two nodes run with the same key";
    } else if (!mesh_admits(m, p)) {
        code = REFUSE_STRANGER;
        text = p && p->barred ? "your id was taken off my lists: allow it again"
                              : "not public, and your id is not on my list: start me with -public, or "
                                "-connect or -allow your id";
    } else if (!p && (err = mesh_add_peer(m, &id, &p))) {
        code = REFUSE_FULL;
        text = err == ERR_NOMEM ? "out of memory" : "too many peers";
    } else if (!allowance_take(&p->allowance, ALLOWANCE_CONNECTION, 1, now_us) || peer_add_link(p, l)) {
        code = REFUSE_FULL;
        text = "too many connections from your id at once";
    }
    if (!code) {
        mesh_leave_half_open(m, l);
        mesh_touch(m, p);
        return true;
    }
    char remote[TARGET_TEXT_MAX], note[320];
    snprintf(note, sizeof(note), "%s: %s", target_format(link_remote(l), remote),
             code == REFUSE_STRANGER && p && p->barred ? "it was disallowed here"
             : code == REFUSE_STRANGER
                 ? "a stranger: we are not -public, and it is in no -connect or -allow of ours"
                 : text);
    mesh_note_id(m, MESH_NOTICE_REFUSED, &id, p ? p->name : "", note);
    link_refuse(l, code, text);
    mesh_discard_link(m, l);
    return false;
}

/* The first address with the right key behind it is enough. */
static void drop_other_attempts(struct mesh *m, struct peer *p, const struct link *keep)
{
    for (unsigned i = p->link_count; i-- > 0;) {
        struct link *l = p->links[i];
        if (l != keep && link_is_opener(l) && link_state(l) <= LINK_STATE_SECURING)
            mesh_discard_link(m, l);
    }
}

static bool on_identified(struct mesh *m, struct link *l, uint64_t now_us)
{
    if (!link_is_opener(l) && !admit(m, l, now_us))
        return false;
    if (link_is_opener(l))
        drop_other_attempts(m, link_owner(l), l);
    say_hello(m, l);
    return true;
}

static bool on_keyable(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    peer_set_name(p, link_theirs(l)->name);
    const struct keychain_config config = {.peer_slot = p->slot, .ratchet_us = m->config.ratchet_us};
    const struct keychain_ops ops = mesh_keychain_ops(l);
    if (mesh_promise_overlay(m, p) == 0 && link_key(l, &config, &ops, now_us) == 0)
        return true;
    peer_dial_error(p, "no common version or AEAD, or no memory: no keys could be agreed upon with %s",
                    p->name);
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
    link_drain(loser, BYE_REPLACED, to, now_us);
    end_stream(m, loser);
}

/* A link is ready to carry: both ends choose between it and the one that carries now by the same rule. */
static void adopt(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    struct link *old = p->current;
    bool first = !peer_send_session(p), unheard = p->dial.told[0] != '\0';
    bool wins =
        !old || link_state(old) != LINK_STATE_LIVE || peer_prefers(p, identity_id(m->config.me), l, old);
    struct link *loser = wins ? old : l;
    peer_on_live(p, l, wins);
    if (loser)
        replace(m, loser, l, now_us);
    learn_addresses(m, p, l, now_us);
    peer_dial_succeeded(p, m->config.rehandshake_us, mesh_random(m), now_us);
    mesh_want(m, &p->id, false);
    mesh_tell_overlay(m, p);
    mesh_announce_to(m, p);
    mesh_publish(m);
    tell_handshake(m, p, first, unheard);
    mesh_update_reach(m, p, now_us);
    mesh_poll_paths(m, p, now_us);
}

/* To the peer we are nobody any more: neither is it to us, whatever it said on another stream. */
static void on_refused(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    char text[MESSAGE_TEXT_MAX + 1];
    snprintf(text, sizeof(text), "%s", link_message(l)->refuse.text);
    if (p) {
        peer_dial_error(p, "it refused us: %s", text);
        if (!p->dial.refused)
            mesh_note(m, MESH_NOTICE_REFUSED_US, p, text);
        peer_dial_refused(p);
        if (link_message(l)->refuse.code == REFUSE_STRANGER && p->current && p->current != l)
            lose(m, p, p->current, "it refused us", now_us);
        lose(m, p, l, "it refused us", now_us);
        return;
    }
    mesh_discard_link(m, l);
}

/* The opener is told once an interval has passed since it last proved its key; never sooner, whatever a peer says. */
static void on_renew(struct mesh *m, const struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (p->current == l && now_us - link_live_us(l) >= m->config.rehandshake_us / 2)
        peer_rehandshake(p, now_us);
}

/* Only the opener handshakes anew. One that never does is asked, each minute, and told of once. */
static void ask_to_renew(struct mesh *m, struct peer *p, struct link *l, uint64_t now_us)
{
    uint64_t hard_us = peer_hard_age_us(m->config.rehandshake_us), repeat_us = hard_us / RENEW_REPEAT_PART;
    if (link_is_opener(l) || now_us - link_live_us(l) < hard_us || now_us - link_asked_us(l) < repeat_us)
        return;
    if (link_asked_us(l) && link_asked_us(l) - link_live_us(l) < hard_us + repeat_us) {
        char text[64];
        snprintf(text, sizeof(text), "%u minutes",
                 (unsigned)((now_us - link_live_us(l)) / (60 * USEC_PER_SEC)));
        mesh_note(m, MESH_NOTICE_STALE, p, text);
    }
    link_ask_to_renew(l, now_us);
    mesh_flush(m, l);
}

/* Returns true when the link lives on (with its keys, without its stream). */
static bool on_failed(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (link_state(l) < LINK_STATE_LIVE) {
        if (p && link_is_opener(l))
            peer_dial_failed(p, link_remote(l), link_error(l) == ERR_MISMATCH, link_reason(l));
        mesh_discard_link(m, l);
        return false;
    }
    end_stream(m, l);
    if (p->current != l)
        return true;
    peer_dial_soon(p, now_us);
    path_wake(p->paths, m->config.local_max, now_us); /* it may be gone altogether */
    mesh_poll_paths(m, p, now_us);
    return true;
}

/* What it says is within what a peer may say. Else the connection ends, and is dialled anew no sooner than after a
 * failure; the keys of a LIVE link live on, any other is gone. */
static bool allowed(struct mesh *m, struct link *l, enum allowance_kind kind, unsigned cost, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    if (allowance_take(&p->allowance, kind, cost, now_us))
        return true;
    mesh_note(m, MESH_NOTICE_EXCESS, p, "it says more on its control connection than any node has to");
    if (link_state(l) >= LINK_STATE_LIVE)
        end_stream(m, l);
    else
        mesh_discard_link(m, l);
    peer_dial_round_failed(p, mesh_random(m), now_us);
    return false;
}

static const char *reason_of_bye(unsigned code)
{
    switch (code) {
    case BYE_DISALLOWED:
        return "it admits us no longer";
    case BYE_DISCONNECTED:
        return "it was told to disconnect";
    }
    return "it said goodbye";
}

/* The peer let in somebody with our key who is not us: no link of ours has taken l's place, or is about to. */
static bool another_has_our_key(const struct peer *p, const struct link *l)
{
    for (unsigned i = 0; i < p->link_count; i++)
        if (p->links[i] != l && link_state(p->links[i]) >= LINK_STATE_GREETING)
            return false;
    return p->current == l;
}

static void on_usurped(struct mesh *m, struct link *l, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    char where[MESSAGE_TEXT_MAX + 8] = "";
    if (link_message(l)->bye.text[0])
        snprintf(where, sizeof(where), ", from %s", link_message(l)->bye.text);
    lose(m, p, l, NULL, now_us);
    peer_dial_usurped(p, now_us);
    peer_dial_error(
        p, "another host uses our key, and took over the session%s: give one of the two a key of its own",
        where);
    mesh_note(m, MESH_NOTICE_OWN_KEY, p, where);
}

static void end_as_told(struct mesh *m, struct link *l, unsigned code, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    const char *why = reason_of_bye(code);
    peer_dial_error(p, "%s", why);
    lose(m, p, l, why, now_us);
}

static void on_bye(struct mesh *m, struct link *l, uint64_t now_us)
{
    if (link_state(l) == LINK_STATE_LIVE && link_message(l)->bye.code == BYE_REPLACED &&
        another_has_our_key(link_owner(l), l)) {
        on_usurped(m, l, now_us);
        return;
    }
    if (link_state(l) >= LINK_STATE_LIVE && link_message(l)->bye.code == BYE_REPLACED) {
        link_on_replaced(l, now_us);
        end_stream(m, l);
        return;
    }
    if (link_owner(l))
        end_as_told(m, l, link_message(l)->bye.code, now_us);
    else
        mesh_discard_link(m, l);
}

/* What replaced a link is told on its stream alone. */
void mesh_on_sealed_bye(struct mesh *m, struct link *l, const struct message *bye, uint64_t now_us)
{
    if (bye->bye.code != BYE_REPLACED)
        end_as_told(m, l, bye->bye.code, now_us);
}

/* False: the link is gone. */
static bool act(struct mesh *m, struct link *l, enum link_event event, uint64_t now_us)
{
    struct peer *p = link_owner(l);
    switch (event) {
    case LINK_EVENT_IDENTIFIED:
        return on_identified(m, l, now_us);
    case LINK_EVENT_KEYABLE:
        return on_keyable(m, l, now_us);
    case LINK_EVENT_LIVE:
        adopt(m, l, now_us);
        return true;
    case LINK_EVENT_REFUSED:
        on_refused(m, l, now_us);
        return false;
    case LINK_EVENT_CANDIDATES:
        if (!allowed(m, l, ALLOWANCE_MESSAGE, 1, now_us))
            return true;
        mesh_learn_candidates(m, p, link_message(l)->candidates.list, link_message(l)->candidates.count,
                              now_us);
        return true;
    case LINK_EVENT_WAKE:
        if (!allowed(m, l, ALLOWANCE_MESSAGE, 1, now_us))
            return true;
        path_wake(p->paths, m->config.local_max, now_us);
        mesh_poll_paths(m, p, now_us);
        return true;
    case LINK_EVENT_RENEW:
        if (allowed(m, l, ALLOWANCE_MESSAGE, 1, now_us))
            on_renew(m, l, now_us);
        return true;
    case LINK_EVENT_BYE:
        on_bye(m, l, now_us);
        return false;
    case LINK_EVENT_FAILED:
        return on_failed(m, l, now_us);
    case LINK_EVENT_NONE:
        return true;
    }
    return true;
}

void mesh_advance(struct mesh *m, struct link *l, uint64_t now_us)
{
    enum link_event event;
    while ((event = link_next(l, now_us)) != LINK_EVENT_NONE)
        if (!act(m, l, event, now_us))
            return;
    mesh_flush(m, l);
}

/* The link on stream conn, or NULL; what happens there may change its peer. */
static struct link *link_on(struct mesh *m, uint64_t conn)
{
    struct link *l = table_get(m->streams, conn);
    if (l && link_owner(l))
        mesh_touch(m, link_owner(l));
    return l;
}

void mesh_on_connected(struct mesh *m, uint64_t conn, uint64_t now_us)
{
    struct link *l = link_on(m, conn);
    if (!l)
        return;
    link_on_connected(l);
    mesh_advance(m, l, now_us);
}

void mesh_on_bytes(struct mesh *m, uint64_t conn, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct link *l = link_on(m, conn);
    if (!l) {
        mesh_on_guest_bytes(m, conn, data, len, now_us);
        return;
    }
    if (link_state(l) >= LINK_STATE_GREETING &&
        !allowed(m, l, ALLOWANCE_KILOBYTE, (len + KILOBYTE - 1) / KILOBYTE, now_us))
        return;
    link_on_bytes(l, data, len);
    mesh_advance(m, l, now_us);
}

void mesh_on_closed(struct mesh *m, uint64_t conn, const char *reason, uint64_t now_us)
{
    struct link *l = link_on(m, conn);
    if (!l) {
        if (lobby_leave(m->lobby, conn))
            outputs_give_back(&m->outputs, 1);
        return;
    }
    link_on_closed(l, reason);
    mesh_advance(m, l, now_us);
}

static void tick_link(struct mesh *m, struct peer *p, struct link *l, uint64_t now_us)
{
    if (link_keychain(l))
        keychain_tick(link_keychain(l), now_us);
    bool late = link_is_late(l, now_us);
    if (late && link_state(l) == LINK_STATE_DRAINING) {
        lose(m, p, l, "it replaced the session and then went away", now_us);
    } else if (late) {
        link_on_closed(l, "no answer within 5 s");
        on_failed(m, l, now_us);
    } else if (link_state(l) == LINK_STATE_LIVE && !keychain_send_session(link_keychain(l))) {
        lose(m, p, l, p->reach.state == REACH_DARK ? NULL : "its keys could not be renewed in time", now_us);
    } else if (p->current == l && link_state(l) == LINK_STATE_LIVE) {
        ask_to_renew(m, p, l, now_us);
    }
}

void mesh_tick_links(struct mesh *m, struct peer *p, uint64_t now_us)
{
    for (unsigned i = p->link_count; i-- > 0;)
        tick_link(m, p, p->links[i], now_us);
}
