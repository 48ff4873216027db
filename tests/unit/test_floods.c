/* SPDX-License-Identifier: Apache-2.0 */
/* proto/switch/floods: to a peer whose paths sleep few frames go that are for everybody, and the rest is counted. */

#include "proto/switch/floods.h"
#include "smaps.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PEERS 4
#define MANY  1000000
#define NOW   (1000 * FLOODS_FEW_US)

static int setup(void **state)
{
    struct floods *f;
    assert_int_equal(floods_new(PEERS, &f), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    floods_free(*state);
    return 0;
}

static unsigned sent(struct floods *f, uint32_t slot, bool sleeps, unsigned count, uint64_t now_us)
{
    unsigned passed = 0;
    for (unsigned i = 0; i < count; i++)
        passed += floods_send(f, slot, sleeps, true, now_us);
    return passed;
}

static void to_one_that_sleeps_few_go(void **state)
{
    struct floods *f = *state;
    assert_int_equal(sent(f, 1, true, 1000, NOW), FLOODS_FEW_SENT);
    assert_int_equal(floods_counts(f, 1).sent, FLOODS_FEW_SENT);
    assert_int_equal(floods_counts(f, 1).withheld, 1000 - FLOODS_FEW_SENT);
    assert_int_equal(sent(f, 1, true, 1000, NOW + 10 * FLOODS_FEW_US), 10);
    assert_int_equal(sent(f, 2, true, 1000, NOW), FLOODS_FEW_SENT);
    floods_forget(f, 1);
    assert_int_equal(sent(f, 1, true, 1000, NOW), FLOODS_FEW_SENT);
}

static void to_one_awake_all_go(void **state)
{
    assert_int_equal(sent(*state, 1, false, 1000, NOW), 1000);
    assert_int_equal(floods_counts(*state, 1).withheld, 0);
}

static void what_takes_several_datagrams_goes_to_none_that_sleeps(void **state)
{
    assert_false(floods_send(*state, 1, true, false, NOW));
    assert_true(floods_send(*state, 1, false, false, NOW));
    assert_int_equal(floods_counts(*state, 1).withheld, 1);
}

/* At the other end they would be many otherwise, and wake its paths before we wake ours. */
static void what_went_to_one_awake_counts_once_it_sleeps(void **state)
{
    assert_int_equal(sent(*state, 1, false, 10, NOW), 10);
    assert_int_equal(sent(*state, 1, true, 1000, NOW), FLOODS_FEW_SENT - 10);
}

static void beyond_the_slots_nothing_is_counted(void **state)
{
    assert_true(floods_send(*state, PEERS, true, true, NOW));
    assert_false(floods_receive(*state, PEERS, NOW));
    floods_refuse(*state, PEERS);
    floods_forget(*state, PEERS);
    const struct flood_counts counts = floods_counts(*state, PEERS);
    assert_int_equal(counts.sent + counts.received + counts.withheld, 0);
}

static void peers_that_are_not_there_take_no_memory(void **state)
{
    struct floods *f;
    (void)state;
    if (mallinfo2().uordblks == 0)
        skip(); /* the allocator is a sanitizer's */
    size_t before = smaps_resident();
    assert_true(before);
    assert_int_equal(floods_new(MANY, &f), 0);
    assert_true(smaps_resident() < before + MANY);
    assert_int_equal(sent(f, MANY - 1, true, 1, NOW), 1);
    floods_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(to_one_that_sleeps_few_go, setup, teardown),
        cmocka_unit_test_setup_teardown(to_one_awake_all_go, setup, teardown),
        cmocka_unit_test_setup_teardown(what_takes_several_datagrams_goes_to_none_that_sleeps, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_went_to_one_awake_counts_once_it_sleeps, setup, teardown),
        cmocka_unit_test_setup_teardown(beyond_the_slots_nothing_is_counted, setup, teardown),
        cmocka_unit_test(peers_that_are_not_there_take_no_memory),
    };
    return cmocka_run_group_tests_name("floods", tests, NULL, NULL);
}
