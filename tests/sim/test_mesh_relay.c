/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that no datagram reaches, and a backbone with a relay over UDP: its books are the real ones. Times are virtual. */

#include "base/clock.h"
#include "proto/relay/relay.h"
#include "pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND      USEC_PER_SEC
#define FAILOVER_US SECOND

static const struct sim_weather weather = {.delay_us = 5000, .uplink_us = 30000};
static const struct addr relay_addr = {.family = 4, .port = 8080, .ip = {203, 0, 113, 2}};

static struct pair open_lab(uint64_t seed)
{
    struct pair lab = {.sim = sim_new(seed, &weather)};
    sim_backbone(lab.sim)->relays = true;
    lab.a = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.b = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    return lab;
}

static void shut(struct pair *lab, bool on)
{
    lab->a->shut = lab->b->shut = on;
}

static void uplinks(struct pair *lab, bool on)
{
    sim_uplink(lab->a, on);
    sim_uplink(lab->b, on);
}

/* No datagram goes straight, and the relay carries. */
static struct pair relayed_lab(uint64_t seed)
{
    struct pair lab = open_lab(seed);
    shut(&lab, true);
    uplinks(&lab, true);
    sim_want(lab.b, lab.a);
    pair_time_to(&lab, CARRIER_RELAY, 3 * SECOND);
    return lab;
}

/* Both reach each other, with a relay beside. */
static struct pair warm_lab(uint64_t seed)
{
    struct pair lab = open_lab(seed);
    uplinks(&lab, true);
    sim_connect(lab.b, lab.a, NULL);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    return lab;
}

static struct path relay_path(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    assert_true(sim_peer(n, other, &peer));
    for (size_t i = 0; i < peer.path_count; i++)
        if (peer.paths[i].endpoint.carrier == CARRIER_RELAY)
            return peer.paths[i];
    return (struct path){0};
}

static void two_that_no_datagram_reaches_move_to_the_relay(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(1);
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    struct path path = relay_path(lab.b, lab.a);
    assert_int_equal(path.size, 1464);
    assert_int_equal(path.why, PATH_WHY_RELAY);
    assert_int_equal(lab.a->asks + lab.b->asks, 1);
    assert_string_equal(lab.b->last_note[MESH_NOTICE_PATH], "relay 203.0.113.2:8080");
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_int_equal(lab.a->frames_received, lab.b->frames_sent);
    assert_int_equal(lab.b->frames_received, lab.a->frames_sent);
    sim_free(lab.sim);
}

/* At whatever moment. */
static void the_warm_relay_takes_over_within_a_second_and_gives_back(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < 500000; phase += 50000) {
        struct pair lab = warm_lab(2);
        sim_run(lab.sim, phase, pair_exchange, &lab);
        lab.silent_us = 0;
        shut(&lab, true);
        sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_RELAY));
        assert_in_range(lab.silent_us, 1, FAILOVER_US);
        shut(&lab, false);
        lab.silent_us = 0;
        pair_time_to(&lab, CARRIER_UDP, 30 * SECOND);
        assert_in_range(lab.silent_us, 0, 100000);
        sim_free(lab.sim);
    }
}

/* By which n is bound at the relay, as it sends there. */
static uint32_t relayed_by(const struct sim_node *n, const struct sim_node *other)
{
    return relay_path(n, other).endpoint.interface;
}

static struct pair lab_with_standby(uint64_t seed)
{
    struct pair lab = relayed_lab(seed);
    struct ways ways = {0};
    ways_add(&ways, 2, 4, WAY_CHOSEN);
    ways_add(&ways, SIM_STANDBY, 4, WAY_STANDBY);
    lab.b->standby = (struct addr){.family = 4, .port = 9443, .ip = {198, 51, 200, 2}};
    mesh_set_ways(lab.b->mesh, &ways);
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    assert_int_equal(relayed_by(lab.b, lab.a), 0);
    return lab;
}

