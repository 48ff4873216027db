/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers to our STUN requests are believed: one, from the server asked, while the request is open. */
#include "node/underlay/reflexive.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define START (1000 * USEC_PER_SEC)

static const struct addr server = {.family = 4, .port = 8080, .ip = {198, 51, 100, 1}};
static const struct addr seen = {.family = 4, .port = 40000, .ip = {203, 0, 113, 9}};

struct ask {
    struct reflexive r;
    uint8_t answer[STUN_MESSAGE_MAX];
    size_t len;
};

/* A request is open; answer is what the server says to it. */
static struct ask asked_of(const struct addr *whom, const struct addr *mapped)
{
    struct ask a = {0};
    uint8_t request[STUN_MESSAGE_MAX];
    reflexive_restart(&a.r, whom);
    assert_true(reflexive_due(&a.r, START));
    assert_true(reflexive_request(&a.r, START, request) > 0);
    a.len = stun_response_encode(a.r.transaction, mapped, a.answer);
    return a;
}

static struct ask asked(const struct addr *mapped)
{
    return asked_of(&server, mapped);
}

static bool believed(struct ask *a, const struct addr *from, uint64_t now_us)
{
    return reflexive_answer(&a->r, from, a->answer, a->len, now_us) == 0;
}

static void answer_of_the_server_is_believed_once(void **state)
{
    (void)state;
    struct ask a = asked(&seen);
    assert_false(reflexive_is_current(&a.r));
    assert_true(believed(&a, &server, START + 1));
    assert_true(addr_equal(&a.r.mapped, &seen));
    assert_true(reflexive_is_current(&a.r));
    struct addr other = seen;
    other.port++;
    a.len = stun_response_encode(a.r.transaction, &other, a.answer);
    assert_false(believed(&a, &server, START + 2));
    assert_true(addr_equal(&a.r.mapped, &seen));
}

/* Zeros are what a node that never asked has for a transaction. */
static void answers_before_any_request_are_not_believed(void **state)
{
    (void)state;
    const uint8_t zero[STUN_TRANSACTION_LEN] = {0};
    struct ask a = {0};
    a.len = stun_response_encode(zero, &seen, a.answer);
    assert_false(believed(&a, &server, START));
    assert_false(believed(&a, &(struct addr){0}, START));
    reflexive_restart(&a.r, &server);
    assert_false(believed(&a, &server, START));
    assert_int_equal(a.r.mapped.family, 0);
}

static void answers_from_elsewhere_are_not_believed(void **state)
{
    (void)state;
    struct ask a = asked(&seen);
    struct addr host = server, port = server;
    host.ip[3]++;
    port.port++;
    assert_false(believed(&a, &host, START));
    assert_false(believed(&a, &port, START));
    assert_true(believed(&a, &server, START));
}

static void answers_that_come_late_are_not_believed(void **state)
{
    (void)state;
    struct ask a = asked(&seen);
    assert_false(believed(&a, &server, START + REFLEXIVE_OPEN_US + 1));
    a = asked(&seen);
    reflexive_restart(&a.r, &server);
    assert_false(believed(&a, &server, START));
}

static void answer_to_another_request_leaves_ours_open(void **state)
{
    (void)state;
    struct ask a = asked(&seen), guess = a;
    uint8_t other[STUN_TRANSACTION_LEN];
    memcpy(other, a.r.transaction, sizeof(other));
    other[11] ^= 1;
    guess.len = stun_response_encode(other, &seen, guess.answer);
    assert_false(believed(&guess, &server, START));
    assert_true(guess.r.open);
    assert_true(believed(&a, &server, START));
}

static void a_server_that_answers_is_asked_again_after_a_rest(void **state)
{
    (void)state;
    struct ask a = asked(&seen);
    assert_false(reflexive_due(&a.r, START + 1));
    assert_true(believed(&a, &server, START + 1));
    assert_false(reflexive_due(&a.r, START + REFLEXIVE_OPEN_US));
    assert_true(reflexive_due(&a.r, START + 1 + REFLEXIVE_ASK_US));
}

