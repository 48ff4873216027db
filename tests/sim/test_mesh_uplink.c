/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that nobody can dial, a backbone between them, and one that lies. Times are virtual. */

#include "base/clock.h"
#include "pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND      USEC_PER_SEC
#define TICK_US     10000ull
#define ROUND_TRIP  (2 * weather.uplink_us)
#define FAILOVER_US SECOND
#define STRANGERS   8  /* of a backbone at once */
#define HALF_OPEN   16 /* in all */
#define OPENINGS    16 /* by us at once, and two a second */

static const struct sim_weather weather = {.delay_us = 5000, .uplink_us = 30000};

static struct pair open_lab(uint64_t seed)
{
    struct pair lab = {.sim = sim_new(seed, &weather)};
    lab.a = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.b = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    return lab;
}

static void shut(struct pair *lab, bool on)
{
    lab->a->shut = lab->b->shut = on;
}

/* Neither can be dialled, both have an uplink; b wants a, of which it knows the id alone. */
static struct pair shut_lab(uint64_t seed)
{
    struct pair lab = open_lab(seed);
    shut(&lab, true);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_want(lab.b, lab.a);
    return lab;
}

/* Both can be dialled, both have an uplink, and data flows. */
static struct pair warm_lab(uint64_t seed)
{
    struct pair lab = open_lab(seed);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_connect(lab.b, lab.a, NULL);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    return lab;
}

/* Handshake, PAIR beside it, one probe: two round trips to LIVE, and one until the path is proven. */
static void two_that_nobody_can_dial_connect_by_the_backbone(void **state)
{
    (void)state;
    struct pair lab = shut_lab(1);
    assert_in_range(pair_time_to(&lab, CARRIER_UPLINK, SECOND), 3 * ROUND_TRIP, 4 * ROUND_TRIP);
    assert_int_equal(lab.b->opened, 1);
    struct mesh_peer peer;
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_int_equal(peer.path.size, PATH_STREAM_SIZE_MAX);
    assert_int_equal(peer.path.why, PATH_WHY_ONLY);
    assert_string_equal(lab.b->last_note[MESH_NOTICE_PATH], "tcp by the backbone");
    assert_non_null(strstr(lab.b->last_note[MESH_NOTICE_CONNECTED], "dialled through the backbone, "));
    assert_non_null(strstr(lab.a->last_note[MESH_NOTICE_CONNECTED], "accepted through the backbone, "));
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_int_equal(lab.a->frames_received, lab.b->frames_sent);
    assert_int_equal(lab.b->frames_received, lab.a->frames_sent);
    sim_free(lab.sim);
}

static void it_does_not_matter_whose_uplink_comes_last(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct pair lab = open_lab(2);
        shut(&lab, true);
        sim_want(lab.b, lab.a);
        sim_uplink(first ? lab.a : lab.b, true);
        sim_run(lab.sim, 20 * SECOND, NULL, NULL);
        assert_true(pair_both_by(&lab, CARRIER_NONE));
        sim_uplink(first ? lab.b : lab.a, true);
        /* The opener's is at once of use; the other's when the opener asks again. */
        pair_time_to(&lab, CARRIER_UPLINK, first ? SECOND : 16 * SECOND);
        sim_free(lab.sim);
    }
}

static void a_straight_path_takes_over_when_it_answers(void **state)
{
    (void)state;
    struct pair lab = shut_lab(3);
    pair_time_to(&lab, CARRIER_UPLINK, SECOND);
    sim_run(lab.sim, 60 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_UPLINK));
    shut(&lab, false);
    pair_time_to(&lab, CARRIER_UDP, 40 * SECOND);
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_int_equal(lab.a->frames_received, lab.b->frames_sent);
    assert_int_equal(lab.b->frames_received, lab.a->frames_sent);
    sim_free(lab.sim);
}

/* It may be linked elsewhere by now. It is dialled after 2 s, and where it was known to be nothing answers for 5 s. */
static void who_has_lost_its_last_path_is_looked_up_beside_the_dial(void **state)
{
    (void)state;
    struct pair lab = warm_lab(41);
    shut(&lab, true);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_UPLINK));
    assert_false(lab.b->wants);
    sim_uplink(lab.a, false);
    sim_run(lab.sim, 3 * SECOND, NULL, NULL);
    assert_true(lab.b->wants);
    sim_uplink(lab.a, true);
    pair_time_to(&lab, CARRIER_UPLINK, 16 * SECOND);
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_false(lab.b->wants);
    sim_free(lab.sim);
}

