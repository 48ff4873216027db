/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that have nothing to say to each other for minutes, behind NATs that forget: what they send meanwhile, and what comes
 * first afterwards. Times are virtual. */

#include "base/clock.h"
#include "pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SECOND USEC_PER_SEC
#define QUIET  (70 * SECOND) /* a minute, and a probe's interval */
#define LONG   (600 * SECOND)
#define NEVER  (1000 * LONG)

static const struct sim_weather weather = {.delay_us = 5000, .uplink_us = 30000};

static void forget(struct pair *lab)
{
    lab->a->mapped = lab->b->mapped = false;
}

/* Two behind NATs, with uplinks, between which data flows; b goes quiet after so long (0: as others). */
static struct pair busy_lab(uint64_t seed, uint64_t quiet_us)
{
    struct pair lab = {.sim = sim_new(seed, &weather)};
    lab.a = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.b = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.b->quiet_us = quiet_us;
    sim_start_anew(lab.b);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_connect(lab.b, lab.a, NULL);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    lab.a->behind_nat = lab.b->behind_nat = true;
    lab.a->mapped = lab.b->mapped = true;
    return lab;
}

static struct pair quiet_lab(uint64_t seed)
{
    struct pair lab = busy_lab(seed, 0);
    sim_run(lab.sim, QUIET, NULL, NULL);
    assert_true(pair_both_by(&lab, CARRIER_UPLINK));
    return lab;
}

static void assert_nothing_lost(struct pair *lab)
{
    sim_run(lab->sim, SECOND, NULL, NULL);
    assert_int_equal(lab->a->frames_received, lab->b->frames_sent);
    assert_int_equal(lab->b->frames_received, lab->a->frames_sent);
}

static void assert_connected(const struct pair *lab)
{
    struct mesh_peer peer;
    assert_true(sim_peer(lab->a, lab->b, &peer));
    assert_int_equal(peer.state, MESH_PEER_CONNECTED);
    assert_true(sim_peer(lab->b, lab->a, &peer));
    assert_int_equal(peer.state, MESH_PEER_CONNECTED);
}

static void first_frame_after_minutes_arrives_and_the_way_is_straight_soon(void **state)
{
    (void)state;
    for (unsigned who = 0; who < 3; who++) {
        struct pair lab = quiet_lab(1 + who);
        unsigned notes = lab.a->notes[MESH_NOTICE_PATH] + lab.b->notes[MESH_NOTICE_PATH];
        sim_run(lab.sim, LONG, NULL, NULL);
        assert_connected(&lab);
        forget(&lab);
        if (who != 1)
            assert_true(sim_send_frame(lab.a, lab.b, 100));
        if (who != 0)
            assert_true(sim_send_frame(lab.b, lab.a, 100));
        sim_run(lab.sim, 40000, NULL, NULL);
        assert_int_equal(lab.a->frames_received, lab.b->frames_sent);
        assert_int_equal(lab.b->frames_received, lab.a->frames_sent);
        assert_in_range(pair_time_to(&lab, CARRIER_UDP, SECOND), 0, SECOND);
        assert_nothing_lost(&lab);
        assert_int_equal(lab.a->notes[MESH_NOTICE_PATH] + lab.b->notes[MESH_NOTICE_PATH], notes);
        sim_free(lab.sim);
    }
}

static void nothing_goes_straight_meanwhile(void **state)
{
    (void)state;
    struct pair lab = quiet_lab(4);
    uint64_t before = lab.a->datagrams + lab.b->datagrams;
    sim_run(lab.sim, LONG, NULL, NULL);
    assert_int_equal(lab.a->datagrams + lab.b->datagrams, before);
    assert_connected(&lab);
    sim_free(lab.sim);
}

static void end_of_the_backbone_opens_the_straight_way(void **state)
{
    (void)state;
    for (unsigned both = 0; both < 2; both++) {
        struct pair lab = quiet_lab(5);
        sim_run(lab.sim, LONG, NULL, NULL);
        forget(&lab);
        sim_uplink(lab.a, false);
        if (both)
            sim_uplink(lab.b, false);
        sim_run(lab.sim, 2 * SECOND, NULL, NULL);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
        assert_connected(&lab);
        sim_run(lab.sim, LONG, NULL, NULL);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
        sim_run(lab.sim, SECOND, pair_exchange, &lab);
        assert_nothing_lost(&lab);
        sim_free(lab.sim);
    }
}

/* So often, as LLDP and mDNS do: for so long. */
static void flood_both_ways(struct pair *lab, uint64_t every_us, uint64_t for_us)
{
    for (uint64_t end = sim_now(lab->sim) + for_us; sim_now(lab->sim) < end;) {
        assert_true(sim_flood_frame(lab->a, lab->b, 100));
        assert_true(sim_flood_frame(lab->b, lab->a, 100));
        sim_run(lab->sim, every_us, NULL, NULL);
    }
}

