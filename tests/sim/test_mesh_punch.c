/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes behind NATs of every kind, and a backbone with a relay. Whether they can have a straight path follows from the model's
 * rules (nat.h); whether they get one, and what it costs others, is what is asked here. Times are virtual. */

#include "base/clock.h"
#include "nat.h"
#include "nat_kinds.h"
#include "pair.h"
#include "proto/punch/punch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND    USEC_PER_SEC
#define DIRECT_US (15 * SECOND)

static const struct sim_weather weather = {.delay_us = 15000, .jitter_us = 5000, .uplink_us = 40000};

static struct pair open_lab(uint64_t seed, const struct nat_kind *a, const struct nat_kind *b)
{
    struct pair lab = {.sim = sim_new(seed, &weather)};
    sim_backbone(lab.sim)->relays = true;
    lab.a = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.b = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_put_behind(lab.a, a);
    sim_put_behind(lab.b, b);
    sim_run(lab.sim, SECOND, NULL, NULL);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_want(lab.b, lab.a);
    return lab;
}

/* What was sent after something carried, and what of it arrived. */
static void exchange_until(struct pair *lab, uint64_t most_us, bool stop_when_direct)
{
    uint64_t begin = sim_now(lab->sim);
    while (sim_now(lab->sim) - begin < most_us && !(stop_when_direct && pair_both_by(lab, CARRIER_UDP))) {
        sim_run(lab->sim, SECOND / 20, NULL, NULL);
        pair_exchange(lab);
    }
}

static void assert_nothing_was_lost(struct pair *lab)
{
    sim_run(lab->sim, SECOND, NULL, NULL); /* what is on its way */
    assert_int_equal(lab->a->frames_sent, lab->b->frames_received);
    assert_int_equal(lab->b->frames_sent, lab->a->frames_received);
}

static void judge(uint64_t seed, const struct nat_kind *a, const struct nat_kind *b)
{
    struct pair lab = open_lab(seed, a, b);
    bool possible = nat_straight_is_possible(a, b);
    exchange_until(&lab, DIRECT_US, possible);
    if (pair_both_by(&lab, CARRIER_UDP) != possible && !nat_straight_is_chance(a, b))
        fail_msg("seed %u: %s and %s: %s", (unsigned)seed, a->name, b->name,
                 possible ? "no straight path, though one is possible"
                          : "straight, though it is not possible");
    exchange_until(&lab, 2 * SECOND, false);
    assert_nothing_was_lost(&lab);
    sim_free(lab.sim);
}

static void a_pair_is_straight_within_15_seconds_where_its_nats_allow_it(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (size_t a = 0; a < NAT_KINDS; a++)
        for (size_t b = a; b < NAT_KINDS; b++, seed++)
            judge(seed, &nat_kinds[seed % 2 ? a : b], &nat_kinds[seed % 2 ? b : a]);
}

/* Enough that no path is left alone. */
static void now_and_then(void *context)
{
    const struct pair *lab = context;
    if (sim_now(lab->sim) % (10 * SECOND) == 0)
        pair_exchange(context);
}

static void a_straight_path_lasts(void **state)
{
    (void)state;
    struct pair lab = open_lab(2, &nat_kinds[NAT_UNGUARDED], &nat_kinds[NAT_SEQUENTIAL]);
    exchange_until(&lab, DIRECT_US, true);
    sim_run(lab.sim, 600 * SECOND, now_and_then, &lab);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    sim_free(lab.sim);
}

/* The NATs have forgotten all by then, and would remember what comes unasked. */
static void what_went_quiet_is_punched_again_once_data_flows(void **state)
{
    (void)state;
    struct pair lab = open_lab(10, &nat_kinds[NAT_UNGUARDED], &nat_kinds[NAT_UNGUARDED]);
    exchange_until(&lab, DIRECT_US, true);
    sim_run(lab.sim, 600 * SECOND, NULL, NULL);
    assert_false(pair_both_by(&lab, CARRIER_UDP));
    pair_time_to(&lab, CARRIER_UDP, 3 * SECOND);
    assert_nothing_was_lost(&lab);
    sim_free(lab.sim);
}

