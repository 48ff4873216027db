/* SPDX-License-Identifier: Apache-2.0 */
/* proto/peer/relay_places: which nodes relay, and when others are looked for. */

#include "proto/peer/relay_places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define T0 1000000000ull

static const struct node_id nodes[] = {{{1}}, {{2}}, {{3}}};
static const bool none[RELAY_NODES_MAX], all[RELAY_NODES_MAX] = {true, true};

static struct relay_places full(uint32_t first_us, uint32_t second_us)
{
    struct relay_places r = {0};
    relay_places_put(&r, 0, &nodes[0], first_us, T0);
    relay_places_put(&r, 1, &nodes[1], second_us, T0);
    return r;
}

static void free_places_are_taken_first(void **state)
{
    (void)state;
    struct relay_places r = {0};
    assert_int_equal(relay_places_choose(&r, 90000, none, none, T0), 0);
    relay_places_put(&r, 0, &nodes[0], 10000, T0);
    assert_int_equal(relay_places_choose(&r, 90000, none, none, T0), 1);
    assert_int_equal(relay_places_find(&r, &nodes[0]), 0);
    assert_int_equal(relay_places_find(&r, &nodes[1]), -1);
    relay_places_clear(&r, 0);
    assert_int_equal(relay_places_find(&r, &nodes[0]), -1);
}

static void the_worse_one_makes_way_for_one_that_is_better_by_enough(void **state)
{
    (void)state;
    const struct relay_places r = full(20000, 40000);
    assert_int_equal(relay_places_choose(&r, 29000, none, all, T0), 1);
    assert_int_equal(relay_places_choose(&r, 31000, none, all, T0), -1);
    assert_int_equal(relay_places_choose(&r, 40000, none, all, T0), -1);
    const struct relay_places near = full(2000, 3000); /* a quarter is not 2 ms there */
    assert_int_equal(relay_places_choose(&near, 1500, none, all, T0), -1);
}

static void the_one_that_carries_stays(void **state)
{
    (void)state;
    const struct relay_places r = full(20000, 40000);
    assert_int_equal(relay_places_choose(&r, 1000, (const bool[]){false, true}, all, T0), 0);
    assert_int_equal(relay_places_choose(&r, 1000, all, all, T0), -1);
}

/* It said that it is near, and nothing comes by it. */
static void one_by_which_nothing_answers_has_its_time_and_makes_way(void **state)
{
    (void)state;
    const struct relay_places r = full(1, 1);
    const bool first[] = {true, false};
    assert_int_equal(relay_places_choose(&r, 90000, none, first, T0 + RELAY_PLACE_US - 1), -1);
    assert_int_equal(relay_places_choose(&r, 90000, none, first, T0 + RELAY_PLACE_US), 1);
    assert_int_equal(relay_places_choose(&r, 90000, none, all, T0 + RELAY_PLACE_US), -1);
}

static void relays_are_sought_ever_more_rarely(void **state)
{
    (void)state;
    struct relay_places r = {0};
    uint64_t now_us = T0, waits[6];
    for (unsigned i = 0; i < 6; i++) {
        relay_places_sought(&r, false, now_us);
        waits[i] = r.seek_us - now_us;
        now_us = r.seek_us;
    }
    assert_int_equal(waits[0], RELAY_SEEK_US);
    assert_int_equal(waits[1], RELAY_SEEK_US * RELAY_SEEK_FACTOR);
    assert_int_equal(waits[5], RELAY_SEEK_MAX_US);
    relay_places_sought(&r, false, now_us);
    relay_places_seek_by(&r, now_us + RELAY_AFTER_US);
    assert_int_equal(r.seek_us, now_us + RELAY_AFTER_US);
    relay_places_seek_by(&r, now_us + RELAY_SEEK_MAX_US);
    assert_int_equal(r.seek_us, now_us + RELAY_AFTER_US);
    relay_places_put_off(&r, now_us + 1);
    assert_int_equal(r.seek_us, now_us + 1);
    relay_places_seek_anew(&r);
    relay_places_sought(&r, false, now_us);
    assert_int_equal(r.seek_us, now_us + RELAY_SEEK_US);
}

/* Those that would may have no session with both ends yet. */
static void where_no_path_over_udp_carries_relays_are_sought_again_soon(void **state)
{
    (void)state;
    struct relay_places r = {0};
    uint64_t now_us = T0;
    for (uint64_t wait_us = RELAY_SEEK_FIRST_US; wait_us < RELAY_SEEK_US; wait_us *= 2) {
        relay_places_sought(&r, true, now_us);
        assert_int_equal(r.seek_us, now_us + wait_us);
        now_us = r.seek_us;
    }
    unsigned sought = 0;
    for (; now_us < T0 + RELAY_SEEK_MAX_US; sought++) {
        relay_places_sought(&r, true, now_us);
        now_us = r.seek_us;
    }
    assert_true(sought <= 5);
    relay_places_seek_anew(&r);
    relay_places_sought(&r, true, now_us);
    relay_places_sought(&r, false, now_us);
    assert_int_equal(r.seek_us, now_us + RELAY_SEEK_US);
}

static void answers_are_expected_for_a_while_after_a_question(void **state)
{
    (void)state;
    struct relay_places r = {0};
    assert_false(relay_places_expects(&r, T0));
    relay_places_sought(&r, false, T0);
    relay_places_seek_anew(&r);
    assert_true(relay_places_expects(&r, T0) && relay_places_expects(&r, T0 + RELAY_FOUND_US - 1));
    assert_false(relay_places_expects(&r, T0 + RELAY_FOUND_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_places_are_taken_first),
        cmocka_unit_test(the_worse_one_makes_way_for_one_that_is_better_by_enough),
        cmocka_unit_test(the_one_that_carries_stays),
        cmocka_unit_test(one_by_which_nothing_answers_has_its_time_and_makes_way),
        cmocka_unit_test(relays_are_sought_ever_more_rarely),
        cmocka_unit_test(where_no_path_over_udp_carries_relays_are_sought_again_soon),
        cmocka_unit_test(answers_are_expected_for_a_while_after_a_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
