/* SPDX-License-Identifier: Apache-2.0 */
/* base/slot_set: in order, each once, however often it goes round. */

#include "base/slot_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct slot_set set;

static void expect(uint32_t slot)
{
    uint32_t taken;
    assert_true(slot_set_take(&set, &taken));
    assert_int_equal(taken, slot);
}

static void expect_empty(void)
{
    uint32_t taken = 77;
    assert_false(slot_set_take(&set, &taken));
    assert_int_equal(taken, 77);
}

static void slots_are_taken_in_their_order_and_once(void **state)
{
    (void)state;
    expect_empty();
    slot_set_add(&set, 3);
    slot_set_add(&set, SLOT_SET_MAX - 1);
    slot_set_add(&set, 0);
    slot_set_add(&set, 3);
    expect(3);
    slot_set_add(&set, 3);
    expect(SLOT_SET_MAX - 1);
    expect(0);
    expect(3);
    expect_empty();
}

static void all_slots_fit_wherever_the_ring_begins(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        slot_set_add(&set, 5);
        expect(5);
        for (uint32_t i = 0; i < SLOT_SET_MAX; i++)
            slot_set_add(&set, (i * 5 + round) % SLOT_SET_MAX);
        slot_set_add(&set, 9);
        for (uint32_t i = 0; i < SLOT_SET_MAX; i++)
            expect((i * 5 + round) % SLOT_SET_MAX);
        expect_empty();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_taken_in_their_order_and_once),
        cmocka_unit_test(all_slots_fit_wherever_the_ring_begins),
    };
    return cmocka_run_group_tests_name("slot_set", tests, NULL, NULL);
}
