/* SPDX-License-Identifier: Apache-2.0 */
/* proto/peer/allowance, and base/bucket.h under it: what was not used lately is there, and no more. */

#include "proto/peer/allowance.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define NOW (1000 * USEC_PER_SEC)

static unsigned taken(struct allowance *a, enum allowance_kind kind, uint64_t now_us)
{
    unsigned count = 0;
    while (allowance_take(a, kind, 1, now_us))
        count++;
    return count;
}

/* docs/PROTOCOL.md §14. */
static void each_kind_has_its_burst_and_its_rate(void **state)
{
    (void)state;
    static const struct {
        enum allowance_kind kind;
        unsigned burst, rate;
    } kinds[ALLOWANCE_COUNT] = {{ALLOWANCE_PROBE, 500, 500},
                                {ALLOWANCE_CONTROL, 200, 100},
                                {ALLOWANCE_MESSAGE, 64, 4},
                                {ALLOWANCE_KILOBYTE, 128, 8},
                                {ALLOWANCE_CONNECTION, 16, 2}};
    struct allowance a = {0};
    for (unsigned i = 0; i < ALLOWANCE_COUNT; i++) {
        assert_int_equal(taken(&a, kinds[i].kind, NOW), kinds[i].burst);
        assert_int_equal(taken(&a, kinds[i].kind, NOW), 0);
        assert_int_equal(taken(&a, kinds[i].kind, NOW + USEC_PER_SEC), kinds[i].rate);
        assert_int_equal(taken(&a, kinds[i].kind, NOW + 1000 * USEC_PER_SEC), kinds[i].burst);
    }
}

static void what_costs_too_much_takes_nothing(void **state)
{
    (void)state;
    struct allowance a = {0};
    assert_false(allowance_take(&a, ALLOWANCE_KILOBYTE, 129, NOW));
    assert_true(allowance_take(&a, ALLOWANCE_KILOBYTE, 100, NOW));
    assert_false(allowance_take(&a, ALLOWANCE_KILOBYTE, 29, NOW));
    assert_true(allowance_take(&a, ALLOWANCE_KILOBYTE, 28, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_burst_and_its_rate),
        cmocka_unit_test(what_costs_too_much_takes_nothing),
    };
    return cmocka_run_group_tests_name("allowance", tests, NULL, NULL);
}
