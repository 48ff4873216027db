/* SPDX-License-Identifier: Apache-2.0 */
/* Guests, their ClientHellos, and whose handshake is next. */

#include "proto/admission/lobby.h"

#include "crypto/secret.h"
#include "base/clock.h"
#include "proto/admission/known.h"
#include "proto/wire/trunk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define START     (1000 * USEC_PER_SEC)
#define HELLO_LEN 1000

static struct lobby *lobby;
static uint64_t last_conn;
static uint8_t hello[HELLO_LEN] = {22, 3, 1, (HELLO_LEN - 5) >> 8, (HELLO_LEN - 5) & 255, 1};

static int setup(void **state)
{
    (void)state;
    last_conn = 0;
    return lobby_new(&secret_source, &lobby);
}

static int teardown(void **state)
{
    (void)state;
    lobby_free(lobby);
    return 0;
}

static struct addr source(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

static uint64_t enter(const char *from, bool known, uint64_t now_us)
{
    struct addr a = source(from);
    const struct target t = target_tcp(&a);
    assert_int_equal(lobby_enter(lobby, ++last_conn, &t, known, now_us), 0);
    return last_conn;
}

static uint64_t enter_with_hello(const char *from, bool known, uint64_t now_us)
{
    uint64_t conn = enter(from, known, now_us);
    assert_int_equal(lobby_feed(lobby, conn, hello, sizeof(hello), now_us), 0);
    return conn;
}

static uint64_t next(uint64_t now_us)
{
    const struct lobby_guest *g = lobby_next(lobby, now_us);
    return g ? g->conn : 0;
}

static unsigned turns(uint64_t now_us)
{
    unsigned count = 0;
    while (next(now_us))
        count++;
    return count;
}

static void turn_comes_with_the_last_byte_of_the_client_hello(void **state)
{
    (void)state;
    uint64_t conn = enter("192.0.2.1", false, START);
    for (size_t i = 0; i < sizeof(hello) - 1; i++) {
        assert_int_equal(lobby_feed(lobby, conn, hello + i, 1, START), 0);
        assert_null(lobby_next(lobby, START));
    }
    assert_int_equal(lobby_feed(lobby, conn, hello + sizeof(hello) - 1, 1, START), 0);
    const struct lobby_guest *g = lobby_next(lobby, START);
    assert_non_null(g);
    assert_int_equal(g->conn, conn);
    assert_int_equal(g->len, sizeof(hello));
    assert_memory_equal(g->hello, hello, sizeof(hello));
    assert_int_equal(lobby_next_deadline(lobby, START), TIME_NEVER);
    assert_int_equal(lobby_feed(lobby, conn, hello, 1, START), ERR_NOT_FOUND);
}

static void what_is_no_client_hello_is_refused_at_once(void **state)
{
    (void)state;
    static const uint8_t http[] = "GET / HTTP/1.1\r\n", server_hello[] = {22, 3, 3, 0, 9, 2},
                         empty[] = {22, 3, 1, 0, 0}, large[] = {22, 3, 1, 0x0f, 0xfc};
    uint8_t flood[LOBBY_HELLO_MAX + 1] = {22, 3, 1, 1, 0, 1};
    uint64_t conn = enter("192.0.2.1", false, START);
    assert_int_equal(lobby_feed(lobby, conn, http, sizeof(http), START), ERR_FORMAT);
    assert_int_equal(
        lobby_feed(lobby, enter("192.0.2.1", false, START), server_hello, sizeof(server_hello), START),
        ERR_FORMAT);
    assert_int_equal(lobby_feed(lobby, enter("192.0.2.1", false, START), empty, sizeof(empty), START),
                     ERR_FORMAT);
    assert_int_equal(lobby_feed(lobby, enter("192.0.2.1", false, START), large, sizeof(large), START),
                     ERR_FORMAT);
    assert_int_equal(lobby_feed(lobby, enter("192.0.2.1", false, START), flood, sizeof(flood), START),
                     ERR_FORMAT);
    assert_null(lobby_next(lobby, START));
}

static void a_trunk_needs_no_turn_but_its_whole_first_batch(void **state)
{
    (void)state;
    uint8_t first[TRUNK_HEAD_LEN + 100 + 7];
    trunk_encode(&(struct trunk_batch){.segment = 100, .len = 100}, first);
    uint64_t conn = enter("192.0.2.1", false, START);
    for (size_t i = 0; i < TRUNK_HEAD_LEN + 99; i++)
        assert_int_equal(lobby_feed(lobby, conn, first + i, 1, START), 0);
    assert_null(lobby_next(lobby, START));
    assert_int_equal(lobby_feed(lobby, conn, first + TRUNK_HEAD_LEN + 99, 8, START), LOBBY_TRUNK);
    assert_null(lobby_next(lobby, START));
    const struct lobby_guest *g = lobby_take(lobby, conn);
    assert_non_null(g);
    assert_int_equal(g->len, sizeof(first)); /* with what came behind it */
    assert_memory_equal(g->hello, first, TRUNK_HEAD_LEN);
    assert_null(lobby_take(lobby, conn));
    assert_int_equal(lobby_feed(lobby, conn, first, 1, START), ERR_NOT_FOUND);
    assert_true(lobby_next_deadline(lobby, START) == TIME_NEVER);
}

static void a_trunk_that_is_slow_large_or_comes_by_an_uplink_is_none(void **state)
{
    (void)state;
    uint8_t first[TRUNK_HEAD_LEN], two[TRUNK_HEAD_LEN + 200] = {0}, flood[LOBBY_HELLO_MAX + 1] = {0};
    trunk_encode(&(struct trunk_batch){.segment = 100, .len = 100}, first);
    trunk_encode(&(struct trunk_batch){.segment = 100, .len = 200}, two);
    trunk_encode(&(struct trunk_batch){.segment = UINT16_MAX, .len = TRUNK_DATA_MAX}, flood);
    uint64_t slow = enter("192.0.2.1", false, START);
    assert_int_equal(lobby_feed(lobby, slow, first, sizeof(first), START + USEC_PER_SEC), 0);
    assert_int_equal(lobby_expired(lobby, START + LOBBY_PATIENCE_US),
                     slow); /* a byte does not renew its time */
    assert_int_equal(lobby_feed(lobby, enter("192.0.2.1", false, START), two, sizeof(two), START),
                     ERR_FORMAT);
    assert_int_equal(lobby_feed(lobby, enter("192.0.2.1", false, START), flood, sizeof(flood), START),
                     ERR_FORMAT);
    const struct target by_uplink = target_uplink(0, &(struct node_id){{1}});
    lobby_enter(lobby, ++last_conn, &by_uplink, true, START);
    assert_int_equal(lobby_feed(lobby, last_conn, first, sizeof(first), START), ERR_FORMAT);
}

static void handshakes_are_paid_from_one_budget(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct target a = {TARGET_TCP, {.family = 4, .ip = {198, 18, (uint8_t)i, 1}}};
        lobby_enter(lobby, ++last_conn, &a, false, START);
        assert_int_equal(lobby_feed(lobby, last_conn, hello, sizeof(hello), START), 0);
    }
    assert_int_equal(turns(START), LOBBY_TURNS_AT_ONCE - LOBBY_TURNS_FOR_KNOWN);
    assert_int_equal(turns(START + LOBBY_TURN_US - 1), 0);
    assert_int_equal(turns(START + LOBBY_TURN_US), 1);
    assert_int_equal(turns(START + 6 * LOBBY_TURN_US), 5);
}

