/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/bulk: which flows are bulk, since when, and for how long. */

#include "node/data/bulk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct bulk b;

static int setup(void **state)
{
    (void)state;
    memset(&b, 0, sizeof(b));
    return 0;
}

static void much_within_a_window_is_bulk(void **state)
{
    (void)state;
    assert_false(bulk_count(&b, 7, false, BULK_BYTES - BULK_FRAME_BYTES, 100000));
    assert_true(bulk_count(&b, 7, false, 1, 100001));
    assert_false(bulk_count(&b, 8, false, 1, 100001));
    assert_true(bulk_count(&b, 9, false, BULK_BYTES, 200000));
}

static void so_are_many_small_frames(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BULK_BYTES / (BULK_FRAME_BYTES + 64); i++)
        assert_false(bulk_count(&b, 7, false, 64, 100000 + i));
    assert_true(bulk_count(&b, 7, false, 64, 100000 + BULK_WINDOW_US - 1));
}

/* A call: a frame of 200 bytes each 20 ms, and one of 60,000 a second. */
static void what_is_spread_over_time_is_not(void **state)
{
    (void)state;
    uint64_t now = 100000;
    for (unsigned i = 0; i < 1000; i++)
        assert_false(bulk_count(&b, 7, false, 200, now += 20000));
    for (unsigned i = 0; i < 1000; i++)
        assert_false(bulk_count(&b, 7, false, 1400, now += BULK_WINDOW_US / 20));
}

static void it_is_bulk_until_some_time_after_the_last_such_window(void **state)
{
    (void)state;
    assert_true(bulk_count(&b, 7, false, BULK_BYTES, 100000));
    assert_true(bulk_count(&b, 7, false, 1, 100000 + BULK_LINGER_US - 1));
    assert_false(bulk_count(&b, 7, false, 1, 100000 + BULK_LINGER_US + BULK_WINDOW_US));
    assert_true(bulk_count(&b, 7, false, BULK_BYTES, 100000 + 3 * BULK_LINGER_US));
}

/* So that one that soon carries much need not move; the boost does not act on it. */
static void a_connection_begins_as_bulk(void **state)
{
    (void)state;
    assert_true(bulk_count(&b, 7, true, 60, 100000));
    assert_true(bulk_count(&b, 7, false, 60, 100000 + BULK_LINGER_US - 1));
    assert_false(bulk_count(&b, 7, false, 60, 100000 + BULK_LINGER_US));
    assert_int_equal(b.seen_us, 0);
}

/* The boost goes by it. */
static void the_last_sight_of_a_bulk_flow_is_kept(void **state)
{
    (void)state;
    assert_false(bulk_count(&b, 7, false, 1000, 100000));
    assert_int_equal(b.seen_us, 0);
    assert_true(bulk_count(&b, 7, false, BULK_BYTES, 100001));
    assert_int_equal(b.seen_us, 100001);
    assert_true(bulk_count(&b, 7, false, BULK_BYTES, 100001 + BULK_WINDOW_US));
    assert_true(bulk_count(&b, 7, false, 1, 100001 + 3 * BULK_WINDOW_US));
    assert_int_equal(b.seen_us, 100001 + BULK_WINDOW_US);
    assert_int_equal(b.seen_us, 100001 + BULK_WINDOW_US);
}

/* Their clocks are those of their rounds. */
static void a_worker_whose_clock_is_behind_restarts_no_window(void **state)
{
    (void)state;
    assert_false(bulk_count(&b, 7, false, BULK_BYTES / 2, 100000));
    assert_true(bulk_count(&b, 7, false, BULK_BYTES / 2, 99990));
    assert_int_equal(b.flows[7].window_us, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(much_within_a_window_is_bulk, setup),
        cmocka_unit_test_setup(so_are_many_small_frames, setup),
        cmocka_unit_test_setup(what_is_spread_over_time_is_not, setup),
        cmocka_unit_test_setup(it_is_bulk_until_some_time_after_the_last_such_window, setup),
        cmocka_unit_test_setup(a_connection_begins_as_bulk, setup),
        cmocka_unit_test_setup(the_last_sight_of_a_bulk_flow_is_kept, setup),
        cmocka_unit_test_setup(a_worker_whose_clock_is_behind_restarts_no_window, setup),
    };
    return cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}
