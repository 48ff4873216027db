/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path: paths that answer and are not to carry all the same, and when they may again. */

#include "path_lab.h"

#include "proto/path/path_doubt.h"

#define LEFT_WITHIN (3 * SECOND)
#define RATE        1000 /* datagrams of data a second */

struct pair {
    struct net *net;
    struct link *direct, *uplink;
};

/* A straight path that carries, and an uplink beside it. */
static struct pair flowing(uint64_t seed, uint64_t direct_us)
{
    struct pair p = {.net = net_new(seed, ETHERNET)};
    p.net->data_rate = RATE;
    p.direct = settled_beside(p.net, direct_us, &p.uplink);
    return p;
}

static void a_path_that_swallows_data_is_left_within_three_seconds(void **state)
{
    (void)state;
    for (uint64_t phase = 0; phase < SECOND; phase += 50 * MS) {
        struct pair p = flowing(1, 10 * MS);
        run(p.net, phase);
        p.direct->data_loss = LOSS_SCALE;
        assert_true(run_until(p.net, LEFT_WITHIN, best_is, p.uplink));
        assert_int_equal(state_of(p.net, p.direct), PATH_STATE_PROVEN);
        assert_int_equal(why_of(p.net, p.direct), PATH_WHY_SWALLOWS);
        net_free(p.net);
    }
}

static void it_is_left_for_another_straight_one_first(void **state)
{
    (void)state;
    struct pair p = flowing(2, 10 * MS);
    struct link *second = add_candidate(p.net, 2, 20 * MS, ETHERNET);
    run(p.net, 20 * SECOND);
    assert_true(best_is(p.net, p.direct));
    p.direct->data_loss = LOSS_SCALE;
    assert_true(run_until(p.net, LEFT_WITHIN, best_is, second));
    second->data_loss = LOSS_SCALE;
    assert_true(run_until(p.net, LEFT_WITHIN, best_is, p.uplink));
    net_free(p.net);
}

static void without_another_it_goes_on(void **state)
{
    (void)state;
    struct net *net = net_new(3, ETHERNET);
    net->data_rate = RATE;
    struct link *direct = settled(net, 10 * MS);
    direct->data_loss = LOSS_SCALE;
    run(net, 60 * SECOND);
    assert_true(best_is(net, direct));
    net_free(net);
}

/* Each try of a path that still swallows costs a second of data: they become rare. */
static void it_is_tried_again_after_thirty_seconds_and_half_as_often_each_time(void **state)
{
    (void)state;
    struct pair p = flowing(4, 10 * MS);
    p.direct->data_loss = LOSS_SCALE;
    uint64_t pause = PATH_DOUBT_US;
    for (unsigned i = 0; i < 8; i++) {
        assert_true(run_until(p.net, LEFT_WITHIN, best_is, p.uplink));
        assert_false(run_until(p.net, pause - SECOND, best_is, p.direct));
        assert_true(run_until(p.net, 3 * SECOND, best_is, p.direct));
        pause = i < PATH_DOUBT_DOUBLED ? 2 * pause : pause;
    }
    p.direct->data_loss = 0;
    run(p.net, PATH_DOUBT_FORGOTTEN_US);
    assert_true(best_is(p.net, p.direct));
    p.direct->data_loss = LOSS_SCALE;
    assert_true(run_until(p.net, LEFT_WITHIN, best_is, p.uplink));
    p.direct->data_loss = 0;
    assert_true(run_until(p.net, PATH_DOUBT_US + 2 * SECOND, best_is, p.direct));
    net_free(p.net);
}

static void a_path_that_loses_more_than_five_percent_is_left_after_ten_seconds(void **state)
{
    (void)state;
    struct pair p = flowing(5, 10 * MS);
    p.direct->data_loss = 60;
    assert_false(run_until(p.net, PATH_DOUBT_AFTER_US, best_is, p.uplink));
    assert_true(run_until(p.net, 4 * SECOND, best_is, p.uplink));
    assert_int_equal(why_of(p.net, p.direct), PATH_WHY_LOSES);
    p.direct->data_loss = 0;
    assert_false(run_until(p.net, PATH_DOUBT_US - SECOND, best_is, p.direct));
    assert_true(run_until(p.net, 3 * SECOND, best_is, p.direct));
    net_free(p.net);
}

