/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes between which no UDP passes: datagrams over TCP to the peer's own port, and who tries to get hold of that. Times
 * are virtual. */

#include "base/clock.h"
#include "pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND      USEC_PER_SEC
#define TICK_US     10000ull
#define FAILOVER_US (2 * SECOND)

static const struct sim_weather weather = {.delay_us = 5000, .uplink_us = 60000};

/* b dials a. */
static struct pair open_lab(uint64_t seed, enum carriers carriers, bool udp)
{
    struct pair lab = {.sim = sim_new(seed, &weather)};
    sim_weather(lab.sim)->no_udp = !udp;
    lab.a = sim_add_carried(lab.sim, carriers);
    lab.b = sim_add_carried(lab.sim, carriers);
    sim_connect(lab.b, lab.a, NULL);
    return lab;
}

static void nothing_is_lost(struct pair *lab)
{
    uint64_t a = lab->a->frames_sent - lab->b->frames_received,
             b = lab->b->frames_sent - lab->a->frames_received;
    sim_run(lab->sim, 10 * SECOND, pair_exchange, lab);
    sim_run(lab->sim, SECOND, NULL, NULL);
    assert_true(lab->a->frames_sent - lab->b->frames_received <= a);
    assert_true(lab->b->frames_sent - lab->a->frames_received <= b);
}

static void two_between_whom_no_udp_passes_connect_over_tcp(void **state)
{
    (void)state;
    struct pair lab = open_lab(1, CARRIERS_AUTO, false);
    assert_true(pair_time_to(&lab, CARRIER_TCP, 2 * SECOND) < SECOND);
    assert_int_equal(lab.a->trunks, 1);
    assert_int_equal(lab.b->trunks, 1);
    nothing_is_lost(&lab);
    struct mesh_peer peer;
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_int_equal(peer.path.size, PATH_STREAM_SIZE_MAX);
    assert_true(addr_same_host(&peer.path.endpoint.remote, &lab.a->addr));
    assert_int_equal(peer.path.endpoint.remote.port, lab.a->addr.port - 1000);
    assert_non_null(strstr(lab.b->last_note[MESH_NOTICE_PATH], "tcp 198.18."));
    sim_run(lab.sim, 3600 * SECOND, NULL, NULL); /* and it stays, idle */
    assert_true(pair_both_by(&lab, CARRIER_TCP));
    assert_int_equal(lab.a->trunks, 1);
    sim_free(lab.sim);
}

static void where_udp_answers_no_trunk_is_dialled(void **state)
{
    (void)state;
    struct pair lab = open_lab(2, CARRIERS_AUTO, true);
    pair_time_to(&lab, CARRIER_UDP, SECOND);
    sim_run(lab.sim, 300 * SECOND, pair_exchange, &lab);
    assert_int_equal(lab.a->trunks + lab.b->trunks, 0);
    sim_free(lab.sim);
}

/* At whatever moment UDP ceases to pass. */
static void when_udp_ceases_to_pass_tcp_carries_within_two_seconds_and_back(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < 10; phase++) {
        struct pair lab = open_lab(3 + phase, CARRIERS_AUTO, true);
        sim_run(lab.sim, 30 * SECOND + phase * 57 * USEC_PER_MSEC, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
        lab.silent_us = 0;
        sim_weather(lab.sim)->no_udp = true;
        pair_time_to(&lab, CARRIER_TCP, FAILOVER_US);
        sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
        assert_true(lab.silent_us < FAILOVER_US);
        sim_weather(lab.sim)->no_udp = false;
        lab.silent_us = 0;
        pair_time_to(&lab, CARRIER_UDP, 30 * SECOND);
        sim_run(lab.sim, 60 * SECOND, pair_exchange, &lab);
        assert_true(lab.silent_us < SECOND);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
        struct mesh_peer peer;
        assert_true(sim_peer(lab.b, lab.a, &peer));
        for (size_t i = 0; i < peer.path_count; i++)
            assert_int_equal(peer.paths[i].endpoint.carrier, CARRIER_UDP); /* it is closed */
        assert_int_equal(lab.a->trunks, 1);
        sim_free(lab.sim);
    }
}

