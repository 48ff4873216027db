/* SPDX-License-Identifier: Apache-2.0 */
/* base/fair.c: who gets how much. */

#include "base/fair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct row {
    size_t count;
    uint64_t wanted[4], capacity, level;
};

static const void *next(const void *set, const void *at, uint64_t *wanted)
{
    const struct row *r = set;
    const uint64_t *one = at ? (const uint64_t *)at + 1 : r->wanted;
    if (one == r->wanted + r->count)
        return NULL;
    *wanted = *one;
    return one;
}

static void the_heaviest_are_lowered_to_one_level(void **state)
{
    static const struct row rows[] = {
        {0, {0}, 100, 0},
        {1, {500}, 100, 100},
        {2, {500, 500}, 100, 50},
        {2, {500, 10}, 100, 90},
        {4, {500, 10, 500, 30}, 100, 30},
        {4, {1000, 10, 20, 30}, 1000, 940},
        {3, {7, 8, 9}, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(fair_level(&rows[i], next, rows[i].capacity), rows[i].level);
}

static void all_together_get_no_more_than_there_is_and_little_less(void **state)
{
    uint64_t seed = 7;
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct row r = {.count = 4};
        uint64_t sum = 0, got = 0;
        for (size_t i = 0; i < r.count; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            sum += r.wanted[i] = (seed >> 33) % 1000;
        }
        r.capacity = sum * (round % 100) / 100;
        uint64_t level = fair_level(&r, next, r.capacity);
        for (size_t i = 0; i < r.count; i++)
            got += r.wanted[i] < level ? r.wanted[i] : level;
        assert_true(got <= r.capacity && got + r.count > r.capacity);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_heaviest_are_lowered_to_one_level),
        cmocka_unit_test(all_together_get_no_more_than_there_is_and_little_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
