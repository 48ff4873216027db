/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path: what answers carries; what stops answering is left for what does. */

#include "path_lab.h"

static void first_answer_carries_at_once_and_full_size_one_round_trip_later(void **state)
{
    (void)state;
    struct net *net = net_new(1, ETHERNET);
    struct link *link = add_candidate(net, 1, 10 * MS, ETHERNET);
    assert_null(path_best(net->set));
    run(net, 19 * MS);
    assert_null(path_best(net->set));
    run(net, 1 * MS);
    assert_true(best_is(net, link));
    assert_int_equal(path_best(net->set)->size, WIRE_BASE_SIZE);
    assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
    assert_int_equal(net->changed_us, net->now);
    run(net, 20 * MS);
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    assert_int_equal(net->changed_us, net->now);
    assert_in_range(path_best(net->set)->rtt_us, 19 * MS, 21 * MS);
    net_free(net);
}

static void black_hole_is_left_for_another_proven_path(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < 10; phase++) {
        struct net *net = net_new(10 + phase, ETHERNET);
        struct link *second = add_candidate(net, 2, 12 * MS, ETHERNET), *first = settled(net, 10 * MS);
        run(net, phase * 50 * MS);
        first->down = true;
        WITHIN(net, 1500 * MS, best_is, second);
        assert_int_equal(path_best(net->set)->size, ETHERNET);
        assert_int_equal(state_of(net, first), PATH_STATE_SUSPECT);
        run(net, 5 * SECOND);
        assert_int_equal(state_of(net, first), PATH_STATE_FAILED);
        net_free(net);
    }
}

/* Three ways to the same house, and two of them share a ditch. */
static void dead_substitute_is_left_for_one_that_answers(void **state)
{
    (void)state;
    struct net *net = net_new(20, ETHERNET);
    struct link *third = add_candidate(net, 3, 30 * MS, ETHERNET);
    struct link *second = add_candidate(net, 2, 12 * MS, ETHERNET), *first = settled(net, 10 * MS);
    first->down = second->down = true;
    WITHIN(net, 1100 * MS, best_is, third);
    run(net, 10 * SECOND);
    assert_true(best_is(net, third));
    net_free(net);
}

static void failed_candidate_is_tried_when_the_best_path_dies(void **state)
{
    (void)state;
    struct net *net = net_new(21, ETHERNET);
    struct link *second = add_candidate(net, 2, 10 * MS, ETHERNET);
    second->down = true;
    struct link *first = settled(net, 10 * MS);
    assert_int_equal(state_of(net, second), PATH_STATE_FAILED);
    second->down = false;
    first->down = true;
    WITHIN(net, 1500 * MS, best_is, second);
    net_free(net);
}

