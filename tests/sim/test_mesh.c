/* SPDX-License-Identifier: Apache-2.0 */
/* Whole control planes under a virtual network and clock: TLS, keys, paths and all. Times are virtual. */

#include "base/clock.h"
#include "control_datagram.h"
#include "promises.h"
#include "proto/link/keychain.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC

static const struct sim_weather fair = {.delay_us = 5000};
static const struct sim_weather stormy = {
    .delay_us = 20000, .jitter_us = 15000, .loss = 0.2, .duplicate = 0.05};

struct pair {
    struct sim *sim;
    struct sim_node *a, *b;
    size_t frame_len;
};

static struct pair seeded_pair(uint64_t seed, const struct sim_weather *weather, uint64_t ratchet_us,
                               uint64_t rehandshake_us)
{
    struct sim *sim = sim_new(seed, weather);
    struct pair p = {.sim = sim, .frame_len = 100};
    p.a = sim_add(sim, true, ratchet_us, rehandshake_us);
    p.b = sim_add(sim, false, ratchet_us, rehandshake_us);
    return p;
}

static struct pair make_pair(const struct sim_weather *weather, uint64_t ratchet_us, uint64_t rehandshake_us)
{
    return seeded_pair(7, weather, ratchet_us, rehandshake_us);
}

/* Nothing else carries for them while datagrams are lost. */
static struct pair udp_pair(const struct sim_weather *weather)
{
    struct pair p = {.sim = sim_new(7, weather), .frame_len = 100};
    p.a = sim_add_carried(p.sim, CARRIERS_UDP);
    p.b = sim_add_carried(p.sim, CARRIERS_UDP);
    return p;
}

static void exchange(void *context)
{
    struct pair *p = context;
    sim_send_frame(p->a, p->b, p->frame_len);
    sim_send_frame(p->b, p->a, p->frame_len);
}

static void nodes_connect_and_find_a_path(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b));
    assert_true(sim_connected(p.b, p.a));
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_string_equal(peer.name, "node-0");
    assert_non_null(strstr(peer.suite, "SecP384r1MLKEM1024"));
    assert_non_null(strstr(peer.suite, aead_suite_name(aead_policy_first(AEAD_AUTO))));
    sim_run(p.sim, 5 * SECOND, exchange, &p);
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.path.size, 1472);
    assert_in_range(peer.path.rtt_us, 10000, 21000);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_int_equal(p.a->frames_received, p.b->frames_sent);
    sim_free(p.sim);
}

static void peer_is_named_by_its_slot_and_nobody_by_another(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct mesh_peer peer;
    struct node_id id;
    const char *name;
    assert_int_equal(mesh_allow(p.a->mesh, identity_id(p.b->identity)), 0);
    for (uint32_t slot = 0; slot < MESH_PEERS_MAX; slot++) /* who may come is no peer yet */
        assert_false(mesh_peer_name(p.a->mesh, slot, &id, &name));
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_true(mesh_peer_name(p.a->mesh, peer.slot, &id, &name));
    assert_int_equal(id_compare(&id, identity_id(p.b->identity)), 0);
    assert_string_equal(name, "node-1");
    assert_false(mesh_peer_name(p.a->mesh, peer.slot + 1, &id, &name));
    assert_false(mesh_peer_name(p.a->mesh, UINT32_MAX, &id, &name));
    sim_free(p.sim);
}

/* Every 8 s, and what probes need. */
static void connected_nodes_rest(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 30 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.b, p.a));
    p.a->ticks = p.b->ticks = 0;
    sim_run(p.sim, 60 * SECOND, NULL, NULL);
    assert_in_range(p.a->ticks, 10, 30);
    assert_in_range(p.b->ticks, 10, 30);
    sim_free(p.sim);
}

static void a_smaller_path_is_measured(void **state)
{
    (void)state;
    struct sim_weather narrow = fair;
    narrow.size_max = 1252;
    struct pair p = make_pair(&narrow, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 8 * SECOND, exchange, &p);
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_in_range(peer.path.size, 1240, 1252);
    sim_free(p.sim);
}

static void both_dialling_at_once_agree_on_one_session(void **state)
{
    (void)state;
    unsigned lower = 0;
    for (uint64_t round = 0; round < 4; round++) {
        struct pair p = seeded_pair(round, &fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        sim_connect(p.a, p.b, NULL);
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 1 * SECOND, NULL, NULL);
        sim_run(p.sim, 10 * SECOND, exchange, &p);
        sim_run(p.sim, 1 * SECOND, NULL, NULL);
        assert_int_equal(p.a->frames_received, p.b->frames_sent);
        assert_int_equal(p.b->frames_received, p.a->frames_sent);
        assert_true(p.a->frames_sent >= 999);
        /* one session each, both the same, whoever it is that has the lower id */
        assert_int_equal(p.a->out_count, 1);
        assert_int_equal(p.a->in_count, 1);
        assert_int_equal(p.b->in_count, 1);
        lower += id_compare(identity_id(p.a->identity), identity_id(p.b->identity)) < 0;
        sim_free(p.sim);
    }
    assert_in_range(lower, 1, 3); /* the seeds were such that it was the one and the other */
}

static void key_changes_lose_nothing(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, 1 * SECOND, 7 * SECOND);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    sim_run(p.sim, 32 * SECOND, exchange, &p);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_true(peer.ratchets >= 20);
    assert_true(peer.handshakes >= 4);
    assert_true(p.a->frames_sent >= 3199);
    assert_int_equal(p.a->frames_received, p.b->frames_sent);
    assert_int_equal(p.b->frames_received, p.a->frames_sent);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST], 0);
    sim_free(p.sim);
}

/* Only the opener, b, can handshake anew; a's interval is shorter. */
static struct pair make_lazy_pair(uint64_t openers_rehandshake_us)
{
    struct pair p = {.sim = sim_new(7, &fair), .frame_len = 100};
    p.a = sim_add(p.sim, true, MESH_RATCHET_US, 12 * SECOND);
    p.b = sim_add(p.sim, false, MESH_RATCHET_US, openers_rehandshake_us);
    sim_connect(p.b, p.a, NULL);
    return p;
}

static void an_opener_that_is_late_handshakes_anew_when_asked(void **state)
{
    (void)state;
    struct pair p = make_lazy_pair(24 * SECOND);
    sim_run(p.sim, 16 * SECOND, exchange, &p);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_int_equal(peer.handshakes, 2);
    assert_int_equal(p.a->notes[MESH_NOTICE_STALE], 0);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST], 0);
    sim_free(p.sim);
}

static void an_opener_that_never_proves_its_key_again_is_told_of_once(void **state)
{
    (void)state;
    struct pair p = {.sim = sim_new(7, &fair), .frame_len = 100};
    p.a = sim_add(p.sim, true, MESH_RATCHET_US, 12 * SECOND);
    p.b = sim_add(p.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    p.b->features_off = HELLO_FEATURE_SESSION; /* as an earlier version */
    sim_start_anew(p.b);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 12 * SECOND, exchange, &p);
    assert_int_equal(p.a->notes[MESH_NOTICE_STALE], 0);
    sim_run(p.sim, 30 * SECOND, exchange, &p);
    assert_int_equal(p.a->notes[MESH_NOTICE_STALE], 1);
    assert_int_equal(p.b->notes[MESH_NOTICE_HANDSHAKE], 0);
    sim_free(p.sim);
}

