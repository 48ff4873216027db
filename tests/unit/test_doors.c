/* SPDX-License-Identifier: Apache-2.0 */
/* Places of doors, and what their process counts. */
#include "node/doors/doors_counts.h"
#include "node/doors/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct places places;

static int setup(void **state)
{
    (void)state;
    places = (struct places){.max = PLACES_MAX};
    return 0;
}

static const struct addr own = {.family = 4, .ip = {127, 0, 0, 1}};

static struct addr other(unsigned number)
{
    return (struct addr){.family = 4, .ip = {10, 10, (uint8_t)(number >> 8), (uint8_t)number}};
}

/* How many more places it gets. */
static unsigned take_all(const struct addr *from)
{
    unsigned count = 0;
    while (places_take(&places, from) != PLACES_NONE)
        count++;
    return count;
}

static void own_programs_may_have_all_places(void **state)
{
    (void)state;
    assert_int_equal(take_all(&own), PLACES_MAX);
    struct addr peer = other(1);
    assert_int_equal(places_take(&places, &peer), PLACES_NONE);
    places_leave(&places, 700);
    assert_int_equal(places_take(&places, &own), 700);
    places_leave(&places, 700);
    assert_int_equal(places_take(&places, &peer), 700);
}

static void no_source_has_more_than_its_share_and_all_leave_some_to_us(void **state)
{
    struct addr a = other(1), b = other(2), c = other(3), d = other(4);
    (void)state;
    assert_int_equal(take_all(&a), PLACES_SOURCE);
    assert_int_equal(take_all(&b), PLACES_SOURCE);
    assert_int_equal(take_all(&c), PLACES_OTHERS - 2 * PLACES_SOURCE);
    assert_int_equal(take_all(&d), 0);
    assert_int_equal(take_all(&own), PLACES_MAX - PLACES_OTHERS);
    places_leave(&places, 0); /* a's */
    assert_int_equal(take_all(&d), 1);
}

static void fewer_files_are_fewer_places(void **state)
{
    (void)state;
    places.max = 3;
    assert_int_equal(take_all(&own), 3);
}

static void counts_arrive_as_they_were_sent_and_nothing_else_does(void **state)
{
    uint8_t bytes[DOORS_COUNTS_LEN + 1];
    struct doors_counts sent, got;
    (void)state;
    for (unsigned i = 0; i < DOORS_COUNTS; i++)
        sent.of[i] = (uint64_t)i << 40 | i;
    doors_counts_encode(&sent, bytes);
    assert_int_equal(doors_counts_decode((struct slice){bytes, DOORS_COUNTS_LEN}, &got), 0);
    assert_memory_equal(&sent, &got, sizeof(sent));
    got = (struct doors_counts){0};
    assert_int_equal(doors_counts_decode((struct slice){bytes, DOORS_COUNTS_LEN - 1}, &got), ERR_FORMAT);
    assert_int_equal(doors_counts_decode((struct slice){bytes, DOORS_COUNTS_LEN + 1}, &got), ERR_FORMAT);
    assert_int_equal(got.of[1], 0);
    for (unsigned i = 0; i < DOORS_COUNTS; i++)
        assert_non_null(doors_count_name(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(own_programs_may_have_all_places, setup),
        cmocka_unit_test_setup(no_source_has_more_than_its_share_and_all_leave_some_to_us, setup),
        cmocka_unit_test_setup(fewer_files_are_fewer_places, setup),
        cmocka_unit_test(counts_arrive_as_they_were_sent_and_nothing_else_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
