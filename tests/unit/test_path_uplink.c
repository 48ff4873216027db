/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path: uplinks beside straight paths. Which of them carries, how fast, and what may not move it. */

#include "path_lab.h"

#define FAILOVER_US SECOND

static void the_uplink_carries_while_nothing_else_answers(void **state)
{
    (void)state;
    struct net *net = net_new(1, ETHERNET);
    struct link *dead = add_candidate(net, 1, 10 * MS, ETHERNET), *uplink = add_uplink(net, 30 * MS);
    dead->down = true;
    assert_true(run_until(net, 61 * MS, best_is, uplink)); /* one round trip */
    assert_int_equal(path_best(net->set)->size, WIRE_BASE_SIZE);
    run(net, SECOND);
    assert_int_equal(path_best(net->set)->size, PATH_STREAM_SIZE_MAX);
    assert_int_equal(why_of(net, uplink), PATH_WHY_ONLY);
    assert_int_equal(why_of(net, dead), PATH_WHY_UNKNOWN);
    net_free(net);
}

static void an_uplink_that_is_only_promised_carries_nothing(void **state)
{
    (void)state;
    struct net *net = net_new(1, ETHERNET);
    struct link *uplink = add_uplink(net, 30 * MS);
    uplink->down = true;
    run(net, 60 * SECOND);
    assert_null(path_best(net->set));
    net_free(net);
}

static void a_straight_path_takes_over_when_it_answers_though_it_is_slower(void **state)
{
    (void)state;
    struct net *net = net_new(2, ETHERNET);
    struct link *uplink = add_uplink(net, 1 * MS);
    path_set_active(net->set, true, net->now);
    run(net, 5 * SECOND);
    assert_true(best_is(net, uplink));
    struct link *direct = add_candidate(net, 1, 25 * MS, ETHERNET);
    assert_true(run_until(net, 4 * direct->delay_us + 2 * MS, best_is, direct)); /* once at its full size */
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    run(net, 60 * SECOND);
    assert_true(best_is(net, direct));
    assert_int_equal(why_of(net, direct), PATH_WHY_TIER);
    assert_int_equal(why_of(net, uplink), PATH_WHY_BEHIND);
    net_free(net);
}

static void a_source_that_nobody_named_is_preferred_to_the_uplink(void **state)
{
    (void)state;
    struct net *net = net_new(3, ETHERNET);
    struct link *uplink = add_uplink(net, 1 * MS);
    run(net, 5 * SECOND);
    assert_true(best_is(net, uplink));
    net->talks_from = add_link(net, 9, 20 * MS, ETHERNET);
    assert_true(run_until(net, SECOND, best_is, net->talks_from));
    net_free(net);
}

/* At whatever moment the straight path dies, and however long its round trip was. */
static void when_the_straight_path_dies_the_uplink_carries_within_a_second(void **state)
{
    (void)state;
    for (uint64_t delay = 1 * MS; delay <= 70 * MS; delay += 23 * MS) {
        for (uint64_t phase = 0; phase < 500 * MS; phase += 10 * MS) {
            struct net *net = net_new(4, ETHERNET);
            struct link *uplink, *direct = settled_beside(net, delay, &uplink);
            run(net, phase);
            direct->down = true;
            assert_true(run_until(net, FAILOVER_US, best_is, uplink));
            run(net, 5 * SECOND);
            assert_true(best_is(net, uplink));
            assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
            net_free(net);
        }
    }
}

/* Data ceased to come 0.1 s after the path died: a stream's third retransmission, 0.6 s after its last acknowledgement,
 * has to find the other way. */
static void silence_is_looked_into_at_once(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < 500 * MS; phase += 10 * MS) {
        struct net *net = net_new(16, ETHERNET);
        struct link *uplink, *direct = settled_beside(net, 1 * MS, &uplink);
        run(net, phase);
        direct->down = true;
        run(net, 200 * MS);
        path_on_silence(net->set, net->now);
        assert_true(run_until(net, 401 * MS, best_is, uplink));
        net_free(net);
    }
}

static void a_pause_of_data_costs_a_probe_and_moves_nothing(void **state)
{
    (void)state;
    struct net *net = net_new(17, ETHERNET);
    struct link *uplink, *direct = settled_beside(net, 20 * MS, &uplink);
    direct->probes = 0;
    for (unsigned i = 0; i < 100; i++) {
        path_on_silence(net->set, net->now);
        run(net, 1 * SECOND);
        assert_true(best_is(net, direct));
    }
    assert_in_range(direct->probes, 400, 650);
    path_remove_uplink(net->set, 0);
    direct->probes = 0;
    path_on_silence(net->set, net->now); /* nothing to turn to */
    run(net, 400 * MS);
    assert_in_range(direct->probes, 0, 2);
    net_free(net);
}

