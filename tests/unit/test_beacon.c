/* SPDX-License-Identifier: Apache-2.0 */
/* proto/lan/beacon: bytes of a beacon, what it is bound to, and hostile ones. */

#include "proto/lan/beacon.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct node_id a = {{0xa0, 1, 2}}, b = {{0xb0, 3, 4}}, c = {{0xc0, 5, 6}};
static const struct beacon seek = {
    .kind = BEACON_SEEK, .control_port = 8443, .time_us = 0x0102030405060708, .hint = 0x1112131415161718};

static void make(const struct beacon *what, uint8_t out[BEACON_LEN], uint8_t key[KDF_LEN])
{
    assert_int_equal(beacon_key(&a, &b, key), 0);
    assert_int_equal(beacon_encode(what, key, out), 0);
}

static void beacon_is_as_the_protocol_draws_it(void **state)
{
    static const uint8_t head[] = {'S', 'M', 'L', 'N', 1,    0,    0x20, 0xfb, 1,    2,    3,    4,
                                   5,   6,   7,   8,   0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18};
    uint8_t key[KDF_LEN], data[BEACON_LEN];
    struct beacon got;
    (void)state;
    make(&seek, data, key);
    assert_memory_equal(data, head, sizeof(head));
    assert_int_equal(beacon_decode(data, sizeof(data), &got), 0);
    assert_int_equal(got.kind, BEACON_SEEK);
    assert_int_equal(got.control_port, 8443);
    assert_true(got.time_us == seek.time_us && got.hint == seek.hint);
    assert_true(beacon_verify(data, key));
}

static void pair_has_one_key_and_others_have_another(void **state)
{
    uint8_t ab[KDF_LEN], ba[KDF_LEN], ac[KDF_LEN];
    (void)state;
    assert_int_equal(beacon_key(&a, &b, ab), 0);
    assert_int_equal(beacon_key(&b, &a, ba), 0);
    assert_int_equal(beacon_key(&a, &c, ac), 0);
    assert_memory_equal(ab, ba, KDF_LEN);
    assert_memory_not_equal(ab, ac, KDF_LEN);
}

static void hint_differs_by_sender_and_by_time(void **state)
{
    uint8_t key[KDF_LEN];
    uint64_t of_a, again, of_b, later;
    (void)state;
    assert_int_equal(beacon_key(&a, &b, key), 0);
    assert_int_equal(beacon_hint(key, &a, 7, &of_a), 0);
    assert_int_equal(beacon_hint(key, &a, 7, &again), 0);
    assert_int_equal(beacon_hint(key, &b, 7, &of_b), 0);
    assert_int_equal(beacon_hint(key, &a, 8, &later), 0);
    assert_true(of_a == again);
    assert_true(of_a != of_b && of_a != later && of_b != later);
}

static void no_id_is_in_a_beacon(void **state)
{
    uint8_t key[KDF_LEN], data[BEACON_LEN];
    struct beacon said = seek;
    (void)state;
    make(&seek, data, key);
    assert_int_equal(beacon_hint(key, &a, 7, &said.hint), 0);
    make(&said, data, key);
    assert_null(memmem(data, sizeof(data), a.bytes, 3));
    assert_null(memmem(data, sizeof(data), b.bytes, 3));
}

static void changed_byte_is_noticed(void **state)
{
    uint8_t key[KDF_LEN], other[KDF_LEN], data[BEACON_LEN];
    (void)state;
    make(&seek, data, key);
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] ^= 1;
        assert_false(beacon_verify(data, key));
        data[i] ^= 1;
    }
    assert_int_equal(beacon_key(&a, &c, other), 0);
    assert_false(beacon_verify(data, other));
}

static void what_is_no_beacon_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 'X'}, {3, 'X'}, {4, 0}, {4, 3}, {5, 1}};
    uint8_t key[KDF_LEN], data[BEACON_LEN + 1] = {0};
    struct beacon got;
    (void)state;
    make(&seek, data, key);
    for (size_t len = 0; len <= sizeof(data); len++)
        assert_int_equal(beacon_decode(data, len, &got), len == BEACON_LEN ? 0 : ERR_FORMAT);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        uint8_t bad[BEACON_LEN];
        memcpy(bad, data, sizeof(bad));
        bad[wrong[i].at] = wrong[i].value;
        assert_int_equal(beacon_decode(bad, sizeof(bad), &got), ERR_FORMAT);
    }
    data[6] = data[7] = 0; /* no port */
    assert_int_equal(beacon_decode(data, BEACON_LEN, &got), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beacon_is_as_the_protocol_draws_it),
        cmocka_unit_test(pair_has_one_key_and_others_have_another),
        cmocka_unit_test(hint_differs_by_sender_and_by_time),
        cmocka_unit_test(no_id_is_in_a_beacon),
        cmocka_unit_test(changed_byte_is_noticed),
        cmocka_unit_test(what_is_no_beacon_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