/* Who can dial need not wait for the other side. */
static void an_acceptor_that_can_dial_renews_by_itself(void **state)
{
    (void)state;
    struct pair p = make_lazy_pair(MESH_REHANDSHAKE_US);
    sim_run(p.sim, 1 * SECOND, exchange, &p);
    sim_connect(p.a, p.b, NULL);
    sim_run(p.sim, 16 * SECOND, exchange, &p);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_true(peer.handshakes >= 2);
    assert_int_equal(p.a->notes[MESH_NOTICE_STALE], 0);
    sim_free(p.sim);
}

/* b offers a step every millisecond. */
static void a_peer_in_haste_does_not_set_the_pace_of_key_changes(void **state)
{
    (void)state;
    struct pair p = {.sim = sim_new(7, &fair), .frame_len = 100};
    p.a = sim_add(p.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    p.b = sim_add(p.sim, false, 1000, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 31 * SECOND, exchange, &p);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_in_range(peer.ratchets, 3, 4);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST] + p.b->notes[MESH_NOTICE_LOST], 0);
    sim_free(p.sim);
}

static void key_changes_survive_loss_and_reordering(void **state)
{
    (void)state;
    struct pair p = make_pair(&stormy, 2 * SECOND, 20 * SECOND);
    p.a->carriers = p.b->carriers = CARRIERS_UDP; /* over TCP there is neither */
    sim_start_anew(p.a);
    sim_start_anew(p.b);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    sim_run(p.sim, 60 * SECOND, exchange, &p);
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.state, MESH_PEER_CONNECTED);
    assert_true(peer.ratchets >= 12);
    assert_true(peer.handshakes >= 3);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST], 0);
    assert_int_equal(p.a->drops[DROP_AUTH], 0);
    /* duplicates are recognised, and the loss is what the weather was */
    assert_true(p.a->drops[DROP_REPLAY] > 0);
    assert_true((double)p.a->frames_received > 0.7 * (double)p.b->frames_sent);
    assert_true(peer.loss > 0.1 && peer.loss < 0.3);
    sim_free(p.sim);
}

static void a_stranger_is_refused_and_both_are_told(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.a, p.b, NULL); /* b is not public and does not know a */
    sim_run(p.sim, 3 * SECOND, exchange, &p);
    assert_false(sim_connected(p.a, p.b));
    assert_int_equal(p.a->notes[MESH_NOTICE_REFUSED_US], 1);
    assert_true(p.b->notes[MESH_NOTICE_REFUSED] >= 1);
    assert_int_equal(p.b->in_count, 0);
    assert_int_equal(p.b->frames_received, 0);
    sim_free(p.sim);
}

/* By whichever side's refusal came first, and in the same words. */
static bool told_once(const struct sim_node *n, bool refused)
{
    static const char words[] = "the other ChaCha20-Poly1305 alone";
    unsigned both = n->notes[MESH_NOTICE_REFUSED] + n->notes[MESH_NOTICE_REFUSED_US];
    return n->notes[MESH_NOTICE_FAILED] == 0 && both == refused &&
           (!refused || strstr(n->last_note[MESH_NOTICE_REFUSED], words) ||
            strstr(n->last_note[MESH_NOTICE_REFUSED_US], words));
}

/* What one side alone can be given both can have; with two sides alone each says once why not. */
static void an_aead_of_one_side_is_taken_and_two_are_refused_in_one_line_each(void **state)
{
    (void)state;
    static const struct {
        enum aead_policy a, b;
        const char *suite; /* NULL: none */
    } cases[] = {{AEAD_AES_ALONE, AEAD_AUTO, "AES-256-GCM"},
                 {AEAD_AUTO, AEAD_CHACHA_ALONE, "ChaCha20-Poly1305"},
                 {AEAD_AES_ALONE, AEAD_CHACHA_ALONE, NULL},
                 {AEAD_CHACHA_ALONE, AEAD_AES_ALONE, NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        struct mesh_peer peer;
        p.a->aead = cases[i].a, p.b->aead = cases[i].b;
        sim_start_anew(p.a);
        sim_start_anew(p.b);
        assert_int_equal(mesh_allow(p.b->mesh, identity_id(p.a->identity)), 0);
        sim_connect(p.a, p.b, NULL);
        sim_run(p.sim, cases[i].suite ? 3 * SECOND : 120 * SECOND, exchange, &p);
        assert_int_equal(sim_connected(p.a, p.b), cases[i].suite != NULL);
        assert_true(sim_peer(p.a, p.b, &peer));
        assert_non_null(strstr(cases[i].suite ? peer.suite : peer.error,
                               cases[i].suite ? cases[i].suite : "no common AEAD"));
        assert_true(told_once(p.a, !cases[i].suite) && told_once(p.b, !cases[i].suite));
        sim_free(p.sim);
    }
}

static void an_allowed_id_is_no_stranger(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    assert_int_equal(mesh_allow(p.b->mesh, identity_id(p.a->identity)), 0);
    sim_connect(p.a, p.b, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b));
    sim_free(p.sim);
}

static void another_key_than_the_one_dialled_is_refused(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct sim_node *c = sim_add(p.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    /* b dials c's id at a's address: a is public and would accept */
    sim_connect(p.b, p.a, identity_id(c->identity));
    sim_run(p.sim, 3 * SECOND, NULL, NULL);
    assert_false(sim_connected(p.b, p.a));
    assert_int_equal(p.b->in_count, 0);
    assert_true(p.b->notes[MESH_NOTICE_FAILED] >= 1);
    assert_non_null(strstr(p.b->last_note[MESH_NOTICE_FAILED], "another node"));
    sim_free(p.sim);
}

/* As when both are behind a NAT: each address fails in its own way, and in any order. */
static void a_peer_at_no_address_is_told_of_in_one_stable_line(void **state)
{
    (void)state;
    struct sim_weather slow = {.delay_us = 5000, .jitter_us = 900000};
    struct pair p = make_pair(&slow, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct mesh_peer peer;
    struct candidate list[3];
    for (unsigned i = 0; i < 3; i++)
        list[i] = (struct candidate){
            CANDIDATE_HOST, {.family = 4, .port = 9443, .ip = {203, 0, 113, (uint8_t)(i + 1)}}, 8443};
    assert_int_equal(mesh_connect(p.b->mesh, identity_id(p.a->identity)), 0);
    mesh_set_record(p.b->mesh, identity_id(p.a->identity), "", list, 3, sim_now(p.sim));
    sim_run(p.sim, 10 * SECOND, NULL, NULL);
    for (unsigned i = 0; i < 120; i++) {
        sim_run(p.sim, 1 * SECOND, NULL, NULL);
        assert_true(sim_peer(p.b, p.a, &peer));
        assert_string_equal(peer.error,
                            "none of its 3 addresses answers; 203.0.113.1:8443: the connection was closed");
    }
    assert_int_equal(p.b->notes[MESH_NOTICE_FAILED], 1);
    sim_free(p.sim);
}

/* What still connects would else do so for as long as the kernel likes; what is connected, for ever. */
static void a_stream_whose_handshake_is_late_is_closed(void **state)
{
    (void)state;
    const uint64_t delays_us[] = {6 * SECOND,
                                  1800000}; /* it never connects; it does, and hears nothing in time */
    for (int i = 0; i < 2; i++) {
        const struct sim_weather slow = {.delay_us = delays_us[i]};
        struct pair p = make_pair(&slow, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 5100000, NULL, NULL);
        assert_int_equal(p.b->closed, 1);
        assert_int_equal(p.b->chunks != 0, i);
        sim_free(p.sim);
    }
}

static void own_id_is_refused(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    assert_int_equal(mesh_connect(p.a->mesh, identity_id(p.a->identity)), ERR_EXISTS);
    assert_int_equal(mesh_disallow(p.a->mesh, identity_id(p.a->identity), sim_now(p.sim)), ERR_EXISTS);
    sim_free(p.sim);
}

static void a_killed_node_is_back_soon(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        struct sim_node *victim = who ? p.a : p.b;
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 3 * SECOND, exchange, &p);
        sim_kill(victim);
        sim_run(p.sim, 2 * SECOND, exchange, &p);
        sim_restart(victim);
        if (victim == p.b)
            sim_connect(p.b, p.a, NULL);
        uint64_t before_a = p.a->frames_received, before_b = p.b->frames_received;
        sim_run(p.sim, 2 * SECOND, exchange, &p);
        assert_true(p.a->frames_received > before_a);
        assert_true(p.b->frames_received > before_b);
        sim_free(p.sim);
    }
}