/* At whatever moment. */
static void the_uplink_takes_over_within_a_second_and_gives_back(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < 500000; phase += 50000) {
        struct pair lab = warm_lab(4);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
        sim_run(lab.sim, phase, pair_exchange, &lab);
        lab.silent_us = 0;
        shut(&lab, true);
        sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_UPLINK));
        assert_in_range(lab.silent_us, 1, FAILOVER_US);
        shut(&lab, false);
        lab.silent_us = 0;
        pair_time_to(&lab, CARRIER_UDP, 30 * SECOND);
        assert_in_range(lab.silent_us, 0, 100000);
        sim_free(lab.sim);
    }
}

/* Probes pass, data does not. */
static void a_path_that_swallows_data_is_left_within_three_seconds(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < 500000; phase += 100000) {
        struct pair lab = warm_lab(15);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
        sim_run(lab.sim, phase, pair_exchange, &lab);
        lab.silent_us = 0;
        sim_weather(lab.sim)->data_loss = 1;
        assert_in_range(pair_time_to(&lab, CARRIER_UPLINK, 3 * SECOND), SECOND / 2, 3 * SECOND / 2);
        struct mesh_peer peer;
        assert_true(sim_peer(lab.b, lab.a, &peer));
        assert_int_equal(peer.paths[0].state, PATH_STATE_PROVEN);
        assert_int_equal(peer.paths[0].why, PATH_WHY_SWALLOWS);
        sim_weather(lab.sim)->data_loss = 0;
        sim_run(lab.sim, SECOND, pair_exchange, &lab);
        lab.silent_us = 0;
        pair_time_to(&lab, CARRIER_UDP, 40 * SECOND);
        assert_in_range(lab.silent_us, 0, 100000);
        sim_free(lab.sim);
    }
}

#define BULK     20 /* full-size frames in 10 ms, beside small ones */
#define BULK_LEN 1300
#define SHRUNK   1172 /* UDP payload of 1,200 bytes */

static void exchange_bulk(void *context)
{
    struct pair *lab = context;
    pair_exchange(lab);
    for (unsigned i = 0; i < BULK; i++) {
        sim_send_frame(lab->a, lab->b, BULK_LEN);
        sim_send_frame(lab->b, lab->a, BULK_LEN);
    }
}

/* What carries is the uplink, or the path at a size that passes. */
static bool size_fits(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    return sim_peer(n, other, &peer) &&
           (peer.path.endpoint.carrier != CARRIER_UDP || peer.path.size <= SHRUNK);
}

/* Small frames still pass. A stream retransmits 0.6 s after its last acknowledgement, and then 0.8 s later. */
static void a_path_that_shrinks_in_silence_is_left_before_a_stream_backs_off(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < 500000; phase += 50000) {
        struct pair lab = warm_lab(19);
        sim_run(lab.sim, 2 * SECOND + phase, exchange_bulk, &lab);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
        sim_weather(lab.sim)->size_max = SHRUNK;
        uint64_t begin = sim_now(lab.sim);
        bool left = false;
        while (!left && sim_now(lab.sim) - begin < SECOND) {
            sim_run(lab.sim, TICK_US, exchange_bulk, &lab);
            left = size_fits(lab.a, lab.b) && size_fits(lab.b, lab.a);
        }
        assert_true(left);
        assert_in_range(sim_now(lab.sim) - begin, 1, 600000);
        sim_free(lab.sim);
    }
}