static void known_source_finds_the_reserve_and_goes_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct target a = {TARGET_TCP, {.family = 4, .ip = {198, 18, (uint8_t)i, 1}}};
        lobby_enter(lobby, ++last_conn, &a, false, START);
        assert_int_equal(lobby_feed(lobby, last_conn, hello, sizeof(hello), START), 0);
    }
    turns(START);
    uint64_t peer = enter_with_hello("203.0.113.1", true, START);
    assert_int_equal(next(START), peer);
    peer = enter_with_hello("203.0.113.1", true, START);
    assert_int_equal(next(START + USEC_PER_SEC), peer);
}

static void source_that_was_served_least_goes_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOBBY_TURNS_FOR_KNOWN; i++)
        enter_with_hello("2001:db8:1::1", false, START);
    assert_int_equal(turns(START), LOBBY_TURNS_AT_ONCE - LOBBY_TURNS_FOR_KNOWN);
    uint64_t same = enter_with_hello("2001:db8:1::1", false, START);
    uint64_t neighbour = enter_with_hello("2001:db8:1:1::1", false, START);
    uint64_t other = enter_with_hello("2001:db8:2::1", false, START);
    uint64_t later = START + 5 * LOBBY_TURN_US;
    assert_int_equal(next(later), other);
    assert_int_equal(next(later), neighbour);
    assert_int_equal(next(later), same);
}

