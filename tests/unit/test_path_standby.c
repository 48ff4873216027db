/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path: the other ways out of this machine. Nothing takes them while anything answers by the kernel's choice. */

#include "path_lab.h"

#define WIFI 2 /* the kernel's choice */
#define CELL 3

/* To where link leads, by the standby. */
static struct link *add_standby(struct net *net, const struct link *link, uint64_t delay_us)
{
    struct link *by = add_link(net, 0, delay_us, ETHERNET);
    by->addr = link->addr;
    by->interface = CELL;
    return by;
}

static void have_ways(struct net *net)
{
    net->ways = (struct ways){0};
    ways_add(&net->ways, WIFI, 4, WAY_CHOSEN);
    ways_add(&net->ways, CELL, 4, WAY_STANDBY);
}

/* A path that carries, and a standby that is warm. */
static struct net *with_standby(uint64_t seed, uint64_t delay_us, struct link **choice, struct link **standby)
{
    struct net *net = net_new(seed, ETHERNET);
    have_ways(net);
    *standby = add_link(net, 1, delay_us, ETHERNET);
    (*standby)->interface = CELL;
    *choice = settled(net, 20 * MS);
    assert_int_equal(state_of(net, *standby), PATH_STATE_PROVEN);
    return net;
}

static void a_standby_takes_over_within_a_second(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct link *choice, *standby;
        struct net *net = with_standby(seed, 30 * MS, &choice, &standby);
        assert_int_equal(why_of(net, standby), PATH_WHY_STANDBY);
        run(net, next_random(net) % (7 * SECOND));
        choice->down = true;
        uint64_t at = net->now;
        assert_true(run_until(net, SECOND, best_is, standby));
        assert_in_range(net->now - at, 1, SECOND);
        run(net, SECOND);
        assert_int_equal(why_of(net, standby), PATH_WHY_TAKEN_OVER);
        net_free(net);
    }
}

static void however_fast_a_standby_is_the_kernels_choice_carries(void **state)
{
    struct link *choice, *standby;
    (void)state;
    struct net *net = with_standby(60, 1 * MS, &choice, &standby);
    choice->delay_us = 200 * MS;
    uint64_t changed = net->changed_us;
    for (unsigned i = 0; i < 300; i++) {
        run(net, SECOND);
        assert_true(best_is(net, choice));
    }
    assert_true(net->changed_us == changed);
    net_free(net);
}

static void the_kernels_choice_carries_again_once_it_has_answered_for_10_seconds(void **state)
{
    struct link *choice, *standby;
    (void)state;
    struct net *net = with_standby(61, 30 * MS, &choice, &standby);
    choice->down = true;
    run(net, 60 * SECOND);
    assert_true(best_is(net, standby));
    choice->down = false;
    assert_false(run_until(net, 10 * SECOND, best_is, choice));
    WITHIN(net, 12 * SECOND, best_is, choice);
    net_free(net);
}

/* What falls silent with the path that carries is not tried in its place first. */
static void a_standby_takes_over_before_an_uplink_that_has_died_as_well(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct net *net = net_new(seed, ETHERNET);
        have_ways(net);
        struct link *uplink, *standby = add_link(net, 1, 30 * MS, ETHERNET);
        standby->interface = CELL;
        struct link *choice = settled_beside(net, 20 * MS, &uplink);
        run(net, next_random(net) % (7 * SECOND));
        choice->down = uplink->down = true;
        uint64_t at = net->now;
        while (best_is(net, choice))
            run(net, 10 * MS);
        assert_true(best_is(net, standby));
        assert_in_range(net->now - at, 1, SECOND);
        run(net, 5 * SECOND);
        assert_true(best_is(net, standby));
        net_free(net);
    }
}

static void an_uplink_by_the_kernels_choice_carries_before_a_standby(void **state)
{
    (void)state;
    struct net *net = net_new(62, ETHERNET);
    have_ways(net);
    struct link *uplink, *standby = add_link(net, 1, 1 * MS, ETHERNET);
    standby->interface = CELL;
    struct link *choice = settled_beside(net, 20 * MS, &uplink);
    choice->down = true;
    run(net, 3 * SECOND);
    assert_true(best_is(net, uplink));
    net_free(net);
}

