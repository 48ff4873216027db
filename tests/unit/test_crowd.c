/* SPDX-License-Identifier: Apache-2.0 */
/* Places, and who has to make room. */

#include "proto/admission/crowd.h"

#include "crypto/secret.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define PLACES     32
#define PER_SOURCE 4

static struct crowd *crowd;
static uint64_t now;

static int setup(void **state)
{
    (void)state;
    now = 0;
    return crowd_new(PLACES, PER_SOURCE, &secret_source, &crowd);
}

static int teardown(void **state)
{
    (void)state;
    crowd_free(crowd);
    return 0;
}

static struct addr source(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

/* Returns the place; *loser, when given, is whether somebody lost it. */
static unsigned enter_as(const struct addr *from, bool favoured, bool *loser)
{
    unsigned place = crowd_place(crowd, from);
    bool held = crowd_held(crowd, place);
    if (held)
        crowd_leave(crowd, place);
    if (loser)
        *loser = held;
    crowd_enter(crowd, place, from, favoured, ++now);
    return place;
}

static unsigned enter(const char *from, bool *loser)
{
    struct addr a = source(from);
    return enter_as(&a, false, loser);
}

/* As many as there are places, each from a /64 of its own in 2001:db8:N::/48. */
static void fill(unsigned n)
{
    struct addr a = source("2001:db8::1");
    a.ip[5] = (uint8_t)n;
    for (unsigned i = 0; i < PLACES; i++, a.ip[6]++)
        enter_as(&a, false, NULL);
}

static void free_places_are_taken_before_anyone_leaves(void **state)
{
    (void)state;
    bool loser, seen[PLACES] = {0};
    assert_int_equal(crowd_oldest(crowd), -1);
    for (unsigned i = 0; i < PLACES; i++) {
        struct addr a = {.family = 4, .ip = {198, 18, (uint8_t)i, 1}};
        unsigned place = enter_as(&a, false, &loser);
        assert_false(loser);
        assert_false(seen[place]);
        seen[place] = true;
    }
    crowd_leave(crowd, 7);
    assert_int_equal(enter("203.0.113.1", &loser), 7);
    assert_false(loser);
}

static void one_source_pushes_out_its_own_oldest(void **state)
{
    (void)state;
    bool loser;
    unsigned first = enter("2001:db8::1", NULL), second = enter("2001:db8::2", NULL);
    enter("2001:db8::3", NULL);
    enter("2001:db8::4", NULL);
    crowd_renew(crowd, first, ++now);
    assert_int_equal(enter("2001:db8::5", &loser), second);
    assert_true(loser);
    enter("2001:db8:0:1::1", &loser);
    assert_false(loser);
}

static void subnets_of_one_customer_share_four_times_as_many(void **state)
{
    (void)state;
    bool loser;
    struct addr a = source("2001:db8::1");
    for (unsigned i = 0; i < 4 * PER_SOURCE; i++, a.ip[7]++) {
        enter_as(&a, false, &loser);
        assert_false(loser);
    }
    enter_as(&a, false, &loser);
    assert_true(loser);
    enter("2001:db8:0:100::1", &loser);
    assert_false(loser);
}

static void newcomer_takes_the_oldest_place_of_the_most_crowded_prefix(void **state)
{
    (void)state;
    bool loser;
    unsigned quiet = enter("192.0.2.1", NULL);         /* the oldest of all */
    unsigned lone = enter("2001:db8:1:ff00::1", NULL); /* beside the crowd, in a /56 of its own */
    struct addr a = source("2001:db8:1:100::1");
    unsigned first = PLACES;
    for (unsigned i = 0; i < PLACES - 2; i++) {
        a.ip[6] = (uint8_t)(i % 10);
        a.ip[7] = (uint8_t)i;
        unsigned place = enter_as(&a, false, NULL);
        if (i == 0)
            first = place;
    }
    assert_int_equal(enter("203.0.113.1", &loser), first);
    assert_true(loser);
    assert_true(crowd_held(crowd, quiet) && crowd_since(crowd, quiet) == 1);
    assert_true(crowd_held(crowd, lone) && crowd_since(crowd, lone) == 2);
}

static void among_equals_the_oldest_leaves(void **state)
{
    (void)state;
    bool loser;
    unsigned oldest = PLACES;
    for (unsigned i = 0; i < PLACES; i++) {
        struct addr a = {.family = 4, .ip = {198, 18, (uint8_t)i, 1}};
        unsigned place = enter_as(&a, false, NULL);
        if (i == 0)
            oldest = place;
    }
    assert_int_equal(crowd_oldest(crowd), oldest);
    assert_int_equal(enter("203.0.113.1", &loser), oldest);
    assert_true(loser);
}

static void favoured_holder_stays_while_others_can_go(void **state)
{
    (void)state;
    struct addr friend = source("2001:db8:1:100::1");
    unsigned kept = enter_as(&friend, true, NULL);
    for (unsigned i = 1; i < 20; i++)
        fill(i);
    assert_int_equal(crowd_since(crowd, kept), 1);
}

static void favoured_holders_of_one_source_are_limited_too(void **state)
{
    (void)state;
    struct addr friend = source("192.0.2.1");
    bool loser;
    for (unsigned i = 0; i < PER_SOURCE; i++)
        enter_as(&friend, true, NULL);
    enter_as(&friend, true, &loser);
    assert_true(loser);
}

static void full_neighbourhood_is_told_of_and_a_full_crowd_is_none(void **state)
{
    (void)state;
    struct addr crowded = source("2001:db8::1"), elsewhere = source("2001:db8:1::1");
    for (unsigned i = 0; i < PER_SOURCE; i++) {
        assert_false(crowd_full(crowd, &crowded));
        enter("2001:db8::1", NULL);
    }
    assert_true(crowd_full(crowd, &crowded));
    fill(2);
    assert_false(crowd_full(crowd, &elsewhere)); /* others have to leave for it */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(free_places_are_taken_before_anyone_leaves),
        TEST(one_source_pushes_out_its_own_oldest),
        TEST(subnets_of_one_customer_share_four_times_as_many),
        TEST(newcomer_takes_the_oldest_place_of_the_most_crowded_prefix),
        TEST(among_equals_the_oldest_leaves),
        TEST(favoured_holder_stays_while_others_can_go),
        TEST(favoured_holders_of_one_source_are_limited_too),
        TEST(full_neighbourhood_is_told_of_and_a_full_crowd_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