static void sole_path_is_suspect_then_failed_then_comes_back(void **state)
{
    (void)state;
    static const enum path_state suspect = PATH_STATE_SUSPECT, proven = PATH_STATE_PROVEN;
    struct net *net = net_new(22, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->down = true;
    WITHIN(net, 1300 * MS, state_is, &suspect);
    assert_int_equal(net->changed_us, net->now);
    assert_true(best_is(net, link));
    link->down = false;
    WITHIN(net, 300 * MS, state_is, &proven);
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    link->down = true;
    run(net, 4 * SECOND);
    assert_non_null(path_best(net->set));
    WITHIN(net, 3 * SECOND, has_no_best, NULL);
    assert_int_equal(net->changed_us, net->now);
    run(net, 10 * SECOND);
    link->down = false;
    WITHIN(net, 10 * SECOND, state_is, &proven);
    net_free(net);
}

static void wake_tries_failed_paths_at_once(void **state)
{
    (void)state;
    static const enum path_state proven = PATH_STATE_PROVEN;
    struct net *net = net_new(24, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->down = true;
    run(net, 600 * SECOND);
    assert_null(path_best(net->set));
    link->down = false;
    run(net, 1 * SECOND);
    path_wake(net->set, ETHERNET, net->now);
    WITHIN(net, 800 * MS, state_is, &proven);
    net_free(net);
}

static void wake_finds_out_about_an_idle_dead_path_quickly(void **state)
{
    (void)state;
    static const enum path_state suspect = PATH_STATE_SUSPECT;
    struct net *net = net_new(25, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    path_set_active(net->set, false, net->now);
    run(net, 25 * SECOND);
    link->down = true;
    path_wake(net->set, ETHERNET, net->now);
    WITHIN(net, 800 * MS, state_is, &suspect);
    net_free(net);
}

static void faster_path_wins_only_when_clearly_faster(void **state)
{
    (void)state;
    struct net *net = net_new(40, ETHERNET);
    struct link *old = settled(net, 10 * MS);
    struct link *a_bit = add_candidate(net, 2, 8 * MS, ETHERNET);
    run(net, 60 * SECOND);
    assert_int_equal(state_of(net, a_bit), PATH_STATE_PROVEN);
    assert_true(best_is(net, old));
    struct link *clearly = add_candidate(net, 3, 7 * MS, ETHERNET);
    static const uint16_t less = ETHERNET - 1;
    assert_false(run_until(net, 1 * SECOND, size_at_most, &less));
    assert_true(best_is(net, clearly));
    run(net, 60 * SECOND);
    assert_true(best_is(net, clearly));
    net_free(net);
}

static void faster_path_carries_only_once_its_size_is_known(void **state)
{
    (void)state;
    struct net *net = net_new(46, ETHERNET);
    settled(net, 10 * MS);
    struct link *faster = add_candidate(net, 2, 5 * MS, 1452);
    WITHIN(net, 4 * SECOND, best_is, faster);
    assert_int_equal(path_best(net->set)->size, 1452);
    net_free(net);
}

static void microseconds_do_not_matter(void **state)
{
    (void)state;
    struct net *net = net_new(41, ETHERNET);
    struct link *old = settled(net, 500);
    add_candidate(net, 2, 50, ETHERNET);
    run(net, 60 * SECOND);
    assert_true(best_is(net, old));
    net_free(net);
}

static void path_that_flaps_is_not_preferred_at_once(void **state)
{
    (void)state;
    struct net *net = net_new(42, ETHERNET);
    struct link *slow = add_candidate(net, 2, 40 * MS, ETHERNET), *fast = settled(net, 10 * MS);
    fast->down = true;
    WITHIN(net, 1500 * MS, best_is, slow);
    fast->down = false;
    run(net, 5 * SECOND);
    assert_true(best_is(net, slow));
    WITHIN(net, 20 * SECOND, best_is, fast);
    net_free(net);
}

static void long_round_trips_are_no_misses(void **state)
{
    (void)state;
    struct net *net = net_new(43, ETHERNET);
    struct link *link = add_candidate(net, 1, 300 * MS, ETHERNET);
    path_set_active(net->set, true, net->now);
    run(net, 5 * SECOND);
    for (unsigned i = 0; i < 600; i++) {
        run(net, 100 * MS);
        assert_true(best_is(net, link));
        assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
        assert_int_equal(path_best(net->set)->size, ETHERNET);
    }
    net_free(net);
}

/* Questions that were lost before others were answered are forgiven, although their time runs out later. */
static void outage_that_is_over_leaves_no_suspicion(void **state)
{
    (void)state;
    struct net *net = net_new(45, ETHERNET);
    struct link *link = add_candidate(net, 1, 300 * MS, ETHERNET);
    run(net, 650 * MS);
    assert_true(best_is(net, link));
    link->down = true;
    run(net, 400 * MS);
    link->down = false;
    for (unsigned i = 0; i < 50; i++) {
        run(net, 100 * MS);
        assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
    }
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_answer_carries_at_once_and_full_size_one_round_trip_later),
        cmocka_unit_test(black_hole_is_left_for_another_proven_path),
        cmocka_unit_test(dead_substitute_is_left_for_one_that_answers),
        cmocka_unit_test(failed_candidate_is_tried_when_the_best_path_dies),
        cmocka_unit_test(sole_path_is_suspect_then_failed_then_comes_back),
        cmocka_unit_test(wake_tries_failed_paths_at_once),
        cmocka_unit_test(wake_finds_out_about_an_idle_dead_path_quickly),
        cmocka_unit_test(faster_path_wins_only_when_clearly_faster),
        cmocka_unit_test(faster_path_carries_only_once_its_size_is_known),
        cmocka_unit_test(microseconds_do_not_matter),
        cmocka_unit_test(path_that_flaps_is_not_preferred_at_once),
        cmocka_unit_test(long_round_trips_are_no_misses),
        cmocka_unit_test(outage_that_is_over_leaves_no_suspicion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