static void a_path_that_loses_too_much_is_left_after_ten_seconds(void **state)
{
    (void)state;
    struct pair lab = warm_lab(16);
    sim_weather(lab.sim)->data_loss = 0.02;
    for (unsigned i = 0; i < 600; i++) {
        sim_run(lab.sim, 100000, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
    }
    sim_weather(lab.sim)->data_loss = 0.3;
    assert_in_range(pair_time_to(&lab, CARRIER_UPLINK, 20 * SECOND), 10 * SECOND, 20 * SECOND);
    sim_free(lab.sim);
}

/* Keys change, sessions end: what was sent and what has arrived is counted over all of them. */
static void receipts_hold_through_new_keys(void **state)
{
    (void)state;
    struct pair lab = {.sim = sim_new(17, &weather)};
    lab.a = sim_add(lab.sim, true, 2 * SECOND, 20 * SECOND);
    lab.b = sim_add(lab.sim, false, 2 * SECOND, 20 * SECOND);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_connect(lab.b, lab.a, NULL);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    for (unsigned i = 0; i < 1200; i++) {
        sim_run(lab.sim, 100000, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
    }
    sim_free(lab.sim);
}

/* Many datagrams do not open for want of time: that is no fault of the path. */
static void a_busy_peer_keeps_its_path(void **state)
{
    (void)state;
    struct pair lab = warm_lab(18);
    mesh_set_pressed(lab.a->mesh, true);
    mesh_set_pressed(lab.b->mesh, true);
    sim_weather(lab.sim)->data_loss = 0.5;
    for (unsigned i = 0; i < 600; i++) {
        sim_run(lab.sim, 100000, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
    }
    sim_free(lab.sim);
}

static void the_end_of_an_uplink_that_does_not_carry_costs_no_frame(void **state)
{
    (void)state;
    struct pair lab = warm_lab(5);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    lab.silent_us = 0;
    sim_uplink(lab.a, false);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_in_range(lab.silent_us, 0, 30000);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    sim_free(lab.sim);
}

static void an_uplink_that_returns_carries_again(void **state)
{
    (void)state;
    struct pair lab = shut_lab(6);
    pair_time_to(&lab, CARRIER_UPLINK, SECOND);
    sim_uplink(lab.a, false);
    sim_run(lab.sim, TICK_US, NULL, NULL);
    assert_int_equal(pair_carrier(lab.a, lab.b), CARRIER_NONE); /* it knows at once */
    sim_run(lab.sim, 10 * SECOND, NULL, NULL);
    struct mesh_peer peer;
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_int_equal(peer.state, MESH_PEER_NO_PATH);
    assert_int_equal(sim_dialled(lab.sim) > 1, true); /* b looks for it, and does not find it there */
    sim_uplink(lab.a, true);
    pair_time_to(&lab, CARRIER_UPLINK, 3 * ROUND_TRIP);
    sim_free(lab.sim);
}

static void who_can_be_dialled_is_and_no_stream_is_opened(void **state)
{
    (void)state;
    struct pair lab = warm_lab(7);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    assert_int_equal(lab.b->opened, 0);
    sim_free(lab.sim);
}

static void the_uplink_is_tried_beside_the_first_address(void **state)
{
    (void)state;
    struct pair lab = open_lab(8);
    shut(&lab, true);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_connect(lab.b, lab.a, NULL);
    sim_run(lab.sim, 190000, NULL, NULL);
    assert_int_equal(lab.b->opened, 0);
    assert_in_range(pair_time_to(&lab, CARRIER_UPLINK, SECOND), 2 * ROUND_TRIP, 4 * ROUND_TRIP + 3 * TICK_US);
    assert_int_equal(lab.b->opened, 1);
    sim_free(lab.sim);
}

/* Four round trips of 0.16 s. */
static void a_handshake_that_takes_long_is_made_once(void **state)
{
    (void)state;
    struct pair lab = open_lab(10);
    sim_weather(lab.sim)->delay_us = 80000;
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_connect(lab.b, lab.a, NULL);
    sim_run(lab.sim, 2 * SECOND, NULL, NULL);
    assert_true(sim_connected(lab.a, lab.b));
    assert_int_equal(lab.b->opened, 0);
    sim_free(lab.sim);
}

/* b takes the first two addresses for a's, too. */
static void dial_at(struct pair *lab, struct sim_node *const others[2])
{
    struct addr list[3];
    for (unsigned i = 0; i < 3; i++) {
        list[i] = i < 2 ? others[i]->addr : lab->a->addr;
        list[i].port = (uint16_t)(list[i].port - 1000);
    }
    assert_int_equal(mesh_connect(lab->b->mesh, identity_id(lab->a->identity)), 0);
    mesh_set_given_addresses(lab->b->mesh, identity_id(lab->a->identity), list, 3, sim_now(lab->sim));
    sim_do_outputs(lab->b);
}

static void who_takes_connections_and_says_nothing_delays_a_round_once(void **state)
{
    (void)state;
    for (unsigned mute = 0; mute < 2; mute++) {
        struct pair lab = open_lab(11);
        struct sim_node *others[2];
        for (unsigned i = 0; i < 2; i++) {
            others[i] = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
            others[i]->holds_work = mute;
        }
        dial_at(&lab, others);
        sim_run(lab.sim, SECOND / 2, NULL, NULL);
        assert_int_equal(sim_connected(lab.a, lab.b), !mute); /* who is another is known at once */
        sim_run(lab.sim, SECOND, NULL, NULL);
        assert_true(sim_connected(lab.a, lab.b));
        sim_free(lab.sim);
    }
}

static void those_who_are_absent_are_asked_for_at_a_bounded_rate(void **state)
{
    (void)state;
    struct pair lab = open_lab(9);
    sim_uplink(lab.b, true);
    for (uint8_t i = 1; i <= 100; i++)
        assert_int_equal(mesh_connect(lab.b->mesh, &(struct node_id){{i}}), 0);
    sim_run(lab.sim, 100 * SECOND, NULL, NULL);
    assert_in_range(lab.b->opened, 2 * 90, OPENINGS + 2 * 100);
    sim_free(lab.sim);
}

static void hours_pass_by_the_uplink(void **state)
{
    (void)state;
    struct pair lab = {.sim = sim_new(10, &weather)};
    lab.a = sim_add(lab.sim, true, 2 * SECOND, 60 * SECOND);
    lab.b = sim_add(lab.sim, false, 2 * SECOND, 60 * SECOND);
    shut(&lab, true);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_want(lab.b, lab.a);
    pair_time_to(&lab, CARRIER_UPLINK, SECOND);
    sim_run(lab.sim, 300 * SECOND, pair_exchange, &lab);
    struct mesh_peer peer;
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_in_range(peer.handshakes, 5, 8);
    assert_in_range(peer.ratchets, 20, 200);
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_int_equal(lab.a->frames_received, lab.b->frames_sent);
    sim_free(lab.sim);
}

static void a_node_of_one_carrier_uses_no_other(void **state)
{
    (void)state;
    for (unsigned which = CARRIERS_UDP; which <= CARRIERS_TCP; which++) {
        struct pair lab = {.sim = sim_new(11, &weather)};
        lab.a = sim_add_carried(lab.sim, (enum carriers)which);
        lab.b = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        sim_uplink(lab.a, true);
        sim_uplink(lab.b, true);
        sim_connect(lab.b, lab.a, NULL);
        sim_run(lab.sim, 20 * SECOND, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, which == CARRIERS_UDP ? CARRIER_UDP : CARRIER_TCP));
        assert_int_equal(lab.a->pairs, which == CARRIERS_TCP);
        assert_int_equal(lab.a->drops[DROP_CARRIER] > 0, which == CARRIERS_TCP);
        sim_free(lab.sim);
    }
}

static void a_peer_that_is_ended_is_unpaired(void **state)
{
    (void)state;
    struct pair lab = shut_lab(12);
    pair_time_to(&lab, CARRIER_UPLINK, SECOND);
    assert_int_equal(lab.b->pairs, 1);
    assert_int_equal(mesh_disconnect(lab.b->mesh, identity_id(lab.a->identity), sim_now(lab.sim)), 0);
    sim_do_outputs(lab.b);
    assert_int_equal(lab.b->pairs, 2);
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_int_equal(lab.a->pairs, 2);
    assert_true(pair_both_by(&lab, CARRIER_NONE));
    sim_free(lab.sim);
}

/* ---- who comes by an uplink ---- */

static struct target opener(unsigned number)
{
    return target_uplink(0, &(struct node_id){{(uint8_t)number, 77}});
}

static void a_stranger_is_refused_before_any_tls(void **state)
{
    (void)state;
    struct pair lab = open_lab(13); /* b is not public */
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_want(lab.a, lab.b);
    sim_run(lab.sim, 2 * SECOND, NULL, NULL);
    assert_in_range(lab.b->refused, 1, 10);
    assert_int_equal(lab.b->stream_bytes, 0);
    const struct target self = target_uplink(0, identity_id(lab.b->identity));
    assert_int_equal(mesh_on_accept(lab.b->mesh, &self, sim_now(lab.sim)), 0);
    sim_free(lab.sim);
}

static void who_is_not_whom_open_names_is_refused(void **state)
{
    (void)state;
    struct pair lab = shut_lab(14); /* a is public: it would have let b in */
    struct sim_node *c = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    assert_int_equal(mesh_allow(lab.a->mesh, identity_id(c->identity)), 0);
    sim_backbone(lab.sim)->names = c;
    sim_run(lab.sim, 5 * SECOND, NULL, NULL);
    assert_true(pair_both_by(&lab, CARRIER_NONE));
    assert_in_range(lab.a->notes[MESH_NOTICE_REFUSED], 1, 20);
    assert_non_null(
        strstr(lab.a->last_note[MESH_NOTICE_REFUSED], "the backbone says that you are another node"));
    struct mesh_peer peer;
    assert_false(sim_peer(lab.a, c, &peer));
    assert_int_equal(lab.a->pairs, 0);
    sim_backbone(lab.sim)->names = NULL;
    pair_time_to(&lab, CARRIER_UPLINK, 16 * SECOND);
    sim_free(lab.sim);
}

static unsigned accepted(struct pair *lab, unsigned from, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = from; i < from + count; i++) {
        const struct target who = opener(i);
        n += mesh_on_accept(lab->a->mesh, &who, sim_now(lab->sim)) != 0;
    }
    return n;
}

static void streams_of_a_backbone_have_few_places_half_of_them_for_those_on_lists(void **state)
{
    (void)state;
    struct pair lab = open_lab(15);
    for (unsigned i = 100; i < 150; i++) {
        const struct target known = opener(i);
        assert_int_equal(mesh_allow(lab.a->mesh, &known.id), 0);
    }
    assert_int_equal(accepted(&lab, 0, 20), STRANGERS);
    assert_int_equal(accepted(&lab, 100, 20), HALF_OPEN - STRANGERS);
    assert_int_equal(accepted(&lab, 120, 5), 0);
    const struct target other_backbone = target_uplink(1, &(struct node_id){{1}});
    assert_int_not_equal(mesh_on_accept(lab.a->mesh, &other_backbone, sim_now(lab.sim)), 0);
    assert_int_not_equal(sim_accept(lab.a->mesh, &lab.b->addr, sim_now(lab.sim)), 0);
    sim_run(lab.sim, 3 * SECOND, NULL, NULL); /* those who say nothing are gone */
    assert_int_equal(accepted(&lab, 130, 20), HALF_OPEN);
    sim_run(lab.sim, 3 * SECOND, NULL, NULL);
    sim_free(lab.sim);
}

static void who_is_on_our_lists_is_no_stranger_in_the_order_of_work(void **state)
{
    (void)state;
    for (unsigned listed = 0; listed < 2; listed++) {
        struct pair lab = shut_lab(22);
        if (listed)
            assert_int_equal(mesh_allow(lab.a->mesh, identity_id(lab.b->identity)), 0);
        pair_time_to(&lab, CARRIER_UPLINK, 2 * SECOND);
        assert_in_range(lab.a->stranger_works, listed ? 0 : 1, listed ? 0 : 3);
        sim_free(lab.sim);
    }
}

static void an_id_and_a_backbone_open_at_a_bounded_rate(void **state)
{
    (void)state;
    struct pair lab = open_lab(16);
    unsigned one = 0, all = 0;
    for (unsigned s = 0; s < 60; s += 3) {
        one += accepted(&lab, 1, 1) + accepted(&lab, 1, 1);
        sim_run(lab.sim, 3 * SECOND, NULL, NULL);
    }
    assert_in_range(one, 40, 40);
    for (unsigned i = 0; i < 12; i++)
        all += accepted(&lab, 2, 1);
    assert_int_equal(all, 8);
    sim_run(lab.sim, 3 * SECOND, NULL, NULL);
    sim_free(lab.sim);
}

/* ---- a backbone that lies ---- */

static void who_is_said_to_be_paired_and_was_not_asked_for_has_no_path(void **state)
{
    (void)state;
    struct pair lab = open_lab(17);
    struct sim_node *c = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_uplink(c, true);
    assert_int_equal(mesh_allow(lab.a->mesh, identity_id(c->identity)), 0);
    sim_say_paired(lab.a, lab.b, true);
    sim_say_paired(lab.a, c, true);
    sim_run(lab.sim, 5 * SECOND, NULL, NULL);
    assert_true(pair_both_by(&lab, CARRIER_NONE));
    assert_int_equal(pair_carrier(lab.a, c), CARRIER_NONE);
    sim_free(lab.sim);
}

static void a_pair_of_which_nothing_comes_carries_nothing(void **state)
{
    (void)state;
    struct pair lab = shut_lab(18);
    sim_backbone(lab.sim)->stalls = true;
    sim_run(lab.sim, 10 * SECOND, NULL, NULL);
    struct mesh_peer peer;
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_int_equal(peer.state, MESH_PEER_NO_PATH);
    assert_non_null(strstr(peer.error, "nor by the backbone"));
    sim_backbone(lab.sim)->stalls = false;
    pair_time_to(&lab, CARRIER_UPLINK, 30 * SECOND);
    sim_backbone(lab.sim)->stalls = true;
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_NONE));
    sim_free(lab.sim);
}

