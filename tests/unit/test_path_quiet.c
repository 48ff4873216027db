/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path_quiet: paths are left alone while nothing flows and another can wake both ends, and only then. */

#include "path_lab.h"

#define QUIET     (60 * SECOND)
#define ROUND     (7 * SECOND) /* within which the end of that minute is seen */
#define WARM_MS   30
#define DIRECT_MS 20

static struct net *quiet_net(uint64_t seed)
{
    struct net *net = net_new(seed, ETHERNET);
    path_set_free(net->set);
    const struct path_set_config config = {
        .random = {fill_random, net}, .local_max = ETHERNET, .quiet_us = QUIET};
    assert_int_equal(path_set_new(&config, &net->set), 0);
    return net;
}

static void fall_silent(struct net *net)
{
    path_set_active(net->set, false, net->now);
}

/* A straight path and an uplink, of which nothing flows any more. */
static struct link *gone_quiet(struct net *net, struct link **uplink)
{
    struct link *direct = settled_beside(net, DIRECT_MS * MS, uplink);
    fall_silent(net);
    run(net, QUIET + ROUND);
    assert_int_equal(state_of(net, direct), PATH_STATE_QUIET);
    assert_true(best_is(net, *uplink));
    return direct;
}

static void straight_path_is_left_alone_a_minute_after_the_last_data(void **state)
{
    (void)state;
    struct net *net = quiet_net(1);
    struct link *uplink, *direct = settled_beside(net, DIRECT_MS * MS, &uplink);
    fall_silent(net);
    run(net, QUIET - SECOND);
    assert_true(best_is(net, direct));
    assert_false(path_is_quiet(net->set));
    run(net, SECOND + ROUND);
    assert_true(best_is(net, uplink));
    assert_true(path_is_quiet(net->set));
    assert_int_equal(why_of(net, direct), PATH_WHY_QUIET);
    assert_int_equal(why_of(net, uplink), PATH_WHY_WAKES);
    direct->probes = uplink->probes = 0;
    run(net, 600 * SECOND);
    assert_int_equal(direct->probes, 0);
    assert_in_range(uplink->probes, 22, 26);
    net_free(net);
}

static void first_data_takes_the_uplink_and_the_straight_path_a_round_trip_later(void **state)
{
    (void)state;
    struct net *net = quiet_net(2);
    struct link *uplink, *direct = gone_quiet(net, &uplink);
    run(net, 600 * SECOND);
    path_set_active(net->set, true, net->now);
    poll_all(net);
    assert_true(best_is(net, uplink));
    assert_true(run_until(net, 2 * DIRECT_MS * MS, best_is, direct));
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    assert_false(path_is_quiet(net->set));
    run(net, 2 * QUIET);
    assert_true(best_is(net, direct));
    net_free(net);
}

static void without_a_warm_path_nothing_is_left_alone(void **state)
{
    (void)state;
    struct net *net = quiet_net(3);
    struct link *direct = settled(net, DIRECT_MS * MS);
    fall_silent(net);
    run(net, QUIET);
    direct->probes = 0;
    run(net, 600 * SECOND);
    assert_true(best_is(net, direct));
    assert_in_range(direct->probes, 80, 95);
    net_free(net);
}

static void uplink_that_does_not_answer_is_not_warm(void **state)
{
    (void)state;
    struct net *net = quiet_net(4);
    struct link *uplink, *direct = settled_beside(net, DIRECT_MS * MS, &uplink);
    uplink->down = true;
    fall_silent(net);
    run(net, 10 * QUIET);
    assert_true(best_is(net, direct));
    assert_int_equal(state_of(net, direct), PATH_STATE_PROVEN);
    net_free(net);
}

static void end_of_the_uplink_wakes_the_others(void **state)
{
    (void)state;
    struct net *net = quiet_net(5);
    struct link *uplink, *direct = gone_quiet(net, &uplink);
    path_remove_uplink(net->set, 0);
    assert_true(run_until(net, 2 * DIRECT_MS * MS, best_is, direct));
    run(net, 10 * QUIET);
    assert_true(best_is(net, direct));
    net_free(net);
}

static void uplink_that_falls_silent_wakes_the_others_within_its_round(void **state)
{
    (void)state;
    struct net *net = quiet_net(6);
    struct link *uplink, *direct = gone_quiet(net, &uplink);
    uplink->down = true;
    assert_true(run_until(net, 26 * SECOND, best_is, direct));
    run(net, QUIET);
    assert_true(best_is(net, direct));
    net_free(net);
}

static void peer_that_is_gone_is_missed_within_30_s(void **state)
{
    (void)state;
    struct net *net = quiet_net(7);
    struct link *uplink, *direct = gone_quiet(net, &uplink);
    uplink->down = direct->down = true;
    static const enum path_state suspect = PATH_STATE_SUSPECT;
    assert_true(run_until(net, 27 * SECOND, state_is, &suspect));
    net_free(net);
}

static void probes_of_a_peer_that_is_not_quiet_change_nothing(void **state)
{
    (void)state;
    struct net *net = quiet_net(8);
    struct link *uplink, *direct = gone_quiet(net, &uplink);
    direct->probes = 0;
    struct endpoint from = endpoint_udp(&direct->addr);
    from.local = (struct addr){.family = 4, .ip = {192, 0, 2, 1}};
    for (unsigned i = 0; i < 100; i++) {
        path_on_source(net->set, &from, net->now);
        run(net, 7 * SECOND);
    }
    assert_int_equal(direct->probes, 0);
    assert_true(best_is(net, uplink));
    net_free(net);
}

