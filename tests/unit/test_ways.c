/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/ways: which interface is what for which family. */

#include "proto/path/ways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void each_family_has_a_choice_and_standbys_of_its_own(void **state)
{
    struct ways w = {0};
    (void)state;
    ways_add(&w, 2, 4, WAY_CHOSEN);
    ways_add(&w, 3, 6, WAY_CHOSEN);
    ways_add(&w, 3, 4, WAY_STANDBY);
    ways_add(&w, 4, 4, WAY_STANDBY);
    assert_int_equal(w.count, 3);
    assert_int_equal(ways_role(&w, 2, 4), WAY_CHOSEN);
    assert_int_equal(ways_role(&w, 2, 6), WAY_NONE);
    assert_int_equal(ways_role(&w, 3, 4), WAY_STANDBY);
    assert_int_equal(ways_role(&w, 3, 6), WAY_CHOSEN);
    assert_int_equal(ways_role(&w, 9, 4), WAY_NONE);
    assert_int_equal(ways_standby(&w, 4, 0), 3);
    assert_int_equal(ways_standby(&w, 4, 1), 4);
    assert_int_equal(ways_standby(&w, 4, 2), 0);
    assert_int_equal(ways_standby(&w, 6, 0), 0);
}

static void what_there_is_no_room_for_is_no_way(void **state)
{
    struct ways w = {0};
    (void)state;
    for (uint32_t i = 1; i <= 2 * WAYS_MAX; i++)
        ways_add(&w, i, 4, i == 1 ? WAY_CHOSEN : WAY_STANDBY);
    assert_int_equal(w.count, WAYS_MAX);
    assert_int_equal(ways_role(&w, WAYS_MAX, 4), WAY_STANDBY);
    assert_int_equal(ways_role(&w, WAYS_MAX + 1, 4), WAY_NONE);
    assert_int_equal(ways_standby(&w, 4, STANDBYS_MAX), 0);
    assert_int_not_equal(ways_standby(&w, 4, STANDBYS_MAX - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_family_has_a_choice_and_standbys_of_its_own),
        cmocka_unit_test(what_there_is_no_room_for_is_no_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
