/* SPDX-License-Identifier: Apache-2.0 */
/* proto/lan/lan: two nodes and a stranger on one network, and the pace of what is said. */

#include "proto/lan/lan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define SECOND 1000000ull
#define NOON   (1700000000ull / BEACON_EPOCH_S * BEACON_EPOCH_S)

static const struct node_id a_id = {{0xa}}, b_id = {{0xb}}, c_id = {{0xc}};

/* Its one peer is of that kind. */
static struct lan *lan_of(const struct node_id *me, const struct node_id *peer, bool seeks)
{
    const struct lan_peer list = {.id = *peer, .seeks = seeks};
    struct lan *l;
    assert_int_equal(lan_new(me, 8443, &l), 0);
    assert_int_equal(lan_set_peers(l, &list, 1, NOON), 0);
    return l;
}

static void set_connected(struct lan *l, const struct node_id *peer, bool seeks, bool connected)
{
    const struct lan_peer list = {.id = *peer, .seeks = seeks, .connected = connected};
    assert_int_equal(lan_set_peers(l, &list, 1, NOON), 0);
}

static bool say(struct lan *l, uint64_t now_us, uint64_t unix_s, uint8_t out[BEACON_LEN])
{
    const struct lan_place *to = lan_next(l, now_us);
    if (to)
        assert_int_equal(lan_say(l, to, unix_s, out), 0);
    return to;
}

static enum lan_heard hear(struct lan *l, const uint8_t *data, uint64_t now_us, uint64_t unix_s)
{
    struct node_id id = {{0}};
    uint16_t port = 0;
    enum lan_heard heard = lan_hear(l, data, BEACON_LEN, now_us, unix_s, &id, &port);
    if (heard == LAN_FOUND) {
        assert_int_equal(port, 8443);
        assert_true(id_compare(&id, &a_id) == 0 || id_compare(&id, &b_id) == 0);
    }
    return heard;
}

static void peer_that_is_sought_is_found_by_its_beacon(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
    uint8_t data[BEACON_LEN];
    (void)state;
    assert_true(say(a, SECOND, NOON, data));
    assert_int_equal(hear(b, data, SECOND, NOON), LAN_FOUND);
    lan_free(a);
    lan_free(b);
}

static void peer_that_only_admits_answers_whoever_seeks_it_and_is_found(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, false);
    uint8_t data[BEACON_LEN], answer[BEACON_LEN];
    (void)state;
    assert_true(say(b, SECOND, NOON, answer)); /* its own round */
    assert_false(say(b, SECOND, NOON, answer));
    assert_true(say(a, SECOND, NOON, data));
    assert_int_equal(hear(b, data, SECOND, NOON), LAN_HEARD);
    assert_true(say(b, SECOND, NOON, answer));
    assert_int_equal(hear(a, answer, SECOND, NOON), LAN_FOUND);
    assert_false(say(b, SECOND, NOON, answer));
    lan_free(a);
    lan_free(b);
}

static void two_that_only_admit_do_not_answer_each_other(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, false), *b = lan_of(&b_id, &a_id, false);
    uint8_t data[BEACON_LEN];
    (void)state;
    assert_true(say(b, SECOND, NOON, data));
    assert_true(say(a, SECOND, NOON, data));
    assert_int_equal(hear(b, data, SECOND, NOON), LAN_HEARD);
    assert_false(say(b, SECOND, NOON, data));
    lan_free(a);
    lan_free(b);
}

/* It restarted, which we have not noticed. */
static void connected_peer_that_seeks_us_is_answered(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
    uint8_t data[BEACON_LEN];
    (void)state;
    set_connected(b, &a_id, true, true);
    assert_false(say(b, SECOND, NOON, data));
    assert_true(say(a, SECOND, NOON, data));
    assert_int_equal(hear(b, data, SECOND, NOON), LAN_HEARD);
    assert_true(say(b, SECOND, NOON, data));
    assert_int_equal(hear(a, data, SECOND, NOON), LAN_FOUND);
    lan_free(a);
    lan_free(b);
}

static void strangers_neither_find_nor_are_found(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *c = lan_of(&c_id, &b_id, true),
               *b = lan_of(&b_id, &a_id, true);
    uint8_t data[BEACON_LEN];
    (void)state;
    assert_true(say(a, SECOND, NOON, data));
    assert_int_equal(hear(c, data, SECOND, NOON), LAN_IGNORED);
    assert_int_equal(hear(a, data, SECOND, NOON), LAN_IGNORED); /* our own */
    assert_true(say(c, SECOND, NOON, data));
    assert_int_equal(hear(b, data, SECOND, NOON), LAN_IGNORED);
    lan_free(a);
    lan_free(b);
    lan_free(c);
}

