/* SPDX-License-Identifier: Apache-2.0 */
/* node/uplink/uplink_ways: which way out an uplink takes. */

#include "node/uplink/uplink_ways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WIFI   2
#define CELL   3
#define CABLE  4
#define SECOND USEC_PER_SEC
#define T0     (1000 * SECOND)

static const struct ways none;

static struct ways two_standbys(void)
{
    struct ways ways = {0};
    ways_add(&ways, WIFI, 4, WAY_CHOSEN);
    ways_add(&ways, CELL, 4, WAY_STANDBY);
    ways_add(&ways, CABLE, 6, WAY_STANDBY);
    return ways;
}

static void standbys_follow_each_other_behind_the_kernels_choice(void **state)
{
    (void)state;
    const struct ways ways = two_standbys();
    assert_int_equal(ways_next(&ways, 0, 0), CELL);
    assert_int_equal(ways_next(&ways, 0, CELL), CABLE);
    assert_int_equal(ways_next(&ways, 0, CABLE), 0);
    assert_int_equal(ways_next(&ways, 0, 99), 0); /* gone */
    assert_int_equal(ways_next(&none, 0, 0), 0);
}

static void round_tries_each_way_once_and_the_next_begins_with_the_kernels_choice(void **state)
{
    (void)state;
    const struct ways ways = two_standbys();
    struct uplink_ways w = {0};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(w.interface, 0);
        assert_true(uplink_ways_next(&w, &ways));
        assert_int_equal(w.interface, CELL);
        assert_true(uplink_ways_next(&w, &ways));
        assert_int_equal(w.interface, CABLE);
        assert_false(uplink_ways_next(&w, &ways));
    }
    assert_false(uplink_ways_next(&w, &none));
    assert_int_equal(w.interface, 0);
}

/* Behind the standby that is lost come the others. */
static void round_begins_behind_the_way_that_is_lost(void **state)
{
    (void)state;
    const struct ways ways = two_standbys();
    struct uplink_ways w = {0};
    assert_true(uplink_ways_next(&w, &ways));
    uplink_ways_arrived(&w);
    assert_true(uplink_ways_next(&w, &ways));
    assert_int_equal(w.interface, CABLE);
    assert_true(uplink_ways_next(&w, &ways));
    assert_int_equal(w.interface, 0);
    assert_false(uplink_ways_next(&w, &ways));
}

static void last_way_of_a_round_has_all_the_time_and_others_more_in_each(void **state)
{
    (void)state;
    const struct ways ways = two_standbys();
    struct uplink_ways w = {0};
    assert_int_equal(uplink_ways_patience_us(&w, &none, 0), 0);
    assert_int_equal(uplink_ways_patience_us(&w, &ways, 0), SECOND);
    assert_int_equal(uplink_ways_patience_us(&w, &ways, 2), 4 * SECOND);
    assert_int_equal(uplink_ways_patience_us(&w, &ways, UINT32_MAX), 8 * SECOND);
    assert_true(uplink_ways_next(&w, &ways));
    assert_int_equal(uplink_ways_patience_us(&w, &ways, 0), SECOND);
    assert_true(uplink_ways_next(&w, &ways));
    assert_int_equal(uplink_ways_patience_us(&w, &ways, 0), 0);
}

static void kernels_choice_is_taken_again_when_it_has_answered_for_10_seconds(void **state)
{
    (void)state;
    const struct ways ways = two_standbys();
    struct uplink_ways w = {0};
    assert_false(uplink_ways_heard(&w, 0, true, T0));
    assert_true(uplink_ways_next(&w, &ways));
    uplink_ways_arrived(&w);
    assert_false(uplink_ways_heard(&w, 0, true, T0 + 20 * SECOND)); /* what it did before says nothing */
    assert_false(uplink_ways_heard(&w, CELL, true, T0 + 28 * SECOND));
    assert_false(uplink_ways_heard(&w, 0, true, T0 + 36 * SECOND));
    assert_false(uplink_ways_heard(&w, 0, false, T0 + 44 * SECOND));
    assert_false(uplink_ways_heard(&w, 0, true, T0 + 52 * SECOND));
    assert_false(uplink_ways_heard(&w, 0, true, T0 + 60 * SECOND));
    assert_true(uplink_ways_heard(&w, 0, true, T0 + 68 * SECOND));
    uplink_ways_return(&w);
    assert_int_equal(w.interface, 0);
    uplink_ways_arrived(&w);
    assert_false(uplink_ways_heard(&w, 0, true, T0 + 76 * SECOND)); /* it is there */
}

/* How long the kernel's choice has to answer. */
static uint64_t wait_for_return(struct uplink_ways *w, uint64_t *now_us)
{
    uint64_t since_us = *now_us;
    while (!uplink_ways_heard(w, 0, true, *now_us))
        *now_us += SECOND;
    return *now_us - since_us;
}

static void return_in_vain_is_tried_ever_more_rarely(void **state)
{
    (void)state;
    const struct ways ways = two_standbys();
    struct uplink_ways w = {0};
    uint64_t now_us = T0;
    assert_true(uplink_ways_next(&w, &ways));
    for (unsigned i = 0; i < 10; i++) {
        uplink_ways_arrived(&w);
        assert_int_equal(wait_for_return(&w, &now_us), (10 * SECOND) << (i < 6 ? i : 6));
        uplink_ways_return(&w);
        assert_true(uplink_ways_next(&w, &ways));
        assert_int_equal(w.interface, CELL);
    }
    uplink_ways_return(&w);
    uplink_ways_arrived(&w);
    assert_true(uplink_ways_next(&w, &ways));
    uplink_ways_arrived(&w);
    assert_int_equal(wait_for_return(&w, &now_us), 10 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standbys_follow_each_other_behind_the_kernels_choice),
        cmocka_unit_test(round_tries_each_way_once_and_the_next_begins_with_the_kernels_choice),
        cmocka_unit_test(round_begins_behind_the_way_that_is_lost),
        cmocka_unit_test(last_way_of_a_round_has_all_the_time_and_others_more_in_each),
        cmocka_unit_test(kernels_choice_is_taken_again_when_it_has_answered_for_10_seconds),
        cmocka_unit_test(return_in_vain_is_tried_ever_more_rarely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
