/* SPDX-License-Identifier: Apache-2.0 */
/* Where a backbone is used when it is not where it was given, and how little whoever names places decides. */
#include "node/backbones/instances.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOME "http://b1.example:8080"
#define LIST "http://b1.example:8080\nhttp://b2.example\nhttp://b3.example\n"

static struct instances i;

/* Whether it was news. */
static bool learn(const char *text)
{
    const struct instances before = i;
    instances_learn(&i, (struct slice){(const uint8_t *)text, strlen(text)});
    return i.count != before.count || memcmp(i.list, before.list, sizeof(i.list)) != 0;
}

static int setup(void **state)
{
    (void)state;
    instances_init(&i, HOME);
    return 0;
}

static void one_that_is_alone_stays_where_it_was_given(void **state)
{
    (void)state;
    assert_false(instances_move_on(&i, 7, 0));
    assert_false(learn(""));
    assert_true(learn(HOME "\n"));
    assert_false(instances_move_on(&i, 7, 0));
    assert_string_equal(instances_at(&i), HOME);
    assert_false(instances_is_away(&i));
}

static void each_other_one_is_tried_once_and_then_home(void **state)
{
    (void)state;
    assert_true(learn(LIST));
    assert_true(instances_move_on(&i, 1, 0));
    assert_string_equal(instances_at(&i), "http://b2.example");
    assert_true(instances_is_away(&i));
    assert_true(instances_move_on(&i, 1, 0));
    assert_string_equal(instances_at(&i), "http://b3.example");
    assert_true(instances_move_on(&i, 1, 0));
    assert_string_equal(instances_at(&i), HOME);
    assert_true(instances_move_on(&i, 1, 0)); /* and all again */
    assert_true(instances_is_away(&i));
}

static void which_one_comes_first_is_left_to_chance(void **state)
{
    (void)state;
    unsigned met[2] = {0, 0};
    for (uint32_t random = 0; random < 30; random++) {
        instances_init(&i, HOME);
        learn(LIST);
        assert_true(instances_move_on(&i, random, 0));
        met[strcmp(instances_at(&i), "http://b2.example") == 0]++;
    }
    assert_true(met[0] >= 10 && met[1] >= 10);
}

static void place_of_another_backbone_of_ours_is_passed_over(void **state)
{
    (void)state;
    learn(LIST);
    instances_pass_over(&i, "HTTP://b2.example");
    assert_true(instances_move_on(&i, 1, 0));
    assert_string_equal(instances_at(&i), "http://b3.example");
    instances_pass_over(&i, "http://b2.example");
    assert_true(instances_move_on(&i, 1, 0));
    assert_string_equal(instances_at(&i), HOME);
}

static void place_is_known_by_each_of_its_names(void **state)
{
    (void)state;
    assert_true(instances_is_here(&i, "HTTP://b1.example:8080"));
    assert_false(instances_is_here(&i, "http://b2.example"));
    learn("http://b2.example\nhttp://b3.example\n"); /* as which it knows itself */
    assert_true(instances_is_here(&i, "http://b2.example"));
    assert_true(instances_move_on(&i, 0, 0));
    assert_true(instances_is_here(&i, "http://b3.example"));
    assert_false(instances_is_here(&i, "http://b2.example"));
    assert_true(instances_is_here(&i, HOME));
}

/* Home is a name of several addresses; the one that answered says what it is called itself. */
static void place_that_told_the_list_is_tried_under_all_its_names(void **state)
{
    (void)state;
    assert_true(learn("http://b2.example\nhttp://b3.example\n"));
    assert_true(instances_move_on(&i, 0, 0));
    assert_string_equal(instances_at(&i), "http://b3.example");
    assert_false(learn("http://b2.example\nhttp://b3.example\n")); /* no news, but told here */
    assert_true(instances_move_on(&i, 0, 0));
    assert_string_equal(instances_at(&i), HOME);
}