#define STANDBY 3 /* an interface */

static void give_standby(struct sim_node *n)
{
    struct ways ways = {0};
    ways_add(&ways, 2, 4, WAY_CHOSEN);
    ways_add(&ways, STANDBY, 4, WAY_STANDBY);
    mesh_set_ways(n->mesh, &ways);
}

/* Whoever has no other way out gains nothing by it. */
static void an_uplink_that_passes_nothing_is_looked_into_where_there_is_a_standby(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < 500000; phase += 50000) {
        struct pair lab = shut_lab(20);
        pair_time_to(&lab, CARRIER_UPLINK, SECOND);
        give_standby(lab.b);
        sim_run(lab.sim, 5 * SECOND + phase, pair_exchange, &lab);
        assert_int_equal(lab.b->checks, 0);
        sim_backbone(lab.sim)->stalls = true;
        sim_run(lab.sim, SECOND / 2, pair_exchange, &lab);
        assert_int_equal(lab.b->checks, 1);
        sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
        assert_in_range(lab.b->checks, 1, 6);
        assert_int_equal(lab.a->checks, 0);
        sim_free(lab.sim);
    }
}

static void an_uplink_by_a_standby_is_a_standbys_path(void **state)
{
    (void)state;
    struct pair lab = shut_lab(21);
    struct mesh_peer peer;
    pair_time_to(&lab, CARRIER_UPLINK, SECOND);
    give_standby(lab.b);
    lab.b->uplink_by = STANDBY;
    sim_uplink(lab.b, false);
    sim_uplink(lab.b, true);
    pair_time_to(&lab, CARRIER_UPLINK, 2 * SECOND);
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_int_equal(peer.path.endpoint.interface, STANDBY);
    assert_int_equal(peer.path.why, PATH_WHY_TAKEN_OVER);
    lab.b->uplink_by = 0;
    sim_uplink(lab.b, false);
    sim_uplink(lab.b, true);
    pair_time_to(&lab, CARRIER_UPLINK, 2 * SECOND);
    assert_true(sim_peer(lab.b, lab.a, &peer));
    assert_int_equal(peer.path.endpoint.interface, 0);
    sim_free(lab.sim);
}

