/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path: the size of a path is found, falls, and grows again. */

#include "path_lab.h"

static void size_search_is_exact_and_quick_whatever_the_path_carries(void **state)
{
    (void)state;
    uint64_t worst = 0;
    for (uint16_t max = WIRE_BASE_SIZE; max <= ETHERNET; max += 4) {
        struct net *net = net_new(max, ETHERNET);
        add_candidate(net, 1, 10 * MS, max);
        run(net, 10 * SECOND);
        uint16_t size = path_best(net->set)->size;
        assert_in_range(size, max - 8, max);
        worst = net->changed_us - START > worst ? net->changed_us - START : worst;
        net_free(net);
    }
    print_message("    slowest last step: %llu ms\n", (unsigned long long)worst / 1000);
    assert_true(worst < 3500 * MS);
}

static void path_that_carries_less_than_the_base_size_is_found_and_measured(void **state)
{
    (void)state;
    for (uint16_t max = WIRE_LEAST_SIZE; max < WIRE_BASE_SIZE; max += 4) {
        static const uint16_t least = WIRE_LEAST_SIZE;
        struct net *net = net_new(max, ETHERNET);
        add_candidate(net, 1, 10 * MS, max);
        WITHIN(net, 1 * SECOND, size_at_least, &least);
        run(net, 10 * SECOND);
        assert_in_range(path_best(net->set)->size, max - 8, max);
        net_free(net);
    }
}

static void path_that_carries_nothing_useful_is_not_taken(void **state)
{
    (void)state;
    struct net *net = net_new(1, ETHERNET);
    add_candidate(net, 1, 10 * MS, WIRE_LEAST_SIZE - 1);
    run(net, 10 * SECOND);
    assert_null(path_best(net->set));
    net_free(net);
}

static void path_that_shrinks_below_the_base_size_serves_on(void **state)
{
    (void)state;
    static const uint16_t small = 972;
    for (unsigned phase = 0; phase < 10; phase++) {
        struct net *net = net_new(40 + phase, ETHERNET);
        struct link *link = settled(net, 10 * MS);
        run(net, phase * 50 * MS);
        link->max = small;
        assert_true(run_until(net, 2 * SECOND, size_at_most, &small));
        run(net, 8 * SECOND);
        assert_in_range(path_best(net->set)->size, small - 8, small);
        assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
        link->max = ETHERNET;
        static const uint16_t full = ETHERNET;
        WITHIN(net, 601 * SECOND, size_at_least, &full);
        net_free(net);
    }
}

static void loss_of_the_first_tries_does_not_leave_a_path_small(void **state)
{
    (void)state;
    static const uint16_t full = ETHERNET;
    struct net *net = net_new(2, ETHERNET);
    struct link *link = add_candidate(net, 1, 10 * MS, ETHERNET);
    link->down = true;
    run(net, 300 * MS); /* both tries of the base size */
    link->down = false;
    WITHIN(net, 1 * SECOND, size_at_least, &full);
    net_free(net);
}

static void size_of_usual_links_is_found_exactly(void **state)
{
    (void)state;
    static const uint16_t usual[] = {1232, 1252, 1352, 1372, 1392, 1432, 1444, 1452, 1464, 1472};
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        struct net *net = net_new(i + 1, ETHERNET);
        add_candidate(net, 1, 10 * MS, usual[i]);
        run(net, 1 * SECOND);
        assert_int_equal(path_best(net->set)->size, usual[i]);
        net_free(net);
    }
}

static void search_costs_few_probes(void **state)
{
    (void)state;
    struct net *net = net_new(3, ETHERNET);
    struct link *link = add_candidate(net, 1, 10 * MS, LEAST_IPV6);
    run(net, 7 * SECOND);
    /* 1472, 1352 and 1260 three times each, 1232 and 1252 once, and three that measure the round trip. */
    assert_int_equal(link->probes, 3 * 3 + 2 + 3);
    net_free(net);
}

static void jumbo_frames_are_found(void **state)
{
    (void)state;
    struct net *net = net_new(3, 8972);
    add_candidate(net, 1, 1 * MS, 8972);
    run(net, 100 * MS);
    assert_int_equal(path_best(net->set)->size, 8972);
    net_free(net);
    net = net_new(3, 8972);
    add_candidate(net, 1, 1 * MS, ETHERNET);
    run(net, 5 * SECOND);
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    net_free(net);
}

static void interface_below_the_base_size_does_not_confuse_the_search(void **state)
{
    (void)state;
    struct net *net = net_new(4, 900);
    add_candidate(net, 1, 1 * MS, ETHERNET);
    run(net, 5 * SECOND);
    assert_int_equal(path_best(net->set)->size, WIRE_BASE_SIZE);
    net_free(net);
}

