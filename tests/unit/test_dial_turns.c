/* SPDX-License-Identifier: Apache-2.0 */
/* proto/peer/dial_turns: who is dialled next, and how many at once. */

#include "proto/peer/dial_turns.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define START   (1000 * USEC_PER_SEC)
#define MEMBERS 100
#define QUICK   (10 * USEC_PER_MSEC)
#define SLOW    (2 * USEC_PER_SEC)

struct some {
    struct dial_turns turns;
    struct dial_turn list[MEMBERS];
    uint64_t now_us;
};

static int setup(void **state)
{
    static struct some some;
    some = (struct some){.now_us = START};
    for (unsigned i = 0; i < MEMBERS; i++)
        assert_int_equal(dial_turn_join(&some.turns, &some.list[i]), 0);
    *state = &some;
    return 0;
}

static int teardown(void **state)
{
    dial_turns_fini(&((struct some *)*state)->turns);
    return 0;
}

/* As many as may begin in so long. */
static unsigned begin_for(struct some *s, uint64_t us, bool answered)
{
    unsigned begun = 0;
    for (uint64_t end_us = s->now_us + us; s->now_us < end_us; s->now_us += USEC_PER_MSEC) {
        struct dial_turn *d;
        while ((d = dial_turns_next(&s->turns, s->now_us))) {
            dial_turn_begin(&s->turns, d, s->now_us);
            if (answered)
                dial_turn_answered(&s->turns, d, s->now_us);
            begun++;
        }
    }
    return begun;
}

/* All that run succeed after so long. */
static void finish_after(struct some *s, uint64_t us)
{
    s->now_us += us;
    for (unsigned i = 0; i < MEMBERS; i++)
        if (s->list[i].state == DIAL_TURN_SHAKING)
            dial_turn_done(&s->turns, &s->list[i], s->now_us);
}

static void those_that_do_not_answer_hold_up_few(void **state)
{
    struct some *s = *state;
    assert_int_equal(begin_for(s, 10 * USEC_PER_SEC, false), DIAL_TURNS_TRYING_MAX);
    assert_int_equal(dial_turns_deadline(&s->turns), TIME_NEVER);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (s->list[i].state == DIAL_TURN_TRYING)
            dial_turn_wait(&s->turns, &s->list[i], TIME_NEVER - 1, s->now_us);
    assert_int_equal(begin_for(s, 10 * USEC_PER_SEC, false), DIAL_TURNS_TRYING_MAX);
}

static void quick_handshakes_become_more_at_once_up_to_a_bound(void **state)
{
    struct some *s = *state;
    unsigned most = 0, before = 0;
    for (unsigned i = 0; i < 7; i++) {
        before = begin_for(s, 200 * USEC_PER_MSEC, true);
        most = before > most ? before : most;
        for (unsigned j = 0; j < MEMBERS; j++) /* each was as quick, whenever it began */
            if (s->list[j].state == DIAL_TURN_SHAKING)
                dial_turn_done(&s->turns, &s->list[j], s->list[j].since_us + QUICK);
    }
    assert_true(most > 8 && most <= DIAL_TURNS_WINDOW_MAX);
}

static void slow_handshakes_become_one_at_a_time(void **state)
{
    struct some *s = *state;
    assert_int_equal(begin_for(s, USEC_PER_SEC, true), 4);
    finish_after(s, SLOW);
    assert_int_equal(begin_for(s, USEC_PER_SEC, true), 2);
    finish_after(s, SLOW);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(begin_for(s, USEC_PER_SEC, true), 1);
        finish_after(s, SLOW);
    }
}

static void turns_begin_at_a_pace(void **state)
{
    struct some *s = *state;
    assert_int_equal(begin_for(s, USEC_PER_MSEC, false), 1);
    assert_int_equal(begin_for(s, 99 * USEC_PER_MSEC, false), 3);
}

static void who_is_demanded_goes_before_others_and_past_the_bounds(void **state)
{
    struct some *s = *state;
    struct dial_turn *last = NULL;
    (void)begin_for(s, 10 * USEC_PER_SEC, true);
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (s->list[i].state != DIAL_TURN_WAITING)
            continue;
        last = &s->list[i];
        dial_turn_wait(&s->turns, last, s->now_us + 60 * USEC_PER_SEC, s->now_us);
    }
    assert_null(dial_turns_next(&s->turns, s->now_us));
    dial_turn_demand(&s->turns, last);
    assert_ptr_equal(dial_turns_next(&s->turns, s->now_us), last);
    for (unsigned i = 0; i < MEMBERS; i++)
        dial_turn_demand(&s->turns, &s->list[i]);
    assert_int_equal(begin_for(s, 10 * USEC_PER_SEC, true), 4);
}

static void who_is_demanded_and_failed_is_not_dialled_again_at_once(void **state)
{
    struct some *s = *state;
    struct dial_turn *d = dial_turns_next(&s->turns, s->now_us);
    dial_turn_begin(&s->turns, d, s->now_us);
    dial_turn_wait(&s->turns, d, s->now_us + 60 * USEC_PER_SEC, s->now_us);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (&s->list[i] != d)
            dial_turn_leave(&s->turns, &s->list[i]);
    dial_turn_demand(&s->turns, d);
    assert_null(dial_turns_next(&s->turns, s->now_us + 2 * USEC_PER_SEC - 1));
    assert_ptr_equal(dial_turns_next(&s->turns, s->now_us + 2 * USEC_PER_SEC), d);
}

static void who_is_connected_or_gone_has_no_turn(void **state)
{
    struct some *s = *state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (i % 2)
            dial_turn_done(&s->turns, &s->list[i], s->now_us);
        else
            dial_turn_leave(&s->turns, &s->list[i]);
        dial_turn_demand(&s->turns, &s->list[i]);
        dial_turn_hurry(&s->turns, &s->list[i], 0);
    }
    assert_int_equal(dial_turns_deadline(&s->turns), TIME_NEVER);
    assert_null(dial_turns_next(&s->turns, s->now_us));
    dial_turn_wait(&s->turns, &s->list[1], s->now_us, s->now_us);
    assert_ptr_equal(dial_turns_next(&s->turns, s->now_us), &s->list[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_that_do_not_answer_hold_up_few, setup, teardown),
        cmocka_unit_test_setup_teardown(quick_handshakes_become_more_at_once_up_to_a_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_handshakes_become_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(turns_begin_at_a_pace, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_demanded_goes_before_others_and_past_the_bounds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_demanded_and_failed_is_not_dialled_again_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_connected_or_gone_has_no_turn, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
