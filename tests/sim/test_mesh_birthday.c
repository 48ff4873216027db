/* SPDX-License-Identifier: Apache-2.0 */
/* A NAT that draws ports against one that keeps them, with a relay between: how often many sockets and many probes meet, and
 * what that costs others, also when peers and relays lie. Times are virtual. */

#include "base/clock.h"
#include "nat.h"
#include "pair.h"
#include "proto/punch/birthday.h"
#include "proto/punch/punch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND  USEC_PER_SEC
#define MINUTE  (60 * SECOND)
#define SOON_US (40 * SECOND) /* a round, the words, all probes */

static const struct nat_kind keeping = {.name = "keeping", .filter = NAT_BY_PORT, .expiry_us = 30 * SECOND},
                             drawing = {.name = "drawing",
                                        .mapping = NAT_BY_PORT,
                                        .filter = NAT_BY_PORT,
                                        .numbers = NAT_RANDOM,
                                        .expiry_us = 30 * SECOND};
static const struct sim_weather weather = {.delay_us = 15000, .jitter_us = 5000, .uplink_us = 40000};
static const struct addr victim = {.family = 4, .port = 5000, .ip = {198, 51, 100, 200}};

/* a's NAT keeps ports, b's draws them. */
static struct pair open_lab(uint64_t seed)
{
    struct pair lab = {.sim = sim_new(seed, &weather)};
    sim_backbone(lab.sim)->relays = true;
    lab.a = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.b = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_put_behind(lab.a, &keeping);
    sim_put_behind(lab.b, &drawing);
    sim_run(lab.sim, SECOND, NULL, NULL);
    sim_uplink(lab.a, true);
    sim_uplink(lab.b, true);
    return lab;
}

static struct pair connected(uint64_t seed)
{
    struct pair lab = open_lab(seed);
    sim_want(lab.b, lab.a);
    return lab;
}

static void now_and_then(void *context)
{
    const struct pair *lab = context;
    if (sim_now(lab->sim) % (10 * SECOND) == 0)
        pair_exchange(context);
}

/* Of so many seeds the first that gets a straight path. */
static struct pair lucky(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct pair lab = connected(seed);
        sim_run(lab.sim, SOON_US, now_and_then, &lab);
        if (pair_both_by(&lab, CARRIER_UDP))
            return lab;
        sim_free(lab.sim);
    }
    fail_msg("no luck at all");
    return (struct pair){0};
}

static unsigned sides_of(const struct sim_node *n)
{
    unsigned count = 0;
    for (unsigned side = 1; side <= SIDES_MAX; side++)
        count += n->sides[side] != 0;
    return count;
}

/* What of the rounds goes to the peer's address. */
static uint64_t punches_in(uint64_t us)
{
    return (PUNCH_ROUNDS + 1 + us / PUNCH_BUDGET_US) * PUNCH_SENT_MAX;
}

static void seven_of_eight_pairs_meet(void **state)
{
    /* In that of 49 a round ends between the meeting and its answer. */
    enum { FIRST = 30, TRIES = 24, LEAST = 17 };
    unsigned straight = 0;
    (void)state;
    for (uint64_t seed = FIRST; seed < FIRST + TRIES; seed++) {
        struct pair lab = connected(seed);
        lab.a->watched = lab.b->nat->outer;
        sim_run(lab.sim, SOON_US, now_and_then, &lab);
        straight += pair_both_by(&lab, CARRIER_UDP);
        assert_int_equal(lab.b->draws, 1);
        assert_true(lab.a->watched_datagrams <= BIRTHDAY_PROBES + punches_in(SOON_US));
        assert_int_equal(sides_of(lab.b), lab.b->met);
        sim_free(lab.sim);
    }
    print_message("straight: %u of %u\n", straight, TRIES);
    assert_in_range(straight, LEAST, TRIES);
}

static void what_was_met_lasts_and_carries(void **state)
{
    (void)state;
    struct pair lab = lucky();
    sim_run(lab.sim, 20 * MINUTE, now_and_then, &lab);
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    assert_int_equal(lab.b->draws, 1);
    uint64_t before = lab.a->frames_received;
    sim_run(lab.sim, SECOND, pair_exchange, &lab);
    assert_true(lab.a->frames_received > before);
    sim_run(lab.sim, 20 * MINUTE, NULL, NULL); /* nothing flows */
    assert_true(pair_both_by(&lab, CARRIER_UDP));
    sim_free(lab.sim);
}

