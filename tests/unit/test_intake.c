/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/intake: no peer puts more before the control thread than its rate and its share, whatever others do. */

#include "node/data/intake.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define NOW (1000 * USEC_PER_SEC)

static struct intake *in;

static int setup(void **state)
{
    (void)state;
    return intake_new(&in);
}

static int teardown(void **state)
{
    (void)state;
    intake_free(in);
    return 0;
}

static enum drop enter(uint32_t slot, size_t len, uint64_t now_us)
{
    enum drop drop = intake_judge(in, slot, len, now_us);
    if (!drop)
        intake_enter(in, slot, len, now_us);
    return drop;
}

/* How many of so many datagrams enter and leave at once. */
static unsigned pass(uint32_t slot, unsigned count, uint64_t now_us)
{
    unsigned entered = 0;
    for (unsigned i = 0; i < count; i++) {
        if (enter(slot, 100, now_us))
            continue;
        intake_leave(in, slot, 100);
        entered++;
    }
    return entered;
}

static void a_peer_has_its_rate_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(pass(7, 5 * INTAKE_BURST, NOW), INTAKE_BURST);
    assert_int_equal(enter(7, 100, NOW), DROP_CONTROL_RATE);
    assert_int_equal(pass(7, 5 * INTAKE_BURST, NOW + USEC_PER_SEC / 2), INTAKE_RATE / 2);
    assert_int_equal(pass(7, 5 * INTAKE_BURST, NOW + 10 * USEC_PER_SEC), INTAKE_BURST);
}

static void what_waits_of_a_peer_is_bounded_in_bytes(void **state)
{
    (void)state;
    unsigned entered = 0;
    enum drop drop;
    while ((drop = enter(7, 1500, NOW)) == DROP_NONE)
        entered++;
    assert_int_equal(drop, DROP_CONTROL_QUEUE);
    assert_int_equal(entered, INTAKE_SHARE / 1500);
    intake_leave(in, 7, 1500);
    assert_int_equal(enter(7, 1500, NOW), DROP_NONE);
    assert_int_equal(enter(7, INTAKE_SHARE + 1, NOW), DROP_CONTROL_QUEUE);
}

static void one_peers_flood_costs_no_other(void **state)
{
    (void)state;
    while (enter(0, 1500, NOW) == DROP_NONE)
        continue;
    assert_int_equal(pass(1, 2 * INTAKE_BURST, NOW), INTAKE_BURST);
    assert_int_equal(pass(INTAKE_PEERS - 1, 2 * INTAKE_BURST, NOW), INTAKE_BURST);
}

static void to_be_judged_costs_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5 * INTAKE_BURST; i++)
        assert_int_equal(intake_judge(in, 7, 1500, NOW), DROP_NONE);
    assert_int_equal(pass(7, 2 * INTAKE_BURST, NOW), INTAKE_BURST);
}

static void a_slot_that_no_peer_has_is_refused(void **state)
{
    (void)state;
    assert_int_equal(enter(INTAKE_PEERS, 100, NOW), DROP_RECEIVER);
    assert_int_equal(enter(UINT32_MAX, 100, NOW), DROP_RECEIVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_peer_has_its_rate_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_of_a_peer_is_bounded_in_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(one_peers_flood_costs_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(to_be_judged_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_that_no_peer_has_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