static void place_that_answers_begins_a_new_round(void **state)
{
    (void)state;
    learn(LIST);
    assert_true(instances_move_on(&i, 1, 0));
    instances_answered(&i);
    assert_true(instances_move_on(&i, 1, 0));
    assert_string_equal(instances_at(&i), "http://b3.example");
    instances_answered(&i);
    assert_true(instances_move_on(&i, 1, 0));
    assert_string_equal(instances_at(&i), "http://b2.example");
}

/* Sixteen at once, and one each ten seconds: whatever is said, and however often. */
static void liar_makes_us_knock_a_bounded_number_of_times(void **state)
{
    (void)state;
    unsigned knocks = 0;
    for (uint64_t now_us = 0; now_us < 600 * USEC_PER_SEC; now_us += USEC_PER_SEC / 4) {
        char list[INSTANCES_MAX * 64] = "";
        for (unsigned n = 0; n < INSTANCES_MAX; n++)
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "http://victim-%u.%llu\n", n,
                     (unsigned long long)now_us);
        learn(list);
        knocks += instances_move_on(&i, (uint32_t)now_us, now_us) && instances_is_away(&i);
        instances_answered(&i);
    }
    assert_true(knocks >= 60 && knocks <= INSTANCES_KNOCKS + 60);
    assert_false(instances_is_away(&i)); /* the wait is at home */
}

static void what_is_no_plain_url_is_passed_over(void **state)
{
    (void)state;
    static const char *const wrong[] = {"b2.example",
                                        "ftp://b2.example",
                                        "http://",
                                        "http://user@b2.example",
                                        "http://user:word@b2.example",
                                        "http://b2.example/path",
                                        "http://b2.example/%0d%0a",
                                        "http://b2.example?x",
                                        "http://b2.example#x",
                                        "http://b2.example:0",
                                        "http://b2.example:99999",
                                        "http://b2 .example",
                                        "http://b2.\x1b[31mexample",
                                        "file:///etc/passwd"};
    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
        assert_false(learn(wrong[k]));
        assert_int_equal(i.count, 0);
    }
    char overlong[INSTANCES_URL_MAX + 2] = "http://";
    memset(overlong + 7, 'b', sizeof(overlong) - 8);
    assert_false(learn(overlong));
    assert_true(learn("https://b2.example\n\nhttp://[fd00::2]:8080/\nHTTP://[fd00::2]:8080"));
    assert_int_equal(i.count, 2);
    assert_string_equal(i.list[1], "http://[fd00::2]:8080");
}

static void https_never_becomes_http(void **state)
{
    (void)state;
    instances_init(&i, "https://b1.example");
    assert_true(learn("https://b1.example\nhttp://b2.example\nHTTPS://b3.example\n"));
    assert_int_equal(i.count, 2);
    assert_true(instances_move_on(&i, 0, 0));
    assert_string_equal(instances_at(&i), "HTTPS://b3.example");
}

static void seventeenth_is_not_remembered(void **state)
{
    (void)state;
    char list[1024] = "";
    for (unsigned n = 0; n < 40; n++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "http://b%u\n", n);
    assert_true(learn(list));
    assert_int_equal(i.count, INSTANCES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_that_is_alone_stays_where_it_was_given, setup),
        cmocka_unit_test_setup(each_other_one_is_tried_once_and_then_home, setup),
        cmocka_unit_test_setup(place_of_another_backbone_of_ours_is_passed_over, setup),
        cmocka_unit_test_setup(place_is_known_by_each_of_its_names, setup),
        cmocka_unit_test_setup(which_one_comes_first_is_left_to_chance, setup),
        cmocka_unit_test_setup(place_that_told_the_list_is_tried_under_all_its_names, setup),
        cmocka_unit_test_setup(place_that_answers_begins_a_new_round, setup),
        cmocka_unit_test_setup(liar_makes_us_knock_a_bounded_number_of_times, setup),
        cmocka_unit_test_setup(what_is_no_plain_url_is_passed_over, setup),
        cmocka_unit_test_setup(https_never_becomes_http, setup),
        cmocka_unit_test_setup(seventeenth_is_not_remembered, setup),
    };
    return cmocka_run_group_tests_name("instances", tests, NULL, NULL);
}