static void less_loss_or_a_shorter_one_moves_nothing(void **state)
{
    (void)state;
    struct pair p = flowing(6, 10 * MS);
    p.direct->data_loss = 45;
    assert_false(run_until(p.net, 120 * SECOND, best_is, p.uplink));
    for (unsigned i = 0; i < 10; i++) {
        p.direct->data_loss = 500;
        assert_false(run_until(p.net, 8 * SECOND, best_is, p.uplink));
        p.direct->data_loss = 0;
        assert_false(run_until(p.net, 3 * SECOND, best_is, p.uplink));
    }
    net_free(p.net);
}

static void no_loss_moves_anything_while_the_uplink_is_not_clean(void **state)
{
    (void)state;
    struct pair p = flowing(7, 10 * MS);
    p.uplink->mute = true;
    p.direct->data_loss = 500;
    assert_false(run_until(p.net, 120 * SECOND, best_is, p.uplink));
    net_free(p.net);
}

static void what_a_busy_peer_had_no_time_for_moves_nothing(void **state)
{
    (void)state;
    struct pair p = flowing(8, 10 * MS);
    p.net->pressed = true;
    p.direct->data_loss = 970;
    assert_false(run_until(p.net, 60 * SECOND, best_is, p.uplink));
    net_free(p.net);
}

/* 30 ms one way by the uplink: twice that and 50 ms is 170 ms. */
static void a_far_slower_path_is_left_after_ten_seconds_and_taken_again_when_it_is_fast(void **state)
{
    (void)state;
    struct pair p = flowing(9, 10 * MS);
    p.direct->delay_us = 80 * MS;
    assert_false(run_until(p.net, 60 * SECOND, best_is, p.uplink));
    p.direct->delay_us = 100 * MS;
    assert_true(run_until(p.net, 20 * SECOND, best_is, p.uplink));
    assert_int_equal(why_of(p.net, p.direct), PATH_WHY_FAR_SLOWER);
    assert_false(run_until(p.net, 600 * SECOND, best_is, p.direct));
    p.direct->delay_us = 10 * MS;
    assert_true(run_until(p.net, PATH_DOUBT_US, best_is, p.direct));
    net_free(p.net);
}

static struct pair left(uint64_t seed)
{
    struct pair p = flowing(seed, 10 * MS);
    p.direct->data_loss = LOSS_SCALE;
    assert_true(run_until(p.net, LEFT_WITHIN, best_is, p.uplink));
    p.direct->data_loss = 0;
    return p;
}

/* One probe is lost, or two. */
static void lose_a_probe(const struct pair *p)
{
    p->direct->mute = true;
    assert_false(run_until(p->net, 1200 * MS, best_is, p->direct));
    p->direct->mute = false;
}

static void a_probe_that_is_lost_keeps_a_path_left_for_ten_seconds_more(void **state)
{
    (void)state;
    struct pair p = left(10);
    assert_false(run_until(p.net, 25 * SECOND, best_is, p.direct));
    lose_a_probe(&p);
    assert_false(run_until(p.net, 11 * SECOND, best_is, p.direct));
    assert_true(run_until(p.net, 16 * SECOND, best_is, p.direct));
    net_free(p.net);
}

static void a_path_that_loses_more_than_a_tenth_of_its_probes_stays_left(void **state)
{
    (void)state;
    struct pair p = left(11);
    for (unsigned i = 0; i < 30; i++) {
        assert_false(run_until(p.net, 6 * SECOND, best_is, p.direct));
        lose_a_probe(&p);
    }
    assert_true(run_until(p.net, PATH_DOUBT_US + 2 * SECOND, best_is, p.direct));
    net_free(p.net);
}

