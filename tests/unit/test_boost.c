/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/boost: a worker that carries much goes first, one with little to do does not; one that takes a CPU whole
 * shares it, the longer the more often it does. */

#include "node/data/boost.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define WINDOW ((uint64_t)BOOST_WINDOW_US)

static _Atomic uint64_t stream;

static struct boost fair(void)
{
    atomic_store(&stream, 0);
    return (struct boost){.permitted = true, .stream_until_us = &stream};
}

static struct boost raised_at(uint64_t now_us)
{
    struct boost b = fair();
    b.raised = true;
    b.window_us = b.share_us = now_us;
    return b;
}

/* What a stream that is just worth it has carried by now. */
static uint64_t streamed(uint64_t now_us)
{
    return now_us * BOOST_RATE / 1000000;
}

static void one_that_carries_much_and_sleeps_stays_raised(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    for (uint64_t now = WINDOW; now < 100 * WINDOW; now += WINDOW)
        assert_int_equal(boost_judge(&b, now, now * BOOST_SHARE / 100, streamed(now)), BOOST_KEEP);
}

/* Requests and answers, however long they take a CPU; then a stream, silence, a stream. */
static void one_is_raised_while_it_carries_much(void **state)
{
    (void)state;
    struct boost b = fair();
    uint64_t now = 0, bytes = 0;
    for (unsigned i = 0; i < 100; i++) {
        now += BOOST_NOTICE_US;
        bytes += streamed(BOOST_NOTICE_US) - 1;
        assert_int_equal(boost_judge(&b, now, now, bytes), BOOST_KEEP);
    }
    now += BOOST_NOTICE_US;
    bytes += streamed(BOOST_NOTICE_US);
    assert_int_equal(boost_judge(&b, now, now, bytes), BOOST_RAISE);
    b.raised = true;
    uint64_t cpu = now;
    now += WINDOW;
    assert_int_equal(boost_judge(&b, now, cpu, bytes + streamed(WINDOW)), BOOST_KEEP);
    now += BOOST_LINGER_US;
    assert_int_equal(boost_judge(&b, now, cpu, bytes + streamed(WINDOW)), BOOST_LOWER);
    b.raised = false;
    now += BOOST_NOTICE_US;
    assert_int_equal(boost_judge(&b, now, cpu, bytes + 2 * streamed(WINDOW)),
                     BOOST_RAISE); /* it was no penalty */
}

/* Always busy: each time it does without for twice as long, up to the limit. */
static void one_that_never_sleeps_loses_its_right_for_ever_longer(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    uint64_t now = 0, expected = BOOST_PENALTY_US;
    for (unsigned i = 0; i < 10; i++) {
        uint64_t raised_us = now;
        do
            now += BOOST_NOTICE_US;
        while (boost_judge(&b, now, now, streamed(now)) == BOOST_KEEP);
        assert_true(i ? now - raised_us <= WINDOW : now == WINDOW);
        b.raised = false;
        uint64_t since = now;
        do
            now += BOOST_NOTICE_US;
        while (boost_judge(&b, now, now, streamed(now)) == BOOST_KEEP);
        b.raised = true;
        assert_int_equal(now - since, expected);
        expected = expected * 2 < BOOST_PENALTY_MAX_US ? expected * 2 : BOOST_PENALTY_MAX_US;
    }
}

/* It need not have a CPU whole for that: workers may share one. */
static void one_that_has_more_to_do_than_it_can_is_not_raised(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    uint64_t now = BOOST_NOTICE_US;
    b.overloaded = true;
    assert_int_equal(boost_judge(&b, now, now / 2, streamed(now)), BOOST_LOWER);
    b.raised = false;
    while (now <= BOOST_PENALTY_US + BOOST_NOTICE_US) {
        b.overloaded = true;
        now += BOOST_NOTICE_US;
        assert_int_equal(boost_judge(&b, now, now / 2, streamed(now)), BOOST_KEEP);
    }
    now += BOOST_NOTICE_US;
    assert_int_equal(boost_judge(&b, now, now / 2, streamed(now)), BOOST_RAISE);
}

static void live_on(struct boost *b, uint64_t now_us, uint64_t cpu_us, uint64_t bytes)
{
    enum boost_verdict verdict = boost_judge(b, now_us, cpu_us, bytes);
    if (verdict != BOOST_KEEP)
        b->raised = verdict == BOOST_RAISE;
}

/* A stream that takes the CPU whole, a second of silence, another such stream: none pays for the one before. */
static void silence_forgives(void **state)
{
    (void)state;
    struct boost b = fair();
    uint64_t now = 0, cpu = 0, bytes = 0;
    for (unsigned streams = 0; streams < 3; streams++) {
        uint64_t worst = 0;
        for (unsigned i = 0; i < 150; i++) {
            live_on(&b, now += BOOST_NOTICE_US, cpu += BOOST_NOTICE_US, bytes += streamed(BOOST_NOTICE_US));
            worst = b.penalty_us > worst ? b.penalty_us : worst;
        }
        assert_in_range(worst, BOOST_PENALTY_US, 4 * BOOST_PENALTY_US);
        for (unsigned i = 0; i < 100; i++)
            live_on(&b, now += BOOST_NOTICE_US, cpu, bytes);
        assert_int_equal(b.penalty_us, 0);
    }
}

