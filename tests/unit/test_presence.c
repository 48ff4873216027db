/* SPDX-License-Identifier: Apache-2.0 */
/* What of uplinks here is to be told to the store, and when again. */

#include "backbone/presence.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW_US (1000 * USEC_PER_SEC)

static struct presence *p;

static int setup(void **state)
{
    (void)state;
    return presence_new(&p);
}

static int teardown(void **state)
{
    (void)state;
    presence_free(p);
    return 0;
}

static struct node_id id_of(unsigned number)
{
    return (struct node_id){{(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
}

static void set(unsigned number, bool on)
{
    const struct node_id id = id_of(number);
    presence_set(p, &id, on);
}

static void expect(uint64_t now_us, unsigned number, bool on)
{
    struct presence_news n;
    const struct node_id id = id_of(number);
    assert_true(presence_take(p, now_us, &n));
    assert_int_equal(id_compare(&n.id, &id), 0);
    assert_int_equal(n.on, on);
}

static void expect_nothing(uint64_t now_us)
{
    struct presence_news n;
    assert_false(presence_take(p, now_us, &n));
}

static void who_comes_and_goes_is_told_once_in_order(void **state)
{
    (void)state;
    set(1, true);
    set(2, true);
    expect(NOW_US, 1, true);
    expect(NOW_US, 2, true);
    expect_nothing(NOW_US);
    set(1, false);
    expect(NOW_US, 1, false);
    set(2, false);
    expect(NOW_US, 2, false);
    expect_nothing(NOW_US + 10 * PRESENCE_AGAIN_US);
}

static void who_goes_before_it_was_told_is_told_to_be_gone(void **state)
{
    (void)state;
    set(1, true);
    set(1, false);
    expect(NOW_US, 1, false);
    expect_nothing(NOW_US);
    set(2, false);
    set(2, true);
    expect(NOW_US, 2, true);
    expect_nothing(NOW_US);
}

static void who_stays_is_told_again_after_its_time(void **state)
{
    (void)state;
    set(1, true);
    expect(NOW_US, 1, true);
    set(2, true);
    expect(NOW_US + 5, 2, true);
    expect_nothing(NOW_US + PRESENCE_AGAIN_US - 1);
    assert_int_equal(presence_due(p), NOW_US + PRESENCE_AGAIN_US);
    expect(NOW_US + PRESENCE_AGAIN_US, 1, true);
    expect_nothing(NOW_US + PRESENCE_AGAIN_US + 5); /* those who came together do not stay so */
    assert_int_equal(presence_due(p), NOW_US + PRESENCE_AGAIN_US + PRESENCE_SPACE_US);
    expect(NOW_US + PRESENCE_AGAIN_US + PRESENCE_SPACE_US, 2, true);
    expect_nothing(NOW_US + PRESENCE_AGAIN_US + PRESENCE_SPACE_US);
    set(3, true);
    assert_int_equal(presence_due(p), 0);
}

static void what_did_not_reach_the_store_is_told_again_unless_there_is_newer(void **state)
{
    (void)state;
    struct presence_news gone = {id_of(1), false}, here = {id_of(2), true}, old = {id_of(3), false};
    set(2, true);
    set(3, true);
    expect(NOW_US, 2, true);
    expect(NOW_US, 3, true);
    presence_again(p, &gone);
    presence_again(p, &here);
    presence_again(p, &old);
    expect(NOW_US, 1, false);
    expect(NOW_US, 2, true);
    expect(NOW_US, 3, true);
    expect_nothing(NOW_US);
}

static void store_that_forgot_is_told_of_all_who_are_here(void **state)
{
    (void)state;
    set(1, true);
    set(2, true);
    set(3, true);
    for (unsigned n = 1; n <= 3; n++)
        expect(NOW_US, n, true);
    set(2, false);
    presence_repeat(p);
    expect(NOW_US, 2, false);
    expect(NOW_US, 1, true);
    expect(NOW_US, 3, true);
    expect_nothing(NOW_US);
}

static void those_who_are_gone_are_bounded(void **state)
{
    (void)state;
    struct presence_news n;
    unsigned told = 0;
    for (unsigned i = 0; i < PRESENCE_GONE_MAX + 100; i++)
        set(i, false);
    while (presence_take(p, NOW_US, &n))
        told++;
    assert_int_equal(told, PRESENCE_GONE_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_comes_and_goes_is_told_once_in_order),
        TEST(who_goes_before_it_was_told_is_told_to_be_gone),
        TEST(who_stays_is_told_again_after_its_time),
        TEST(what_did_not_reach_the_store_is_told_again_unless_there_is_newer),
        TEST(store_that_forgot_is_told_of_all_who_are_here),
        TEST(those_who_are_gone_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