static void a_doubted_path_carries_when_the_other_dies(void **state)
{
    (void)state;
    struct pair p = flowing(11, 10 * MS);
    p.direct->data_loss = LOSS_SCALE;
    assert_true(run_until(p.net, LEFT_WITHIN, best_is, p.uplink));
    p.direct->data_loss = 0;
    p.uplink->down = true;
    assert_true(run_until(p.net, 1500 * MS, best_is, p.direct));
    net_free(p.net);
}

/* The peer still sends by it: that says nothing of the other direction. */
static void what_arrives_by_a_doubted_path_does_not_bring_it_back(void **state)
{
    (void)state;
    struct pair p = flowing(12, 10 * MS);
    p.net->talks_from = p.direct;
    p.direct->data_loss = LOSS_SCALE;
    assert_true(run_until(p.net, LEFT_WITHIN, best_is, p.uplink));
    p.uplink->delay_us = 300 * MS; /* its answers are overdue, now and then */
    assert_false(run_until(p.net, PATH_DOUBT_US - SECOND, best_is, p.direct));
    net_free(p.net);
}

static void what_queues_in_front_of_a_stream_lose_moves_nothing(void **state)
{
    (void)state;
    struct pair p = flowing(15, 10 * MS);
    p.direct->down = true;
    assert_true(run_until(p.net, SECOND, best_is, p.uplink));
    run(p.net, 60 * SECOND);
    p.uplink->data_loss = 990;
    p.direct->down = false;
    const enum path_state proven = PATH_STATE_PROVEN;
    while (state_of(p.net, p.direct) != proven)
        run(p.net, 100 * MS);
    assert_false(run_until(p.net, 9 * SECOND, best_is, p.direct)); /* it has to answer for ten */
    net_free(p.net);
}

static void a_peer_that_gives_no_receipts_is_judged_by_round_trips_alone(void **state)
{
    (void)state;
    struct pair p = flowing(13, 10 * MS);
    p.net->data_rate = 0;
    p.direct->data_loss = LOSS_SCALE;
    assert_false(run_until(p.net, 60 * SECOND, best_is, p.uplink));
    net_free(p.net);
}

static void a_peer_that_lies_moves_its_own_data_ever_more_seldom(void **state)
{
    (void)state;
    struct pair p = flowing(14, 10 * MS);
    struct link *best = p.direct;
    unsigned changes = 0;
    p.net->lies = true;
    for (uint64_t end = p.net->now + 3600 * SECOND; p.net->now < end;) {
        struct link *other = best == p.direct ? p.uplink : p.direct;
        if (!run_until(p.net, 10 * SECOND, best_is, other))
            continue;
        best = other;
        changes++;
    }
    assert_in_range(changes, 2, 2 * (PATH_DOUBT_DOUBLED + 4));
    net_free(p.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_swallows_data_is_left_within_three_seconds),
        cmocka_unit_test(it_is_left_for_another_straight_one_first),
        cmocka_unit_test(without_another_it_goes_on),
        cmocka_unit_test(it_is_tried_again_after_thirty_seconds_and_half_as_often_each_time),
        cmocka_unit_test(a_path_that_loses_more_than_five_percent_is_left_after_ten_seconds),
        cmocka_unit_test(less_loss_or_a_shorter_one_moves_nothing),
        cmocka_unit_test(no_loss_moves_anything_while_the_uplink_is_not_clean),
        cmocka_unit_test(what_a_busy_peer_had_no_time_for_moves_nothing),
        cmocka_unit_test(a_far_slower_path_is_left_after_ten_seconds_and_taken_again_when_it_is_fast),
        cmocka_unit_test(a_probe_that_is_lost_keeps_a_path_left_for_ten_seconds_more),
        cmocka_unit_test(a_path_that_loses_more_than_a_tenth_of_its_probes_stays_left),
        cmocka_unit_test(a_doubted_path_carries_when_the_other_dies),
        cmocka_unit_test(what_arrives_by_a_doubted_path_does_not_bring_it_back),
        cmocka_unit_test(a_peer_that_lies_moves_its_own_data_ever_more_seldom),
        cmocka_unit_test(what_queues_in_front_of_a_stream_lose_moves_nothing),
        cmocka_unit_test(a_peer_that_gives_no_receipts_is_judged_by_round_trips_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