static uint16_t size_by_uplink(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    assert_true(sim_peer(n, other, &peer));
    for (size_t i = 0; i < peer.path_count; i++)
        if (peer.paths[i].endpoint.carrier == CARRIER_UPLINK)
            return peer.paths[i].size;
    return 0;
}

static void an_uplink_behind_a_straight_path_is_measured_once_data_flows(void **state)
{
    (void)state;
    struct pair lab = open_lab(22);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_connect(lab.b, lab.a, NULL);
    sim_run(lab.sim, 20 * SECOND, NULL, NULL);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    assert_int_equal(size_by_uplink(lab.a, lab.b), WIRE_BASE_SIZE);
    sim_run(lab.sim, 2 * SECOND, pair_exchange, &lab);
    assert_int_equal(size_by_uplink(lab.a, lab.b), PATH_STREAM_SIZE_MAX);
    sim_free(lab.sim);
}

static void a_backbone_that_stalls_does_not_disturb_a_straight_path(void **state)
{
    (void)state;
    struct pair lab = warm_lab(19);
    lab.silent_us = 0;
    sim_backbone(lab.sim)->stalls = true;
    for (unsigned i = 0; i < 10; i++) {
        sim_say_paired(lab.a, lab.b, i % 2);
        sim_run(lab.sim, 3 * SECOND, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_UDP));
    }
    assert_in_range(lab.silent_us, 0, 30000);
    sim_free(lab.sim);
}