/* What a NAT that forgets all leaves behind is punched anew. */
static void a_nat_that_starts_anew_is_punched_again(void **state)
{
    (void)state;
    struct pair lab = open_lab(3, &nat_kinds[NAT_GUARDED], &nat_kinds[NAT_GUARDED]);
    exchange_until(&lab, DIRECT_US, true);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    nat_reset(lab.a->nat);
    nat_reset(lab.b->nat);
    exchange_until(&lab, 10 * SECOND, false);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    sim_free(lab.sim);
}

/* Three rounds, and then ever longer pauses. */
static void what_cannot_be_punched_costs_little(void **state)
{
    (void)state;
    struct pair lab = open_lab(4, &nat_kinds[NAT_DRAWING], &nat_kinds[NAT_DRAWING]);
    lab.a->watched = lab.b->nat->outer;
    sim_run(lab.sim, 20 * SECOND, now_and_then, &lab);
    uint64_t first = lab.a->watched_datagrams;
    assert_true(first > 0 && first <= PUNCH_ROUNDS * (PUNCH_ADDRESSES_MAX * 4));
    sim_run(lab.sim, 3600 * SECOND, now_and_then, &lab);
    assert_true(lab.a->watched_datagrams - first <= 6 * PUNCH_ROUNDS * (PUNCH_ADDRESSES_MAX * 4));
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    sim_free(lab.sim);
}

static struct mesh_peer view(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    assert_true(sim_peer(n, other, &peer));
    return peer;
}

static void a_pair_that_stays_relayed_says_why(void **state)
{
    (void)state;
    struct pair lab = open_lab(5, &nat_kinds[NAT_GUARDED], &nat_kinds[NAT_DRAWING]);
    sim_sever(lab.a, lab.b, true);
    sim_run(lab.sim, 40 * SECOND, NULL, NULL);
    assert_string_equal(view(lab.a, lab.b).crooked,
                        "the peer's NAT draws ports at random, and ours lets in only what we have sent to");
    assert_string_equal(view(lab.b, lab.a).crooked,
                        "our NAT draws ports at random, and the peer's lets in only what it has sent to");
    sim_free(lab.sim);
    lab = open_lab(6, &nat_kinds[NAT_GUARDED], &nat_kinds[NAT_GUARDED]);
    exchange_until(&lab, DIRECT_US, true);
    assert_string_equal(view(lab.a, lab.b).crooked, "");
    sim_free(lab.sim);
}

/* Towards one NAT, what once came unasked has the node's port. */
static struct pair with_a_long_memory(uint64_t seed, const struct nat_kind *a)
{
    static const struct nat_kind remembers = {
        .name = "unguarded, 10 minutes", .filter = NAT_BY_PORT, .unguarded = true, .expiry_us = 600 * SECOND};
    struct pair lab = open_lab(seed, a, &remembers);
    struct addr from = lab.a->nat->outer, to = lab.b->addr;
    from.port = lab.a->addr.port;
    assert_false(nat_in(lab.b->nat, &from, to.port, sim_now(lab.sim), &to));
    return lab;
}

static unsigned sides_of(const struct sim_node *n)
{
    unsigned count = 0;
    for (unsigned side = 1; side <= SIDES_MAX; side++)
        count += n->sides[side] != 0;
    return count;
}

static bool leaves_by_a_side(const struct pair *lab)
{
    struct mesh_peer peer = view(lab->b, lab->a);
    return peer.path.endpoint.carrier == CARRIER_UDP && peer.path.endpoint.side;
}

static void a_router_that_remembers_long_is_passed_from_a_fresh_port(void **state)
{
    (void)state;
    struct pair lab = with_a_long_memory(13, &nat_kinds[NAT_GUARDED]);
    lab.a->watched = lab.b->nat->outer;
    sim_run(lab.sim, 60 * SECOND, now_and_then, &lab);
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    assert_int_equal(sides_of(lab.a) + sides_of(lab.b), 0);
    exchange_until(&lab, 40 * SECOND, true);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    assert_true(lab.a->watched_datagrams <= 2 * PUNCH_ROUNDS * (PUNCH_ADDRESSES_MAX * 4));
    assert_true(leaves_by_a_side(&lab));
    assert_nothing_was_lost(&lab);
    sim_run(lab.sim, 1200 * SECOND, NULL, NULL); /* nothing flows: it is kept awake */
    assert_true(leaves_by_a_side(&lab));
    assert_int_equal(sides_of(lab.b), 1);
    sim_free(lab.sim);
}