/* In the copy of a machine keys and counters of the original must seal nothing more. */
static void a_resumed_copy_seals_nothing_under_old_keys_and_connects_anew(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        struct sim_node *resumed = who ? p.a : p.b, *other = who ? p.b : p.a;
        struct mesh_peer peer;
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 1 * SECOND, NULL, NULL);
        sim_run(p.sim, 3 * SECOND, exchange, &p);
        struct session *tx = resumed->out[0].tx;
        uint8_t inner[100] = {0}, out[200];
        const struct slice piece = {inner, sizeof(inner)};
        assert_true(session_seal(tx, WIRE_DATA, 0, &piece, 1, out) > 0);
        uint64_t bytes = resumed->stream_bytes;
        mesh_rekey_all(resumed->mesh, sim_now(p.sim));
        sim_do_outputs(resumed);
        assert_int_equal(resumed->stream_bytes, bytes); /* no goodbye: TLS has counters, too */
        assert_int_equal(session_seal(tx, WIRE_DATA, 0, &piece, 1, out), -DROP_KEY_SPENT);
        assert_false(sim_connected(resumed, other));
        assert_int_equal(resumed->notes[MESH_NOTICE_LOST], 1);
        sim_run(p.sim, SECOND / 100, NULL, NULL);
        assert_false(sim_send_frame(resumed, other, 100));
        assert_int_equal(resumed->in_count, 0);
        sim_run(p.sim, 1 * SECOND, NULL, NULL);
        assert_true(sim_connected(resumed, other) && sim_connected(other, resumed));
        uint64_t before_a = p.a->frames_received, before_b = p.b->frames_received;
        sim_run(p.sim, 1 * SECOND, exchange, &p);
        assert_true(p.a->frames_received >= before_a + 95 && p.b->frames_received >= before_b + 95);
        assert_true(sim_peer(other, resumed, &peer));
        assert_int_equal(peer.handshakes, 2);
        sim_free(p.sim);
    }
}

/* False when it is no handshake any more. */
static bool resume_amid_a_handshake(int who, uint64_t at_us)
{
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct sim_node *resumed = who ? p.a : p.b;
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, at_us, NULL, NULL);
    bool early = !sim_connected(p.b, p.a) && !sim_connected(p.a, p.b);
    uint64_t bytes = resumed->stream_bytes;
    mesh_rekey_all(resumed->mesh, sim_now(p.sim));
    sim_do_outputs(resumed);
    assert_int_equal(resumed->stream_bytes, bytes);
    sim_run(p.sim, 3 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    sim_free(p.sim);
    return early;
}

static void a_copy_resumed_amid_a_handshake_begins_another(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        uint64_t at_us = SECOND / 50;
        while (resume_amid_a_handshake(who, at_us))
            at_us += SECOND / 200;
        assert_true(at_us > SECOND / 40);
    }
}

static void streams_may_drop_without_harming_the_session(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    sim_run(p.sim, 1 * SECOND, exchange, &p);
    sim_cut_streams(p.sim);
    sim_run(p.sim, 5 * SECOND, exchange, &p);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_int_equal(p.a->frames_received, p.b->frames_sent);
    assert_int_equal(p.b->frames_received, p.a->frames_sent);
    assert_true(p.b->frames_sent >= 599);
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.handshakes, 2);
    sim_free(p.sim);
}

/* Datagrams alone: the connection stands. 2 s after the last path was found broken, which takes a look each half
 * second. */
static void a_peer_without_paths_is_dialled_anew_in_time(void **state)
{
    (void)state;
    struct pair p = udp_pair(&fair);
    struct mesh_peer peer;
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 10 * SECOND, exchange, &p);
    unsigned dialled = sim_dialled(p.sim);
    sim_weather(p.sim)->loss = 1;
    do {
        sim_run(p.sim, SECOND / 100, exchange, &p);
        assert_true(sim_peer(p.b, p.a, &peer));
    } while (peer.path.state == PATH_STATE_PROVEN);
    sim_run(p.sim, 19 * SECOND / 10, exchange, &p);
    assert_int_equal(sim_dialled(p.sim), dialled);
    sim_run(p.sim, 7 * SECOND / 10, exchange, &p);
    assert_true(sim_dialled(p.sim) > dialled);
    sim_free(p.sim);
}

/* Datagrams alone are lost: handshakes succeed, and bring no path. */
static void handshakes_that_bring_no_path_are_repeated_ever_more_rarely(void **state)
{
    (void)state;
    struct pair p = udp_pair(&fair);
    struct mesh_peer before, peer;
    sim_connect(p.b, p.a, NULL);
    sim_connect(p.a, p.b, NULL);
    sim_run(p.sim, 10 * SECOND, exchange, &p);
    sim_weather(p.sim)->loss = 1;
    sim_run(p.sim, 2 * SECOND, exchange, &p);
    assert_true(sim_peer(p.b, p.a, &before));
    uint32_t last = before.handshakes;
    for (int second = 0; second < 60; second++) {
        sim_run(p.sim, 1 * SECOND, exchange, &p);
        assert_true(sim_peer(p.b, p.a, &peer));
        assert_in_range(peer.handshakes - last, 0, 2); /* of which both ends may have opened one */
        last = peer.handshakes;
    }
    assert_in_range(last - before.handshakes, 2, 10);
    sim_weather(p.sim)->loss = 0;
    sim_run(p.sim, 40 * SECOND, exchange, &p);
    uint64_t received = p.a->frames_received;
    sim_run(p.sim, 1 * SECOND, exchange, &p);
    assert_true(p.a->frames_received >= received + 95);
    /* proven by a path, another failure is answered as soon as the first */
    sim_weather(p.sim)->loss = 1;
    sim_run(p.sim, 6 * SECOND, exchange, &p);
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_true(peer.handshakes > last);
    sim_free(p.sim);
}

static enum mesh_peer_state state_at(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    assert_true(sim_peer(n, other, &peer));
    return peer.state;
}