static void datagrams_that_repeat_or_overtake_do_no_harm(void **state)
{
    (void)state;
    struct pair lab = shut_lab(20);
    sim_backbone(lab.sim)->repeats = sim_backbone(lab.sim)->reorders = true;
    pair_time_to(&lab, CARRIER_UPLINK, 2 * SECOND);
    sim_run(lab.sim, 30 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_UPLINK));
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_int_equal(lab.a->frames_received, lab.b->frames_sent);
    assert_in_range(lab.a->drops[DROP_REPLAY], lab.b->frames_sent, 2 * lab.b->frames_sent);
    sim_free(lab.sim);
}

static void probes_under_another_name_prove_nothing(void **state)
{
    (void)state;
    struct pair lab = shut_lab(21);
    struct sim_node *c = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_run(lab.sim, 2 * ROUND_TRIP, NULL,
            NULL); /* the handshake is over, the first probes are on their way */
    sim_backbone(lab.sim)->names = c;
    sim_run(lab.sim, 10 * SECOND, NULL, NULL);
    assert_true(pair_both_by(&lab, CARRIER_NONE));
    assert_in_range(lab.a->drops[DROP_CARRIER], 1, 1000);
    struct mesh_peer peer;
    assert_true(sim_peer(lab.a, lab.b, &peer));
    for (size_t i = 0; i < peer.path_count; i++)
        assert_int_not_equal(peer.paths[i].state, PATH_STATE_PROVEN);
    sim_free(lab.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_nobody_can_dial_connect_by_the_backbone),
        cmocka_unit_test(it_does_not_matter_whose_uplink_comes_last),
        cmocka_unit_test(a_straight_path_takes_over_when_it_answers),
        cmocka_unit_test(who_has_lost_its_last_path_is_looked_up_beside_the_dial),
        cmocka_unit_test(the_uplink_takes_over_within_a_second_and_gives_back),
        cmocka_unit_test(a_path_that_swallows_data_is_left_within_three_seconds),
        cmocka_unit_test(a_path_that_shrinks_in_silence_is_left_before_a_stream_backs_off),
        cmocka_unit_test(a_path_that_loses_too_much_is_left_after_ten_seconds),
        cmocka_unit_test(receipts_hold_through_new_keys),
        cmocka_unit_test(a_busy_peer_keeps_its_path),
        cmocka_unit_test(the_end_of_an_uplink_that_does_not_carry_costs_no_frame),
        cmocka_unit_test(an_uplink_that_returns_carries_again),
        cmocka_unit_test(who_can_be_dialled_is_and_no_stream_is_opened),
        cmocka_unit_test(the_uplink_is_tried_beside_the_first_address),
        cmocka_unit_test(a_handshake_that_takes_long_is_made_once),
        cmocka_unit_test(who_takes_connections_and_says_nothing_delays_a_round_once),
        cmocka_unit_test(those_who_are_absent_are_asked_for_at_a_bounded_rate),
        cmocka_unit_test(hours_pass_by_the_uplink),
        cmocka_unit_test(a_node_of_one_carrier_uses_no_other),
        cmocka_unit_test(a_peer_that_is_ended_is_unpaired),
        cmocka_unit_test(a_stranger_is_refused_before_any_tls),
        cmocka_unit_test(who_is_not_whom_open_names_is_refused),
        cmocka_unit_test(streams_of_a_backbone_have_few_places_half_of_them_for_those_on_lists),
        cmocka_unit_test(who_is_on_our_lists_is_no_stranger_in_the_order_of_work),
        cmocka_unit_test(an_id_and_a_backbone_open_at_a_bounded_rate),
        cmocka_unit_test(who_is_said_to_be_paired_and_was_not_asked_for_has_no_path),
        cmocka_unit_test(a_pair_of_which_nothing_comes_carries_nothing),
        cmocka_unit_test(an_uplink_that_passes_nothing_is_looked_into_where_there_is_a_standby),
        cmocka_unit_test(an_uplink_by_a_standby_is_a_standbys_path),
        cmocka_unit_test(an_uplink_behind_a_straight_path_is_measured_once_data_flows),
        cmocka_unit_test(a_backbone_that_stalls_does_not_disturb_a_straight_path),
        cmocka_unit_test(datagrams_that_repeat_or_overtake_do_no_harm),
        cmocka_unit_test(probes_under_another_name_prove_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
