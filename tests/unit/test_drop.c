/* SPDX-License-Identifier: Apache-2.0 */
/* proto/wire/drop: every reason has a name of its own that fits JSON and metrics. */

#include "proto/wire/drop.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void every_reason_has_a_distinct_name(void **state)
{
    (void)state;
    for (int a = 0; a < DROP_COUNT; a++) {
        assert_string_not_equal(drop_name((enum drop)a), "unknown");
        for (int b = 0; b < a; b++)
            assert_string_not_equal(drop_name((enum drop)a), drop_name((enum drop)b));
    }
}

static void names_are_lower_case_words(void **state)
{
    (void)state;
    for (int a = 0; a < DROP_COUNT; a++) {
        const char *name = drop_name((enum drop)a);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
    }
}

static void numbers_outside_the_list_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(drop_name(DROP_COUNT), "unknown");
    assert_string_equal(drop_name((enum drop) - 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_distinct_name),
        cmocka_unit_test(names_are_lower_case_words),
        cmocka_unit_test(numbers_outside_the_list_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