static void guest_that_keeps_us_waiting_leaves(void **state)
{
    (void)state;
    uint64_t conn = enter("192.0.2.1", false, START);
    assert_int_equal(lobby_next_deadline(lobby, START), START + LOBBY_PATIENCE_US);
    assert_int_equal(lobby_expired(lobby, START + LOBBY_PATIENCE_US - 1), 0);
    assert_int_equal(lobby_expired(lobby, START + LOBBY_PATIENCE_US), conn);
    assert_int_equal(lobby_expired(lobby, START + LOBBY_PATIENCE_US), 0);
    assert_true(lobby_next_deadline(lobby, START) == TIME_NEVER);
    assert_false(lobby_leave(lobby, conn));
    assert_false(lobby_leave(lobby, 0));
}

/* However often it is asked for: events that come often must not put it off. */
static void deadline_of_who_waits_for_a_turn_is_when_it_comes(void **state)
{
    (void)state;
    unsigned at_once = LOBBY_TURNS_AT_ONCE - LOBBY_TURNS_FOR_KNOWN;
    for (unsigned i = 0; i < at_once + 2; i++)
        enter_with_hello("192.0.2.1", false, START);
    assert_int_equal(lobby_next_deadline(lobby, START), START);
    assert_int_equal(turns(START), at_once);
    for (uint64_t now_us = START; now_us < START + LOBBY_TURN_US; now_us += LOBBY_TURN_US / 5)
        assert_int_equal(lobby_next_deadline(lobby, now_us), START + LOBBY_TURN_US);
    assert_int_equal(turns(START + LOBBY_TURN_US), 1);
    assert_int_equal(lobby_next_deadline(lobby, START + LOBBY_TURN_US), START + 2 * LOBBY_TURN_US);
    assert_int_equal(lobby_next_deadline(lobby, START + LOBBY_PATIENCE_US), START + LOBBY_PATIENCE_US);
}

static void places_are_bounded_and_go_to_newcomers(void **state)
{
    (void)state;
    unsigned losers = 0;
    struct addr a = source("2001:db8::1");
    uint64_t first = enter("192.0.2.1", false, START);
    for (unsigned i = 0; i < 1000; i++, a.ip[7]++, a.ip[6] += a.ip[7] == 0) {
        const struct target t = target_tcp(&a);
        uint64_t loser = lobby_enter(lobby, ++last_conn, &t, false, START + 1 + i);
        assert_int_not_equal(loser, first);
        losers += loser != 0;
    }
    assert_int_equal(losers, 1000 - LOBBY_PER_SOURCE * 4 * 4 + 1);
}

static void known_sources_are_remembered_up_to_a_bound(void **state)
{
    (void)state;
    struct known *known;
    struct addr a = source("2001:db8:1:2::3"), same = source("[2001:db8:1:2::9]:99"),
                other = source("2001:db8:1:3::3");
    assert_int_equal(known_new(64, &secret_source, &known), 0);
    assert_false(known_has(known, &a));
    known_note(known, &a);
    assert_true(known_has(known, &a));
    assert_true(known_has(known, &same));
    assert_false(known_has(known, &other));
    for (unsigned i = 0; i < 10000; i++) {
        struct addr many = {.family = 4, .ip = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
        known_note(known, &many);
        assert_true(known_has(known, &many));
        if (i % 4 == 0)
            known_note(known, &a);
    }
    assert_true(known_has(known, &a));
    known_free(known);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(turn_comes_with_the_last_byte_of_the_client_hello),
        TEST(what_is_no_client_hello_is_refused_at_once),
        TEST(a_trunk_needs_no_turn_but_its_whole_first_batch),
        TEST(a_trunk_that_is_slow_large_or_comes_by_an_uplink_is_none),
        TEST(handshakes_are_paid_from_one_budget),
        TEST(known_source_finds_the_reserve_and_goes_first),
        TEST(source_that_was_served_least_goes_first),
        TEST(guest_that_keeps_us_waiting_leaves),
        TEST(deadline_of_who_waits_for_a_turn_is_when_it_comes),
        TEST(places_are_bounded_and_go_to_newcomers),
        TEST(known_sources_are_remembered_up_to_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
