/* SPDX-License-Identifier: Apache-2.0 */
/* proto/peer/trunk_plan: when a trunk is dialled, given up, and closed. */

#include "proto/peer/trunk_plan.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define START    (1000 * USEC_PER_SEC)
#define PATIENCE (300 * USEC_PER_MSEC)

static const struct addr peer = {.family = 4, .port = 8443, .ip = {192, 0, 2, 1}};

static void assert_next(const struct trunk_plan *t, enum trunk_step step, uint64_t at_us)
{
    assert_int_equal(trunk_next(t), at_us);
    if (at_us == TIME_NEVER)
        return;
    assert_int_equal(trunk_step(t, at_us - 1), TRUNK_STEP_NONE);
    assert_int_equal(trunk_step(t, at_us), step);
}

static void nothing_is_dialled_that_is_not_wanted_for_long_enough(void **state)
{
    (void)state;
    struct trunk_plan t = {0};
    assert_next(&t, TRUNK_STEP_NONE, TIME_NEVER);
    trunk_want(&t, true, PATIENCE, START);
    assert_next(&t, TRUNK_STEP_DIAL, START + PATIENCE);
    trunk_want(&t, true, PATIENCE, START + PATIENCE / 2); /* is no news */
    assert_next(&t, TRUNK_STEP_DIAL, START + PATIENCE);
    trunk_want(&t, false, PATIENCE, START + PATIENCE / 2);
    assert_next(&t, TRUNK_STEP_NONE, TIME_NEVER);
    trunk_want(&t, true, PATIENCE, START + PATIENCE);
    assert_next(&t, TRUNK_STEP_DIAL, START + 2 * PATIENCE);
}

static void addresses_that_fail_are_tried_in_turn_and_rounds_ever_more_rarely(void **state)
{
    (void)state;
    struct trunk_plan t = {0};
    uint64_t now = START, waits[8];
    trunk_want(&t, true, 0, now);
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 3; i++) {
            now = trunk_next(&t);
            assert_int_equal(t.next, i);
            trunk_dial(&t, round * 3 + i + 1, &peer, now);
            assert_next(&t, TRUNK_STEP_END, now + USEC_PER_SEC);
            trunk_gone(&t, "connection refused", now + USEC_PER_SEC);
        }
        now = trunk_next(&t);
        trunk_round_over(&t, now);
        waits[round] = trunk_next(&t) - now;
    }
    for (unsigned round = 1; round < 6; round++)
        assert_int_equal(waits[round], 2 * waits[round - 1]);
    assert_int_equal(waits[0], USEC_PER_SEC);
    assert_string_equal(t.error, "connection refused");
    assert_int_equal(waits[7], 60 * USEC_PER_SEC);
}

static void one_that_has_served_is_dialled_again_at_the_same_address(void **state)
{
    (void)state;
    struct trunk_plan t = {.next = 2, .backoff_us = 8 * USEC_PER_SEC};
    trunk_want(&t, true, 0, START);
    trunk_dial(&t, 7, &peer, START);
    trunk_opened(&t, 7, &peer, true, START + 1);
    strcpy(t.error, "of before");
    trunk_proved(&t);
    assert_string_equal(t.error, "");
    trunk_gone(&t, "connection refused", START + 3 * USEC_PER_SEC);
    assert_int_equal(t.next, 2);
    assert_int_equal(t.backoff_us, 0);
    assert_int_equal(t.state, TRUNK_NONE);
    assert_in_range(trunk_next(&t), START + 3 * USEC_PER_SEC, START + 4 * USEC_PER_SEC);
    trunk_dial(&t, 8, &peer, START);
    trunk_opened(&t, 8, &peer, true, START + 1);
    trunk_gone(&t, "connection refused", START + 2); /* this one never answered */
    assert_int_equal(t.next, 3);
}

/* Else a peer that answers once and closes would be dialled five times a second. */
static void one_that_ends_at_once_has_not_served(void **state)
{
    (void)state;
    struct trunk_plan t = {0};
    trunk_want(&t, true, 0, START);
    trunk_dial(&t, 7, &peer, START);
    trunk_opened(&t, 7, &peer, true, START);
    trunk_proved(&t);
    trunk_gone(&t, "the connection was closed", START + USEC_PER_SEC);
    assert_int_equal(t.next, 1);
}

static void the_end_of_the_peers_own_does_not_shorten_our_wait(void **state)
{
    (void)state;
    struct trunk_plan t = {.backoff_us = 16 * USEC_PER_SEC};
    trunk_want(&t, true, 0, START);
    trunk_round_over(&t, START);
    trunk_opened(&t, 7, &peer, false, START + 1);
    trunk_gone(&t, "the connection was closed", START + 2);
    assert_int_equal(trunk_next(&t), START + 32 * USEC_PER_SEC);
}

static void who_dialled_closes_what_is_needed_no_more(void **state)
{
    (void)state;
    struct trunk_plan ours = {0}, theirs = {0};
    trunk_want(&ours, true, 0, START);
    trunk_dial(&ours, 7, &peer, START);
    trunk_opened(&ours, 7, &peer, true, START);
    trunk_opened(&theirs, 8, &peer, false, START);
    assert_next(&ours, TRUNK_STEP_NONE, TIME_NEVER);
    trunk_want(&ours, false, 0, START + USEC_PER_SEC);
    trunk_want(&theirs, false, 0, START + USEC_PER_SEC);
    assert_next(&ours, TRUNK_STEP_END, START + 31 * USEC_PER_SEC);
    assert_next(&theirs, TRUNK_STEP_NONE, TIME_NEVER);
    trunk_want(&ours, true, PATIENCE, START + 2 * USEC_PER_SEC);
    assert_next(&ours, TRUNK_STEP_NONE, TIME_NEVER);
}

static void of_two_dialled_at_once_that_of_the_lower_id_stays(void **state)
{
    (void)state;
    struct trunk_plan t = {0};
    assert_false(trunk_stays(&t, true, true, START));
    trunk_dial(&t, 7, &peer, START);
    assert_false(trunk_stays(&t, true, true, START));
    trunk_opened(&t, 7, &peer, true, START);
    assert_true(trunk_stays(&t, true, false, START + USEC_PER_SEC));
    assert_true(trunk_stays(&t, true, true, START + 60 * USEC_PER_SEC));
    assert_false(trunk_stays(&t, true, false, START + 60 * USEC_PER_SEC)); /* it may be dead there */
    assert_false(trunk_stays(&t, false, true, START + USEC_PER_SEC));
    trunk_opened(&t, 8, &peer, false, START);
    assert_false(trunk_stays(&t, true, true, START)); /* the peer dialled both */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_dialled_that_is_not_wanted_for_long_enough),
        cmocka_unit_test(addresses_that_fail_are_tried_in_turn_and_rounds_ever_more_rarely),
        cmocka_unit_test(one_that_has_served_is_dialled_again_at_the_same_address),
        cmocka_unit_test(one_that_ends_at_once_has_not_served),
        cmocka_unit_test(the_end_of_the_peers_own_does_not_shorten_our_wait),
        cmocka_unit_test(who_dialled_closes_what_is_needed_no_more),
        cmocka_unit_test(of_two_dialled_at_once_that_of_the_lower_id_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