static void a_nat_that_forgets_the_socket_closes_it(void **state)
{
    (void)state;
    struct pair lab = lucky();
    nat_reset(lab.b->nat);
    sim_sever(lab.a, lab.b, true);
    sim_run(lab.sim, 5 * MINUTE, now_and_then, &lab);
    assert_true(pair_both_by(&lab, CARRIER_RELAY));
    assert_int_equal(sides_of(lab.b), 0);
    sim_free(lab.sim);
}

static void a_session_that_ends_closes_the_socket(void **state)
{
    (void)state;
    struct pair lab = lucky();
    assert_int_equal(sides_of(lab.b), 1);
    int err = mesh_disconnect(lab.b->mesh, identity_id(lab.a->identity), sim_now(lab.sim));
    assert_int_equal(err, 0);
    sim_do_outputs(lab.b);
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_int_equal(sides_of(lab.b), 0);
    sim_free(lab.sim);
}

/* It is dialled again, and until then nothing asks whether the path answers. */
static void a_peer_that_leaves_closes_the_socket(void **state)
{
    (void)state;
    struct pair lab = lucky();
    mesh_shutdown(lab.a->mesh, sim_now(lab.sim));
    sim_do_outputs(lab.a);
    sim_run(lab.sim, SECOND, NULL, NULL);
    assert_int_equal(sides_of(lab.b), 0);
    sim_free(lab.sim);
}

static void it_is_tried_once_an_hour(void **state)
{
    (void)state;
    struct pair lab = connected(3);
    sim_sever(lab.a, lab.b, true);
    lab.a->watched = lab.b->nat->outer;
    sim_run(lab.sim, 55 * MINUTE, now_and_then, &lab);
    assert_int_equal(lab.b->draws, 1);
    assert_true(lab.a->watched_datagrams >= BIRTHDAY_PROBES);
    assert_true(lab.a->watched_datagrams <= BIRTHDAY_PROBES + punches_in(55 * MINUTE));
    sim_run(lab.sim, 15 * MINUTE, now_and_then, &lab);
    assert_int_equal(lab.b->draws, 2);
    sim_free(lab.sim);
}

static void another_network_is_another_chance(void **state)
{
    (void)state;
    struct pair lab = connected(4);
    sim_sever(lab.a, lab.b, true);
    sim_run(lab.sim, SOON_US, now_and_then, &lab);
    assert_int_equal(lab.b->draws, 1);
    for (unsigned i = 0; i < 10; i++) {
        mesh_network_changed(lab.b->mesh, 1472, sim_now(lab.sim));
        mesh_network_changed(lab.a->mesh, 1472, sim_now(lab.sim));
        sim_run(lab.sim, 10 * SECOND, now_and_then, &lab);
    }
    assert_in_range(lab.b->draws, 2, 3);
    sim_free(lab.sim);
}

