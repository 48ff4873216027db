/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/profile: percentiles to within an eighth, of the time since the last look. */

#include "node/data/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct profile_histogram h;
static struct profile_mark mark;

static int reset(void **state)
{
    (void)state;
    h = (struct profile_histogram){0};
    mark = (struct profile_mark){{0}};
    return 0;
}

static void assert_close(uint64_t told, uint64_t real)
{
    assert_true(told >= real);
    assert_true(told <= real + real / 8);
}

static void every_value_is_told_to_within_an_eighth(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < (1ull << 42); ns = ns * 3 / 2 + 1) {
        profile_add(&h, ns);
        struct profile_summary s = profile_take(&h, &mark);
        assert_int_equal(s.count, 1);
        assert_close(s.p50_ns, ns);
        assert_close(s.p99_ns, ns);
        assert_close(s.max_ns, ns);
    }
}

static void percentiles_count_values(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        profile_add(&h, i * 1000);
    struct profile_summary s = profile_take(&h, &mark);
    assert_int_equal(s.count, 1000);
    assert_close(s.p50_ns, 500000);
    assert_close(s.p99_ns, 990000);
    assert_close(s.max_ns, 1000000);
}

static void a_look_tells_only_what_is_new(void **state)
{
    (void)state;
    profile_add(&h, 1000000);
    (void)profile_take(&h, &mark);
    assert_int_equal(profile_take(&h, &mark).count, 0);
    profile_add(&h, 10);
    struct profile_summary s = profile_take(&h, &mark);
    assert_int_equal(s.count, 1);
    assert_close(s.max_ns, 10);
}

static void extremes_stay_inside(void **state)
{
    (void)state;
    profile_add(&h, 0);
    profile_add(&h, UINT64_MAX);
    struct profile_summary s = profile_take(&h, &mark);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.p50_ns, 0);
    assert_true(s.max_ns >= 1ull << 41);
}

static void the_line_is_in_microseconds(void **state)
{
    (void)state;
    char text[PROFILE_TEXT_MAX];
    const struct profile_summary s = {.count = 3, .p50_ns = 1500, .p99_ns = 20000, .max_ns = 31250};
    assert_string_equal(profile_format(&s, text), "n=3 p50=1.5us p99=20.0us max=31.2us");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_value_is_told_to_within_an_eighth, reset),
        cmocka_unit_test_setup(percentiles_count_values, reset),
        cmocka_unit_test_setup(a_look_tells_only_what_is_new, reset),
        cmocka_unit_test_setup(extremes_stay_inside, reset),
        cmocka_unit_test(the_line_is_in_microseconds),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