static void connected_means_that_data_can_flow(void **state)
{
    (void)state;
    struct pair p = udp_pair(&fair);
    struct mesh_peer peer;
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 30 * SECOND, NULL, NULL);
    assert_int_equal(state_at(p.b, p.a), MESH_PEER_CONNECTED);
    sim_weather(p.sim)->loss = 1; /* the connection stands */
    sim_run(p.sim, 10 * SECOND, NULL, NULL);
    assert_int_equal(state_at(p.a, p.b), MESH_PEER_NO_PATH);
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_string_equal(mesh_peer_state_name(peer.state), "no path");
    assert_non_null(
        strstr(peer.error, "198.18.0.1:9443: do the firewalls on both sides pass UDP port 9443?"));
    assert_in_range(sim_now(p.sim) - peer.state_us, SECOND, 10 * SECOND);
    /* for as long as it lasts, also when keys are spent and renewed, it is told once */
    sim_run(p.sim, 600 * SECOND, NULL, NULL);
    assert_int_equal(state_at(p.b, p.a), MESH_PEER_NO_PATH);
    assert_int_equal(p.b->notes[MESH_NOTICE_NO_PATH], 1);
    assert_int_equal(p.b->notes[MESH_NOTICE_LOST] + p.a->notes[MESH_NOTICE_LOST], 0);
    assert_int_equal(p.b->notes[MESH_NOTICE_CONNECTED], 1);
    sim_weather(p.sim)->loss = 0;
    sim_run(p.sim, 10 * SECOND, NULL, NULL);
    assert_int_equal(state_at(p.a, p.b), MESH_PEER_CONNECTED);
    assert_int_equal(state_at(p.b, p.a), MESH_PEER_CONNECTED);
    assert_int_equal(p.b->notes[MESH_NOTICE_CONNECTED], 2);
    assert_non_null(strstr(p.b->last_note[MESH_NOTICE_CONNECTED], "without a path"));
    sim_free(p.sim);
}

static void a_session_without_any_path_is_never_called_connected(void **state)
{
    (void)state;
    struct sim_weather no_udp = fair;
    no_udp.loss = 1;
    struct pair p = udp_pair(&no_udp);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_int_equal(state_at(p.b, p.a), MESH_PEER_CONNECTING);
    sim_run(p.sim, 4 * SECOND, NULL, NULL);
    assert_int_equal(state_at(p.b, p.a), MESH_PEER_NO_PATH);
    assert_int_equal(state_at(p.a, p.b), MESH_PEER_NO_PATH);
    assert_int_equal(p.b->notes[MESH_NOTICE_NO_PATH], 1);
    assert_int_equal(p.b->notes[MESH_NOTICE_CONNECTED], 0);
    sim_free(p.sim);
}

static void a_killed_peer_is_soon_not_connected_and_its_return_is_told(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        struct sim_node *victim = who ? p.a : p.b, *other = who ? p.b : p.a;
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 30 * SECOND, NULL, NULL);
        sim_kill(victim);
        sim_run(p.sim, 4 * SECOND, NULL, NULL);
        assert_int_equal(state_at(other, victim), MESH_PEER_NO_PATH);
        assert_int_equal(other->notes[MESH_NOTICE_NO_PATH], 1);
        sim_restart(victim);
        if (victim == p.b)
            sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 4 * SECOND, NULL, NULL);
        assert_int_equal(state_at(other, victim), MESH_PEER_CONNECTED);
        assert_int_equal(other->notes[MESH_NOTICE_CONNECTED], 2);
        assert_int_equal(other->notes[MESH_NOTICE_REACHED], other == p.b);
        sim_free(p.sim);
    }
}

static void a_moved_node_is_back_within_two_seconds(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 3 * SECOND, exchange, &p);
        sim_move(who ? p.a : p.b);
        sim_run(p.sim, 2 * SECOND, exchange, &p);
        uint64_t a = p.a->frames_received, b = p.b->frames_received;
        sim_run(p.sim, 1 * SECOND, exchange, &p);
        assert_true(p.a->frames_received - a >= 98);
        assert_true(p.b->frames_received - b >= 98);
        sim_free(p.sim);
    }
}

static void send_to_b(void *context)
{
    struct pair *p = context;
    sim_send_frame(p->a, p->b, p->frame_len);
}

static void a_nat_that_forgot_an_idle_node_is_opened_from_inside(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    p.b->behind_nat = true;
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    struct mesh_peer peer;
    for (int round = 0; round < 5; round++) {
        sim_run(p.sim, 27 * SECOND + (uint64_t)round * SECOND, NULL, NULL);
        p.b->mapped = false;
        uint64_t before = p.b->frames_received;
        assert_true(sim_peer(p.b, p.a, &peer));
        bool woken = peer.control == MESH_CONTROL_TCP; /* else b's next probe opens it */
        assert_int_equal(woken, round < 2);
        sim_run(p.sim, (woken ? 2 : 8) * SECOND, send_to_b, &p);
        assert_true(p.b->frames_received > before);
    }
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.handshakes, 1);
    sim_free(p.sim);
}

/* Its clock counts the time, and its peer has ended the session by then. */
static void a_node_whose_machine_slept_is_back_within_three_seconds(void **state)
{
    static const unsigned minutes[] = {1, 70};
    (void)state;
    for (unsigned i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
        struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        p.b->behind_nat = true;
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 5 * SECOND, exchange, &p);
        p.b->asleep = true;
        p.b->mapped = false;
        sim_run(p.sim, minutes[i] * 60 * SECOND, NULL, NULL);
        p.b->asleep = false;
        mesh_network_changed(p.b->mesh, 1472, sim_now(p.sim));
        sim_do_outputs(p.b);
        uint64_t received = p.b->frames_received;
        sim_run(p.sim, 3 * SECOND, exchange, &p);
        assert_true(p.b->frames_received > received);
        assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
        sim_free(p.sim);
    }
}

static void overlay_addresses_are_never_used_as_underlay(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct candidate list[2] = {{CANDIDATE_HOST, p.a->addr, (uint16_t)(p.a->addr.port - 1000)}};
    list[1] = list[0];
    list[1].addr.ip[0] = 10;
    mesh_set_candidates(p.a->mesh, list, 2, sim_now(p.sim));
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.path_count, 1);
    sim_free(p.sim);
}

/* Loopback, link-local, reserved and group addresses are never another machine's: whoever names them wants us
 * to knock at our own door, or at our neighbours'. */
static void addresses_of_no_other_machine_are_neither_probed_nor_dialled(void **state)
{
    (void)state;
    static const char *const named[] = {
        "127.0.0.1:9443", "169.254.169.254:9443", "0.0.0.1:9443",    "255.255.255.255:9443",
        "[::1]:9443",     "[fe80::1]:9443",       "[::7f00:1]:9443", "[64:ff9b::7f00:1]:9443"};
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    p.b->features_off = HELLO_FEATURE_SESSION; /* else its session is asked first */
    sim_start_anew(p.b);
    struct candidate list[CANDIDATES_MAX] = {{CANDIDATE_HOST, p.a->addr, (uint16_t)(p.a->addr.port - 1000)}};
    unsigned count = 1;
    for (unsigned i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        list[count] = (struct candidate){CANDIDATE_STATIC, {0}, 22};
        assert_int_equal(addr_parse(named[i], 1, &list[count++].addr), 0);
    }
    assert_int_equal(mesh_connect(p.b->mesh, identity_id(p.a->identity)), 0);
    mesh_set_candidates(p.a->mesh, list, count, sim_now(p.sim));
    mesh_set_record(p.b->mesh, identity_id(p.a->identity), "", list, count, sim_now(p.sim));
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.b, p.a));
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.path_count, 1);
    unsigned dialled = sim_dialled(p.sim);
    sim_cut_streams(p.sim);
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    assert_int_equal(sim_dialled(p.sim), dialled + 1);
    sim_free(p.sim);
}