/* The uplinks pass nothing on either, and say nothing of that. */
static void network_dies(struct pair *lab, bool dead)
{
    lab->b->cut = dead;
    sim_backbone(lab->sim)->stalls = dead;
}

/* At whatever moment. */
static void a_standby_is_bound_within_a_second_when_the_network_in_use_dies_in_silence(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < 500000; phase += 50000) {
        struct pair lab = lab_with_standby(20);
        uint32_t channel = relay_path(lab.b, lab.a).endpoint.channel;
        sim_run(lab.sim, phase, pair_exchange, &lab);
        lab.silent_us = 0;
        network_dies(&lab, true);
        sim_run(lab.sim, 30 * SECOND, pair_exchange, &lab);
        assert_in_range(lab.silent_us, 1, FAILOVER_US);
        assert_true(pair_both_by(&lab, CARRIER_RELAY));
        assert_int_equal(relayed_by(lab.b, lab.a), SIM_STANDBY);
        assert_int_equal(relay_path(lab.b, lab.a).endpoint.channel, channel);
        assert_int_equal(relay_path(lab.b, lab.a).why, PATH_WHY_TAKEN_OVER);
        sim_free(lab.sim);
    }
}

/* It has answered for as long as a path has to that failed. */
static void the_network_in_use_is_bound_again_when_it_has_answered_for_10_seconds(void **state)
{
    (void)state;
    struct pair lab = lab_with_standby(21);
    network_dies(&lab, true);
    sim_run(lab.sim, 20 * SECOND, pair_exchange, &lab);
    assert_int_equal(relayed_by(lab.b, lab.a), SIM_STANDBY);
    network_dies(&lab, false);
    lab.silent_us = 0;
    sim_run(lab.sim, 9 * SECOND, pair_exchange, &lab);
    assert_int_equal(relayed_by(lab.b, lab.a), SIM_STANDBY);
    sim_run(lab.sim, 11 * SECOND, pair_exchange, &lab);
    assert_int_equal(relayed_by(lab.b, lab.a), 0);
    assert_in_range(lab.silent_us, 0, 100000);
    sim_free(lab.sim);
}

/* The relay answers by the kernel's choice, so nothing is to be had by another. */
static void a_peer_that_is_gone_moves_nothing_to_a_standby(void **state)
{
    (void)state;
    struct pair lab = lab_with_standby(22);
    lab.a->cut = true;
    sim_backbone(lab.sim)->stalls = true;
    for (unsigned i = 0; i < 20; i++) {
        sim_run(lab.sim, SECOND, pair_exchange, &lab);
        assert_int_equal(relayed_by(lab.b, lab.a), 0);
    }
    sim_free(lab.sim);
}

static void block_udp(struct pair *lab, bool on)
{
    sim_weather(lab->sim)->no_udp = on;
}

static void the_uplink_takes_over_from_the_relay_within_a_second(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(3);
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    lab.silent_us = 0;
    block_udp(&lab, true);
    sim_run(lab.sim, 60 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_UPLINK));
    assert_in_range(lab.silent_us, 1, FAILOVER_US);
    block_udp(&lab, false);
    pair_time_to(&lab, CARRIER_RELAY, 120 * SECOND);
    sim_free(lab.sim);
}