static void a_straight_path_that_returned_carries_once_it_was_clean_for_ten_seconds(void **state)
{
    (void)state;
    struct net *net = net_new(5, ETHERNET);
    struct link *uplink, *direct = settled_beside(net, 20 * MS, &uplink);
    direct->down = true;
    run(net, 60 * SECOND);
    assert_int_equal(why_of(net, direct), PATH_WHY_SILENT);
    direct->down = false;
    const enum path_state proven = PATH_STATE_PROVEN;
    while (state_of(net, direct) != proven)
        run(net, 100 * MS);
    run(net, 9 * SECOND);
    assert_true(best_is(net, uplink));
    assert_int_equal(why_of(net, direct), PATH_WHY_RECENT);
    assert_true(run_until(net, 3 * SECOND, best_is, direct));
    net_free(net);
}

static void a_path_that_flaps_does_not_flap_against_the_uplink(void **state)
{
    (void)state;
    struct net *net = net_new(6, ETHERNET);
    struct link *uplink, *direct = settled_beside(net, 20 * MS, &uplink);
    direct->down = true;
    run(net, 2 * SECOND);
    for (unsigned i = 0; i < 40; i++) {
        direct->down = !direct->down;
        for (unsigned j = 0; j < 8; j++) {
            run(net, SECOND);
            assert_true(best_is(net, uplink));
        }
    }
    net_free(net);
}

static void a_little_loss_moves_nothing(void **state)
{
    (void)state;
    struct net *net = net_new(7, ETHERNET);
    struct link *uplink, *direct = settled_beside(net, 20 * MS, &uplink);
    direct->loss = 10; /* 1 % each way */
    for (unsigned i = 0; i < 6000; i++) {
        run(net, 100 * MS);
        assert_true(best_is(net, direct));
    }
    net_free(net);
}

static void straight_paths_are_looked_for_while_the_uplink_carries(void **state)
{
    (void)state;
    struct net *net = net_new(8, ETHERNET);
    struct link *direct = add_candidate(net, 1, 20 * MS, ETHERNET), *uplink = add_uplink(net, 30 * MS);
    direct->down = true;
    run(net, 600 * SECOND);
    assert_true(best_is(net, uplink));
    assert_in_range(direct->probes, 50, 120); /* three tries twice a minute, more often at first */
    direct->down = false;
    assert_true(run_until(net, 40 * SECOND, best_is, direct));
    net_free(net);
}

static void an_uplink_that_does_not_carry_is_kept_warm(void **state)
{
    (void)state;
    struct net *net = net_new(9, ETHERNET);
    struct link *uplink;
    settled_beside(net, 20 * MS, &uplink);
    for (int active = 1; active >= 0; active--) {
        path_set_active(net->set, active, net->now);
        uplink->probes = 0;
        run(net, 70 * SECOND);
        assert_in_range(uplink->probes, 9, 11);
    }
    net_free(net);
}

static void an_uplink_that_ended_carries_no_more_from_then_on(void **state)
{
    (void)state;
    struct net *net = net_new(10, ETHERNET);
    struct link *uplink, *direct = settled_beside(net, 20 * MS, &uplink);
    path_remove_uplink(net->set, 0);
    assert_true(best_is(net, direct));
    path_remove_uplink(net->set, 0);
    path_add_uplink(net->set, 0, &lab_peer, 0, net->now);
    direct->down = true;
    assert_true(run_until(net, FAILOVER_US, best_is, uplink));
    direct->down = false;
    run(net, SECOND);
    net->changed_us = 0;
    path_remove_uplink(net->set, 0);
    assert_true(best_is(net, direct)); /* it answers again: better than nothing */
    poll_all(net);
    assert_int_equal(net->changed_us, net->now);
    net_free(net);
}

static void the_last_path_may_be_an_uplink_that_ends(void **state)
{
    (void)state;
    struct net *net = net_new(11, ETHERNET);
    struct link *uplink = add_uplink(net, 30 * MS);
    run(net, SECOND);
    assert_true(best_is(net, uplink));
    path_remove_uplink(net->set, 0);
    assert_null(path_best(net->set));
    poll_all(net);
    assert_int_equal(net->changed_us, net->now);
    assert_int_equal(path_next_deadline(net->set), TIME_NEVER);
    net_free(net);
}