/* News of addresses makes no haste beyond five dials a second, so that a peer cannot make us scan others. */
static void addresses_that_change_often_are_dialled_at_a_bounded_rate(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    assert_int_equal(mesh_connect(p.b->mesh, identity_id(p.a->identity)), 0);
    struct candidate victim = {CANDIDATE_HOST, {.family = 4, .port = 9443, .ip = {203, 0, 113, 7}}, 1};
    for (unsigned i = 0; i < 1000; i++) {
        victim.control_port = (uint16_t)(1 + i);
        mesh_set_record(p.b->mesh, identity_id(p.a->identity), "", &victim, 1, sim_now(p.sim));
        sim_run(p.sim, 10000, NULL, NULL);
    }
    assert_in_range(sim_dialled(p.sim), 10, 51);
    sim_free(p.sim);
}

static void a_listener_that_moved_is_dialled_at_its_new_address(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL); /* at a's present address, with no directory to ask */
    sim_run(p.sim, 2 * SECOND, exchange, &p);
    sim_move(p.a);
    sim_run(p.sim, 20 * SECOND, exchange, &p);
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.handshakes, 2);
    sim_free(p.sim);
}

/* An address that seems to change all the time, forged or not, is not everybody's business each time. */
static void a_wanted_peer_is_looked_up_only_while_it_is_not_connected(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    assert_true(p.b->wants);
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_true(sim_connected(p.b, p.a));
    assert_false(p.b->wants);
    sim_kill(p.a);
    sim_run(p.sim, 300 * SECOND, NULL, NULL);
    assert_true(p.b->wants);
    sim_free(p.sim);
}

static void goodbye_ends_the_session_at_once(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    mesh_shutdown(p.b->mesh, sim_now(p.sim));
    sim_do_outputs(p.b);
    sim_kill(p.b);
    sim_run(p.sim, SECOND / 10, NULL, NULL);
    assert_int_equal(p.a->in_count, 0);
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST], 1);
    sim_free(p.sim);
}

/* b has dialled a, which is public. */
static struct pair connected_pair(void)
{
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    return p;
}

static void disallow(struct pair *p)
{
    assert_int_equal(mesh_disallow(p->a->mesh, identity_id(p->b->identity), sim_now(p->sim)), 0);
    sim_do_outputs(p->a);
}

static void a_disallowed_peer_is_without_a_session_at_both_sides_at_once(void **state)
{
    (void)state;
    struct pair p = connected_pair();
    struct mesh_peer peer;
    disallow(&p);
    assert_int_equal(p.a->in_count, 0);
    assert_int_equal(p.a->out_count, 0);
    sim_run(p.sim, SECOND / 100, NULL, NULL); /* the way of one message */
    assert_int_equal(p.b->in_count, 0);
    assert_int_equal(p.b->out_count, 0);
    assert_string_equal(p.a->last_note[MESH_NOTICE_LOST], "it is admitted no longer");
    assert_string_equal(p.b->last_note[MESH_NOTICE_LOST], "it admits us no longer");
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_string_equal(peer.error, "it admits us no longer");
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_int_equal(peer.state, MESH_PEER_DISALLOWED);
    sim_free(p.sim);
}

static void a_disallowed_peer_is_refused_until_it_is_allowed_again(void **state)
{
    (void)state;
    struct pair p = connected_pair();
    struct mesh_peer peer;
    disallow(&p);
    sim_run(p.sim, 60 * SECOND, exchange, &p);
    assert_int_equal(p.a->frames_received + p.b->frames_received, 0);
    assert_int_equal(p.a->in_count, 0);
    assert_true(p.a->notes[MESH_NOTICE_REFUSED] >= 1);
    assert_non_null(strstr(p.a->last_note[MESH_NOTICE_REFUSED], "disallowed"));
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.state, MESH_PEER_REFUSED);
    assert_non_null(strstr(peer.error, "taken off"));
    assert_int_equal(mesh_allow(p.a->mesh, identity_id(p.b->identity)), 0);
    sim_run(p.sim, 20 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    sim_free(p.sim);
}

/* a has dialled b, which is not public and admits it. */
static struct pair admitted_pair(void)
{
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    assert_int_equal(mesh_allow(p.b->mesh, identity_id(p.a->identity)), 0);
    sim_connect(p.a, p.b, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    return p;
}

static void withdraw(struct pair *p)
{
    assert_int_equal(mesh_withdraw(p->b->mesh, identity_id(p->a->identity), sim_now(p->sim)), 0);
    sim_do_outputs(p->b);
}

static void a_peer_whose_admission_is_withdrawn_is_a_stranger(void **state)
{
    (void)state;
    struct pair p = admitted_pair();
    struct mesh_peer peer;
    withdraw(&p);
    assert_int_equal(p.b->in_count, 0);
    sim_run(p.sim, SECOND / 100, NULL, NULL); /* the way of one message */
    assert_int_equal(p.a->in_count, 0);
    assert_string_equal(p.a->last_note[MESH_NOTICE_LOST], "it admits us no longer");
    sim_run(p.sim, 60 * SECOND, exchange, &p);
    assert_int_equal(p.a->frames_received + p.b->frames_received, 0);
    assert_false(sim_peer(p.b, p.a, &peer)); /* it takes nobody's place */
    assert_int_equal(mesh_withdraw(p.b->mesh, identity_id(p.a->identity), sim_now(p.sim)), ERR_NOT_FOUND);
    assert_int_equal(mesh_allow(p.b->mesh, identity_id(p.a->identity)), 0);
    sim_run(p.sim, 60 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    sim_free(p.sim);
}

static void a_peer_that_is_dialled_keeps_its_session_when_it_is_withdrawn(void **state)
{
    (void)state;
    struct pair p = admitted_pair();
    assert_int_equal(mesh_connect(p.b->mesh, identity_id(p.a->identity)), 0);
    withdraw(&p);
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    assert_int_equal(p.a->notes[MESH_NOTICE_LOST] + p.b->notes[MESH_NOTICE_LOST], 0);
    sim_free(p.sim);
}

/* The tables go first, then the last words, the end of the stream, and what was learned. */
static void what_is_taken_back_is_done_in_order(void **state)
{
    (void)state;
    struct pair p = connected_pair();
    const struct mesh_output *o;
    enum mesh_output_kind kinds[16] = {0};
    unsigned count = 0, sessions = 0;
    struct mesh_forward forward;
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_int_equal(mesh_disallow(p.a->mesh, identity_id(p.b->identity), sim_now(p.sim)), 0);
    mesh_forward(p.a->mesh, peer.slot, &forward);
    assert_null(forward.tx);
    assert_int_equal(forward.rx_count, 0);
    while ((o = mesh_take_output(p.a->mesh)) && count < 16) {
        kinds[count++] = o->kind;
        if (o->kind == MESH_OUTPUT_RETIRE) {
            session_free(o->session);
            sessions++;
        }
    }
    static const enum mesh_output_kind wanted[] = {MESH_OUTPUT_PUBLISH,      MESH_OUTPUT_STREAM_SEND,
                                                   MESH_OUTPUT_STREAM_CLOSE, MESH_OUTPUT_RETIRE,
                                                   MESH_OUTPUT_NOTICE,       MESH_OUTPUT_GONE};
    assert_int_equal(count, sizeof(wanted) / sizeof(wanted[0]));
    assert_memory_equal(kinds, wanted, sizeof(wanted));
    assert_int_equal(sessions, 1);
    p.a->in_count = 0; /* what it held was freed here */
    sim_free(p.sim);
}

static void a_handshake_that_runs_ends_when_its_peer_is_disallowed(void **state)
{
    (void)state;
    for (unsigned ms = 5; ms < 60; ms += 5) {
        struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        struct mesh_peer peer;
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, ms * 1000ull, NULL, NULL);
        disallow(&p);
        sim_run(p.sim, 3 * SECOND, exchange, &p);
        assert_int_equal(p.a->in_count + p.b->in_count, 0);
        assert_int_equal(p.a->frames_received + p.b->frames_received, 0);
        assert_true(sim_peer(p.b, p.a, &peer));
        assert_int_equal(peer.state, MESH_PEER_REFUSED);
        sim_free(p.sim);
    }
}

/* Its connection was cut, so no goodbye reaches it: the refusal of the next one ends its session. */
static void a_refusal_ends_the_session_that_the_refused_still_has(void **state)
{
    (void)state;
    struct pair p = connected_pair();
    sim_cut_streams(p.sim);
    disallow(&p);
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    assert_int_equal(p.b->in_count, 0);
    assert_int_equal(p.b->notes[MESH_NOTICE_LOST], 1);
    sim_free(p.sim);
}

/* Who accepts does not dial, and would not be refused: a goodbye in datagrams reaches it. */
static void a_goodbye_comes_in_datagrams_where_the_stream_is_gone(void **state)
{
    (void)state;
    for (int shutdown = 0; shutdown < 2; shutdown++) {
        struct pair p = connected_pair();
        sim_cut_streams(p.sim);
        sim_run(p.sim, 1, NULL, NULL); /* both have noticed, and b's next dial is on its way */
        if (shutdown)
            mesh_shutdown(p.b->mesh, sim_now(p.sim));
        else
            assert_int_equal(mesh_disconnect(p.b->mesh, identity_id(p.a->identity), sim_now(p.sim)), 0);
        sim_do_outputs(p.b);
        sim_run(p.sim, SECOND / 50, NULL, NULL);
        assert_int_equal(p.a->in_count, 0);
        assert_string_equal(p.a->last_note[MESH_NOTICE_LOST],
                            shutdown ? "it said goodbye" : "it was told to disconnect");
        sim_free(p.sim);
    }
}

static void a_disconnected_peer_is_dialled_no_more(void **state)
{
    (void)state;
    struct pair p = connected_pair();
    struct mesh_peer peer;
    const struct node_id *a = identity_id(p.a->identity);
    assert_int_equal(mesh_disconnect(p.b->mesh, a, sim_now(p.sim)), 0);
    sim_do_outputs(p.b);
    assert_int_equal(p.b->in_count, 0);
    sim_run(p.sim, SECOND / 100, NULL, NULL);
    assert_int_equal(p.a->in_count, 0);
    assert_string_equal(p.b->last_note[MESH_NOTICE_LOST], "disconnected on request");
    assert_string_equal(p.a->last_note[MESH_NOTICE_LOST], "it was told to disconnect");
    unsigned dialled = sim_dialled(p.sim);
    sim_run(p.sim, 60 * SECOND, NULL, NULL);
    assert_int_equal(sim_dialled(p.sim), dialled);
    assert_false(sim_peer(p.b, p.a, &peer));
    assert_int_equal(mesh_disconnect(p.b->mesh, a, sim_now(p.sim)), ERR_NOT_FOUND);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    sim_free(p.sim);
}

static void a_dial_that_runs_ends_with_disconnect(void **state)
{
    (void)state;
    for (unsigned ms = 5; ms < 60; ms += 5) {
        struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, ms * 1000ull, NULL, NULL);
        assert_int_equal(mesh_disconnect(p.b->mesh, identity_id(p.a->identity), sim_now(p.sim)), 0);
        sim_do_outputs(p.b);
        sim_run(p.sim, 3 * SECOND, exchange, &p);
        assert_int_equal(p.a->in_count + p.b->in_count, 0);
        assert_int_equal(sim_dialled(p.sim), 1);
        sim_free(p.sim);
    }
}

