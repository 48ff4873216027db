/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/boost: a worker that carries little goes first beside bulk flows; one that carries much does not. */

#include "node/data/boost.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define START   ((uint64_t)1000000)
#define FOREVER (UINT64_MAX / 2)

static _Atomic uint64_t seen_us;

static struct boost fair(void)
{
    atomic_store(&seen_us, FOREVER);
    return (struct boost){.permitted = true, .bulk_seen_us = &seen_us, .window_us = START};
}

static struct boost raised(void)
{
    struct boost b = fair();
    b.raised = true;
    return b;
}

static void it_goes_first_while_there_is_a_bulk_flow(void **state)
{
    (void)state;
    struct boost b = fair();
    atomic_store(&seen_us, 0);
    assert_int_equal(boost_judge(&b, START, 0, false), BOOST_KEEP);
    atomic_store(&seen_us, START + 1);
    assert_int_equal(boost_judge(&b, START, 0, false), BOOST_RAISE);
    b.raised = true;
    assert_int_equal(boost_judge(&b, START + BOOST_STREAM_US, 0, false), BOOST_KEEP);
    assert_int_equal(boost_judge(&b, START + BOOST_STREAM_US + 1, 0, false), BOOST_LOWER);
}

static void little_over_any_time_keeps_the_right(void **state)
{
    (void)state;
    struct boost b = raised();
    uint64_t carried = 0;
    for (uint64_t now = START; now < START + 100 * BOOST_WINDOW_US; now += BOOST_WINDOW_US / 4)
        assert_int_equal(boost_judge(&b, now, carried += BOOST_MUCH / 4, false), BOOST_KEEP);
}

/* Within the window, not at its end: what goes first meanwhile keeps everybody else waiting. */
static void much_ends_it_at_once(void **state)
{
    (void)state;
    struct boost b = raised();
    assert_int_equal(boost_judge(&b, START + 1, BOOST_MUCH, false), BOOST_KEEP);
    assert_int_equal(boost_judge(&b, START + 2, BOOST_MUCH + 1, false), BOOST_LOWER);
}

static void the_right_comes_back_once_little_is_carried(void **state)
{
    (void)state;
    struct boost b = raised();
    uint64_t now = START, carried = 0;
    for (; now < START + 10 * BOOST_FAIR_US; now += 1000) {
        (void)boost_judge(&b, now, carried += BOOST_MUCH, false);
        b.raised = false;
    }
    assert_int_equal(boost_judge(&b, now + BOOST_FAIR_US - 2000, carried, false), BOOST_KEEP);
    assert_int_equal(boost_judge(&b, now + BOOST_FAIR_US, carried, false), BOOST_RAISE);
}

/* It need not carry anything for that: what it has no time to read is not counted. */
static void one_that_has_more_to_do_than_it_can_is_not_raised(void **state)
{
    (void)state;
    struct boost b = raised();
    assert_int_equal(boost_judge(&b, START, 0, true), BOOST_LOWER);
    b.raised = false;
    assert_int_equal(boost_judge(&b, START + BOOST_FAIR_US - 1, 0, false), BOOST_KEEP);
    assert_int_equal(boost_judge(&b, START + BOOST_FAIR_US, 0, false), BOOST_RAISE);
}

static bool may_be_raised(void)
{
    const struct sched_param rr = {.sched_priority = 1}, fair = {.sched_priority = 0};
    return pthread_setschedparam(pthread_self(), SCHED_RR, &rr) == 0 &&
           pthread_setschedparam(pthread_self(), SCHED_OTHER, &fair) == 0;
}

static int policy(void)
{
    return sched_getscheduler(0);
}

/* A whole life as its thread sees it: what should have been and was not, or NULL. */
static void *live(void *arg)
{
    struct boost *b = arg;
    bool may = may_be_raised();
    atomic_store(&seen_us, FOREVER);
    boost_begin(b, &seen_us);
    if (policy() != SCHED_OTHER || b->raised)
        return (void *)"is scheduled fairly at first";
    boost_round(b, START, 0, false);
    if (b->raised != may || b->permitted != may || policy() != (may ? SCHED_RR : SCHED_OTHER))
        return (void *)"goes first where that is permitted, else never asks again";
    boost_round(b, START + 1, 0, true);
    if (b->raised || policy() != SCHED_OTHER)
        return (void *)"loses that right at once when it is overloaded";
    return NULL;
}

static void the_calling_thread_is_raised_where_that_is_permitted(void **state)
{
    (void)state;
    struct boost b;
    pthread_t thread;
    void *wrong;
    assert_int_equal(pthread_create(&thread, NULL, live, &b), 0);
    pthread_join(thread, &wrong);
    if (wrong)
        fail_msg("not so: it %s", (const char *)wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_first_while_there_is_a_bulk_flow),
        cmocka_unit_test(little_over_any_time_keeps_the_right),
        cmocka_unit_test(much_ends_it_at_once),
        cmocka_unit_test(the_right_comes_back_once_little_is_carried),
        cmocka_unit_test(one_that_has_more_to_do_than_it_can_is_not_raised),
        cmocka_unit_test(the_calling_thread_is_raised_where_that_is_permitted),
    };
    return cmocka_run_group_tests_name("boost", tests, NULL, NULL);
}