static void shrunken_path_falls_back_and_settles_anew(void **state)
{
    (void)state;
    static const uint16_t least = LEAST_IPV6;
    for (unsigned phase = 0; phase < 10; phase++) {
        struct net *net = net_new(5 + phase, ETHERNET);
        struct link *link = settled(net, 10 * MS);
        run(net, phase * 50 * MS);
        link->max = LEAST_IPV6;
        uint64_t from = net->now;
        assert_true(run_until(net, 950 * MS, size_at_most, &least));
        if (phase == 0)
            print_message("    base size after %llu ms\n", (unsigned long long)(net->now - from) / 1000);
        WITHIN(net, 1 * SECOND, size_at_least, &least);
        run(net, 5 * SECOND);
        assert_int_equal(path_best(net->set)->size, LEAST_IPV6);
        assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
        net_free(net);
    }
}

static void shrunken_path_is_noticed_while_idle_once_data_flows(void **state)
{
    (void)state;
    static const uint16_t least = LEAST_IPV6;
    struct net *net = net_new(6, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    path_set_active(net->set, false, net->now);
    run(net, 60 * SECOND);
    link->max = LEAST_IPV6;
    run(net, 60 * SECOND);
    path_set_active(net->set, true, net->now);
    WITHIN(net, 1200 * MS, size_at_most, &least);
    net_free(net);
}

static void path_that_grew_is_found_within_ten_minutes(void **state)
{
    (void)state;
    static const uint16_t full = ETHERNET;
    struct net *net = net_new(7, ETHERNET);
    struct link *link = add_candidate(net, 1, 10 * MS, LEAST_IPV6);
    run(net, 10 * SECOND);
    assert_int_equal(path_best(net->set)->size, LEAST_IPV6);
    link->max = ETHERNET;
    WITHIN(net, 601 * SECOND, size_at_least, &full);
    net_free(net);
}

static void too_big_falls_back_at_once(void **state)
{
    (void)state;
    struct net *net = net_new(8, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->max = 1372;
    path_on_too_big(net->set, net->now);
    assert_int_equal(path_best(net->set)->size, WIRE_BASE_SIZE);
    poll_all(net);
    assert_int_equal(net->changed_us, net->now);
    path_on_too_big(net->set, net->now); /* another datagram that was on its way */
    run(net, 3 * SECOND);
    assert_int_equal(path_best(net->set)->size, 1372);
    net_free(net);
}

static void loss_does_not_shrink_for_long_nor_fail_a_path(void **state)
{
    (void)state;
    struct net *net = net_new(9, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->loss = 50; /* each way: a tenth of the probes */
    uint64_t small = 0, suspect = 0;
    for (unsigned i = 0; i < 6000; i++) {
        run(net, 100 * MS);
        assert_non_null(path_best(net->set));
        small += path_best(net->set)->size < ETHERNET;
        suspect += path_best(net->set)->state == PATH_STATE_SUSPECT;
    }
    print_message("    at 10%% loss: reduced size %.2f%%, suspect %.2f%% of the time\n", (double)small / 60,
                  (double)suspect / 60);
    assert_true(small < 120);
    assert_true(suspect < 30);
    net_free(net);
}

static void wake_with_a_smaller_interface_shrinks_and_a_larger_one_grows(void **state)
{
    (void)state;
    struct net *net = net_new(26, ETHERNET);
    settled(net, 10 * MS);
    path_wake(net->set, 1372, net->now);
    assert_true(path_best(net->set)->size <= 1372);
    run(net, 1 * SECOND);
    assert_int_equal(path_best(net->set)->size, 1372);
    path_wake(net->set, ETHERNET, net->now);
    run(net, 1 * SECOND);
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_search_is_exact_and_quick_whatever_the_path_carries),
        cmocka_unit_test(path_that_carries_less_than_the_base_size_is_found_and_measured),
        cmocka_unit_test(path_that_carries_nothing_useful_is_not_taken),
        cmocka_unit_test(path_that_shrinks_below_the_base_size_serves_on),
        cmocka_unit_test(loss_of_the_first_tries_does_not_leave_a_path_small),
        cmocka_unit_test(size_of_usual_links_is_found_exactly),
        cmocka_unit_test(search_costs_few_probes),
        cmocka_unit_test(jumbo_frames_are_found),
        cmocka_unit_test(interface_below_the_base_size_does_not_confuse_the_search),
        cmocka_unit_test(shrunken_path_falls_back_and_settles_anew),
        cmocka_unit_test(shrunken_path_is_noticed_while_idle_once_data_flows),
        cmocka_unit_test(path_that_grew_is_found_within_ten_minutes),
        cmocka_unit_test(too_big_falls_back_at_once),
        cmocka_unit_test(loss_does_not_shrink_for_long_nor_fail_a_path),
        cmocka_unit_test(wake_with_a_smaller_interface_shrinks_and_a_larger_one_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
