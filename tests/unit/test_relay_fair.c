/* SPDX-License-Identifier: Apache-2.0 */
/* proto/relay/relay_fair: one that floods costs the others next to nothing. */

#include "proto/relay/relay_fair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MS     1000ull
#define SECOND 1000000ull
#define RATE   125000000ull /* bytes a second: 1 Gbit/s */
#define START  (1000 * SECOND)
#define TRAIN  60000
#define SMALL  1200

/* Asks for about rate bytes a second, in pieces; what passed. */
struct load {
    struct relay_share share;
    uint64_t rate, piece, owed, asked, passed;
};

static void run(struct relay_fair *f, struct load *loads, unsigned count, uint64_t from_us, uint64_t span_us)
{
    for (uint64_t t = 0; t < span_us; t += MS) {
        for (unsigned i = 0; i < count; i++) {
            struct load *l = &loads[i];
            for (l->owed += l->rate / 1000; l->owed >= l->piece; l->owed -= l->piece) {
                l->asked += l->piece;
                if (relay_fair_pass(f, &l->share, l->piece, from_us + t))
                    l->passed += l->piece;
            }
        }
    }
}

static unsigned percent(const struct load *l)
{
    return (unsigned)(l->passed * 100 / l->asked);
}

static void who_asks_for_little_loses_nothing_while_another_floods(void **state)
{
    (void)state;
    struct relay_fair f = {.bytes_per_s = RATE};
    struct load loads[3] = {{.rate = 10 * RATE, .piece = TRAIN},
                            {.rate = RATE / 10, .piece = TRAIN},
                            {.rate = RATE / 100, .piece = SMALL}};
    run(&f, loads, 3, START, 3 * SECOND);
    assert_in_range(percent(&loads[1]), 95, 100);
    assert_in_range(percent(&loads[2]), 95, 100);
    assert_in_range(loads[0].passed, RATE * 2, RATE * 3);
}

static void those_that_ask_for_too_much_get_the_same(void **state)
{
    (void)state;
    struct relay_fair f = {.bytes_per_s = RATE};
    struct load loads[3] = {{.rate = 10 * RATE, .piece = TRAIN},
                            {.rate = 2 * RATE, .piece = TRAIN},
                            {.rate = RATE, .piece = SMALL}};
    run(&f, loads, 3, START, SECOND);
    for (unsigned i = 0; i < 3; i++)
        loads[i].passed = 0;
    run(&f, loads, 3, START + SECOND, 3 * SECOND);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(loads[i].passed, RATE * 85 / 100, RATE * 115 / 100);
}

static void nobody_is_held_back_while_there_is_enough(void **state)
{
    (void)state;
    struct relay_fair f = {.bytes_per_s = RATE};
    struct load loads[2] = {{.rate = RATE * 7 / 10, .piece = TRAIN}, {.rate = RATE / 5, .piece = SMALL}};
    run(&f, loads, 2, START, 2 * SECOND);
    assert_int_equal(percent(&loads[0]), 100);
    assert_int_equal(percent(&loads[1]), 100);
}

static void a_rate_that_is_less_than_a_train_still_passes_some(void **state)
{
    (void)state;
    struct relay_fair f = {.bytes_per_s = 1000000}; /* 20 KB a period */
    struct load loads[2] = {{.rate = RATE, .piece = TRAIN}, {.rate = RATE, .piece = TRAIN}};
    run(&f, loads, 2, START, 4 * SECOND);
    assert_in_range(loads[0].passed + loads[1].passed, 3000000, 9000000);
    assert_true(loads[0].passed > 1000000 && loads[1].passed > 1000000);
}

/* The socket's queue says that more comes than is passed on, though the rate would allow it. */
static void a_full_queue_lowers_the_heaviest(void **state)
{
    (void)state;
    struct relay_fair f = {.bytes_per_s = 1000 * RATE};
    struct load loads[2] = {{.rate = RATE, .piece = TRAIN}, {.rate = RATE / 50, .piece = SMALL}};
    for (unsigned i = 0; i < 50; i++) {
        relay_fair_press(&f, RELAY_FAIR_PRESSED);
        run(&f, loads, 2, START + i * RELAY_FAIR_PERIOD_US, RELAY_FAIR_PERIOD_US);
    }
    assert_true(percent(&loads[0]) < 60);
    assert_in_range(percent(&loads[1]), 90, 100);
}

static void a_pair_that_is_gone_is_counted_no_more(void **state)
{
    (void)state;
    struct relay_fair f = {.bytes_per_s = RATE};
    struct load loads[3] = {
        {.rate = 10 * RATE, .piece = TRAIN}, {.rate = RATE, .piece = TRAIN}, {.rate = RATE, .piece = SMALL}};
    run(&f, loads, 3, START, 100 * MS);
    for (unsigned i = 0; i < 3; i++) {
        relay_fair_leave(&f, &loads[i].share);
        relay_fair_leave(&f, &loads[i].share);
    }
    assert_null(f.active);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_for_little_loses_nothing_while_another_floods),
        cmocka_unit_test(those_that_ask_for_too_much_get_the_same),
        cmocka_unit_test(nobody_is_held_back_while_there_is_enough),
        cmocka_unit_test(a_rate_that_is_less_than_a_train_still_passes_some),
        cmocka_unit_test(a_full_queue_lowers_the_heaviest),
        cmocka_unit_test(a_pair_that_is_gone_is_counted_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
