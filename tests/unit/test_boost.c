/* SPDX-License-Identifier: Apache-2.0 */
/* node/boost: a worker that sleeps now and then goes first, one that takes a CPU whole shares it, the longer
 * the more often it does. */

#include "node/boost.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define WINDOW BOOST_WINDOW_US

static struct boost raised_at(uint64_t now_us)
{
    return (struct boost){.permitted = true, .raised = true, .window_us = now_us};
}

static void one_that_sleeps_stays_raised(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    uint64_t cpu = 0;
    for (uint64_t now = WINDOW; now < 100 * WINDOW; now += WINDOW) {
        cpu += WINDOW * BOOST_SHARE / 100;
        assert_int_equal(boost_judge(&b, now, cpu), BOOST_KEEP);
    }
}

/* Always busy: each time it does without for twice as long, up to the limit. */
static void one_that_never_sleeps_loses_its_right_for_ever_longer(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    uint64_t now = 0, expected = BOOST_PENALTY_US;
    for (unsigned i = 0; i < 10; i++) {
        now += WINDOW;
        assert_int_equal(boost_judge(&b, now, now), BOOST_LOWER);
        b.raised = false;
        uint64_t since = now;
        do
            now += BOOST_PENALTY_US;
        while (boost_judge(&b, now, now) == BOOST_KEEP);
        b.raised = true;
        assert_int_equal(now - since, expected);
        expected = expected * 2 < BOOST_PENALTY_MAX_US ? expected * 2 : BOOST_PENALTY_MAX_US;
    }
}

static void one_quiet_window_forgives(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    for (unsigned i = 0; i < 5; i++)
        (void)boost_judge(&b, (i + 1) * (uint64_t)WINDOW, (i + 1) * (uint64_t)WINDOW);
    assert_int_equal(boost_judge(&b, 6 * (uint64_t)WINDOW, 5 * (uint64_t)WINDOW), BOOST_KEEP);
    assert_int_equal(boost_judge(&b, 7 * (uint64_t)WINDOW, 6 * (uint64_t)WINDOW), BOOST_LOWER);
    assert_int_equal(b.until_us - 7 * (uint64_t)WINDOW, BOOST_PENALTY_US);
}

static void many_rounds_in_a_millisecond_are_paced_while_raised(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    for (unsigned i = 1; i <= BOOST_ROUNDS; i++) {
        boost_round(&b, 100 + i);
        assert_false(boost_is_hasty(&b));
    }
    boost_round(&b, 999);
    assert_true(boost_is_hasty(&b));
    b.raised = false;
    assert_false(boost_is_hasty(&b));
    b.raised = true;
    boost_round(&b, 1101);
    assert_false(boost_is_hasty(&b));
    for (uint64_t now = 3000; now < 100000; now += 1000 / BOOST_ROUNDS + 1) {
        boost_round(&b, now);
        assert_false(boost_is_hasty(&b));
    }
}

static void *begin(void *arg)
{
    struct sched_param param;
    int policy;
    boost_begin(arg, 1);
    pthread_getschedparam(pthread_self(), &policy, &param);
    return policy == SCHED_RR ? arg : NULL;
}

/* As root the thread is scheduled ahead of others;
 * without the capability it is told so and never asks again. */
static void the_calling_thread_is_raised_where_that_is_permitted(void **state)
{
    (void)state;
    struct boost b;
    pthread_t thread;
    void *is_raised;
    assert_int_equal(pthread_create(&thread, NULL, begin, &b), 0);
    pthread_join(thread, &is_raised);
    assert_int_equal(b.raised, is_raised != NULL);
    assert_int_equal(b.permitted, b.raised);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_sleeps_stays_raised),
        cmocka_unit_test(one_that_never_sleeps_loses_its_right_for_ever_longer),
        cmocka_unit_test(one_quiet_window_forgives),
        cmocka_unit_test(many_rounds_in_a_millisecond_are_paced_while_raised),
        cmocka_unit_test(the_calling_thread_is_raised_where_that_is_permitted),
    };
    return cmocka_run_group_tests_name("boost", tests, NULL, NULL);
}