static void pairs_take_turns(void **state)
{
    (void)state;
    struct pair lab = open_lab(5);
    struct sim_node *third = sim_add(lab.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_put_behind(third, &keeping);
    sim_run(lab.sim, SECOND, NULL, NULL);
    sim_uplink(third, true);
    sim_sever(lab.a, lab.b, true);
    sim_sever(third, lab.b, true);
    sim_want(lab.b, lab.a);
    sim_want(lab.b, third);
    while (!lab.b->draws)
        sim_run(lab.sim, SECOND / 100, NULL, NULL);
    sim_run(lab.sim, BIRTHDAY_OPEN_US - SECOND, NULL, NULL);
    assert_int_equal(lab.b->draws, 1);
    sim_run(lab.sim, 5 * MINUTE, NULL, NULL);
    assert_int_equal(lab.b->draws, 2);
    sim_free(lab.sim);
}

static void expect_none(struct pair *lab)
{
    sim_run(lab->sim, 3 * MINUTE, now_and_then, lab);
    assert_int_equal(lab->b->draws, 0);
    assert_true(pair_both_by(lab, CARRIER_RELAY));
    sim_free(lab->sim);
}

static void an_earlier_version_is_not_asked(void **state)
{
    (void)state;
    struct pair lab = open_lab(6);
    lab.a->features_off = HELLO_FEATURE_BIRTHDAY;
    sim_uplink(lab.a, false);
    sim_start_anew(lab.a);
    sim_put_behind(lab.a, &keeping);
    sim_run(lab.sim, 20 * SECOND, NULL, NULL);
    sim_uplink(lab.a, true);
    sim_want(lab.b, lab.a);
    expect_none(&lab);
}

static void nothing_is_tried_where_the_relay_says_nothing(void **state)
{
    (void)state;
    struct pair lab = open_lab(7);
    sim_backbone(lab.sim)->is_mum = true;
    sim_want(lab.b, lab.a);
    expect_none(&lab);
}

/* What a peer says of itself leads no probe anywhere. */
static void a_peer_that_names_a_victim_is_probed_where_the_relay_sees_it(void **state)
{
    (void)state;
    struct pair lab = connected(8);
    const struct candidate lie = {CANDIDATE_REFLEXIVE, victim, 0};
    mesh_set_candidates(lab.b->mesh, &lie, 1, sim_now(lab.sim));
    lab.b->ask_us = UINT64_MAX;
    lab.a->watched = victim;
    sim_run(lab.sim, SOON_US, now_and_then, &lab);
    assert_int_equal(lab.b->draws, 1);
    assert_true(lab.a->watched_datagrams > 0); /* by rounds, within their budget */
    assert_true(lab.a->watched_datagrams <= punches_in(SOON_US));
    sim_free(lab.sim);
}

static void a_private_address_is_not_probed(void **state)
{
    (void)state;
    struct pair lab = open_lab(9);
    sim_backbone(lab.sim)->sees = (struct addr){.family = 4, .port = 5000, .ip = {192, 168, 1, 1}};
    sim_want(lab.b, lab.a);
    expect_none(&lab);
}

/* A relay that says that the peer is at the victim's, and a peer that asks for probes all the time: for it every minute is another
 * hour, as the two of them say that it moves. */
static void a_relay_and_a_peer_that_lie_are_bounded(void **state)
{
    enum { MINUTES = 30 };
    (void)state;
    struct pair lab = connected(10);
    sim_backbone(lab.sim)->sees = victim;
    sim_run(lab.sim, 10 * SECOND, now_and_then, &lab);
    lab.a->watched = victim;
    struct message lie = {.type = MESSAGE_BIRTHDAY};
    for (unsigned i = 0; i < MINUTES * 60; i++) {
        sim_backbone(lab.sim)->sees.ip[3] = 200;
        if (i / 60 % 2)
            sim_backbone(lab.sim)->sees.ip[3]++;
        lab.a->watched = sim_backbone(lab.sim)->sees;
        lie.birthday.number = 1000 + i / 4;
        lie.birthday.word = i % 2 ? BIRTHDAY_WORD_BEGIN : BIRTHDAY_WORD_ASK;
        sim_say(lab.b, lab.a, &lie);
        sim_run(lab.sim, SECOND, now_and_then, &lab);
    }
    uint64_t turns = BIRTHDAY_TURNS + 1 + MINUTES * MINUTE / BIRTHDAY_TURN_US;
    assert_true(lab.a->watched_datagrams >= 2 * BIRTHDAY_PROBES); /* it does try */
    assert_true(lab.a->watched_datagrams <= turns * BIRTHDAY_PROBES);
    sim_free(lab.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seven_of_eight_pairs_meet),
        cmocka_unit_test(what_was_met_lasts_and_carries),
        cmocka_unit_test(a_nat_that_forgets_the_socket_closes_it),
        cmocka_unit_test(a_session_that_ends_closes_the_socket),
        cmocka_unit_test(a_peer_that_leaves_closes_the_socket),
        cmocka_unit_test(it_is_tried_once_an_hour),
        cmocka_unit_test(another_network_is_another_chance),
        cmocka_unit_test(pairs_take_turns),
        cmocka_unit_test(an_earlier_version_is_not_asked),
        cmocka_unit_test(nothing_is_tried_where_the_relay_says_nothing),
        cmocka_unit_test(a_peer_that_names_a_victim_is_probed_where_the_relay_sees_it),
        cmocka_unit_test(a_private_address_is_not_probed),
        cmocka_unit_test(a_relay_and_a_peer_that_lie_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
