/* SPDX-License-Identifier: Apache-2.0 */
/* proto/switch/owners, by the switch: a claim is a hint whom to ask, which costs one question at most, whoever lies. */

#include "proto/switch/switch.h"

#include "crypto/secret.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PEERS  8
#define SECOND 1000000ull
#define AGAIN  (SWITCH_ASK_AGAIN_S * SECOND)

struct fixture {
    struct switch_table *sw;
    uint64_t now;
};

static int setup(void **state)
{
    static struct fixture x;
    x.now = 5000 * SECOND;
    *state = &x;
    return switch_new(PEERS, 1024, &secret_source, &x.sw);
}

static int teardown(void **state)
{
    switch_free(((struct fixture *)*state)->sw);
    return 0;
}

static struct addr_prefix address(uint8_t host)
{
    return (struct addr_prefix){.addr = {.family = 4, .ip = {10, 0, 0, host}}, .bits = 24};
}

static void claim(struct fixture *x, uint32_t slot, uint8_t host)
{
    struct addr_prefix a = address(host);
    switch_claim(x->sw, slot, &a, 1, NULL, 0);
}

/* Long after whatever was asked before. */
static int ask(struct fixture *x, uint8_t host)
{
    struct addr_prefix a = address(host);
    x->now += AGAIN;
    return switch_ask(x->sw, &a.addr, x->now);
}

static void the_only_one_who_claims_an_address_is_asked(void **state)
{
    struct fixture *x = *state;
    claim(x, 0, 7);
    claim(x, 3, 9);
    assert_int_equal(ask(x, 7), 0);
    assert_int_equal(ask(x, 9), 3);
    assert_int_equal(ask(x, 8), SWITCH_PORT_FLOOD);
    struct addr other = {.family = 6, .ip = {10, 0, 0, 7}};
    assert_int_equal(switch_ask(x->sw, &other, x->now), SWITCH_PORT_FLOOD);
}

static void an_address_that_two_claim_is_for_everybody_until_one_is_gone(void **state)
{
    struct fixture *x = *state;
    claim(x, 2, 7);
    claim(x, 5, 7);
    assert_int_equal(ask(x, 7), SWITCH_PORT_FLOOD);
    claim(x, 6, 7);
    assert_int_equal(ask(x, 7), SWITCH_PORT_FLOOD);
    switch_claim(x->sw, 2, NULL, 0, NULL, 0);
    switch_claim(x->sw, 6, NULL, 0, NULL, 0);
    assert_int_equal(ask(x, 7), 5);
    claim(x, 5, 8); /* it has another one now */
    assert_int_equal(ask(x, 7), SWITCH_PORT_FLOOD);
    assert_int_equal(ask(x, 8), 5);
}

static void who_asks_again_soon_asks_everybody(void **state)
{
    struct fixture *x = *state;
    struct addr_prefix a = address(7), b = address(9);
    claim(x, 1, 7);
    claim(x, 2, 9);
    assert_int_equal(ask(x, 7), 1);
    assert_int_equal(switch_ask(x->sw, &b.addr, x->now), 2);
    for (unsigned i = 0; i < 30; i++) /* as long as it goes on asking */
        assert_int_equal(switch_ask(x->sw, &a.addr, x->now += SECOND), SWITCH_PORT_FLOOD);
    assert_int_equal(switch_ask(x->sw, &a.addr, x->now += AGAIN - 1), SWITCH_PORT_FLOOD);
    assert_int_equal(switch_ask(x->sw, &a.addr, x->now + AGAIN), 1);
}

/* All that one peer may say, some of it twice, and more than that. */
static void a_peer_claims_so_many_addresses_and_no_more(void **state)
{
    struct fixture *x = *state;
    struct addr_prefix list[SWITCH_ADDRESSES_MAX + 1];
    for (unsigned i = 0; i <= SWITCH_ADDRESSES_MAX; i++)
        list[i] = address((uint8_t)(100 + i));
    list[1] = list[0];
    switch_claim(x->sw, 4, list, SWITCH_ADDRESSES_MAX + 1, NULL, 0);
    assert_int_equal(ask(x, 100), 4);
    assert_int_equal(ask(x, 100 + SWITCH_ADDRESSES_MAX - 1), 4);
    assert_int_equal(ask(x, 100 + SWITCH_ADDRESSES_MAX), SWITCH_PORT_FLOOD);
    switch_claim(x->sw, PEERS, list, 1, NULL, 0); /* of no peer */
    assert_int_equal(ask(x, 100), 4);
    switch_claim(x->sw, 4, NULL, 0, NULL, 0);
    for (unsigned i = 0; i < SWITCH_ADDRESSES_MAX; i++)
        assert_int_equal(ask(x, (uint8_t)(100 + i)), SWITCH_PORT_FLOOD);
}