static void ping_is_answered(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(mesh_ping(p.b->mesh, peer.slot, 5, sim_now(p.sim)), 0);
    sim_run(p.sim, SECOND / 10, NULL, NULL);
    assert_in_range(p.b->pong_us, 10000, 12000);
    assert_int_equal(mesh_ping(p.b->mesh, 1000, 5, sim_now(p.sim)), ERR_NOT_FOUND);
    sim_free(p.sim);
}

static void two_hosts_with_one_key_are_told_of_and_take_turns_slowly(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct sim_node *c = sim_add_copy(p.b);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.b, p.a));
    sim_connect(c, p.a, NULL);
    sim_run(p.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_connected(c, p.a) && !sim_connected(p.b, p.a));
    assert_int_equal(p.b->notes[MESH_NOTICE_OWN_KEY], 1);
    assert_non_null(strstr(p.b->last_note[MESH_NOTICE_OWN_KEY], "198.18.0.3"));
    struct mesh_peer peer;
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_int_equal(peer.state, MESH_PEER_BACKOFF);
    assert_non_null(strstr(peer.error, "another host uses our key"));
    assert_int_equal(p.a->notes[MESH_NOTICE_SHARED_KEY], 0); /* b may have been started anew */
    sim_run(p.sim, 60 * SECOND, NULL, NULL);
    assert_int_equal(c->notes[MESH_NOTICE_OWN_KEY], 1);
    assert_true(p.a->notes[MESH_NOTICE_SHARED_KEY] >= 1);
    assert_non_null(strstr(p.a->last_note[MESH_NOTICE_SHARED_KEY], "198.18.0.2"));
    assert_non_null(strstr(p.a->last_note[MESH_NOTICE_SHARED_KEY], "198.18.0.3"));
    sim_run(p.sim, 3600 * SECOND, NULL, NULL);
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_in_range(peer.handshakes, 4, 40);
    assert_int_equal(p.a->notes[MESH_NOTICE_REFUSED], 0);
    sim_free(p.sim);
}

static void a_restart_is_no_second_host_with_one_key(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.a, p.b, NULL);
    for (int round = 0; round < 4; round++) {
        sim_connect(p.b, p.a, NULL);
        sim_run(p.sim, 3 * SECOND, exchange, &p);
        sim_kill(p.b);
        sim_restart(p.b);
    }
    assert_int_equal(p.a->notes[MESH_NOTICE_SHARED_KEY] + p.b->notes[MESH_NOTICE_OWN_KEY], 0);
    sim_free(p.sim);
}

static void many_nodes_form_a_full_mesh(void **state)
{
    (void)state;
    enum { N = 8 };
    struct sim *sim = sim_new(11, &stormy);
    struct sim_node *nodes[N];
    for (int i = 0; i < N; i++)
        nodes[i] = sim_add(sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if (i != j)
                sim_connect(nodes[i], nodes[j], NULL);
    sim_run(sim, 10 * SECOND, NULL, NULL);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            assert_true(i == j || sim_connected(nodes[i], nodes[j]));
    sim_free(sim);
}

static void connections_of_one_host_are_limited(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct addr stranger = p.b->addr, other = p.b->addr;
    stranger.ip[3] = 200;
    other.ip[3] = 201;
    unsigned accepted = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t conn = sim_accept(p.a->mesh, &stranger, sim_now(p.sim));
        accepted += conn != 0;
        mesh_on_closed(p.a->mesh, conn, "gone", sim_now(p.sim));
    }
    assert_int_equal(accepted, 32);
    assert_int_not_equal(sim_accept(p.a->mesh, &other, sim_now(p.sim)), 0);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_int_not_equal(sim_accept(p.a->mesh, &stranger, sim_now(p.sim)), 0);
    sim_free(p.sim);
}

/* At the one end, as far as datagrams are sent there. */
static bool has_warm_lanes(const struct sim_node *n)
{
    assert_int_equal(n->out_count, 1);
    return session_is_warm(n->out[0].tx);
}