static void a_server_that_does_not_answer_is_asked_less_and_less_often(void **state)
{
    (void)state;
    static const uint64_t waits[] = {1, 2, 4, 8, 16, 20, 20};
    struct ask a = asked(&seen);
    uint8_t request[STUN_MESSAGE_MAX];
    uint64_t now_us = START;
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        assert_false(reflexive_due(&a.r, now_us + waits[i] * USEC_PER_SEC - 1));
        now_us += waits[i] * USEC_PER_SEC;
        assert_true(reflexive_due(&a.r, now_us));
        reflexive_request(&a.r, now_us, request);
    }
}

/* What was lost once is no sign that the mapping is gone; in another network it soon is. */
static void what_a_server_said_outlives_its_silence_but_not_the_network(void **state)
{
    (void)state;
    struct ask a = asked(&seen);
    uint8_t request[STUN_MESSAGE_MAX];
    assert_true(believed(&a, &server, START + 1));
    for (unsigned i = 0; i < 2 * REFLEXIVE_PATIENCE; i++)
        reflexive_request(&a.r, START + i, request);
    assert_true(addr_equal(&a.r.mapped, &seen));
    assert_false(reflexive_is_current(&a.r));
    reflexive_restart(&a.r, &server);
    for (unsigned i = 0; i < REFLEXIVE_PATIENCE; i++) {
        reflexive_request(&a.r, START + i, request);
        assert_true(addr_equal(&a.r.mapped, &seen));
    }
    reflexive_request(&a.r, START + REFLEXIVE_PATIENCE, request);
    assert_int_equal(a.r.mapped.family, 0);
}

static void an_address_that_no_peer_could_use_is_none(void **state)
{
    (void)state;
    static const struct addr useless[] = {{.family = 4, .port = 9443, .ip = {127, 0, 0, 1}},
                                          {.family = 4, .port = 9443, .ip = {255, 255, 255, 255}},
                                          {.family = 4, .port = 0, .ip = {203, 0, 113, 9}},
                                          {.family = 6, .port = 9443, .ip = {0x20, 1, 0xd, 0xb8, [15] = 1}},
                                          {.family = 6, .port = 9443, .ip = {0xff, 2, [15] = 1}}};
    for (size_t i = 0; i < sizeof(useless) / sizeof(*useless); i++) {
        struct ask a = asked(&useless[i]);
        assert_true(believed(&a, &server, START));
        assert_int_equal(a.r.mapped.family, 0);
    }
}

/* A server on the internet cannot see us at one; in a company's network, it does. */
static void a_private_address_is_believed_of_a_private_server_alone(void **state)
{
    (void)state;
    static const struct addr inside4 = {.family = 4, .port = 8080, .ip = {10, 0, 0, 1}},
                             inside6 = {.family = 6, .port = 8080, .ip = {0xfd, 9, [15] = 1}};
    static const struct addr private[] = {{.family = 4, .port = 9443, .ip = {10, 1, 2, 3}},
                                          {.family = 4, .port = 9443, .ip = {192, 168, 1, 2}},
                                          {.family = 4, .port = 9443, .ip = {172, 31, 1, 2}},
                                          {.family = 4, .port = 9443, .ip = {100, 127, 1, 2}},
                                          {.family = 6, .port = 9443, .ip = {0xfd, 1, [15] = 1}}};
    for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++) {
        struct ask a = asked(&private[i]);
        assert_true(believed(&a, &server, START));
        assert_int_equal(a.r.mapped.family, 0);
        const struct addr *inside = private[i].family == 4 ? &inside4 : &inside6;
        a = asked_of(inside, &private[i]);
        assert_true(believed(&a, inside, START));
        assert_true(addr_equal(&a.r.mapped, &private[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_of_the_server_is_believed_once),
        cmocka_unit_test(answers_before_any_request_are_not_believed),
        cmocka_unit_test(answers_from_elsewhere_are_not_believed),
        cmocka_unit_test(answers_that_come_late_are_not_believed),
        cmocka_unit_test(answer_to_another_request_leaves_ours_open),
        cmocka_unit_test(a_server_that_answers_is_asked_again_after_a_rest),
        cmocka_unit_test(a_server_that_does_not_answer_is_asked_less_and_less_often),
        cmocka_unit_test(what_a_server_said_outlives_its_silence_but_not_the_network),
        cmocka_unit_test(an_address_that_no_peer_could_use_is_none),
        cmocka_unit_test(a_private_address_is_believed_of_a_private_server_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