/* Small bursts to one worker that never last a window of the share, beside a worker that never sleeps. */
static void pulses_of_a_stream_do_not_hide_greed(void **state)
{
    (void)state;
    enum { SECONDS = 60, PULSE = 12 };
    struct boost pulsed = fair(), greedy = pulsed;
    uint64_t bytes = 0, raised_us = 0;
    for (uint64_t i = 1; i <= SECONDS * 1000000ull / BOOST_NOTICE_US; i++) {
        uint64_t now = i * BOOST_NOTICE_US;
        bytes += i % PULSE ? 0 : streamed(BOOST_NOTICE_US);
        live_on(&pulsed, now, 0, bytes);
        live_on(&greedy, now, now, 0);
        raised_us += greedy.raised ? BOOST_NOTICE_US : 0;
    }
    assert_in_range(raised_us, 1, SECONDS * 1000000ull / 4);
}

/* One that carries nothing, beside one that does. */
static void all_are_raised_while_one_carries_much(void **state)
{
    (void)state;
    struct boost busy = fair(), calm = busy;
    uint64_t now = BOOST_NOTICE_US, bytes = streamed(now);
    assert_int_equal(boost_judge(&busy, now, 0, bytes), BOOST_RAISE);
    assert_int_equal(boost_judge(&calm, now, 0, 0), BOOST_RAISE);
    busy.raised = calm.raised = true;
    assert_int_equal(boost_judge(&calm, now + BOOST_LINGER_US - 1, 0, 0), BOOST_KEEP);
    assert_int_equal(boost_judge(&calm, now + BOOST_LINGER_US, 0, 0), BOOST_LOWER);
    assert_int_equal(boost_judge(&busy, now + BOOST_LINGER_US, 0, bytes), BOOST_LOWER);
}

static void one_moderate_window_forgives(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    uint64_t now, cpu = 0;
    for (now = WINDOW; now <= 5 * WINDOW; now += WINDOW)
        (void)boost_judge(&b, now, cpu += WINDOW, streamed(now));
    assert_int_equal(boost_judge(&b, now, cpu += WINDOW / 2, streamed(now)), BOOST_KEEP);
    now += WINDOW;
    assert_int_equal(boost_judge(&b, now, cpu + WINDOW, streamed(now)), BOOST_LOWER);
    assert_int_equal(b.until_us - now, BOOST_PENALTY_US);
}

static void many_rounds_in_a_millisecond_are_paced_while_raised(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    for (unsigned i = 1; i <= BOOST_ROUNDS; i++) {
        boost_round(&b, 100 + i, 0, false);
        assert_false(boost_is_moderated(&b));
    }
    boost_round(&b, 999, 0, false);
    assert_true(boost_is_moderated(&b));
    b.raised = false;
    assert_false(boost_is_moderated(&b));
    b.raised = true;
    boost_round(&b, 1101, 0, false);
    assert_false(boost_is_moderated(&b));
    for (uint64_t now = 3000; now < 100000; now += 1000 / BOOST_ROUNDS + 1) {
        boost_round(&b, now, 0, false);
        assert_false(boost_is_moderated(&b));
    }
}

static void rounds_of_a_stream_are_paced_sooner(void **state)
{
    (void)state;
    struct boost b = raised_at(0);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < BOOST_ROUNDS / BOOST_BULK_COUNT; i++) {
        assert_false(boost_is_moderated(&b));
        boost_round(&b, 100, bytes += BOOST_BULK, false);
    }
    assert_false(boost_is_moderated(&b));
    boost_round(&b, 100, bytes += BOOST_BULK - 1, false);
    assert_true(boost_is_moderated(&b));
}

static bool may_be_raised(void)
{
    const struct sched_param rr = {.sched_priority = 1}, fair = {.sched_priority = 0};
    return pthread_setschedparam(pthread_self(), SCHED_RR, &rr) == 0 &&
           pthread_setschedparam(pthread_self(), SCHED_OTHER, &fair) == 0;
}

/* A whole life as its thread sees it: what should have been and was not, or NULL. */
static void *live(void *arg)
{
    struct boost *b = arg;
    bool may = may_be_raised();
    boost_begin(b, &stream, 1);
    if (sched_getscheduler(0) != SCHED_OTHER || b->raised || !b->permitted)
        return (void *)"begins fairly";
    boost_act(b, 2, BOOST_RATE);
    if (b->raised != may || b->permitted != may || sched_getscheduler(0) != (may ? SCHED_RR : SCHED_OTHER))
        return (void *)"is raised where that is permitted, else never asks again";
    boost_round(b, 2 + BOOST_LINGER_US, BOOST_RATE, false);
    if (b->raised || sched_getscheduler(0) != SCHED_OTHER)
        return (void *)"returns to fair scheduling soon after a stream";
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
        cmocka_unit_test(one_that_carries_much_and_sleeps_stays_raised),
        cmocka_unit_test(one_is_raised_while_it_carries_much),
        cmocka_unit_test(one_that_never_sleeps_loses_its_right_for_ever_longer),
        cmocka_unit_test(one_that_has_more_to_do_than_it_can_is_not_raised),
        cmocka_unit_test(silence_forgives),
        cmocka_unit_test(pulses_of_a_stream_do_not_hide_greed),
        cmocka_unit_test(all_are_raised_while_one_carries_much),
        cmocka_unit_test(one_moderate_window_forgives),
        cmocka_unit_test(many_rounds_in_a_millisecond_are_paced_while_raised),
        cmocka_unit_test(rounds_of_a_stream_are_paced_sooner),
        cmocka_unit_test(the_calling_thread_is_raised_where_that_is_permitted),
    };
    return cmocka_run_group_tests_name("boost", tests, NULL, NULL);
}