static void path_that_died_meanwhile_costs_nothing_and_is_told(void **state)
{
    (void)state;
    struct net *net = quiet_net(9);
    struct link *uplink, *direct = gone_quiet(net, &uplink);
    direct->down = true;
    assert_true(path_sleeps(net->set));
    net->changed_us = 0;
    path_set_active(net->set, true, net->now);
    run(net, SECOND / 10);
    assert_true(net->changed_us > 0 && !path_sleeps(net->set));
    net->changed_us = 0;
    run(net, SECOND - SECOND / 10);
    assert_int_equal(net->changed_us, 0);
    assert_true(path_is_quiet(net->set)); /* as long as it may come back */
    run(net, SECOND);
    assert_true(net->changed_us > 0);
    assert_false(path_is_quiet(net->set));
    assert_true(best_is(net, uplink));
    assert_int_equal(state_of(net, direct), PATH_STATE_FAILED);
    net_free(net);
}

static void no_trunk_is_wanted_for_what_is_only_left_alone(void **state)
{
    (void)state;
    struct net *net = quiet_net(10);
    struct link *uplink, *direct = gone_quiet(net, &uplink);
    assert_false(path_wants_trunk(net->set));
    direct->down = true;
    path_set_active(net->set, true, net->now);
    poll_all(net);
    assert_false(path_wants_trunk(net->set));
    run(net, 2 * SECOND);
    assert_true(path_wants_trunk(net->set));
    net_free(net);
}

static void changed_addresses_wake_all_for_a_minute(void **state)
{
    (void)state;
    struct net *net = quiet_net(11);
    struct link *uplink, *direct = gone_quiet(net, &uplink);
    path_wake(net->set, ETHERNET, net->now);
    assert_true(run_until(net, 2 * DIRECT_MS * MS, best_is, direct));
    run(net, QUIET - SECOND);
    assert_true(best_is(net, direct));
    run(net, SECOND + ROUND);
    assert_true(best_is(net, uplink));
    net_free(net);
}

static void addresses_that_do_not_answer_are_left_alone_too(void **state)
{
    (void)state;
    struct net *net = quiet_net(12);
    struct link *uplink = add_uplink(net, WARM_MS * MS), *dead = add_candidate(net, 2, 1 * MS, ETHERNET);
    dead->down = true;
    run(net, QUIET + 40 * SECOND);
    dead->probes = 0;
    run(net, 600 * SECOND);
    assert_int_equal(dead->probes, 0);
    dead->down = false;
    path_set_active(net->set, true, net->now);
    assert_true(run_until(net, SECOND, best_is, dead));
    assert_false(best_is(net, uplink));
    net_free(net);
}

static void address_that_is_named_meanwhile_is_tried_and_left_alone(void **state)
{
    (void)state;
    struct net *net = quiet_net(13);
    struct link *uplink;
    gone_quiet(net, &uplink);
    struct link *new = add_candidate(net, 5, 1 * MS, ETHERNET);
    run(net, SECOND);
    assert_int_equal(new->probes, 1);
    assert_int_equal(state_of(net, new), PATH_STATE_QUIET);
    run(net, 100 * SECOND);
    assert_int_equal(new->probes, 1);
    path_set_active(net->set, true, net->now);
    assert_true(run_until(net, SECOND, best_is, new));
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    net_free(net);
}

static void relay_is_warm_where_there_is_no_uplink_and_else_left_alone(void **state)
{
    (void)state;
    for (int with_uplink = 0; with_uplink < 2; with_uplink++) {
        struct net *net = quiet_net(14);
        struct link *relay = add_relay(net, 0, WARM_MS * MS), *uplink = NULL;
        if (with_uplink)
            uplink = add_uplink(net, WARM_MS * MS);
        struct link *direct = settled(net, DIRECT_MS * MS);
        fall_silent(net);
        run(net, QUIET + ROUND);
        assert_int_equal(state_of(net, direct), PATH_STATE_QUIET);
        assert_true(best_is(net, with_uplink ? uplink : relay));
        relay->probes = 0;
        run(net, 600 * SECOND);
        if (with_uplink)
            assert_int_equal(relay->probes, 0);
        else
            assert_in_range(relay->probes, 80, 95);
        path_set_active(net->set, true, net->now);
        assert_true(run_until(net, 2 * WARM_MS * MS, best_is, direct));
        net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(straight_path_is_left_alone_a_minute_after_the_last_data),
        cmocka_unit_test(first_data_takes_the_uplink_and_the_straight_path_a_round_trip_later),
        cmocka_unit_test(without_a_warm_path_nothing_is_left_alone),
        cmocka_unit_test(uplink_that_does_not_answer_is_not_warm),
        cmocka_unit_test(end_of_the_uplink_wakes_the_others),
        cmocka_unit_test(uplink_that_falls_silent_wakes_the_others_within_its_round),
        cmocka_unit_test(peer_that_is_gone_is_missed_within_30_s),
        cmocka_unit_test(probes_of_a_peer_that_is_not_quiet_change_nothing),
        cmocka_unit_test(path_that_died_meanwhile_costs_nothing_and_is_told),
        cmocka_unit_test(no_trunk_is_wanted_for_what_is_only_left_alone),
        cmocka_unit_test(changed_addresses_wake_all_for_a_minute),
        cmocka_unit_test(addresses_that_do_not_answer_are_left_alone_too),
        cmocka_unit_test(address_that_is_named_meanwhile_is_tried_and_left_alone),
        cmocka_unit_test(relay_is_warm_where_there_is_no_uplink_and_else_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
