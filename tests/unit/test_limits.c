/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets per source. */

#include "proto/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define SECOND 1000000ull
#define START  (77 * SECOND)

static struct addr source(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

static struct limits *five_at_once_one_a_second(unsigned sources)
{
    struct limits *l;
    assert_int_equal(limits_new(sources, SECOND, 5, &l), 0);
    return l;
}

static void burst_passes_and_the_next_one_waits(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr a = source("192.0.2.1:4000");
    for (int i = 0; i < 5; i++)
        assert_int_equal(limits_take(l, &a, 1, START), 0);
    assert_int_equal(limits_take(l, &a, 1, START), SECOND);
    assert_int_equal(limits_take(l, &a, 1, START + SECOND - 1), 1);
    assert_int_equal(limits_take(l, &a, 1, START + SECOND), 0);
    assert_int_equal(limits_take(l, &a, 1, START + SECOND), SECOND);
    limits_free(l);
}

static void rest_refills_no_more_than_the_burst(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr a = source("192.0.2.1");
    assert_int_equal(limits_take(l, &a, 5, START), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(limits_take(l, &a, 1, START + 1000 * SECOND), 0);
    assert_int_not_equal(limits_take(l, &a, 1, START + 1000 * SECOND), 0);
    limits_free(l);
}

static void refused_request_costs_nothing(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr a = source("192.0.2.1");
    assert_int_equal(limits_take(l, &a, 3, START), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(limits_take(l, &a, 3, START), SECOND);
    assert_int_equal(limits_take(l, &a, 2, START), 0);
    limits_free(l);
}

static void sources_do_not_pay_for_each_other(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr a = source("192.0.2.1"), b = source("192.0.2.2");
    assert_int_equal(limits_take(l, &a, 5, START), 0);
    assert_int_not_equal(limits_take(l, &a, 1, START), 0);
    assert_int_equal(limits_take(l, &b, 5, START), 0);
    limits_free(l);
}

static void port_makes_no_new_source(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr a = source("192.0.2.1:1000"), b = source("192.0.2.1:2000");
    assert_int_equal(limits_take(l, &a, 5, START), 0);
    assert_int_not_equal(limits_take(l, &b, 1, START), 0);
    limits_free(l);
}

static void one_ipv6_subnet_is_one_source(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr a = source("2001:db8:1:2::1"), b = source("2001:db8:1:2:ffff::9"),
                c = source("2001:db8:1:3::1");
    assert_int_equal(limits_take(l, &a, 5, START), 0);
    assert_int_not_equal(limits_take(l, &b, 1, START), 0);
    assert_int_equal(limits_take(l, &c, 5, START), 0);
    limits_free(l);
}

static void one_that_spends_is_remembered_among_many(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr spender = source("198.51.100.1");
    unsigned passed = 0;
    for (unsigned i = 0; i < 10000; i++) {
        struct addr other = {.family = 4, .ip = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(limits_take(l, &other, 1, START), 0);
        passed += limits_take(l, &spender, 1, START) == 0;
    }
    assert_int_equal(passed, 5);
    limits_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_passes_and_the_next_one_waits),
        cmocka_unit_test(rest_refills_no_more_than_the_burst),
        cmocka_unit_test(refused_request_costs_nothing),
        cmocka_unit_test(sources_do_not_pay_for_each_other),
        cmocka_unit_test(port_makes_no_new_source),
        cmocka_unit_test(one_ipv6_subnet_is_one_source),
        cmocka_unit_test(one_that_spends_is_remembered_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