static void a_relay_that_forgot_all_is_asked_for_another_channel(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(4);
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    uint32_t before = relay_path(lab.b, lab.a).endpoint.channel;
    lab.silent_us = 0;
    sim_restart_relay(lab.sim);
    sim_run(lab.sim, 20 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    assert_in_range(lab.silent_us, 1, FAILOVER_US);
    assert_int_not_equal(relay_path(lab.b, lab.a).endpoint.channel, before);
    assert_int_equal(relay_path(lab.b, lab.a).endpoint.channel, relay_path(lab.a, lab.b).endpoint.channel);
    sim_free(lab.sim);
}

static void the_relay_carries_on_without_the_uplinks(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(5);
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    lab.silent_us = 0;
    uplinks(&lab, false);
    sim_run(lab.sim, 700 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    assert_in_range(lab.silent_us, 0, 30000);
    uplinks(&lab, true);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    sim_free(lab.sim);
}

static void who_moves_shows_his_new_address_to_the_relay(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(6);
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    uint32_t channel = relay_path(lab.b, lab.a).endpoint.channel;
    lab.silent_us = 0;
    sim_move(lab.a);
    sim_run(lab.sim, 10 * SECOND, pair_exchange, &lab);
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    assert_in_range(lab.silent_us, 1, FAILOVER_US);
    assert_int_equal(relay_path(lab.b, lab.a).endpoint.channel, channel);
    sim_free(lab.sim);
}

static void a_channel_that_idles_for_an_hour_is_still_there(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(7);
    sim_run(lab.sim, 3600 * SECOND, NULL, NULL);
    lab.silent_us = 0;
    lab.a->last_frame_us = lab.b->last_frame_us = sim_now(lab.sim);
    assert_int_equal(lab.a->asks + lab.b->asks, 1);
    sim_run(lab.sim, SECOND, pair_exchange, &lab);
    assert_in_range(lab.silent_us, 0, 30000);
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    sim_free(lab.sim);
}

/* Its path is left alone, which is no silence. */
static void an_idle_channel_costs_a_message_a_minute(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(14);
    sim_run(lab.sim, 200 * SECOND, NULL, NULL);
    uint64_t before = lab.a->datagrams;
    sim_run(lab.sim, 600 * SECOND, NULL, NULL);
    assert_in_range(lab.a->datagrams - before, 5, 60);
    sim_free(lab.sim);
}

static void a_peer_that_comes_back_gets_a_channel_again(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(8);
    sim_run(lab.sim, 5 * SECOND, pair_exchange, &lab);
    sim_kill(lab.a);
    sim_run(lab.sim, 3 * SECOND, NULL, NULL);
    sim_restart(lab.a);
    sim_uplink(lab.a, true);
    pair_time_to(&lab, CARRIER_RELAY, 30 * SECOND);
    sim_free(lab.sim);
}

static void a_backbone_without_a_relay_is_asked_ever_more_rarely(void **state)
{
    (void)state;
    struct pair lab = open_lab(9);
    sim_backbone(lab.sim)->relays = false;
    shut(&lab, true);
    uplinks(&lab, true);
    sim_want(lab.b, lab.a);
    sim_run(lab.sim, 3600 * SECOND, NULL, NULL);
    assert_true(pair_both_by(&lab, CARRIER_UPLINK));
    assert_in_range(lab.a->asks, 10, 25);
    assert_in_range(lab.b->asks, 10, 25);
    sim_free(lab.sim);
}

/* Whoever sends as the relay has neither token nor channel. */
static void words_of_a_false_relay_move_nothing(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(10);
    const struct addr stranger = {.family = 4, .port = 8080, .ip = {198, 51, 100, 66}};
    const struct endpoint from_stranger = endpoint_udp(&stranger), from_relay = endpoint_udp(&relay_addr);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {1};
    uint32_t channel = relay_path(lab.a, lab.b).endpoint.channel;
    for (unsigned kind = RELAY_MESSAGE_BIND; kind <= RELAY_MESSAGE_BOUND; kind++) {
        for (uint64_t number = 0; number < 5; number++) {
            uint8_t bytes[RELAY_MESSAGE_LEN];
            const struct relay_message m = {
                .kind = (enum relay_message_kind)kind, .channel = channel, .number = number};
            assert_int_equal(relay_message_encode(&m, token, bytes), 0);
            assert_int_equal(
                mesh_on_relay_message(lab.a->mesh, &from_stranger, bytes, sizeof(bytes), sim_now(lab.sim)),
                DROP_RELAY);
            (void)mesh_on_relay_message(lab.a->mesh, &from_relay, bytes, sizeof(bytes), sim_now(lab.sim));
            sim_do_outputs(lab.a);
        }
    }
    assert_int_equal(relay_path(lab.a, lab.b).endpoint.channel, channel);
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    sim_free(lab.sim);
}

/* Channels of peers that were never asked for, at addresses of its choice. */
static void channels_that_nobody_asked_for_are_not_taken(void **state)
{
    (void)state;
    struct pair lab = warm_lab(11);
    struct sim_node *c = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {1};
    const struct mesh_channel channel = {relay_addr, 99, token}, zero = {relay_addr, 0, token};
    mesh_on_relayed(lab.a->mesh, 0, identity_id(c->identity), &channel, sim_now(lab.sim));
    mesh_on_relayed(lab.a->mesh, 1, identity_id(lab.b->identity), &channel, sim_now(lab.sim));
    mesh_on_relayed(lab.a->mesh, 0, identity_id(lab.b->identity), &zero, sim_now(lab.sim));
    assert_null(mesh_take_output(lab.a->mesh));
    for (uint32_t i = 0; i < 100; i++) { /* one a second, at most */
        const struct mesh_channel many = {relay_addr, 1000 + i, token};
        mesh_on_relayed(lab.a->mesh, 0, identity_id(lab.b->identity), &many, sim_now(lab.sim));
    }
    unsigned said = 0;
    for (const struct mesh_output *o; (o = mesh_take_output(lab.a->mesh));)
        said += o->kind == MESH_OUTPUT_DATAGRAM;
    assert_int_equal(said, 1);
    sim_free(lab.sim);
}

static void nodes_that_use_other_carriers_have_no_relay(void **state)
{
    (void)state;
    for (unsigned which = CARRIERS_UDP; which <= CARRIERS_TCP; which++) {
        struct pair lab = {.sim = sim_new(12, &weather)};
        sim_backbone(lab.sim)->relays = true;
        lab.a = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        lab.b = sim_add_carried(lab.sim, (enum carriers)which);
        uplinks(&lab, true);
        sim_connect(lab.b, lab.a, NULL);
        sim_run(lab.sim, 30 * SECOND, pair_exchange, &lab);
        assert_int_equal(lab.a->asks + lab.b->asks, 0);
        sim_free(lab.sim);
    }
}

static void loss_and_reordering_move_no_relay(void **state)
{
    (void)state;
    struct pair lab = relayed_lab(13);
    sim_weather(lab.sim)->loss = 0.01;
    sim_weather(lab.sim)->jitter_us = 4000;
    sim_weather(lab.sim)->duplicate = 0.02;
    for (unsigned i = 0; i < 600; i++) {
        sim_run(lab.sim, SECOND / 2, pair_exchange, &lab);
        assert_true(pair_both_by(&lab, CARRIER_RELAY));
    }
    sim_free(lab.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_no_datagram_reaches_move_to_the_relay),
        cmocka_unit_test(the_warm_relay_takes_over_within_a_second_and_gives_back),
        cmocka_unit_test(the_uplink_takes_over_from_the_relay_within_a_second),
        cmocka_unit_test(a_relay_that_forgot_all_is_asked_for_another_channel),
        cmocka_unit_test(the_relay_carries_on_without_the_uplinks),
        cmocka_unit_test(who_moves_shows_his_new_address_to_the_relay),
        cmocka_unit_test(a_channel_that_idles_for_an_hour_is_still_there),
        cmocka_unit_test(an_idle_channel_costs_a_message_a_minute),
        cmocka_unit_test(a_peer_that_comes_back_gets_a_channel_again),
        cmocka_unit_test(a_backbone_without_a_relay_is_asked_ever_more_rarely),
        cmocka_unit_test(words_of_a_false_relay_move_nothing),
        cmocka_unit_test(channels_that_nobody_asked_for_are_not_taken),
        cmocka_unit_test(nodes_that_use_other_carriers_have_no_relay),
        cmocka_unit_test(loss_and_reordering_move_no_relay),
        cmocka_unit_test(a_standby_is_bound_within_a_second_when_the_network_in_use_dies_in_silence),
        cmocka_unit_test(the_network_in_use_is_bound_again_when_it_has_answered_for_10_seconds),
        cmocka_unit_test(a_peer_that_is_gone_moves_nothing_to_a_standby),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