/* An accepted port that lets no second connection in: the person reads why. */
static void why_there_is_none_is_told(void **state)
{
    (void)state;
    struct pair lab = open_lab(28, CARRIERS_AUTO, false);
    struct mesh_peer peer;
    sim_run(lab.sim, SECOND / 5, pair_exchange, &lab); /* the control connection stands */
    lab.a->shut = lab.b->shut = true;
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_int_equal(peer.state, MESH_PEER_NO_PATH);
    assert_non_null(strstr(peer.error, "; nor over TCP to its control port: no answer"));
    sim_free(lab.sim);

    lab = open_lab(29, CARRIERS_UDP, false);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_null(strstr(peer.error, "over TCP"));
    sim_free(lab.sim);
}

static void each_carries_what_it_is_told_to(void **state)
{
    (void)state;
    for (unsigned which = CARRIERS_UDP; which <= CARRIERS_TCP; which++) {
        struct pair lab = open_lab(20, (enum carriers)which, true);
        pair_time_to(&lab, which == CARRIERS_TCP ? CARRIER_TCP : CARRIER_UDP, SECOND);
        nothing_is_lost(&lab);
        assert_int_equal(lab.a->trunks, which == CARRIERS_TCP);
        sim_free(lab.sim);
    }
    struct pair lab = open_lab(21, CARRIERS_UDP, false);
    sim_run(lab.sim, 60 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_NONE));
    assert_int_equal(lab.a->trunks + lab.b->trunks, 0);
    sim_free(lab.sim);
}

static void a_trunk_that_is_cut_is_dialled_anew(void **state)
{
    (void)state;
    struct pair lab = open_lab(22, CARRIERS_AUTO, false);
    pair_time_to(&lab, CARRIER_TCP, 2 * SECOND);
    for (unsigned i = 0; i < 5; i++) {
        sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
        lab.silent_us = 0;
        sim_cut_streams(lab.sim);
        sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_TCP));
        assert_true(lab.silent_us < SECOND);
    }
    assert_in_range(lab.b->trunks, 6, 11); /* after a cut both may dial, and one of the two stays */
    sim_free(lab.sim);
}

static void an_uplink_carries_until_the_trunk_does_and_when_it_is_gone(void **state)
{
    (void)state;
    struct pair lab = open_lab(23, CARRIERS_AUTO, false);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    pair_time_to(&lab, CARRIER_TCP, 3 * SECOND);
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    lab.a->shut = true; /* nothing comes in from outside any more */
    lab.silent_us = 0;
    sim_cut_streams(lab.sim);
    pair_time_to(&lab, CARRIER_UPLINK, SECOND);
    sim_run(lab.sim, SECOND, pair_exchange, &lab);
    assert_true(lab.silent_us < SECOND);
    sim_free(lab.sim);
}

/* Of a trunk that was opened: sent again from elsewhere, while it is in use and when it is not. */
static void a_first_batch_that_is_repeated_opens_nothing(void **state)
{
    (void)state;
    struct pair lab = open_lab(24, CARRIERS_AUTO, false);
    pair_time_to(&lab, CARRIER_TCP, 2 * SECOND);
    assert_true(lab.b->opening_len > TRUNK_HEAD_LEN);
    const struct addr elsewhere = {.family = 4, .port = 5, .ip = {203, 0, 113, 1}};
    for (unsigned i = 0; i < 3; i++) {
        uint64_t conn = sim_accept(lab.a->mesh, &elsewhere, sim_now(lab.sim));
        assert_int_not_equal(conn, 0);
        uint64_t strangers = lab.a->drops[DROP_STRANGER];
        mesh_on_bytes(lab.a->mesh, conn, lab.b->opening, lab.b->opening_len, sim_now(lab.sim));
        sim_do_outputs(lab.a);
        assert_int_equal(lab.a->drops[DROP_STRANGER], strangers + 1);
        nothing_is_lost(&lab);
    }
    assert_int_equal(lab.a->trunks, 1);
    assert_true(pair_both_by(&lab, CARRIER_TCP));
    sim_free(lab.sim);
}

