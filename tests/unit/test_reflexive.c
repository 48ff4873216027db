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
static struct ask asked(const struct addr *mapped)
{
    struct ask a = {0};
    uint8_t request[STUN_MESSAGE_MAX];
    reflexive_restart(&a.r, &server);
    assert_true(reflexive_request(&a.r, START, request) > 0);
    a.len = stun_response_encode(a.r.transaction, mapped, a.answer);
    return a;
}

static bool believed(struct ask *a, const struct addr *from, uint64_t now_us)
{
    bool changed;
    return reflexive_answer(&a->r, from, a->answer, a->len, now_us, &changed) == 0;
}

static void answer_of_the_server_is_believed_once(void **state)
{
    (void)state;
    struct ask a = asked(&seen);
    bool changed;
    assert_int_equal(reflexive_answer(&a.r, &server, a.answer, a.len, START + 1, &changed), 0);
    assert_true(changed);
    assert_true(addr_equal(&a.r.mapped, &seen));
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

static void requests_are_repeated_and_rest_after_an_answer(void **state)
{
    (void)state;
    struct ask a = asked(&seen);
    uint8_t request[STUN_MESSAGE_MAX];
    assert_int_equal(reflexive_request(&a.r, START + 1, request), 0);
    assert_true(believed(&a, &server, START + 1));
    assert_int_equal(reflexive_request(&a.r, START + REFLEXIVE_OPEN_US, request), 0);
    assert_true(reflexive_request(&a.r, START + 1 + REFLEXIVE_ASK_US, request) > 0);
    assert_true(reflexive_request(&a.r, START + 1 + REFLEXIVE_ASK_US + REFLEXIVE_OPEN_US, request) > 0);
}

static void an_address_that_no_peer_could_use_is_none(void **state)
{
    (void)state;
    const struct addr loopback = {.family = 4, .port = 9443, .ip = {127, 0, 0, 1}};
    struct ask a = asked(&loopback);
    assert_true(believed(&a, &server, START));
    assert_int_equal(a.r.mapped.family, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_of_the_server_is_believed_once),
        cmocka_unit_test(answers_before_any_request_are_not_believed),
        cmocka_unit_test(answers_from_elsewhere_are_not_believed),
        cmocka_unit_test(answers_that_come_late_are_not_believed),
        cmocka_unit_test(answer_to_another_request_leaves_ours_open),
        cmocka_unit_test(requests_are_repeated_and_rest_after_an_answer),
        cmocka_unit_test(an_address_that_no_peer_could_use_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