static void lanes_have_ciphers_of_their_own_while_they_are_used(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 5 * SECOND, NULL, NULL);
    assert_false(has_warm_lanes(p.a) || has_warm_lanes(p.b));
    for (unsigned round = 0; round < 2; round++) {
        sim_run(p.sim, 3 * MESH_RATCHET_US, exchange, &p);
        assert_true(has_warm_lanes(p.a) && has_warm_lanes(p.b));
        sim_run(p.sim, 2 * KEYCHAIN_COOL_US + SECOND, NULL, NULL);
        assert_false(has_warm_lanes(p.a) || has_warm_lanes(p.b));
    }
    assert_int_equal(p.a->frames_received, p.b->frames_sent);
    assert_int_equal(p.b->frames_received, p.a->frames_sent);
    assert_true(p.a->frames_sent > 1000);
    sim_free(p.sim);
}

static void guest_that_leaves_gives_back_its_room(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    size_t before = promises(p.a->mesh);
    uint64_t conn = sim_accept(p.a->mesh, &p.b->addr, sim_now(p.sim));
    assert_int_not_equal(conn, 0);
    assert_int_equal(promises(p.a->mesh), before + 1);
    mesh_on_closed(p.a->mesh, conn, "gone", sim_now(p.sim));
    assert_int_equal(promises(p.a->mesh), before);
    sim_free(p.sim);
}

/* Strangers at a's door: 1,000 connections a second from 256 /64s, kept until a gives them up. */
struct flood {
    struct pair pair;
    unsigned prefix_byte; /* of the address, by which the /64s differ */
    unsigned next;
    const uint8_t *hello; /* what each says; NULL: nothing */
    size_t hello_len;
};

static void ten_strangers(void *context)
{
    struct flood *f = context;
    struct mesh *mesh = f->pair.a->mesh;
    uint64_t now_us = sim_now(f->pair.sim);
    for (unsigned i = 0; i < 10; i++, f->next++) {
        struct addr stranger = {.family = 6, .port = 1000, .ip = {0x20, 0x01, 0x0d, 0xb8}};
        stranger.ip[f->prefix_byte] = (uint8_t)f->next;
        stranger.ip[15] = (uint8_t)(f->next >> 8);
        uint64_t conn = sim_accept(mesh, &stranger, now_us);
        if (conn && f->hello)
            mesh_on_bytes(mesh, conn, f->hello, f->hello_len, now_us);
    }
}

/* Peer b, of whom a knows no address, comes when the flood has stood for six seconds. */
static void allowed_peer_comes_during(struct flood f)
{
    f.pair = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct sim_node *stranger = sim_add(f.pair.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct sim_node *guarded = f.pair.b; /* is not public */
    uint8_t hello[8192];
    if (f.hello) {
        f.hello_len = sim_client_hello(stranger, hello, sizeof(hello));
        f.hello = hello;
    }
    f.pair.b = f.pair.a;
    f.pair.a = guarded;
    assert_int_equal(mesh_allow(guarded->mesh, identity_id(f.pair.b->identity)), 0);
    sim_run(f.pair.sim, 6 * SECOND, ten_strangers, &f);
    sim_connect(f.pair.b, guarded, NULL);
    sim_run(f.pair.sim, 3 * SECOND, ten_strangers, &f);
    assert_true(sim_connected(f.pair.b, guarded));
    sim_free(f.pair.sim);
}

static void silent_strangers_of_256_subnets_keep_no_peer_out(void **state)
{
    (void)state;
    allowed_peer_comes_during((struct flood){.prefix_byte = 7}); /* of one /56 */
    allowed_peer_comes_during((struct flood){.prefix_byte = 5}); /* of as many /48s */
}

static void handshakes_of_256_subnets_keep_no_peer_out(void **state)
{
    (void)state;
    static const uint8_t yes[1];
    allowed_peer_comes_during((struct flood){.prefix_byte = 7, .hello = yes});
    allowed_peer_comes_during((struct flood){.prefix_byte = 5, .hello = yes});
}

static void strangers_do_not_use_up_what_a_known_peer_beside_them_is_granted(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct addr stranger = p.a->addr, other = p.a->addr;
    stranger.ip[3] = other.ip[3] ^ 1;
    assert_int_equal(mesh_allow(p.b->mesh, identity_id(p.a->identity)), 0);
    sim_connect(p.a, p.b, NULL); /* from where a is known henceforth */
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b));
    for (unsigned i = 0; i < 1000; i++, stranger.ip[3] = (stranger.ip[3] + 1) & 15)
        if (!addr_same_host(&stranger, &p.a->addr))
            sim_accept(p.b->mesh, &stranger, sim_now(p.sim));
    other.ip[3] ^= 15;
    assert_int_equal(sim_accept(p.b->mesh, &other, sim_now(p.sim)), 0);
    assert_int_not_equal(sim_accept(p.b->mesh, &p.a->addr, sim_now(p.sim)), 0);
    sim_free(p.sim);
}

static void hostile_datagrams_are_counted_drops(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    const struct endpoint from = endpoint_udp(&p.b->addr);
    uint8_t junk[200];
    for (unsigned i = 0; i < 2000; i++) {
        memset(junk, (int)i, sizeof(junk));
        junk[0] = (uint8_t)(0x20 + i % 4);
        junk[1] = 15;
        junk[2] = junk[3] = 0;
        assert_int_not_equal(control_datagram(p.a->mesh, &from, junk, i % sizeof(junk), sim_now(p.sim)),
                             DROP_NONE);
    }
    sim_run(p.sim, 1 * SECOND, exchange, &p);
    assert_true(p.a->frames_received > 90);
    sim_free(p.sim);
}

/* Sent to everybody on the wire, or under our feet while addresses change: nothing can leave from there. */
static void only_an_address_of_ours_becomes_a_paths_local_one(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 1 * SECOND, NULL, NULL);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    struct endpoint from = endpoint_udp(&(struct addr){.family = 4, .port = 9443, .ip = {203, 0, 113, 1}});
    from.local = (struct addr){.family = 4, .ip = {198, 18, 255, 255}};
    mesh_on_source(p.a->mesh, peer.slot, &from, sim_now(p.sim));
    from.remote.port++;
    from.local = p.a->addr;
    from.local.port = 0;
    mesh_on_source(p.a->mesh, peer.slot, &from, sim_now(p.sim));
    assert_true(sim_peer(p.a, p.b, &peer));
    unsigned found = 0;
    for (size_t i = 0; i < peer.path_count; i++) {
        const struct endpoint *e = &peer.paths[i].endpoint;
        found += e->remote.port == 9443 && e->remote.ip[0] == 203 && e->local.family == 0;
        found += e->remote.port == 9444 && addr_same_host(&e->local, &p.a->addr);
    }
    assert_int_equal(found, 2);
    sim_free(p.sim);
}

/* Seals what b says on the control lane and gives it to a at once; returns how often a dropped it for the rate. */
static uint64_t flood_control_lane(struct pair *p, enum wire_type type, const uint8_t *body, size_t len,
                                   unsigned count)
{
    uint64_t before = p->a->drops[DROP_CONTROL_RATE];
    uint8_t datagram[2048], head[WIRE_INNER_LEN] = {0};
    const struct slice pieces[] = {{head, sizeof(head)}, {body, len}};
    const struct endpoint from = endpoint_udp(&p->b->addr);
    for (unsigned i = 0; i < count; i++) {
        int n = session_seal(p->b->out[0].tx, type, WIRE_LANE_CONTROL, pieces, 2, datagram);
        assert_true(n > 0);
        p->a->drops[control_datagram(p->a->mesh, &from, datagram, (size_t)n, sim_now(p->sim))]++;
    }
    return p->a->drops[DROP_CONTROL_RATE] - before;
}