static void a_fresh_port_that_is_of_no_use_is_closed(void **state)
{
    (void)state;
    unsigned opened = 0;
    struct pair lab = with_a_long_memory(14, &nat_kinds[NAT_GUARDED]);
    sim_sever(lab.a, lab.b, true);
    for (unsigned i = 0; i < 300; i++) {
        sim_run(lab.sim, SECOND / 2, now_and_then, &lab);
        assert_true(sides_of(lab.b) <= 1);
        opened += sides_of(lab.b);
    }
    assert_in_range(opened, 1, 60);
    assert_int_equal(sides_of(lab.a) + sides_of(lab.b), 0);
    sim_free(lab.sim);
}

static void a_fresh_port_is_never_said_to_be_at_another_host(void **state)
{
    (void)state;
    struct pair lab = with_a_long_memory(15, &nat_kinds[NAT_GUARDED]);
    lab.a->said = lab.b->said = lab.a->watched =
        (struct addr){.family = 4, .port = 5000, .ip = {198, 51, 100, 200}};
    for (unsigned i = 0; i < 300; i++) {
        sim_run(lab.sim, SECOND / 2, now_and_then, &lab);
        assert_int_equal(sides_of(lab.a) + sides_of(lab.b), 0);
    }
    assert_int_equal(lab.a->watched_datagrams, 0);
    sim_free(lab.sim);
}

/* An earlier version knows no rounds: its addresses are tried as ever, and so are ours by it. */
static void an_earlier_version_is_probed_at_once(void **state)
{
    (void)state;
    struct pair lab = {.sim = sim_new(7, &weather)};
    sim_backbone(lab.sim)->relays = true;
    lab.a = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.b = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.a->features_off = HELLO_FEATURE_PUNCH;
    sim_start_anew(lab.a);
    sim_put_behind(lab.a, &nat_kinds[NAT_GUARDED]);
    sim_put_behind(lab.b, &nat_kinds[NAT_GUARDED]);
    sim_run(lab.sim, SECOND, NULL, NULL);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_want(lab.b, lab.a);
    pair_time_to(&lab, CARRIER_UDP, DIRECT_US);
    sim_free(lab.sim);
}

