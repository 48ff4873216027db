/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/life: what is spent of a certificate, and when it is told. */

#include "node/network/life.h"

#include "crypto/cert.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct cert certificate = {.not_before = 1000, .not_after = 2000};

static void what_is_spent_is_told_in_per_cent(void **state)
{
    (void)state;
    assert_int_equal(life_spent(&certificate, 900), 0);
    assert_int_equal(life_spent(&certificate, 1000), 0);
    assert_int_equal(life_spent(&certificate, 1499), 49);
    assert_int_equal(life_spent(&certificate, 1999), 99);
    assert_int_equal(life_spent(&certificate, 2000), 100);
    assert_int_equal(life_spent(&certificate, 5000), 100);
    assert_int_equal(life_left_s(&certificate, 1999), 1);
    assert_int_equal(life_left_s(&certificate, 2001), 0);
}

static void each_step_is_news_once(void **state)
{
    struct life l = {0};

    (void)state;
    assert_false(life_is_news(&l, 49));
    assert_true(life_is_news(&l, 50));
    assert_false(life_is_news(&l, 74));
    assert_true(life_is_news(&l, 75));
    assert_true(life_is_news(&l, 90));
    assert_false(life_is_news(&l, 99));
    assert_true(life_is_news(&l, 100));
    assert_false(life_is_news(&l, 100));
}

static void steps_that_nobody_saw_are_told_as_one(void **state)
{
    struct life l = {0};

    (void)state;
    assert_true(life_is_news(&l, 95));
    assert_false(life_is_news(&l, 96));
    assert_true(life_is_news(&l, 100));
}

static void it_is_shown_from_its_half_on(void **state)
{
    (void)state;
    assert_false(life_is_shown(49));
    assert_true(life_is_shown(50));
}

static void a_span_has_one_unit(void **state)
{
    char text[LIFE_SPAN_MAX];

    (void)state;
    assert_string_equal(life_span(2 * 86400, text), "2 days");
    assert_string_equal(life_span(2 * 86400 - 1, text), "47 hours");
    assert_string_equal(life_span(7199, text), "7199 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_spent_is_told_in_per_cent),
        cmocka_unit_test(each_step_is_news_once),
        cmocka_unit_test(steps_that_nobody_saw_are_told_as_one),
        cmocka_unit_test(it_is_shown_from_its_half_on),
        cmocka_unit_test(a_span_has_one_unit),
    };

    return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