static void a_peers_control_datagrams_have_a_rate_by_kind(void **state)
{
    (void)state;
    struct pair p = make_pair(&fair, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 5 * SECOND, exchange, &p);
    uint8_t probe[PATH_PROBE_LEN];
    path_probe_encode(&(struct path_probe){.kind = PATH_PROBE_REQUEST, .token = 7}, probe);
    assert_in_range(flood_control_lane(&p, WIRE_PROBE, probe, sizeof(probe), 5000), 4500, 4510);
    static const uint8_t later_type[] = {0xa1, 0x00, 0x18, 0xc8};
    assert_in_range(flood_control_lane(&p, WIRE_CONTROL, later_type, sizeof(later_type), 5000), 4800, 4810);
    sim_run(p.sim, 2 * SECOND, exchange, &p);
    assert_int_equal(flood_control_lane(&p, WIRE_PROBE, probe, sizeof(probe), 400), 0);
    assert_true(sim_connected(p.a, p.b));
    sim_free(p.sim);
}

static void move_candidate(void *context)
{
    struct pair *p = context;
    struct candidate c = {CANDIDATE_HOST, p->b->addr, 0};
    static uint8_t turn;
    c.addr.port = (uint16_t)(1000 + turn++);
    mesh_set_candidates(p->b->mesh, &c, 1, sim_now(p->sim));
    exchange(p);
}

/* On a path that loses and reorders, with keys and addresses that change all the time. */
static void an_honest_node_in_trouble_stays_within_its_allowance(void **state)
{
    (void)state;
    struct pair p = make_pair(&stormy, 1 * SECOND, 10 * SECOND);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 120 * SECOND, move_candidate, &p);
    assert_int_equal(p.a->notes[MESH_NOTICE_EXCESS] + p.b->notes[MESH_NOTICE_EXCESS], 0);
    assert_int_equal(p.a->drops[DROP_CONTROL_RATE] + p.b->drops[DROP_CONTROL_RATE], 0);
    assert_int_equal(p.a->notes[MESH_NOTICE_REFUSED], 0);
    struct mesh_peer peer;
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_true(peer.handshakes >= 10 && peer.ratchets >= 60);
    sim_free(p.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_connect_and_find_a_path),
        cmocka_unit_test(peer_is_named_by_its_slot_and_nobody_by_another),
        cmocka_unit_test(connected_nodes_rest),
        cmocka_unit_test(a_smaller_path_is_measured),
        cmocka_unit_test(both_dialling_at_once_agree_on_one_session),
        cmocka_unit_test(key_changes_lose_nothing),
        cmocka_unit_test(an_opener_that_is_late_handshakes_anew_when_asked),
        cmocka_unit_test(an_opener_that_never_proves_its_key_again_is_told_of_once),
        cmocka_unit_test(an_acceptor_that_can_dial_renews_by_itself),
        cmocka_unit_test(a_peer_in_haste_does_not_set_the_pace_of_key_changes),
        cmocka_unit_test(key_changes_survive_loss_and_reordering),
        cmocka_unit_test(a_stranger_is_refused_and_both_are_told),
        cmocka_unit_test(an_aead_of_one_side_is_taken_and_two_are_refused_in_one_line_each),
        cmocka_unit_test(an_allowed_id_is_no_stranger),
        cmocka_unit_test(another_key_than_the_one_dialled_is_refused),
        cmocka_unit_test(a_peer_at_no_address_is_told_of_in_one_stable_line),
        cmocka_unit_test(a_stream_whose_handshake_is_late_is_closed),
        cmocka_unit_test(own_id_is_refused),
        cmocka_unit_test(a_killed_node_is_back_soon),
        cmocka_unit_test(a_resumed_copy_seals_nothing_under_old_keys_and_connects_anew),
        cmocka_unit_test(a_copy_resumed_amid_a_handshake_begins_another),
        cmocka_unit_test(streams_may_drop_without_harming_the_session),
        cmocka_unit_test(a_peer_without_paths_is_dialled_anew_in_time),
        cmocka_unit_test(handshakes_that_bring_no_path_are_repeated_ever_more_rarely),
        cmocka_unit_test(connected_means_that_data_can_flow),
        cmocka_unit_test(a_session_without_any_path_is_never_called_connected),
        cmocka_unit_test(a_killed_peer_is_soon_not_connected_and_its_return_is_told),
        cmocka_unit_test(a_moved_node_is_back_within_two_seconds),
        cmocka_unit_test(a_nat_that_forgot_an_idle_node_is_opened_from_inside),
        cmocka_unit_test(a_node_whose_machine_slept_is_back_within_three_seconds),
        cmocka_unit_test(overlay_addresses_are_never_used_as_underlay),
        cmocka_unit_test(addresses_of_no_other_machine_are_neither_probed_nor_dialled),
        cmocka_unit_test(addresses_that_change_often_are_dialled_at_a_bounded_rate),
        cmocka_unit_test(a_listener_that_moved_is_dialled_at_its_new_address),
        cmocka_unit_test(a_wanted_peer_is_looked_up_only_while_it_is_not_connected),
        cmocka_unit_test(goodbye_ends_the_session_at_once),
        cmocka_unit_test(a_disallowed_peer_is_without_a_session_at_both_sides_at_once),
        cmocka_unit_test(a_disallowed_peer_is_refused_until_it_is_allowed_again),
        cmocka_unit_test(a_peer_whose_admission_is_withdrawn_is_a_stranger),
        cmocka_unit_test(a_peer_that_is_dialled_keeps_its_session_when_it_is_withdrawn),
        cmocka_unit_test(what_is_taken_back_is_done_in_order),
        cmocka_unit_test(a_handshake_that_runs_ends_when_its_peer_is_disallowed),
        cmocka_unit_test(a_refusal_ends_the_session_that_the_refused_still_has),
        cmocka_unit_test(a_goodbye_comes_in_datagrams_where_the_stream_is_gone),
        cmocka_unit_test(a_disconnected_peer_is_dialled_no_more),
        cmocka_unit_test(a_dial_that_runs_ends_with_disconnect),
        cmocka_unit_test(ping_is_answered),
        cmocka_unit_test(two_hosts_with_one_key_are_told_of_and_take_turns_slowly),
        cmocka_unit_test(a_restart_is_no_second_host_with_one_key),
        cmocka_unit_test(many_nodes_form_a_full_mesh),
        cmocka_unit_test(connections_of_one_host_are_limited),
        cmocka_unit_test(guest_that_leaves_gives_back_its_room),
        cmocka_unit_test(lanes_have_ciphers_of_their_own_while_they_are_used),
        cmocka_unit_test(silent_strangers_of_256_subnets_keep_no_peer_out),
        cmocka_unit_test(handshakes_of_256_subnets_keep_no_peer_out),
        cmocka_unit_test(strangers_do_not_use_up_what_a_known_peer_beside_them_is_granted),
        cmocka_unit_test(a_peers_control_datagrams_have_a_rate_by_kind),
        cmocka_unit_test(an_honest_node_in_trouble_stays_within_its_allowance),
        cmocka_unit_test(hostile_datagrams_are_counted_drops),
        cmocka_unit_test(only_an_address_of_ours_becomes_a_paths_local_one),
    };
    return cmocka_run_group_tests_name("mesh", tests, NULL, NULL);
}
