/* SPDX-License-Identifier: Apache-2.0 */
/* proto/peer/reach: connected means that data can flow. */

#include "proto/peer/reach.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define NOW (1000 * USEC_PER_SEC)

static uint64_t silence_us;

static enum reach_news at(struct reach *r, uint64_t ms, bool session, bool answers)
{
    return reach_update(r, session, answers, NOW + ms * USEC_PER_MSEC, &silence_us);
}

static void a_session_is_open_once_a_path_answers(void **state)
{
    (void)state;
    struct reach r = {0};
    assert_int_equal(at(&r, 0, false, false), REACH_NEWS_NONE);
    assert_int_equal(at(&r, 10, true, false), REACH_NEWS_NONE);
    assert_int_equal(r.state, REACH_TRYING);
    assert_int_equal(at(&r, 30, true, true), REACH_NEWS_OPEN);
    assert_int_equal(r.state, REACH_OPEN);
    assert_int_equal(r.since_us, NOW + 30 * USEC_PER_MSEC);
    assert_int_equal(at(&r, 40, true, true), REACH_NEWS_NONE);
    assert_int_equal(reach_deadline(&r), TIME_NEVER);
}

static void a_session_whose_paths_never_answer_is_dark_and_told_of_once(void **state)
{
    (void)state;
    struct reach r = {0};
    at(&r, 0, true, false);
    assert_int_equal(reach_deadline(&r), NOW + 3 * USEC_PER_SEC);
    assert_int_equal(at(&r, 2999, true, false), REACH_NEWS_NONE);
    assert_int_equal(at(&r, 3000, true, false), REACH_NEWS_DARK);
    assert_int_equal(r.since_us, NOW);
    assert_int_equal(at(&r, 9000, true, false), REACH_NEWS_NONE);
    assert_int_equal(r.state, REACH_DARK);
}

static void a_hiccup_is_no_news(void **state)
{
    (void)state;
    struct reach r = {0};
    at(&r, 0, true, true);
    at(&r, 100, true, false);
    assert_int_equal(at(&r, 1099, true, false), REACH_NEWS_NONE);
    assert_int_equal(r.state, REACH_OPEN);
    assert_int_equal(at(&r, 1100, true, true), REACH_NEWS_NONE);
    at(&r, 1200, true, false); /* counts anew */
    assert_int_equal(at(&r, 2199, true, false), REACH_NEWS_NONE);
    assert_int_equal(at(&r, 2200, true, false), REACH_NEWS_DARK);
}

static void recovery_tells_how_long_it_was_dark(void **state)
{
    (void)state;
    struct reach r = {0};
    at(&r, 0, true, true);
    at(&r, 1000, true, false);
    assert_int_equal(at(&r, 2000, true, false), REACH_NEWS_DARK);
    assert_int_equal(at(&r, 61000, true, true), REACH_NEWS_REOPEN);
    assert_int_equal(silence_us, 60 * USEC_PER_SEC);
    assert_int_equal(r.since_us, NOW + 61 * USEC_PER_SEC);
}

static void a_new_session_in_the_dark_keeps_its_since_and_is_no_news(void **state)
{
    (void)state;
    struct reach r = {0};
    at(&r, 0, true, false);
    assert_int_equal(at(&r, 3000, true, false), REACH_NEWS_DARK);
    at(&r, 180000, false, false);
    assert_int_equal(r.state, REACH_APART);
    assert_int_equal(at(&r, 180100, true, false), REACH_NEWS_NONE);
    assert_int_equal(r.state, REACH_DARK);
    assert_int_equal(r.since_us, NOW);
    assert_int_equal(at(&r, 190000, true, false), REACH_NEWS_NONE);
    assert_int_equal(at(&r, 190001, true, true), REACH_NEWS_REOPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_open_once_a_path_answers),
        cmocka_unit_test(a_session_whose_paths_never_answer_is_dark_and_told_of_once),
        cmocka_unit_test(a_hiccup_is_no_news),
        cmocka_unit_test(recovery_tells_how_long_it_was_dark),
        cmocka_unit_test(a_new_session_in_the_dark_keeps_its_since_and_is_no_news),
    };
    return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