static void changed_beacon_is_ignored_and_spoils_nothing(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
    uint8_t data[BEACON_LEN];
    (void)state;
    assert_true(say(a, SECOND, NOON, data));
    for (size_t i = 0; i < BEACON_LEN; i++) {
        data[i] ^= 1;
        assert_int_equal(hear(b, data, SECOND, NOON), LAN_IGNORED);
        data[i] ^= 1;
    }
    assert_int_equal(hear(b, data, SECOND, NOON), LAN_FOUND);
    lan_free(a);
    lan_free(b);
}

static void repeated_and_older_beacons_are_ignored(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
    uint8_t first[BEACON_LEN], second[BEACON_LEN];
    (void)state;
    assert_true(say(a, SECOND, NOON, first));
    assert_true(say(a, 2 * SECOND, NOON, second)); /* in the same second of the other clock */
    assert_int_equal(hear(b, second, SECOND, NOON), LAN_FOUND);
    assert_int_equal(hear(b, second, 60 * SECOND, NOON + 60), LAN_IGNORED);
    assert_int_equal(hear(b, first, 60 * SECOND, NOON + 60), LAN_IGNORED);
    lan_free(a);
    lan_free(b);
}

static void clocks_may_be_a_quarter_of_an_hour_apart_and_no_hour(void **state)
{
    static const int64_t near[] = {-BEACON_EPOCH_S, BEACON_EPOCH_S}, far[] = {-3600, 3600};
    uint8_t data[BEACON_LEN];
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
        int64_t apart = i < 2 ? near[i] : far[i - 2];
        assert_true(say(a, SECOND, (uint64_t)((int64_t)NOON + apart), data));
        assert_int_equal(hear(b, data, SECOND, NOON), i < 2 ? LAN_FOUND : LAN_IGNORED);
        lan_free(a);
        lan_free(b);
    }
}

static void hints_follow_the_time(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
    const struct lan_peer list = {.id = a_id, .seeks = true};
    const uint64_t later = NOON + 3600;
    uint8_t data[BEACON_LEN];
    (void)state;
    assert_true(say(a, SECOND, later, data));
    assert_int_equal(hear(b, data, SECOND, later), LAN_IGNORED);
    assert_int_equal(lan_set_peers(b, &list, 1, later), 0);
    assert_int_equal(hear(b, data, SECOND, later), LAN_FOUND);
    lan_free(a);
    lan_free(b);
}

static void clock_that_steps_back_is_followed(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
    uint8_t data[BEACON_LEN];
    (void)state;
    assert_true(say(a, SECOND, NOON + 86400, data));
    assert_true(say(a, 2 * SECOND, NOON, data));
    assert_int_equal(hear(b, data, SECOND, NOON), LAN_FOUND);
    lan_free(a);
    lan_free(b);
}

static unsigned said_until(struct lan *l, uint64_t from_us, uint64_t until_us)
{
    unsigned said = 0;
    for (uint64_t now_us = from_us; now_us < until_us; now_us += SECOND / 4)
        while (lan_next(l, now_us))
            said++;
    return said;
}

static void rounds_are_quick_at_first_and_after_a_change_and_then_slow(void **state)
{
    struct lan *l = lan_of(&a_id, &b_id, true);
    (void)state;
    assert_int_equal(said_until(l, SECOND, 4 * SECOND), 3);
    assert_int_equal(said_until(l, 4 * SECOND, 30 * SECOND), 0);
    assert_int_equal(said_until(l, 30 * SECOND, 94 * SECOND), 3);
    lan_restart(l);
    assert_int_equal(said_until(l, 94 * SECOND, 97 * SECOND), 3);
    set_connected(l, &b_id, true, true);
    assert_int_equal(said_until(l, 97 * SECOND, 400 * SECOND), 0);
    set_connected(l, &b_id, true, false);
    assert_int_equal(said_until(l, 400 * SECOND, 403 * SECOND), 3);
    lan_free(l);
}

