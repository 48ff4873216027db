/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path: several relays beside each other. Which of them carries, and how soon another does. */

#include "path_lab.h"

#define FAILOVER_US SECOND
#define TRIES       3 /* at a path that does not answer */

static struct net *relayed(uint64_t first_us, uint64_t second_us, struct link **first, struct link **second)
{
    struct net *net = net_new(1, ETHERNET);
    *first = add_relay(net, UPLINKS_MAX, first_us);
    *second = add_relay(net, 0, second_us);
    path_set_active(net->set, true, net->now);
    run(net, 10 * SECOND);
    return net;
}

static void of_two_relays_the_nearer_carries(void **state)
{
    (void)state;
    struct link *near, *far;
    struct net *net = relayed(10 * MS, 20 * MS, &near, &far);
    assert_true(best_is(net, near));
    assert_int_equal(path_best(net->set)->size, ETHERNET - ENVELOPE_LEN);
    assert_true(path_relay_carries(net->set, UPLINKS_MAX) && path_relay_answers(net->set, 0));
    assert_int_equal(why_of(net, near), PATH_WHY_BEST);
    assert_int_equal(why_of(net, far), PATH_WHY_SLOWER);
    net_free(net);
    net = relayed(20 * MS, 10 * MS, &far, &near);
    assert_true(best_is(net, near));
    net_free(net);
}

static void a_relay_that_is_little_nearer_moves_nothing(void **state)
{
    (void)state;
    struct link *first, *second;
    struct net *net = relayed(20 * MS, 18 * MS, &first, &second);
    struct link *best = best_is(net, first) ? first : second;
    for (unsigned i = 0; i < 60; i++) {
        run(net, SECOND);
        assert_true(best_is(net, best));
    }
    net_free(net);
}

/* At whatever moment; there is nothing else. */
static void when_a_relay_dies_the_other_carries_within_a_second(void **state)
{
    (void)state;
    for (uint64_t delay = 1 * MS; delay <= 70 * MS; delay += 23 * MS) {
        for (uint64_t phase = 0; phase < 500 * MS; phase += 10 * MS) {
            struct link *near, *far;
            struct net *net = relayed(delay, 2 * delay + 5 * MS, &near, &far);
            assert_true(path_is_backed(net->set));
            run(net, phase);
            near->down = true;
            assert_true(run_until(net, FAILOVER_US, best_is, far));
            run(net, 20 * SECOND);
            assert_true(best_is(net, far) && path_relay_failed(net->set, UPLINKS_MAX));
            net_free(net);
        }
    }
}

static void a_straight_path_goes_before_relays_and_is_backed_by_them(void **state)
{
    (void)state;
    struct link *near, *far;
    struct net *net = relayed(1 * MS, 2 * MS, &near, &far);
    struct link *direct = add_candidate(net, 1, 20 * MS, ETHERNET);
    run(net, 10 * SECOND);
    assert_true(best_is(net, direct) && path_is_backed(net->set));
    direct->down = true;
    assert_true(run_until(net, FAILOVER_US, best_is, near));
    net_free(net);
}

static void a_relay_alone_is_backed_by_nothing(void **state)
{
    (void)state;
    struct net *net = net_new(2, ETHERNET);
    struct link *only = add_relay(net, UPLINKS_MAX + 1, 10 * MS);
    run(net, 5 * SECOND);
    assert_true(best_is(net, only) && !path_is_backed(net->set));
    path_remove_relay(net->set, UPLINKS_MAX + 1);
    assert_null(path_best(net->set));
    net_free(net);
}

/* What we asked before the other end was bound is lost; its own question tells that it is. */
static void a_question_by_a_relay_hurries_our_next_one(void **state)
{
    (void)state;
    struct net *net = net_new(3, ETHERNET);
    struct link *relay = add_relay(net, 0, 10 * MS);
    const struct endpoint from = way_of(relay);
    relay->down = true;
    run(net, 5 * MS);
    relay->down = false;
    assert_null(path_best(net->set));
    path_on_source(net->set, &from, net->now);
    WITHIN(net, 30 * MS, best_is, relay);
    net_free(net);
}

/* Neither more questions nor fewer tries come of it. */
static void questions_by_a_relay_for_ever_are_as_good_as_a_few(void **state)
{
    (void)state;
    struct net *net = net_new(4, ETHERNET);
    struct link *relay = add_relay(net, 0, 10 * MS);
    const struct endpoint from = way_of(relay);
    relay->down = true;
    uint64_t before = net->sent_bytes;
    for (unsigned i = 0; i < 1000; i++) {
        path_on_source(net->set, &from, net->now);
        run(net, MS / 10);
    }
    assert_true(net->sent_bytes - before <= TRIES * ETHERNET);
    assert_false(path_relay_failed(net->set, 0));
    relay->down = false;
    run(net, 60 * SECOND);
    assert_true(best_is(net, relay));
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_relays_the_nearer_carries),
        cmocka_unit_test(a_relay_that_is_little_nearer_moves_nothing),
        cmocka_unit_test(when_a_relay_dies_the_other_carries_within_a_second),
        cmocka_unit_test(a_straight_path_goes_before_relays_and_is_backed_by_them),
        cmocka_unit_test(a_relay_alone_is_backed_by_nothing),
        cmocka_unit_test(a_question_by_a_relay_hurries_our_next_one),
        cmocka_unit_test(questions_by_a_relay_for_ever_are_as_good_as_a_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