/* Whoever lies about all addresses of others takes their questions from nobody who claims his own, and from others one each. */
static void claims_of_liars_keep_nobody_from_being_asked_for(void **state)
{
    struct fixture *x = *state;
    struct addr_prefix all[SWITCH_ADDRESSES_MAX];
    for (unsigned i = 0; i < SWITCH_ADDRESSES_MAX; i++)
        all[i] = address((uint8_t)(1 + i));
    claim(x, 1, 1);
    for (uint32_t liar = 5; liar < PEERS; liar++)
        switch_claim(x->sw, liar, all, SWITCH_ADDRESSES_MAX, NULL, 0);
    assert_int_equal(ask(x, 1), SWITCH_PORT_FLOOD);
    for (uint32_t liar = 6; liar < PEERS; liar++)
        switch_claim(x->sw, liar, NULL, 0, NULL, 0);
    assert_int_equal(ask(x, 1), SWITCH_PORT_FLOOD);
    assert_int_equal(ask(x, 2), 5); /* nobody else says so, and then everybody is asked: */
    assert_int_equal(switch_ask(x->sw, &all[1].addr, x->now + SECOND), SWITCH_PORT_FLOOD);
    switch_claim(x->sw, 5, all, SWITCH_ADDRESSES_MAX, NULL, 0); /* saying it again makes no difference */
    assert_int_equal(switch_ask(x->sw, &all[1].addr, x->now + 2 * SECOND), SWITCH_PORT_FLOOD);
}

static int absent(struct fixture *x, uint8_t host)
{
    struct addr_prefix a = address(host);
    return switch_absent(x->sw, &a.addr);
}

static void who_has_lost_its_session_is_known_by_what_it_claimed(void **state)
{
    struct fixture *x = *state;
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 7}, another[6] = {2, 0, 0, 0, 0, 8};
    struct addr_prefix a = address(7);
    switch_claim(x->sw, 3, &a, 1, &mac, 1);
    assert_int_equal(absent(x, 7), SWITCH_PORT_FLOOD);
    assert_int_equal(switch_absent_mac(x->sw, mac), SWITCH_PORT_FLOOD);
    switch_claim_absent(x->sw, 3);
    assert_int_equal(ask(x, 7), SWITCH_PORT_FLOOD);
    assert_int_equal(absent(x, 7), 3);
    assert_int_equal(absent(x, 8), SWITCH_PORT_FLOOD);
    assert_int_equal(switch_absent_mac(x->sw, mac), 3);
    assert_int_equal(switch_absent_mac(x->sw, another), SWITCH_PORT_FLOOD);
    claim(x, 5, 7); /* who has the address now is asked for it */
    assert_int_equal(ask(x, 7), 5);
    switch_claim(x->sw, 3, &a, 1, &mac, 1);
    assert_int_equal(absent(x, 7), SWITCH_PORT_FLOOD);
    switch_claim_absent(x->sw, 3);
    switch_claim(x->sw, 3, NULL, 0, NULL, 0);
    assert_int_equal(absent(x, 7), SWITCH_PORT_FLOOD);
    assert_int_equal(switch_absent_mac(x->sw, mac), SWITCH_PORT_FLOOD);
}

static void who_has_had_no_session_is_known_by_the_expected_mac(void **state)
{
    struct fixture *x = *state;
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 7}, everybody[6] = {255, 255, 255, 255, 255, 255};
    switch_expect(x->sw, 6, mac);
    assert_int_equal(switch_absent_mac(x->sw, mac), 6);
    claim(x, 6, 1);
    assert_int_equal(switch_absent_mac(x->sw, mac), SWITCH_PORT_FLOOD);
    switch_claim(x->sw, 6, NULL, 0, &everybody, 1); /* a lie that would have each broadcast seek it */
    switch_claim_absent(x->sw, 6);
    assert_int_equal(switch_absent_mac(x->sw, everybody), SWITCH_PORT_FLOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_only_one_who_claims_an_address_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_that_two_claim_is_for_everybody_until_one_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_asks_again_soon_asks_everybody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_claims_so_many_addresses_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(claims_of_liars_keep_nobody_from_being_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_lost_its_session_is_known_by_what_it_claimed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_has_had_no_session_is_known_by_the_expected_mac, setup, teardown),
    };
    return cmocka_run_group_tests_name("owners", tests, NULL, NULL);
}