static void standbys_are_made_when_data_flows_and_gone_a_minute_after_it(void **state)
{
    (void)state;
    struct net *net = net_new(63, ETHERNET);
    have_ways(net);
    struct link *choice = add_candidate(net, 1, 20 * MS, ETHERNET),
                *standby = add_standby(net, choice, 20 * MS);
    run(net, 60 * SECOND);
    assert_true(best_is(net, choice));
    assert_false(is_known(net, standby));
    assert_false(path_take_standby_call(net->set));
    path_set_active(net->set, true, net->now);
    run(net, SECOND);
    assert_int_equal(state_of(net, standby), PATH_STATE_PROVEN);
    assert_true(path_take_standby_call(net->set));
    assert_false(path_take_standby_call(net->set));
    path_set_active(net->set, false, net->now);
    run(net, 100 * SECOND);
    assert_false(is_known(net, standby));
    assert_true(best_is(net, choice));
    net_free(net);
}

static void a_standby_costs_few_probes(void **state)
{
    struct link *choice, *standby;
    (void)state;
    struct net *net = with_standby(64, 30 * MS, &choice, &standby);
    run(net, 60 * SECOND); /* its size is known */
    standby->probes = 0;
    run(net, 70 * SECOND);
    assert_in_range(standby->probes, 9, 11);
    net_free(net);
}

/* Every half minute the peer is asked to open its side. */
static void a_standby_that_does_not_answer_is_tried_rarely(void **state)
{
    (void)state;
    struct net *net = net_new(65, ETHERNET);
    have_ways(net);
    struct link *standby = add_link(net, 1, 30 * MS, ETHERNET);
    standby->interface = CELL;
    standby->mute = true;
    settled(net, 20 * MS);
    assert_true(path_take_standby_call(net->set));
    unsigned calls = 0;
    standby->probes = 0;
    for (unsigned i = 0; i < 300; i++) {
        run(net, SECOND);
        calls += path_take_standby_call(net->set);
    }
    assert_in_range(calls, 7, 12);
    assert_int_equal(standby->probes, calls * 3);
    standby->mute = false;
    assert_true(path_retry_standbys(net->set, net->now));
    run(net, SECOND);
    assert_int_equal(state_of(net, standby), PATH_STATE_PROVEN);
    net_free(net);
}

static void what_leaves_by_a_way_goes_with_it(void **state)
{
    struct link *choice, *standby;
    (void)state;
    struct net *net = with_standby(66, 30 * MS, &choice, &standby);
    choice->down = true;
    assert_true(run_until(net, SECOND, best_is, standby));
    net->ways = (struct ways){0};
    ways_add(&net->ways, WIFI, 4, WAY_CHOSEN);
    path_wake(net->set, ETHERNET, net->now);
    run(net, 100 * MS);
    assert_false(is_known(net, standby));
    choice->down = false;
    assert_true(run_until(net, 10 * SECOND, best_is, choice));
    net_free(net);
}

/* The other one has gone: what carries goes on, whatever the kernel calls its interface now. */
static void a_standby_that_becomes_the_kernels_choice_carries_on(void **state)
{
    struct link *choice, *standby;
    (void)state;
    struct net *net = with_standby(67, 30 * MS, &choice, &standby);
    choice->down = true;
    assert_true(run_until(net, SECOND, best_is, standby));
    net->ways = (struct ways){0};
    ways_add(&net->ways, CELL, 4, WAY_CHOSEN);
    path_wake(net->set, ETHERNET, net->now);
    run(net, SECOND);
    assert_true(best_is(net, standby));
    net_free(net);
}

static struct path_probe next_probe_by(struct net *net, uint32_t interface)
{
    for (;;) {
        struct path_probe probe;
        struct endpoint to;
        bool changed;
        while (path_poll(net->set, net->now, &probe, &to, &changed))
            if (to.interface == interface)
                return probe;
        net->now += 10 * MS;
    }
}

static void an_answer_proves_the_way_that_was_asked(void **state)
{
    (void)state;
    struct net *net = net_new(68, ETHERNET);
    have_ways(net);
    struct link *choice = settled(net, 20 * MS), *standby = add_standby(net, choice, 20 * MS);
    struct path_probe probe = next_probe_by(net, CELL);
    const struct endpoint from = way_of(choice); /* as if it had come in where the kernel would send */
    probe.kind = PATH_PROBE_ANSWER;
    assert_int_not_equal(state_of(net, standby), PATH_STATE_PROVEN);
    path_on_answer(net->set, &probe, &from, net->now);
    assert_int_equal(state_of(net, standby), PATH_STATE_PROVEN);
    net_free(net);
}

