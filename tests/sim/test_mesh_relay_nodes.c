/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that relay for their peers, by the real books. Nothing passes straight between a and b, which each relay names. Times are
 * virtual. */

#include "base/clock.h"
#include "pair.h"
#include "proto/mesh/mesh_relay.h"
#include "proto/mesh/mesh_state.h"
#include "proto/relay/relay_desk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND      USEC_PER_SEC
#define FAILOVER_US SECOND
#define SOON_US     (SECOND / 2) /* a first question may come too soon */
#define NODES_MAX   4

static const struct sim_weather weather = {.delay_us = 5000, .uplink_us = 30000};

struct lab {
    struct pair pair;
    struct sim_node *nodes[NODES_MAX];
    unsigned count;
};

static void list(struct sim_node *n, const struct sim_node *other)
{
    assert_int_equal(mesh_allow(n->mesh, identity_id(other->identity)), 0);
}

static struct sim_node *add_node(struct lab *lab, uint64_t far_us)
{
    struct sim_node *n = sim_add(lab->pair.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    n->relays = true;
    n->far_us = far_us;
    sim_start_anew(n);
    list(n, lab->pair.a);
    list(n, lab->pair.b);
    lab->nodes[lab->count++] = n;
    return n;
}

static void connect_to(struct lab *lab, struct sim_node *n)
{
    sim_connect(lab->pair.a, n, NULL);
    sim_connect(lab->pair.b, n, NULL);
}

/* a and b are linked by the backbone, which has no relay. */
static struct lab open_lab(uint64_t seed, unsigned count)
{
    struct lab lab = {.pair = {.sim = sim_new(seed, &weather)}};
    lab.pair.a = sim_add(lab.pair.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    lab.pair.b = sim_add(lab.pair.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_sever(lab.pair.a, lab.pair.b, true);
    sim_uplink(lab.pair.a, true);
    sim_uplink(lab.pair.b, true);
    for (unsigned i = 0; i < count; i++)
        connect_to(&lab, add_node(&lab, i * 10000));
    sim_want(lab.pair.b, lab.pair.a);
    return lab;
}

static void run(struct lab *lab, uint64_t duration_us)
{
    sim_run(lab->pair.sim, duration_us, pair_exchange, &lab->pair);
}

static struct lab relayed_lab(uint64_t seed, unsigned count)
{
    struct lab lab = open_lab(seed, count);
    pair_time_to(&lab.pair, CARRIER_RELAY, 10 * SECOND);
    run(&lab, 10 * SECOND);
    return lab;
}

static void close_lab(struct lab *lab)
{
    sim_free(lab->pair.sim);
}

/* How many paths by relays n has to other that answer. */
static unsigned relay_paths(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    unsigned count = 0;
    assert_true(sim_peer(n, other, &peer));
    for (size_t i = 0; i < peer.path_count; i++)
        count += peer.paths[i].endpoint.carrier == CARRIER_RELAY && peer.paths[i].state == PATH_STATE_PROVEN;
    return count;
}

static bool carries(const struct lab *lab, const struct sim_node *node)
{
    struct mesh_peer a, b;
    return sim_peer(lab->pair.a, lab->pair.b, &a) && sim_peer(lab->pair.b, lab->pair.a, &b) &&
           a.path.endpoint.carrier == CARRIER_RELAY && b.path.endpoint.carrier == CARRIER_RELAY &&
           addr_equal(&a.path.endpoint.remote, &node->addr) &&
           addr_equal(&b.path.endpoint.remote, &node->addr);
}

static void two_that_do_not_reach_each_other_meet_at_a_common_peer(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(1, 1);
    assert_true(carries(&lab, lab.nodes[0]));
    struct mesh_peer peer;
    assert_true(sim_peer(lab.pair.b, lab.pair.a, &peer));
    assert_int_equal(peer.path.size, 1464);
    uint64_t passed = lab.nodes[0]->passed;
    run(&lab, SECOND);
    assert_true(lab.nodes[0]->passed > passed + 100);
    sim_run(lab.pair.sim, SECOND, NULL, NULL);
    assert_int_equal(lab.pair.a->frames_received, lab.pair.b->frames_sent);
    assert_int_equal(lab.nodes[0]->frames_received, 0);
    assert_int_equal(relay_desk_count(lab.nodes[0]->desk), 1);
    close_lab(&lab);
}

/* One of the two has been there for long, and the other one comes: which of them chooses the relay, which is farther from it, and whose
 * session with whom is there first, is all the same. Returns how long it takes from when all have their sessions. */
static uint64_t time_until_relayed(uint64_t seed, const struct sim_weather *w, bool a_comes, uint64_t far_us)
{
    struct lab lab = {.pair = {.sim = sim_new(seed, w)}};
    struct pair *pair = &lab.pair;
    pair->a = sim_add(pair->sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    pair->b = sim_add(pair->sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_sever(pair->a, pair->b, true);
    struct sim_node *node = add_node(&lab, 0);
    struct sim_node *early = a_comes ? pair->b : pair->a, *late = a_comes ? pair->a : pair->b;
    late->far_us = far_us;
    sim_uplink(early, true);
    sim_connect(early, node, NULL);
    sim_run(pair->sim, 3 * SECOND, NULL, NULL);
    list(pair->a, pair->b);
    sim_uplink(late, true);
    sim_connect(late, node, NULL);
    sim_want(pair->b, pair->a);
    uint64_t live_us = 0;
    while (!live_us || !relay_paths(pair->a, pair->b) || !relay_paths(pair->b, pair->a)) {
        sim_run(pair->sim, 1000, NULL, NULL);
        if (!live_us && sim_connected(pair->a, pair->b) && sim_connected(pair->b, pair->a) &&
            sim_connected(late, node))
            live_us = sim_now(pair->sim);
        assert_true(!live_us || sim_now(pair->sim) - live_us < 60 * SECOND);
    }
    uint64_t took_us = sim_now(pair->sim) - live_us;
    close_lab(&lab);
    return took_us;
}

/* Of those who come one is at the relay before the backbone, and one long after. */
static void a_relay_carries_as_soon_as_both_ends_are_there(void **state)
{
    (void)state;
    static const uint64_t uplinks_us[] = {500, 5000, 60000}, delays_us[] = {200, 20000},
                          far_us[] = {0, 3000, 40000};
    for (unsigned i = 0; i < 3 * 2 * 3 * 4; i++) {
        const struct sim_weather w = {.uplink_us = uplinks_us[i % 3], .delay_us = delays_us[i / 3 % 2]};
        uint64_t far = far_us[i / 6 % 3], round_us = 4 * w.delay_us + 2 * far;
        uint64_t took_us = time_until_relayed(50 + i / 36, &w, i / 18 % 2, far);
        assert_in_range(took_us, 0, SOON_US + 4 * round_us);
    }
}

/* The nearest carries, the next one is warm, and no more are bound. */
static void of_several_nodes_the_nearest_carries_and_one_is_warm(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(2, 4);
    assert_true(carries(&lab, lab.nodes[0]));
    assert_int_equal(relay_paths(lab.pair.a, lab.pair.b), 2);
    assert_int_equal(relay_desk_count(lab.nodes[1]->desk), 1);
    assert_int_equal(relay_desk_count(lab.nodes[2]->desk) + relay_desk_count(lab.nodes[3]->desk), 0);
    close_lab(&lab);
}

/* At whatever moment; without anything over TCP beside. */
static void the_warm_one_takes_over_within_a_second(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < 500000; phase += 50000) {
        struct lab lab = relayed_lab(3, 2);
        sim_uplink(lab.pair.a, false);
        sim_uplink(lab.pair.b, false);
        run(&lab, 5 * SECOND + phase);
        lab.pair.silent_us = 0;
        sim_kill(lab.nodes[0]);
        run(&lab, 10 * SECOND);
        assert_true(carries(&lab, lab.nodes[1]));
        assert_in_range(lab.pair.silent_us, 1, FAILOVER_US);
        close_lab(&lab);
    }
}

/* At first it may not know both yet. Later the other end still holds a place for one that was left. */
static void a_node_that_comes_later_and_is_nearer_takes_over(void **state)
{
    (void)state;
    struct lab lab = open_lab(4, 0);
    struct sim_node *far = add_node(&lab, 40000), *farther = add_node(&lab, 50000);
    connect_to(&lab, far);
    connect_to(&lab, farther);
    pair_time_to(&lab.pair, CARRIER_RELAY, 10 * SECOND);
    run(&lab, 10 * SECOND);
    struct sim_node *near = add_node(&lab, 0);
    connect_to(&lab, near);
    run(&lab, 60 * SECOND);
    assert_true(carries(&lab, near));
    assert_int_equal(relay_paths(lab.pair.a, lab.pair.b), 2);
    assert_int_equal(relay_desk_count(far->desk) + relay_desk_count(farther->desk),
                     1); /* the other was told */
    close_lab(&lab);
}

/* Its session was there long before, by the backbone. */
static void a_node_is_asked_as_soon_as_there_is_a_straight_path_to_it(void **state)
{
    (void)state;
    struct lab lab = open_lab(18, 0);
    struct sim_node *n = add_node(&lab, 0);
    sim_sever(lab.pair.a, n, true);
    sim_sever(lab.pair.b, n, true);
    sim_uplink(n, true);
    connect_to(&lab, n);
    run(&lab, 120 * SECOND);
    assert_true(sim_connected(lab.pair.a, n) && sim_connected(lab.pair.b, n));
    assert_int_equal(lab.nodes[0]->passed, 0);
    sim_sever(lab.pair.a, n, false);
    sim_sever(lab.pair.b, n, false);
    mesh_network_changed(n->mesh, 1472, sim_now(lab.pair.sim));
    sim_do_outputs(n);
    pair_time_to(&lab.pair, CARRIER_RELAY, 15 * SECOND);
    close_lab(&lab);
}

/* Of all that n may say of relays, for far longer than this test. */
static void book_turns(const struct sim_node *n, unsigned count)
{
    struct mesh *m = n->mesh;
    uint64_t at_us, now_us = sim_now(n->sim);
    uint64_t peers_us = (m->slot_end + 1) * MESH_RELAY_NODES_MAX * MESH_RELAY_WORD_INTERVAL_US;
    for (unsigned i = 0; i < count; i++)
        if (!mesh_has_turn(m, &m->relay_words, MESH_RELAY_NODES_MAX, now_us, &at_us))
            assert_in_range(at_us, now_us + 1, now_us + peers_us);
}

/* Nodes came and went, and each time every peer waited for its turn anew. */
static void turns_that_nobody_takes_put_off_nobody(void **state)
{
    (void)state;
    struct lab lab = open_lab(17, 0);
    struct sim_node *n = add_node(&lab, 0);
    run(&lab, 5 * SECOND);
    book_turns(lab.pair.a, 10000);
    book_turns(lab.pair.b, 10000);
    connect_to(&lab, n);
    pair_time_to(&lab.pair, CARRIER_RELAY, 15 * SECOND);
    close_lab(&lab);
}

static void a_node_that_is_started_again_relays_again(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(5, 1);
    sim_kill(lab.nodes[0]);
    run(&lab, 20 * SECOND);
    assert_false(pair_both_by(&lab.pair, CARRIER_RELAY));
    sim_restart(lab.nodes[0]);
    list(lab.nodes[0], lab.pair.a);
    list(lab.nodes[0], lab.pair.b);
    pair_time_to(&lab.pair, CARRIER_RELAY, 90 * SECOND);
    close_lab(&lab);
}

static void an_end_that_is_started_again_is_relayed_again(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(6, 1);
    sim_kill(lab.pair.a);
    run(&lab, 3 * SECOND);
    sim_restart(lab.pair.a);
    sim_uplink(lab.pair.a, true);
    sim_connect(lab.pair.a, lab.nodes[0], NULL);
    pair_time_to(&lab.pair, CARRIER_RELAY, 120 * SECOND);
    close_lab(&lab);
}

static void a_node_behind_a_nat_relays(void **state)
{
    (void)state;
    struct lab lab = open_lab(7, 0);
    struct sim_node *n = add_node(&lab, 0);
    n->behind_nat = true;
    list(lab.pair.a, n);
    list(lab.pair.b, n);
    sim_connect(n, lab.pair.a, NULL);
    sim_connect(n, lab.pair.b, NULL);
    pair_time_to(&lab.pair, CARRIER_RELAY, 10 * SECOND);
    assert_true(carries(&lab, n));
    sim_run(lab.pair.sim, 1800 * SECOND, NULL, NULL);
    run(&lab, SECOND);
    assert_true(carries(&lab, n));
    close_lab(&lab);
}

/* Whom it admits for being anybody, and who names it not. */
static void a_public_node_relays_for_nobody_that_it_does_not_name(void **state)
{
    (void)state;
    struct lab lab = open_lab(8, 0);
    struct sim_node *n = sim_add(lab.pair.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    n->relays = true;
    sim_start_anew(n);
    list(n, lab.pair.a);
    connect_to(&lab, n);
    run(&lab, 120 * SECOND);
    assert_true(sim_connected(lab.pair.b, n));
    assert_int_equal(n->passed, 0);
    assert_int_equal(relay_desk_count(n->desk), 0);
    close_lab(&lab);
}

static void a_relay_that_an_end_does_not_name_is_not_used(void **state)
{
    (void)state;
    struct lab lab = open_lab(9, 0);
    struct sim_node *n = add_node(&lab, 0); /* it names both; a is public, and does not name it */
    sim_connect(n, lab.pair.a, NULL);
    sim_connect(lab.pair.b, n, NULL);
    run(&lab, 300 * SECOND);
    assert_true(sim_connected(n, lab.pair.a) && sim_connected(lab.pair.b, n));
    assert_int_equal(relay_paths(lab.pair.a, lab.pair.b), 0);
    close_lab(&lab);
}

static void who_leaves_the_lists_is_relayed_for_no_longer(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(10, 1);
    assert_int_equal(
        mesh_disallow(lab.nodes[0]->mesh, identity_id(lab.pair.b->identity), sim_now(lab.pair.sim)), 0);
    sim_do_outputs(lab.nodes[0]);
    sim_run(lab.pair.sim, SECOND / 10, NULL, NULL);
    unsigned passed = lab.nodes[0]->passed;
    run(&lab, 20 * SECOND);
    assert_int_equal(lab.nodes[0]->passed, passed);
    assert_true(pair_both_by(&lab.pair, CARRIER_UPLINK));
    close_lab(&lab);
}

static void earlier_nodes_are_left_alone(void **state)
{
    (void)state;
    struct lab lab = open_lab(11, 0);
    lab.pair.b->features_off = HELLO_FEATURE_RELAY_NODES;
    sim_uplink(lab.pair.b, false);
    sim_start_anew(lab.pair.b);
    sim_uplink(lab.pair.b, true);
    struct sim_node *n = add_node(&lab, 0);
    connect_to(&lab, n);
    sim_want(lab.pair.b, lab.pair.a);
    run(&lab, 60 * SECOND);
    assert_true(pair_both_by(&lab.pair, CARRIER_UPLINK));
    assert_int_equal(relay_desk_count(n->desk), 0);
    close_lab(&lab);
}

static void nobody_is_asked_where_no_node_relays(void **state)
{
    (void)state;
    struct lab lab = open_lab(12, 0);
    run(&lab, 10 * SECOND);
    lab.nodes[0] = sim_add(lab.pair.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    connect_to(&lab, lab.nodes[0]);
    run(&lab, 10 * SECOND);
    assert_int_equal(lab.nodes[0]->drops[DROP_RELAY], 0);
    close_lab(&lab);
}

/* ---- liars ---- */

static struct message relay_word(enum message_type type, const struct sim_node *about)
{
    return (struct message){.type = type, .relay = {.id = *identity_id(about->identity)}};
}

/* An admitted peer asks for channels to all it can name, as fast as it can. */
static void who_asks_for_ever_gets_a_channel_a_second_and_disturbs_nobody(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(13, 1);
    struct sim_node *node = lab.nodes[0],
                    *liar = sim_add(lab.pair.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    list(node, liar);
    sim_connect(liar, node, NULL);
    run(&lab, 3 * SECOND);
    lab.pair.silent_us = 0;
    for (unsigned i = 0; i < 200; i++) {
        const struct message to_a = relay_word(MESSAGE_RELAY_ASK, lab.pair.a);
        struct message unknown = relay_word(MESSAGE_RELAY_ASK, liar);
        sim_say(liar, node, &to_a);
        sim_say(liar, node, &unknown);
        unknown.relay.id.bytes[0] ^= (uint8_t)(i + 1);
        sim_say(liar, node, &unknown);
        run(&lab, 10000);
    }
    assert_true(relay_desk_count(node->desk) <= 2);
    assert_true(node->drops[DROP_CONTROL_RATE] > 0);
    run(&lab, 10 * SECOND);
    assert_true(carries(&lab, node));
    assert_in_range(lab.pair.silent_us, 0, 60000);
    close_lab(&lab);
}

/* What it gives out it was not asked for, and what it finds leads nowhere. */
static void a_node_that_lies_about_relaying_moves_nothing(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(14, 2);
    struct sim_node *liar = add_node(&lab, 0);
    connect_to(&lab, liar);
    run(&lab, 20 * SECOND);
    lab.pair.silent_us = 0;
    struct mesh_peer a;
    assert_true(sim_peer(lab.pair.a, lab.pair.b, &a));
    for (unsigned i = 0; i < 100; i++) {
        struct message found = relay_word(MESSAGE_RELAY_FOUND, lab.pair.b);
        struct message channel = relay_word(MESSAGE_RELAY_CHANNEL, lab.pair.b);
        found.relay.rtt_us = 1;
        channel.relay.channel = i % 2 ? a.path.endpoint.channel : i + 1;
        sim_say(liar, lab.pair.a, &found);
        sim_say(liar, lab.pair.a, &channel);
        channel.relay.id = *identity_id(lab.pair.a->identity);
        sim_say(liar, lab.pair.b, &channel);
        channel.relay.id = *identity_id(liar->identity);
        sim_say(liar, lab.pair.b, &channel);
        run(&lab, 50000);
    }
    assert_true(pair_both_by(&lab.pair, CARRIER_RELAY));
    assert_in_range(lab.pair.silent_us, 0, FAILOVER_US);
    close_lab(&lab);
}

/* a is not being dialled, nor dials: whoever asked for that channel is not there. */
static void a_channel_to_who_is_not_there_is_not_bound(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(20, 1);
    struct sim_node *liar = lab.nodes[0], *a = lab.pair.a;
    list(a, lab.pair.b);
    sim_stop(lab.pair.b);
    run(&lab, 120 * SECOND);
    assert_false(sim_connected(a, lab.pair.b));
    uint64_t dropped = a->drops[DROP_RELAY];
    struct message channel = relay_word(MESSAGE_RELAY_CHANNEL, lab.pair.b);
    channel.relay.channel = 4711;
    sim_say(liar, a, &channel);
    run(&lab, SECOND);
    assert_int_equal(a->drops[DROP_RELAY], dropped + 1);
    assert_false(mesh_is_end_of(a->mesh, 4711));
    close_lab(&lab);
}

/* However near it says that it is. */
static void a_node_that_was_not_asked_pushes_nobody_out(void **state)
{
    (void)state;
    struct lab lab = open_lab(19, 0);
    struct sim_node *near = add_node(&lab, 10000), *next = add_node(&lab, 20000),
                    *liar = add_node(&lab, 60000);
    for (unsigned i = 0; i < lab.count; i++)
        connect_to(&lab, lab.nodes[i]);
    pair_time_to(&lab.pair, CARRIER_RELAY, 10 * SECOND);
    run(&lab, 40 * SECOND);
    assert_int_equal(relay_desk_count(near->desk) + relay_desk_count(next->desk), 2);
    uint64_t dropped = lab.pair.a->drops[DROP_RELAY] + lab.pair.b->drops[DROP_RELAY];
    struct message found = relay_word(MESSAGE_RELAY_FOUND, lab.pair.b);
    found.relay.rtt_us = 1;
    sim_say(liar, lab.pair.a, &found);
    found.relay.id = *identity_id(lab.pair.a->identity);
    sim_say(liar, lab.pair.b, &found);
    run(&lab, 2 * SECOND);
    assert_int_equal(relay_desk_count(liar->desk), 0);
    assert_int_equal(relay_desk_count(near->desk) + relay_desk_count(next->desk), 2);
    assert_int_equal(lab.pair.a->drops[DROP_RELAY] + lab.pair.b->drops[DROP_RELAY], dropped + 2);
    close_lab(&lab);
}

/* Each of two nodes relays for pairs of which the other is one: no datagram goes round. */
static void two_nodes_that_relay_for_each_other_pass_nothing_round(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(15, 2);
    struct sim_node *first = lab.nodes[0], *second = lab.nodes[1];
    list(first, second);
    list(second, first);
    sim_connect(first, second, NULL);
    list(second, lab.pair.a);
    list(first, lab.pair.b);
    run(&lab, 20 * SECOND);
    sim_sever(first, lab.pair.a, true);
    sim_sever(second, lab.pair.b, true);
    run(&lab, 30 * SECOND);
    assert_true(pair_both_by(&lab.pair, CARRIER_UPLINK));
    unsigned passed = first->passed + second->passed;
    sim_run(lab.pair.sim, 10 * SECOND, NULL, NULL);
    assert_true(first->passed + second->passed < passed + 200); /* probes of those that are still bound */
    close_lab(&lab);
}

static void loss_and_reordering_move_no_relay(void **state)
{
    (void)state;
    struct lab lab = relayed_lab(16, 1);
    sim_weather(lab.pair.sim)->loss = 0.01;
    sim_weather(lab.pair.sim)->jitter_us = 4000;
    sim_weather(lab.pair.sim)->duplicate = 0.02;
    for (unsigned i = 0; i < 300; i++) {
        run(&lab, SECOND / 2);
        assert_true(carries(&lab, lab.nodes[0]));
    }
    close_lab(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_do_not_reach_each_other_meet_at_a_common_peer),
        cmocka_unit_test(a_relay_carries_as_soon_as_both_ends_are_there),
        cmocka_unit_test(of_several_nodes_the_nearest_carries_and_one_is_warm),
        cmocka_unit_test(the_warm_one_takes_over_within_a_second),
        cmocka_unit_test(a_node_that_comes_later_and_is_nearer_takes_over),
        cmocka_unit_test(a_node_is_asked_as_soon_as_there_is_a_straight_path_to_it),
        cmocka_unit_test(turns_that_nobody_takes_put_off_nobody),
        cmocka_unit_test(a_node_that_is_started_again_relays_again),
        cmocka_unit_test(an_end_that_is_started_again_is_relayed_again),
        cmocka_unit_test(a_node_behind_a_nat_relays),
        cmocka_unit_test(a_public_node_relays_for_nobody_that_it_does_not_name),
        cmocka_unit_test(a_relay_that_an_end_does_not_name_is_not_used),
        cmocka_unit_test(who_leaves_the_lists_is_relayed_for_no_longer),
        cmocka_unit_test(earlier_nodes_are_left_alone),
        cmocka_unit_test(nobody_is_asked_where_no_node_relays),
        cmocka_unit_test(who_asks_for_ever_gets_a_channel_a_second_and_disturbs_nobody),
        cmocka_unit_test(a_node_that_lies_about_relaying_moves_nothing),
        cmocka_unit_test(a_channel_to_who_is_not_there_is_not_bound),
        cmocka_unit_test(a_node_that_was_not_asked_pushes_nobody_out),
        cmocka_unit_test(two_nodes_that_relay_for_each_other_pass_nothing_round),
        cmocka_unit_test(loss_and_reordering_move_no_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
