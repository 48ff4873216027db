/* SPDX-License-Identifier: Apache-2.0 */
/* proto/peer/flood_watch: many frames to everybody are data, and wake paths that sleep one peer after the other. */

#include "proto/peer/flood_watch.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define PEERS 100
#define NOW   (1000 * USEC_PER_SEC)

static const struct flood_counts one_too_many[] = {
    {.sent = FLOODS_FEW_BURST + 1}, {.received = FLOODS_FEW_BURST + 1}, {.withheld = 1}};

static void few_are_no_data_and_more_are(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct flood_turns turns = {0};
        struct flood_watch w = {0};
        struct flood_counts counts = {.sent = FLOODS_FEW_BURST, .received = FLOODS_FEW_BURST};
        assert_int_equal(flood_watch_passed(&w, &counts), 2 * FLOODS_FEW_BURST);
        assert_false(flood_watch_look(&w, &turns, &counts, false, NOW));
        assert_int_equal(flood_watch_passed(&w, &counts), 0);
        assert_false(flood_watch_look(&w, &turns, &counts, false, NOW));
        counts.sent += one_too_many[i].sent;
        counts.received += one_too_many[i].received;
        counts.withheld += one_too_many[i].withheld;
        assert_true(flood_watch_look(&w, &turns, &counts, false, NOW + 1000 * FLOODS_FEW_US));
        assert_int_equal(turns.next_us, 0);
    }
}

/* How many of all that look every so often wake until then, if they do so one by one. */
static unsigned wake(struct flood_watch *list, struct flood_turns *turns, const struct flood_counts *counts,
                     uint64_t now_us)
{
    unsigned woken = 0;
    for (unsigned i = 0; i < PEERS; i++)
        woken += flood_watch_look(&list[i], turns, counts, true, now_us);
    return woken;
}

static void sleepers_wake_in_turns_whatever_woke_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct flood_turns turns = {0};
        struct flood_watch list[PEERS] = {0};
        assert_int_equal(wake(list, &turns, &one_too_many[i], NOW), 1);
        for (unsigned n = 1; n < PEERS; n++) {
            assert_int_equal(flood_watch_deadline(&list[n]), NOW + n * FLOOD_WAKE_US);
            assert_int_equal(wake(list, &turns, &one_too_many[i], NOW + n * FLOOD_WAKE_US - 1), 0);
            assert_int_equal(wake(list, &turns, &one_too_many[i], NOW + n * FLOOD_WAKE_US), 1);
        }
        assert_int_equal(wake(list, &turns, &one_too_many[i], NOW + 1000 * USEC_PER_SEC), 0);
        assert_int_equal(flood_watch_deadline(&list[0]), TIME_NEVER);
    }
}

/* However often there are too many. */
static void one_waits_for_one_turn_at_a_time(void **state)
{
    (void)state;
    struct flood_turns turns = {.next_us = NOW + USEC_PER_SEC};
    struct flood_watch w = {0};
    for (uint32_t i = 1; i < 100; i++)
        assert_false(flood_watch_look(&w, &turns, &(struct flood_counts){.withheld = i}, true, NOW + i));
    assert_int_equal(flood_watch_deadline(&w), NOW + USEC_PER_SEC);
    assert_int_equal(turns.next_us, NOW + USEC_PER_SEC + FLOOD_WAKE_US);
}

static void one_that_is_awake_waits_no_longer(void **state)
{
    (void)state;
    struct flood_turns turns = {.next_us = NOW + USEC_PER_SEC};
    struct flood_watch w = {0};
    const struct flood_counts counts = {.withheld = 1};
    assert_false(flood_watch_look(&w, &turns, &counts, true, NOW));
    assert_false(flood_watch_look(&w, &turns, &counts, false, NOW));
    assert_int_equal(flood_watch_deadline(&w), TIME_NEVER);
    assert_false(flood_watch_look(&w, &turns, &counts, true, NOW + 2 * USEC_PER_SEC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_no_data_and_more_are),
        cmocka_unit_test(sleepers_wake_in_turns_whatever_woke_them),
        cmocka_unit_test(one_waits_for_one_turn_at_a_time),
        cmocka_unit_test(one_that_is_awake_waits_no_longer),
    };
    return cmocka_run_group_tests_name("flood_watch", tests, NULL, NULL);
}