static unsigned count_standbys(const struct net *net)
{
    struct path paths[PATHS_MAX];
    size_t count = path_list(net->set, paths, PATHS_MAX);
    unsigned found = 0;
    for (size_t i = 0; i < count; i++)
        found += paths[i].endpoint.interface != 0;
    return found;
}

/* Whoever copies the peer's datagrams to our standby from many addresses. */
static void sources_at_a_standby_take_a_bounded_place(void **state)
{
    struct link *choice, *standby;
    (void)state;
    struct net *net = with_standby(69, 30 * MS, &choice, &standby);
    for (unsigned i = 0; i < 200; i++) {
        struct endpoint from = way_of(standby);
        from.remote.ip[3] = (uint8_t)(10 + i);
        path_on_source(net->set, &from, net->now);
        run(net, 50 * MS);
        assert_in_range(count_standbys(net), 1, PATH_STANDBYS_MAX);
    }
    assert_true(best_is(net, choice));
    net_free(net);
}

/* Then it is worth while to punch. */
static void a_standby_that_answers_is_no_straight_path_by_the_kernels_choice(void **state)
{
    struct link *choice, *standby;
    (void)state;
    struct net *net = with_standby(61, 30 * MS, &choice, &standby);
    assert_true(path_straight_answers(net->set, true));
    choice->down = true;
    run(net, 3 * SECOND);
    assert_true(best_is(net, standby));
    assert_false(path_straight_answers(net->set, false));
    net_free(net);
}

/* A relay that carries by the kernel's choice, with data, and the peer's addresses, which do not answer by that. */
static struct net *relayed(uint64_t seed, unsigned candidates, struct link **relay)
{
    struct net *net = net_new(seed, ETHERNET);
    have_ways(net);
    for (unsigned i = 0; i < candidates; i++)
        add_candidate(net, (uint8_t)(1 + i), 20 * MS, ETHERNET)->down = true;
    *relay = add_relay(net, 0, 40 * MS);
    path_set_active(net->set, true, net->now);
    run(net, 10 * SECOND);
    assert_true(best_is(net, *relay));
    assert_int_equal(count_standbys(net), 0);
    return net;
}

static void move_to_standby(struct net *net, struct link *relay)
{
    relay->interface = CELL;
    path_move_relay(net->set, 0, CELL, net->now);
}

static void where_a_relay_carries_by_a_standby_the_peer_is_sought_straight_by_it(void **state)
{
    (void)state;
    struct link *relay;
    struct net *net = relayed(75, 1, &relay);
    struct link *standby = add_standby(net, &net->links[0], 30 * MS);
    move_to_standby(net, relay);
    assert_true(run_until(net, 10 * SECOND, best_is, standby));
    assert_true(path_take_standby_call(net->set));
    run(net, 100 * SECOND);
    assert_true(best_is(net, standby));
    net->links[0].down = false;
    path_wake(net->set, ETHERNET, net->now);
    WITHIN(net, 30 * SECOND, best_is, &net->links[0]);
    net_free(net);
}

static void what_is_sought_in_vain_by_a_standby_is_bounded(void **state)
{
    enum { CANDIDATES = 9, MINUTES = 10 };
    (void)state;
    struct link *relay;
    struct net *net = relayed(76, CANDIDATES, &relay);
    for (unsigned i = 0; i < CANDIDATES; i++)
        add_standby(net, &net->links[i], 30 * MS)->mute = true;
    move_to_standby(net, relay);
    for (unsigned i = 0; i < MINUTES * 60; i++) {
        run(net, SECOND);
        assert_true(best_is(net, relay));
        assert_true(count_standbys(net) <= PATH_STANDBYS_MAX + 1); /* and the relay */
    }
    unsigned probes = 0;
    for (unsigned i = 0; i < net->link_count; i++)
        probes += net->links[i].mute ? net->links[i].probes : 0;
    assert_in_range(probes, PATH_STANDBYS_MAX * 3, PATH_STANDBYS_MAX * 3 * 3 * MINUTES);
    net_free(net);
}

/* ---- the peer's ---- */

static void the_peers_standby_is_no_straight_path_that_it_has_named(void **state)
{
    (void)state;
    struct net *net = net_new(74, ETHERNET);
    struct link *choice = settled(net, 20 * MS), *standby = add_link(net, 9, 20 * MS, ETHERNET);
    path_add_standby(net->set, &standby->addr, net->now);
    run(net, 10 * SECOND);
    choice->down = true;
    run(net, 10 * SECOND);
    assert_true(best_is(net, standby));
    assert_true(path_straight_answers(net->set, false));
    assert_false(path_straight_answers(net->set, true));
    net_free(net);
}

