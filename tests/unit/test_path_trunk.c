/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path: a trunk beside straight paths and uplinks: when it is worth having, and when it carries. */

#include "path_lab.h"

#define FAILOVER_US SECOND

static bool wants(struct net *net, const void *wanted)
{
    return path_wants_trunk(net->set) == *(const bool *)wanted;
}

static const bool yes = true, no = false;

static void a_trunk_is_wanted_while_nothing_straight_answers(void **state)
{
    (void)state;
    struct net *net = net_new(1, ETHERNET);
    assert_true(path_wants_trunk(net->set));
    struct link *direct = add_candidate(net, 1, 10 * MS, ETHERNET);
    path_set_active(net->set, true, net->now);
    assert_true(run_until(net, 25 * MS, wants, &no));
    run(net, 20 * SECOND);
    assert_true(wants(net, &no));
    direct->down = true;
    assert_true(run_until(net, 1100 * MS, wants, &yes)); /* before it is suspect */
    assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
    run(net, 10 * SECOND);
    assert_true(wants(net, &yes));
    direct->down = false;
    assert_true(run_until(net, 10 * SECOND, wants, &no));
    net_free(net);
}

static void a_lost_probe_makes_nobody_dial(void **state)
{
    (void)state;
    struct net *net = net_new(2, ETHERNET);
    struct link *direct = settled(net, 10 * MS);
    for (unsigned i = 0; i < 20; i++) {
        direct->down = true;
        run(net, 501 * MS); /* one round */
        direct->down = false;
        for (unsigned j = 0; j < 40; j++) {
            run(net, 50 * MS);
            if (path_best(net->set)->state == PATH_STATE_PROVEN && j > 10)
                assert_true(wants(net, &no));
        }
    }
    net_free(net);
}

static void it_is_proven_like_any_path_and_carries_while_no_other_does(void **state)
{
    (void)state;
    struct net *net = net_new(3, ETHERNET);
    struct link *dead = add_candidate(net, 1, 10 * MS, ETHERNET);
    dead->down = true;
    struct link *mute = add_trunk(net, 1, 20 * MS);
    mute->down = true;
    run(net, SECOND);
    assert_null(path_best(net->set));
    assert_false(path_trunk_sound(net->set));
    run(net, SECOND);
    assert_true(path_trunk_failed(net->set));
    struct link *trunk = add_trunk(net, 2, 20 * MS); /* in its place */
    assert_false(path_trunk_failed(net->set));
    assert_true(run_until(net, 41 * MS, best_is, trunk));
    run(net, SECOND);
    assert_true(path_trunk_sound(net->set));
    assert_int_equal(path_best(net->set)->size, PATH_STREAM_SIZE_MAX);
    assert_int_equal(why_of(net, trunk), PATH_WHY_ONLY);
    assert_false(is_known(net, mute));
    net_free(net);
}

static void a_straight_path_takes_over_from_it_however_slow(void **state)
{
    (void)state;
    struct net *net = net_new(4, ETHERNET);
    struct link *trunk = add_trunk(net, 1, 1 * MS);
    path_set_active(net->set, true, net->now);
    run(net, 5 * SECOND);
    assert_true(best_is(net, trunk));
    struct link *direct = add_candidate(net, 1, 150 * MS, ETHERNET);
    assert_true(run_until(net, SECOND, best_is, direct));
    run(net, SECOND);
    assert_int_equal(why_of(net, direct), PATH_WHY_TIER);
    assert_int_equal(why_of(net, trunk), PATH_WHY_BEHIND);
    direct->down = true;
    assert_true(run_until(net, FAILOVER_US, best_is, trunk));
    net_free(net);
}

static void the_peers_own_port_goes_before_a_backbone_that_is_not_faster(void **state)
{
    (void)state;
    static const struct {
        uint64_t trunk_us, uplink_us;
        bool trunk_carries;
    } cases[] = {{20 * MS, 40 * MS, true},
                 {20 * MS, 20 * MS, true},
                 {22 * MS, 20 * MS, true},
                 {80 * MS, 20 * MS, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct net *net = net_new(5 + i, ETHERNET);
        path_set_active(net->set, true, net->now);
        struct link *uplink = add_uplink(net, cases[i].uplink_us);
        run(net, 20 * SECOND);
        assert_true(best_is(net, uplink));
        struct link *trunk = add_trunk(net, 1, cases[i].trunk_us);
        run(net, 60 * SECOND);
        assert_true(best_is(net, cases[i].trunk_carries ? trunk : uplink));
        assert_int_equal(why_of(net, trunk), cases[i].trunk_carries ? PATH_WHY_TRUNK : PATH_WHY_UNNAMED);
        assert_int_equal(why_of(net, uplink), cases[i].trunk_carries ? PATH_WHY_UPLINK : PATH_WHY_BEST);
        uint64_t changed_us = net->changed_us;
        run(net, 600 * SECOND);
        assert_int_equal(net->changed_us, changed_us); /* and it stays so */
        net_free(net);
    }
}

static void when_it_is_gone_the_uplink_carries_at_once(void **state)
{
    (void)state;
    struct net *net = net_new(9, ETHERNET);
    struct link *uplink = add_uplink(net, 20 * MS), *trunk = add_trunk(net, 1, 10 * MS);
    run(net, 20 * SECOND);
    assert_true(best_is(net, trunk));
    path_remove_trunk(net->set);
    assert_true(best_is(net, uplink));
    assert_false(path_trunk_sound(net->set) || path_trunk_failed(net->set));
    net_free(net);
}

static void only_who_uses_tcp_takes_one(void **state)
{
    (void)state;
    for (unsigned which = CARRIERS_UDP; which <= CARRIERS_TCP; which++) {
        struct net *net = net_new(10, ETHERNET);
        path_set_free(net->set);
        const struct path_set_config config = {
            .random = {fill_random, net}, .local_max = ETHERNET, .carriers = (enum carriers)which};
        assert_int_equal(path_set_new(&config, &net->set), 0);
        const struct link *trunk = add_trunk(net, 1, MS);
        assert_int_equal(is_known(net, trunk), which == CARRIERS_TCP);
        assert_int_equal(path_wants_trunk(net->set), which == CARRIERS_TCP);
        run(net, SECOND);
        assert_int_equal(path_wants_trunk(net->set), which == CARRIERS_TCP);
        net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trunk_is_wanted_while_nothing_straight_answers),
        cmocka_unit_test(a_lost_probe_makes_nobody_dial),
        cmocka_unit_test(it_is_proven_like_any_path_and_carries_while_no_other_does),
        cmocka_unit_test(a_straight_path_takes_over_from_it_however_slow),
        cmocka_unit_test(the_peers_own_port_goes_before_a_backbone_that_is_not_faster),
        cmocka_unit_test(when_it_is_gone_the_uplink_carries_at_once),
        cmocka_unit_test(only_who_uses_tcp_takes_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