/* It was sealed by the peer, and nobody has seen it: yet it was sent to prove another path. */
static void a_probe_that_was_sent_over_udp_opens_nothing(void **state)
{
    (void)state;
    struct pair lab = open_lab(27, CARRIERS_AUTO, false);
    pair_time_to(&lab, CARRIER_TCP, 2 * SECOND);
    assert_true(lab.b->probe_len > TRUNK_HEAD_LEN);
    const struct addr elsewhere = {.family = 4, .port = 5, .ip = {203, 0, 113, 1}};
    uint64_t conn = sim_accept(lab.a->mesh, &elsewhere, sim_now(lab.sim));
    mesh_on_bytes(lab.a->mesh, conn, lab.b->probe, lab.b->probe_len, sim_now(lab.sim));
    sim_do_outputs(lab.a);
    assert_int_equal(lab.a->drops[DROP_STRANGER], 1);
    assert_int_equal(lab.a->trunks, 1);
    sim_free(lab.sim);
}

/* Each bit of it, and what a stranger may try besides. */
static void nothing_but_the_peers_own_probe_opens_one(void **state)
{
    (void)state;
    struct pair lab = open_lab(25, CARRIERS_AUTO, false);
    pair_time_to(&lab, CARRIER_TCP, 2 * SECOND);
    uint8_t forged[sizeof(lab.b->opening)];
    const size_t len = lab.b->opening_len;
    for (size_t byte = 0; byte < TRUNK_HEAD_LEN + 40; byte++) {
        memcpy(forged, lab.b->opening, len);
        forged[byte] ^= 4;
        forged[TRUNK_HEAD_LEN + 15] ^= 64; /* a counter that was not seen */
        const struct addr elsewhere = {.family = 4, .port = 5, .ip = {203, 0, (uint8_t)byte, 1}};
        uint64_t conn = sim_accept(lab.a->mesh, &elsewhere, sim_now(lab.sim));
        assert_int_not_equal(conn, 0);
        mesh_on_bytes(lab.a->mesh, conn, forged, len, sim_now(lab.sim));
        sim_do_outputs(lab.a);
        sim_run(lab.sim, 3 * SECOND, pair_exchange, &lab); /* one that waits for more is gone by then */
        assert_int_equal(lab.a->trunks, 1);
    }
    assert_true(pair_both_by(&lab, CARRIER_TCP));
    nothing_is_lost(&lab);
    sim_free(lab.sim);
}

/* Some send nothing, some a byte now and then; a flood of those beside a peer that comes over TCP for the first time. */
static void who_floods_the_door_keeps_no_trunk_out(void **state)
{
    (void)state;
    struct pair lab = open_lab(26, CARRIERS_AUTO, true);
    sim_run(lab.sim, 30 * SECOND, pair_exchange, &lab);
    const uint8_t begun[] = {0x30, 4, 0xb0, 4, 0xb0, 0x22};
    lab.silent_us = 0;
    sim_weather(lab.sim)->no_udp = true;
    for (unsigned i = 0; i < 400; i++) {
        const struct addr elsewhere = {
            .family = 4, .port = 5, .ip = {203, (uint8_t)(i >> 4), (uint8_t)(i << 4), 1}};
        uint64_t conn = sim_accept(lab.a->mesh, &elsewhere, sim_now(lab.sim));
        if (conn && i % 2)
            mesh_on_bytes(lab.a->mesh, conn, begun, sizeof(begun), sim_now(lab.sim));
        sim_do_outputs(lab.a);
        sim_run(lab.sim, TICK_US, pair_exchange, &lab);
    }
    assert_true(pair_both_by(&lab, CARRIER_TCP));
    assert_true(lab.silent_us < FAILOVER_US);
    assert_true(lab.a->drops[DROP_STRANGER] > 100);
    sim_free(lab.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_between_whom_no_udp_passes_connect_over_tcp),
        cmocka_unit_test(where_udp_answers_no_trunk_is_dialled),
        cmocka_unit_test(when_udp_ceases_to_pass_tcp_carries_within_two_seconds_and_back),
        cmocka_unit_test(why_there_is_none_is_told),
        cmocka_unit_test(each_carries_what_it_is_told_to),
        cmocka_unit_test(a_trunk_that_is_cut_is_dialled_anew),
        cmocka_unit_test(an_uplink_carries_until_the_trunk_does_and_when_it_is_gone),
        cmocka_unit_test(a_first_batch_that_is_repeated_opens_nothing),
        cmocka_unit_test(a_probe_that_was_sent_over_udp_opens_nothing),
        cmocka_unit_test(nothing_but_the_peers_own_probe_opens_one),
        cmocka_unit_test(who_floods_the_door_keeps_no_trunk_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