static void the_peers_standby_is_not_preferred_however_fast(void **state)
{
    (void)state;
    struct net *net = net_new(70, ETHERNET);
    struct link *choice = settled(net, 100 * MS), *standby = add_link(net, 9, 1 * MS, ETHERNET);
    path_add_standby(net->set, &standby->addr, net->now);
    run(net, 100 * SECOND);
    assert_int_equal(state_of(net, standby), PATH_STATE_PROVEN);
    assert_true(best_is(net, choice));
    net_free(net);
}

static void where_the_peers_standby_does_not_answer_is_forgotten(void **state)
{
    (void)state;
    struct net *net = net_new(71, ETHERNET);
    struct link *choice = settled(net, 20 * MS), *standby = add_link(net, 9, 1 * MS, ETHERNET);
    standby->down = true;
    path_add_standby(net->set, &standby->addr, net->now);
    run(net, 3 * SECOND);
    assert_false(is_known(net, standby));
    assert_int_equal(standby->probes, 3);
    path_add_standby(net->set, &choice->addr, net->now); /* one that is known, and named */
    choice->down = true;
    run(net, 20 * SECOND);
    assert_true(is_known(net, choice));
    net_free(net);
}

/* Its probes have come from there all the time: that its data does is news. */
static void a_peer_whose_data_begins_to_come_by_its_standby_is_followed_at_once(void **state)
{
    (void)state;
    struct net *net = net_new(72, ETHERNET);
    struct link *choice = settled(net, 20 * MS), *standby = add_link(net, 9, 20 * MS, ETHERNET);
    const struct endpoint from = way_of(standby);
    path_add_standby(net->set, &standby->addr, net->now);
    run(net, 10 * SECOND);
    path_on_source(net->set, &from, net->now);
    run(net, SECOND);
    choice->down = true;
    path_on_data(net->set, &from, net->now);
    WITHIN(net, 200 * MS, best_is, standby);
    net_free(net);
}

static void two_ends_that_disagree_ask_each_other_rarely(void **state)
{
    (void)state;
    struct net *net = net_new(73, ETHERNET);
    struct link *choice = settled(net, 20 * MS), *standby = add_link(net, 9, 20 * MS, ETHERNET);
    const struct endpoint from = way_of(standby);
    path_add_standby(net->set, &standby->addr, net->now);
    run(net, 60 * SECOND);
    standby->probes = 0;
    for (unsigned i = 0; i < 600; i++) {
        path_on_data(net->set, &from, net->now);
        run(net, 100 * MS);
    }
    assert_true(best_is(net, choice));
    assert_in_range(standby->probes, 10, 30);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_standby_takes_over_within_a_second),
        cmocka_unit_test(however_fast_a_standby_is_the_kernels_choice_carries),
        cmocka_unit_test(the_kernels_choice_carries_again_once_it_has_answered_for_10_seconds),
        cmocka_unit_test(a_standby_takes_over_before_an_uplink_that_has_died_as_well),
        cmocka_unit_test(an_uplink_by_the_kernels_choice_carries_before_a_standby),
        cmocka_unit_test(standbys_are_made_when_data_flows_and_gone_a_minute_after_it),
        cmocka_unit_test(a_standby_costs_few_probes),
        cmocka_unit_test(a_standby_that_does_not_answer_is_tried_rarely),
        cmocka_unit_test(what_leaves_by_a_way_goes_with_it),
        cmocka_unit_test(a_standby_that_becomes_the_kernels_choice_carries_on),
        cmocka_unit_test(an_answer_proves_the_way_that_was_asked),
        cmocka_unit_test(sources_at_a_standby_take_a_bounded_place),
        cmocka_unit_test(a_standby_that_answers_is_no_straight_path_by_the_kernels_choice),
        cmocka_unit_test(where_a_relay_carries_by_a_standby_the_peer_is_sought_straight_by_it),
        cmocka_unit_test(what_is_sought_in_vain_by_a_standby_is_bounded),
        cmocka_unit_test(the_peers_standby_is_no_straight_path_that_it_has_named),
        cmocka_unit_test(the_peers_standby_is_not_preferred_however_fast),
        cmocka_unit_test(where_the_peers_standby_does_not_answer_is_forgotten),
        cmocka_unit_test(a_peer_whose_data_begins_to_come_by_its_standby_is_followed_at_once),
        cmocka_unit_test(two_ends_that_disagree_ask_each_other_rarely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