static void thousand_peers_are_told_of_32_a_second_and_512_in_all(void **state)
{
    static struct lan_peer list[1000];
    struct lan *l;
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        list[i].id.bytes[0] = (uint8_t)(i >> 8);
        list[i].id.bytes[1] = (uint8_t)i;
        list[i].id.bytes[2] = 1;
    }
    assert_int_equal(lan_new(&a_id, 8443, &l), 0);
    assert_int_equal(lan_set_peers(l, list, 1000, NOON), 0);
    unsigned at_once = said_until(l, SECOND, SECOND + 1);
    assert_int_equal(at_once, 32);
    assert_in_range(said_until(l, SECOND + SECOND / 4, 2 * SECOND), 24, 32);
    assert_int_equal(lan_set_peers(l, list, 1, NOON), 0);
    assert_int_equal(said_until(l, 100 * SECOND, 101 * SECOND), 1);
    lan_free(l);
}

static void peer_is_dialled_twice_at_once_and_then_every_5_seconds(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
    unsigned found = 0;
    (void)state;
    for (uint64_t now_us = SECOND; now_us < 21 * SECOND; now_us += SECOND / 10) {
        const struct lan_place *to = lan_next(a, now_us);
        uint8_t data[BEACON_LEN];
        lan_restart(a);
        if (to)
            assert_int_equal(lan_say(a, to, NOON, data), 0);
        found += to && hear(b, data, now_us, NOON) == LAN_FOUND;
    }
    assert_int_equal(found, 2 + 3);
    lan_free(a);
    lan_free(b);
}

static void flood_is_not_looked_at_beyond_its_rate(void **state)
{
    struct lan *b = lan_of(&b_id, &a_id, true);
    const uint8_t noise[BEACON_LEN] = {'S', 'M', 'L', 'N', 1, 0, 1};
    unsigned looked = 0;
    (void)state;
    for (unsigned i = 0; i < 100000; i++)
        looked += hear(b, noise, SECOND + i * 10, NOON) == LAN_IGNORED;
    assert_in_range(looked, 2900, 3001);
    lan_free(b);
}

static void what_was_heard_of_a_peer_outlives_changes_of_the_list(void **state)
{
    struct lan *a = lan_of(&a_id, &b_id, true), *b = lan_of(&b_id, &a_id, true);
    const struct lan_peer list[] = {{.id = c_id, .seeks = true}, {.id = a_id, .seeks = true}};
    uint8_t data[BEACON_LEN];
    (void)state;
    assert_true(say(a, SECOND, NOON, data));
    assert_int_equal(hear(b, data, SECOND, NOON), LAN_FOUND);
    assert_int_equal(lan_set_peers(b, list, 2, NOON), 0);
    assert_int_equal(hear(b, data, 60 * SECOND, NOON), LAN_IGNORED);
    assert_true(say(a, 2 * SECOND, NOON, data));
    assert_int_equal(hear(b, data, 60 * SECOND, NOON), LAN_FOUND);
    assert_int_equal(lan_set_peers(b, list, 1, NOON), 0);
    assert_true(say(a, 3 * SECOND, NOON, data));
    assert_int_equal(hear(b, data, 60 * SECOND, NOON), LAN_IGNORED);
    lan_free(a);
    lan_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_that_is_sought_is_found_by_its_beacon),
        cmocka_unit_test(peer_that_only_admits_answers_whoever_seeks_it_and_is_found),
        cmocka_unit_test(two_that_only_admit_do_not_answer_each_other),
        cmocka_unit_test(connected_peer_that_seeks_us_is_answered),
        cmocka_unit_test(strangers_neither_find_nor_are_found),
        cmocka_unit_test(changed_beacon_is_ignored_and_spoils_nothing),
        cmocka_unit_test(repeated_and_older_beacons_are_ignored),
        cmocka_unit_test(clocks_may_be_a_quarter_of_an_hour_apart_and_no_hour),
        cmocka_unit_test(hints_follow_the_time),
        cmocka_unit_test(clock_that_steps_back_is_followed),
        cmocka_unit_test(rounds_are_quick_at_first_and_after_a_change_and_then_slow),
        cmocka_unit_test(thousand_peers_are_told_of_32_a_second_and_512_in_all),
        cmocka_unit_test(peer_is_dialled_twice_at_once_and_then_every_5_seconds),
        cmocka_unit_test(flood_is_not_looked_at_beyond_its_rate),
        cmocka_unit_test(what_was_heard_of_a_peer_outlives_changes_of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