/* A NAT that lets nobody in again at its outer address is no hindrance to who is behind it, too. */
static void two_behind_one_nat_meet_inside(void **state)
{
    (void)state;
    struct pair lab = {.sim = sim_new(8, &weather)};
    sim_backbone(lab.sim)->relays = true;
    lab.a = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.b = sim_add(lab.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_put_behind(lab.a, &nat_kinds[NAT_DRAWING]);
    sim_put_beside(lab.b, lab.a);
    sim_run(lab.sim, SECOND, NULL, NULL);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    sim_want(lab.b, lab.a);
    pair_time_to(&lab, CARRIER_UDP, DIRECT_US);
    sim_free(lab.sim);
}

static bool knows(const struct sim_node *n, const struct sim_node *other, const struct addr *a)
{
    struct mesh_peer peer;
    bool known = false;
    assert_true(sim_peer(n, other, &peer));
    for (size_t i = 0; i < peer.path_count; i++)
        known |= addr_equal(&peer.paths[i].endpoint.remote, a);
    return known;
}

static void a_handshake_in_the_middle_of_a_round_leaves_none_of_its_addresses(void **state)
{
    (void)state;
    const struct addr elsewhere = {.family = 4, .port = 5000, .ip = {198, 51, 100, 200}};
    struct pair lab = open_lab(11, &nat_kinds[NAT_GUARDED], &nat_kinds[NAT_DRAWING]);
    sim_run(lab.sim, 20 * SECOND, NULL, NULL);
    struct message said = {.type = MESSAGE_PUNCH, .punch = {.round = 1000}};
    said.punch.candidates = (struct message_candidates){1, {{CANDIDATE_REFLEXIVE, elsewhere, 0}}};
    for (unsigned i = 0; i < 600 && !knows(lab.a, lab.b, &elsewhere); i++) {
        said.punch.round += i % 20 == 0;
        sim_say(lab.b, lab.a, &said);
        sim_run(lab.sim, SECOND / 10, now_and_then, &lab);
    }
    assert_true(knows(lab.a, lab.b, &elsewhere));
    sim_kill(lab.b);
    sim_restart(lab.b);
    sim_uplink(lab.b, true);
    sim_want(lab.b, lab.a);
    sim_run(lab.sim, 10 * SECOND, NULL, NULL);
    assert_true(sim_connected(lab.a, lab.b));
    assert_false(knows(lab.a, lab.b, &elsewhere));
    sim_free(lab.sim);
}

/* Where our datagrams come from it knows by them alone: that may be our standby. */
static void who_asks_is_answered_though_it_is_heard_straight(void **state)
{
    (void)state;
    const struct addr elsewhere = {.family = 4, .port = 5000, .ip = {198, 51, 100, 200}};
    struct pair lab = open_lab(12, &nat_kinds[0], &nat_kinds[NAT_DRAWING]);
    exchange_until(&lab, DIRECT_US, true);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    exchange_until(&lab, 30 * SECOND, false);
    struct message said = {.type = MESSAGE_PUNCH, .punch = {.round = 1000}};
    said.punch.candidates = (struct message_candidates){1, {{CANDIDATE_REFLEXIVE, elsewhere, 0}}};
    lab.a->watched = elsewhere;
    sim_say(lab.b, lab.a, &said);
    exchange_until(&lab, 10 * SECOND, false);
    assert_true(lab.a->watched_datagrams > 0);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    sim_free(lab.sim);
}

/* Ten of them name one address, and ports there, as theirs, and ask as often as they like. */
static void liars_make_nobody_send_more_than_the_budget_to_a_victim(void **state)
{
    (void)state;
    enum { LIARS = 10, MINUTES = 10 };
    const struct addr victim = {.family = 4, .port = 5000, .ip = {198, 51, 100, 200}};
    struct sim *sim = sim_new(9, &weather);
    struct sim_node *node = sim_add(sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US), *liars[LIARS];
    sim_backbone(sim)->relays = true;
    sim_put_behind(node, &nat_kinds[NAT_GUARDED]);
    sim_run(sim, SECOND, NULL, NULL);
    sim_uplink(node, true);
    for (unsigned i = 0; i < LIARS; i++) {
        liars[i] = sim_add(sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        liars[i]->shut = liars[i]->deaf = true;
        sim_uplink(liars[i], true);
        sim_want(liars[i], node);
    }
    sim_run(sim, 5 * SECOND, NULL, NULL);
    node->watched = victim;
    unsigned most_sides = 0;
    for (unsigned round = 1; round < MINUTES * 600; round++) {
        struct message lie = {.type = MESSAGE_PUNCH,
                              .punch = {.round = 1000 + round, .first = 6000, .count = 200}};
        lie.punch.candidates = (struct message_candidates){1, {{CANDIDATE_REFLEXIVE, victim, 0}}};
        for (unsigned i = 0; i < LIARS; i++)
            sim_say(liars[i], node, &lie);
        sim_run(sim, SECOND / 10, NULL, NULL);
        most_sides = sides_of(node) > most_sides ? sides_of(node) : most_sides;
    }
    assert_in_range(most_sides, 1, LIARS); /* one for each */
    uint64_t rounds = LIARS * (PUNCH_ROUNDS + 1 + MINUTES * 60 * SECOND / PUNCH_BUDGET_US);
    uint64_t sent = node->watched_datagrams, most = rounds * PUNCH_SENT_MAX;
    assert_true(sent > rounds); /* it does try */
    assert_true(sent <= most);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_is_straight_within_15_seconds_where_its_nats_allow_it),
        cmocka_unit_test(a_straight_path_lasts),
        cmocka_unit_test(what_went_quiet_is_punched_again_once_data_flows),
        cmocka_unit_test(a_nat_that_starts_anew_is_punched_again),
        cmocka_unit_test(what_cannot_be_punched_costs_little),
        cmocka_unit_test(a_pair_that_stays_relayed_says_why),
        cmocka_unit_test(a_router_that_remembers_long_is_passed_from_a_fresh_port),
        cmocka_unit_test(a_fresh_port_that_is_of_no_use_is_closed),
        cmocka_unit_test(a_fresh_port_is_never_said_to_be_at_another_host),
        cmocka_unit_test(an_earlier_version_is_probed_at_once),
        cmocka_unit_test(two_behind_one_nat_meet_inside),
        cmocka_unit_test(a_handshake_in_the_middle_of_a_round_leaves_none_of_its_addresses),
        cmocka_unit_test(who_asks_is_answered_though_it_is_heard_straight),
        cmocka_unit_test(liars_make_nobody_send_more_than_the_budget_to_a_victim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
