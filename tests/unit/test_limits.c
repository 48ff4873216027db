/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets per source. */

#include "proto/admission/limits.h"

#include "crypto/secret.h"
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
    assert_int_equal(limits_new(sources, SECOND, 5, &secret_source, &l), 0);
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
        struct addr other = {.family = 4, .ip = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
        assert_int_equal(limits_take(l, &other, 1, START), 0);
        passed += limits_take(l, &spender, 1, START) == 0;
    }
    assert_int_equal(passed, 5);
    limits_free(l);
}

/* Takes one from each of count neighbours, whose addresses differ in byte at. */
static unsigned passing_neighbours(struct limits *l, const char *first, unsigned at, unsigned count)
{
    unsigned passed = 0;
    struct addr a = source(first);
    for (unsigned i = 0; i < count; i++, a.ip[at]++)
        for (unsigned j = 0; j < 5; j++)
            passed += limits_take(l, &a, 1, START) == 0;
    return passed;
}

static void wider_prefixes_have_four_times_the_tokens(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(4096);
    assert_int_equal(passing_neighbours(l, "2001:db8:1:200::1", 7, 64), 4 * 5);  /* /64s of one /56 */
    assert_int_equal(passing_neighbours(l, "2001:db8:2:200::1", 6, 64), 16 * 5); /* /56s of one /48 */
    assert_int_equal(passing_neighbours(l, "2001:db8:100::1", 5, 64), 64 * 5);   /* /48s are strangers */
    assert_int_equal(passing_neighbours(l, "198.51.100.16", 3, 16), 4 * 5);      /* of one /28 */
    assert_int_equal(passing_neighbours(l, "203.0.113.0", 3, 255), 16 * 5);      /* of one /24 */
    struct addr neighbour = source("2001:db8:1:300::1"), same = source("2001:db8:1:2ff::1");
    assert_int_not_equal(limits_take(l, &same, 1, START), 0);
    assert_int_equal(limits_take(l, &same, 1, START + SECOND / 4), 0);
    assert_int_equal(limits_take(l, &neighbour, 5, START), 0);
    limits_free(l);
}

static void taking_alone_leaves_the_neighbourhood_out(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr a = source("2001:db8:1:2ff::1");
    passing_neighbours(l, "2001:db8:1:200::1", 7, 64);
    assert_int_not_equal(limits_take(l, &a, 1, START), 0);
    assert_int_equal(limits_take_alone(l, &a, 5, START), 0);
    assert_int_not_equal(limits_take_alone(l, &a, 1, START), 0);
    limits_free(l);
}

static void debts_tell_what_was_taken_by_level(void **state)
{
    (void)state;
    struct limits *l = five_at_once_one_a_second(64);
    struct addr a = source("2001:db8:1:201::1"), b = source("2001:db8:1:202::1");
    uint64_t debts[PREFIX_LEVELS];
    assert_int_equal(limits_take(l, &a, 4, START), 0);
    limits_debts(l, &b, START, debts);
    assert_int_equal(debts[0], 0);
    assert_int_equal(debts[1], SECOND);
    assert_int_equal(debts[2], SECOND / 4);
    limits_debts(l, &a, START + SECOND, debts);
    assert_int_equal(debts[0], 3 * SECOND);
    assert_int_equal(debts[1], 0);
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
        cmocka_unit_test(wider_prefixes_have_four_times_the_tokens),
        cmocka_unit_test(taking_alone_leaves_the_neighbourhood_out),
        cmocka_unit_test(debts_tell_what_was_taken_by_level),
        cmocka_unit_test(one_that_spends_is_remembered_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