static void nothing_is_learned_from_what_an_uplink_brings(void **state)
{
    (void)state;
    struct net *net = net_new(12, ETHERNET);
    struct path paths[PATHS_MAX];
    const struct endpoint mine = endpoint_uplink(0, &lab_peer),
                          others = endpoint_uplink(0, &(struct node_id){{2}}),
                          elsewhere = endpoint_uplink(1, &lab_peer);
    path_on_source(net->set, &mine, net->now);
    path_on_source(net->set, &others, net->now);
    assert_int_equal(path_list(net->set, paths, PATHS_MAX), 0);
    path_add_uplink(net->set, 0, &lab_peer, 0, net->now);
    struct path_probe probe;
    struct endpoint to;
    bool changed;
    assert_true(path_poll(net->set, net->now, &probe, &to, &changed));
    assert_true(endpoint_same(&to, &mine));
    probe.kind = PATH_PROBE_ANSWER;
    assert_false(path_on_answer(net->set, &probe, &others, net->now + MS));
    assert_false(path_on_answer(net->set, &probe, &elsewhere, net->now + MS));
    assert_null(path_best(net->set));
    assert_true(path_on_answer(net->set, &probe, &mine, net->now + MS));
    net_free(net);
}

static void candidates_take_no_uplinks_place(void **state)
{
    (void)state;
    struct net *net = net_new(13, ETHERNET);
    for (uint8_t i = 1; i <= CANDIDATES_MAX; i++)
        add_candidate(net, i, 10 * MS, ETHERNET)->down = true;
    struct link *uplink = add_uplink(net, 30 * MS);
    run(net, 5 * SECOND);
    assert_true(best_is(net, uplink));
    net->talks_from = add_link(net, 99, 10 * MS, ETHERNET);
    net->talks_from->down = true;
    run(net, 60 * SECOND);
    assert_true(is_known(net, uplink) && best_is(net, uplink));
    net_free(net);
}

static void the_kernels_word_on_sizes_is_not_about_uplinks(void **state)
{
    (void)state;
    struct net *net = net_new(14, ETHERNET);
    add_uplink(net, 30 * MS);
    run(net, SECOND);
    path_on_too_big(net->set, net->now);
    path_wake(net->set, 1280, net->now);
    assert_int_equal(path_best(net->set)->size, PATH_STREAM_SIZE_MAX);
    net_free(net);
}

static struct net *net_with(enum carriers carriers)
{
    struct net *net = net_new(15, ETHERNET);
    path_set_free(net->set);
    const struct path_set_config config = {
        .random = {fill_random, net}, .local_max = ETHERNET, .carriers = carriers};
    assert_int_equal(path_set_new(&config, &net->set), 0);
    return net;
}

static void only_carriers_in_use_make_paths(void **state)
{
    (void)state;
    for (unsigned which = CARRIERS_UDP; which <= CARRIERS_TCP; which++) {
        struct net *net = net_with((enum carriers)which);
        struct link *direct = add_candidate(net, 1, 10 * MS, ETHERNET), *uplink = add_uplink(net, 10 * MS);
        net->talks_from = add_link(net, 2, 10 * MS, ETHERNET);
        run(net, 10 * SECOND);
        assert_int_equal(is_known(net, direct), which == CARRIERS_UDP);
        assert_int_equal(is_known(net, net->talks_from), which == CARRIERS_UDP);
        assert_int_equal(is_known(net, uplink), which == CARRIERS_TCP);
        assert_non_null(path_best(net->set));
        net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_uplink_carries_while_nothing_else_answers),
        cmocka_unit_test(an_uplink_that_is_only_promised_carries_nothing),
        cmocka_unit_test(a_straight_path_takes_over_when_it_answers_though_it_is_slower),
        cmocka_unit_test(a_source_that_nobody_named_is_preferred_to_the_uplink),
        cmocka_unit_test(when_the_straight_path_dies_the_uplink_carries_within_a_second),
        cmocka_unit_test(silence_is_looked_into_at_once),
        cmocka_unit_test(a_pause_of_data_costs_a_probe_and_moves_nothing),
        cmocka_unit_test(a_straight_path_that_returned_carries_once_it_was_clean_for_ten_seconds),
        cmocka_unit_test(a_path_that_flaps_does_not_flap_against_the_uplink),
        cmocka_unit_test(a_little_loss_moves_nothing),
        cmocka_unit_test(straight_paths_are_looked_for_while_the_uplink_carries),
        cmocka_unit_test(an_uplink_that_does_not_carry_is_kept_warm),
        cmocka_unit_test(an_uplink_that_ended_carries_no_more_from_then_on),
        cmocka_unit_test(the_last_path_may_be_an_uplink_that_ends),
        cmocka_unit_test(nothing_is_learned_from_what_an_uplink_brings),
        cmocka_unit_test(candidates_take_no_uplinks_place),
        cmocka_unit_test(the_kernels_word_on_sizes_is_not_about_uplinks),
        cmocka_unit_test(only_carriers_in_use_make_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
