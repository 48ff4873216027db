/* SPDX-License-Identifier: Apache-2.0 */
/* node/warnings: a warning stands until its time is over, the newest of its kind. */

#include "node/report/warnings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void a_warning_stands_until_its_time_is_over(void **state)
{
    (void)state;
    struct warnings w = {0};
    assert_null(warnings_text(&w, WARNING_OWN_KEY, 0));
    warnings_set(&w, WARNING_OWN_KEY, "once", 100);
    assert_string_equal(warnings_text(&w, WARNING_OWN_KEY, 99), "once");
    assert_null(warnings_text(&w, WARNING_OWN_KEY, 100));
    assert_null(warnings_text(&w, WARNING_SHARED_KEY, 99));
    warnings_set(&w, WARNING_OWN_KEY, "again", 200);
    assert_string_equal(warnings_text(&w, WARNING_OWN_KEY, 100), "again");
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    struct warnings w = {0};
    char text[2 * WARNING_TEXT_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    warnings_set(&w, WARNING_SHARED_KEY, text, 1);
    assert_int_equal(strlen(warnings_text(&w, WARNING_SHARED_KEY, 0)), WARNING_TEXT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warning_stands_until_its_time_is_over),
        cmocka_unit_test(a_long_text_is_cut),
    };
    return cmocka_run_group_tests_name("warnings", tests, NULL, NULL);
}
