/* SPDX-License-Identifier: Apache-2.0 */
/* proto/punch/birthday: which ports are probed, how fast, and what is agreed upon before. */

#include "proto/punch/birthday.h"

#include "base/clock.h"
#include "proto/message/message.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define T0 (1000 * USEC_PER_SEC)

static const struct addr there = {.family = 4, .port = 9443, .ip = {192, 0, 2, 1}},
                         elsewhere = {.family = 4, .port = 9443, .ip = {192, 0, 2, 2}};

static struct bucket turns;

static struct birthday_way way(bool draws)
{
    return (struct birthday_way){
        .may = true, .draws = draws, .drawn = !draws, .turns = &turns, .other = &there, .random = 60000};
}

static int fresh(void **state)
{
    (void)state;
    turns = (struct bucket){0};
    return 0;
}

static enum birthday_step hear(struct birthday *b, enum birthday_word word, const struct birthday_way *w,
                               uint64_t now_us)
{
    return birthday_on_word(b, (uint8_t)word, 1, w, now_us);
}

static struct birthday sending(uint64_t now_us)
{
    const struct birthday_way w = way(false);
    struct birthday b = {0};
    assert_int_equal(hear(&b, BIRTHDAY_WORD_ASK, &w, now_us), BIRTHDAY_STEP_COME);
    assert_int_equal(hear(&b, BIRTHDAY_WORD_BEGIN, &w, now_us), BIRTHDAY_STEP_NONE);
    assert_int_equal(b.state, BIRTHDAY_SENDING);
    return b;
}

static void probes_go_once_each_to_ports_all_over_the_range(void **state)
{
    (void)state;
    static bool seen[65536];
    const struct birthday_way w = way(false);
    struct birthday b = sending(T0);
    unsigned widest = 0, last = 1024;
    for (unsigned i = 0; i < BIRTHDAY_PROBES; i++) {
        assert_int_equal(birthday_step(&b, &w, T0 + i * BIRTHDAY_EACH_US), BIRTHDAY_STEP_SEND);
        struct addr to = birthday_target(&b);
        assert_true(addr_same_host(&to, &there));
        assert_true(to.port >= 1024);
        assert_false(seen[to.port]);
        seen[to.port] = true;
        assert_int_equal(birthday_step(&b, &w, T0 + i * BIRTHDAY_EACH_US), BIRTHDAY_STEP_NONE);
    }
    assert_int_equal(birthday_step(&b, &w, T0 + 60 * USEC_PER_SEC), BIRTHDAY_STEP_NONE);
    assert_false(birthday_is_busy(&b));
    for (unsigned port = 1024; port < 65536; port++) {
        if (!seen[port])
            continue;
        widest = port - last > widest ? port - last : widest;
        last = port;
    }
    assert_true(widest <= 63);
}

static void a_stall_is_not_followed_by_a_flood(void **state)
{
    (void)state;
    const struct birthday_way w = way(false);
    struct birthday b = sending(T0);
    unsigned sent = 0;
    while (birthday_step(&b, &w, T0 + 5 * USEC_PER_SEC) == BIRTHDAY_STEP_SEND)
        sent++;
    assert_int_equal(sent, 1);
    while (birthday_step(&b, &w, T0 + 5 * USEC_PER_SEC + 10 * BIRTHDAY_EACH_US) == BIRTHDAY_STEP_SEND)
        sent++;
    assert_int_equal(sent, 11);
}

static void who_draws_asks_opens_and_says_so_twice(void **state)
{
    (void)state;
    const struct birthday_way w = way(true);
    struct birthday b = {0};
    assert_int_equal(birthday_step(&b, &w, T0), BIRTHDAY_STEP_ASK);
    assert_int_equal(birthday_step(&b, &w, T0), BIRTHDAY_STEP_NONE);
    assert_int_equal(birthday_on_word(&b, BIRTHDAY_WORD_COME, 7, &w, T0), BIRTHDAY_STEP_NONE);
    assert_int_equal(b.state, BIRTHDAY_ASKING); /* another number */
    assert_int_equal(hear(&b, BIRTHDAY_WORD_COME, &w, T0), BIRTHDAY_STEP_NONE);
    assert_int_equal(birthday_step(&b, &w, T0), BIRTHDAY_STEP_OPEN);
    assert_int_equal(birthday_step(&b, &w, T0), BIRTHDAY_STEP_BEGIN);
    assert_int_equal(birthday_step(&b, &w, T0), BIRTHDAY_STEP_BEGIN);
    assert_int_equal(birthday_step(&b, &w, T0), BIRTHDAY_STEP_NONE);
    assert_int_equal(birthday_step(&b, &w, T0 + BIRTHDAY_OPEN_US), BIRTHDAY_STEP_NONE);
    assert_false(birthday_is_busy(&b));
}

static void silence_ends_the_questions(void **state)
{
    (void)state;
    const struct birthday_way w = way(true);
    struct birthday b = {0};
    unsigned asks = 0;
    for (uint64_t now_us = T0; now_us < T0 + 60 * USEC_PER_SEC; now_us += USEC_PER_SEC / 2)
        asks += birthday_step(&b, &w, now_us) == BIRTHDAY_STEP_ASK;
    assert_int_equal(asks, 3);
    assert_false(birthday_is_busy(&b));
}

/* With one pair after another, as each session with a peer counts for itself. */
static void probes_for_others_have_a_budget(void **state)
{
    (void)state;
    const struct birthday_way w = way(false);
    for (unsigned i = 0; i < BIRTHDAY_TURNS; i++)
        (void)sending(T0);
    struct birthday b = {0};
    assert_int_equal(hear(&b, BIRTHDAY_WORD_ASK, &w, T0), BIRTHDAY_STEP_NONE);
    assert_int_equal(hear(&b, BIRTHDAY_WORD_ASK, &w, T0 + BIRTHDAY_TURN_US), BIRTHDAY_STEP_COME);
}

static void another_host_is_another_chance_after_a_minute(void **state)
{
    (void)state;
    struct birthday_way w = way(false);
    struct birthday b = sending(T0);
    w.straight = true;
    (void)birthday_step(&b, &w, T0);
    w.straight = false;
    uint64_t now_us = T0 + BIRTHDAY_MOVED_US;
    assert_int_equal(hear(&b, BIRTHDAY_WORD_ASK, &w, now_us), BIRTHDAY_STEP_NONE);
    w.other = &elsewhere;
    assert_int_equal(hear(&b, BIRTHDAY_WORD_ASK, &w, now_us - 1), BIRTHDAY_STEP_NONE);
    assert_int_equal(hear(&b, BIRTHDAY_WORD_ASK, &w, now_us), BIRTHDAY_STEP_COME);
    b.state = BIRTHDAY_RESTING;
    w.other = &there;
    assert_int_equal(hear(&b, BIRTHDAY_WORD_ASK, &w, T0 + BIRTHDAY_AGAIN_US), BIRTHDAY_STEP_COME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(probes_go_once_each_to_ports_all_over_the_range, fresh),
        cmocka_unit_test_setup(a_stall_is_not_followed_by_a_flood, fresh),
        cmocka_unit_test_setup(who_draws_asks_opens_and_says_so_twice, fresh),
        cmocka_unit_test_setup(silence_ends_the_questions, fresh),
        cmocka_unit_test_setup(probes_for_others_have_a_budget, fresh),
        cmocka_unit_test_setup(another_host_is_another_chance_after_a_minute, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
