/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/clock_votes: whose clock is believed to be off. */

#include "node/network/clock_votes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DAY 86400

static int64_t off_by(const int64_t *ahead_s, unsigned count, unsigned *agree)
{
    struct clock_votes v = {.count = 0};

    for (; v.count < count; v.count++)
        v.ahead_s[v.count] = ahead_s[v.count];
    return clock_votes_off(&v, agree);
}

static void a_clock_that_most_contradict_is_off(void **state)
{
    unsigned agree;

    (void)state;
    assert_int_equal(off_by((const int64_t[]){2 * DAY, 0, 2 * DAY + 3}, 3, &agree), -2 * DAY);
    assert_int_equal(agree, 2);
    assert_int_equal(off_by((const int64_t[]){-2 * DAY, -2 * DAY, 5}, 3, &agree), 2 * DAY);
    assert_int_equal(off_by((const int64_t[]){301}, 1, &agree), -301);
}

static void half_of_them_are_not_enough(void **state)
{
    unsigned agree;

    (void)state;
    assert_int_equal(off_by((const int64_t[]){2 * DAY, 0}, 2, &agree), 0);
    assert_int_equal(off_by((const int64_t[]){2 * DAY, -2 * DAY}, 2, &agree), 0);
    assert_int_equal(off_by((const int64_t[]){300, -300, 0}, 3, &agree), 0);
    assert_int_equal(off_by(NULL, 0, &agree), 0);
}

static void a_liar_moves_no_figure(void **state)
{
    unsigned agree;

    (void)state;
    assert_int_equal(off_by((const int64_t[]){INT64_MAX / 2, 2 * DAY, 2 * DAY, 2 * DAY}, 4, &agree),
                     -2 * DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_most_contradict_is_off),
        cmocka_unit_test(half_of_them_are_not_enough),
        cmocka_unit_test(a_liar_moves_no_figure),
    };

    return cmocka_run_group_tests_name("clock_votes", tests, NULL, NULL);
}