static void what_is_said_to_everybody_now_and_then_wakes_nobody(void **state)
{
    (void)state;
    struct pair lab = quiet_lab(8);
    uint64_t before = lab.a->datagrams + lab.b->datagrams;
    flood_both_ways(&lab, 10 * SECOND, LONG);
    flood_both_ways(&lab, SECOND, LONG);
    assert_int_equal(lab.a->datagrams + lab.b->datagrams, before);
    assert_connected(&lab);
    assert_nothing_lost(&lab);
    assert_true(sim_send_frame(lab.a, lab.b, 100));
    assert_in_range(pair_time_to(&lab, CARRIER_UDP, SECOND), 0, SECOND);
    assert_nothing_lost(&lab);
    sim_free(lab.sim);
}

static void what_is_said_to_everybody_now_and_then_keeps_nobody_awake(void **state)
{
    (void)state;
    struct pair lab = busy_lab(9, 0);
    flood_both_ways(&lab, 10 * SECOND, QUIET + 10 * SECOND);
    assert_true(pair_both_by(&lab, CARRIER_UPLINK));
    assert_nothing_lost(&lab);
    sim_free(lab.sim);
}

/* Such as a film that is sent to a group. */
static void a_stream_to_everybody_takes_the_straight_way(void **state)
{
    (void)state;
    struct pair lab = quiet_lab(10);
    flood_both_ways(&lab, SECOND / 10, 10 * SECOND);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    assert_nothing_lost(&lab);
    sim_free(lab.sim);
}

/* An ARP request goes to all; its answer to one. */
static void who_answers_what_was_said_to_everybody_is_alone_awake(void **state)
{
    (void)state;
    struct pair lab = busy_lab(11, 0);
    struct sim_node *c = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct pair other = {.sim = lab.sim, .a = lab.a, .b = c};
    sim_uplink(c, true);
    sim_connect(c, lab.a, NULL);
    pair_time_to(&other, CARRIER_UDP, 10 * SECOND);
    sim_run(lab.sim, QUIET + 10 * SECOND, NULL, NULL);
    assert_true(pair_both_by(&lab, CARRIER_UPLINK) && pair_both_by(&other, CARRIER_UPLINK));
    assert_true(sim_flood_frame(lab.a, lab.b, 42) && sim_flood_frame(lab.a, c, 42));
    sim_run(lab.sim, 100000, NULL, NULL);
    assert_true(sim_send_frame(lab.b, lab.a, 42));
    sim_run(lab.sim, 2 * SECOND, NULL, NULL);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    assert_true(pair_both_by(&other, CARRIER_UPLINK));
    sim_free(lab.sim);
}

/* An earlier version, for one. */
static void peer_that_never_goes_quiet_is_answered(void **state)
{
    (void)state;
    struct pair lab = busy_lab(6, NEVER);
    sim_run(lab.sim, LONG, NULL, NULL);
    assert_int_equal(pair_carrier(lab.a, lab.b), CARRIER_UPLINK);
    assert_int_equal(pair_carrier(lab.b, lab.a), CARRIER_UDP);
    assert_connected(&lab);
    sim_send_frame(lab.b, lab.a, 100);
    sim_run(lab.sim, 10000, NULL, NULL);
    assert_int_equal(lab.a->frames_received, lab.b->frames_sent);
    pair_time_to(&lab, CARRIER_UDP, SECOND);
    assert_nothing_lost(&lab);
    sim_free(lab.sim);
}

/* Nobody says that it is gone. */
static void peer_of_which_nothing_comes_is_missed_within_30_s(void **state)
{
    (void)state;
    struct pair lab = quiet_lab(7);
    struct mesh_peer peer = {.state = MESH_PEER_CONNECTED};
    uint64_t begin = sim_now(lab.sim);
    lab.a->shut = lab.b->shut = true;
    sim_backbone(lab.sim)->stalls = true;
    while (peer.state == MESH_PEER_CONNECTED && sim_now(lab.sim) - begin < 30 * SECOND) {
        sim_run(lab.sim, SECOND / 10, NULL, NULL);
        assert_true(sim_peer(lab.b, lab.a, &peer));
    }
    assert_int_equal(peer.state, MESH_PEER_NO_PATH);
    sim_free(lab.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_frame_after_minutes_arrives_and_the_way_is_straight_soon),
        cmocka_unit_test(nothing_goes_straight_meanwhile),
        cmocka_unit_test(end_of_the_backbone_opens_the_straight_way),
        cmocka_unit_test(what_is_said_to_everybody_now_and_then_wakes_nobody),
        cmocka_unit_test(what_is_said_to_everybody_now_and_then_keeps_nobody_awake),
        cmocka_unit_test(a_stream_to_everybody_takes_the_straight_way),
        cmocka_unit_test(who_answers_what_was_said_to_everybody_is_alone_awake),
        cmocka_unit_test(peer_that_never_goes_quiet_is_answered),
        cmocka_unit_test(peer_of_which_nothing_comes_is_missed_within_30_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
