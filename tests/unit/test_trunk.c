/* SPDX-License-Identifier: Apache-2.0 */
/* proto/wire/trunk: what a batch looks like, and what is none. */

#include "proto/wire/trunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t bytes[TRUNK_BATCH_MAX];

static int decode(const struct trunk_batch *b, size_t len, struct trunk_batch *out)
{
    trunk_encode(b, bytes);
    return trunk_decode(bytes, len, out);
}

static void a_batch_is_whole_with_its_last_byte(void **state)
{
    (void)state;
    const struct trunk_batch b = {.ecn = 2, .segment = 100, .len = 250};
    struct trunk_batch out;
    for (size_t len = 0; len < TRUNK_HEAD_LEN + 250; len++)
        assert_int_equal(decode(&b, len, &out), 0);
    assert_int_equal(decode(&b, TRUNK_HEAD_LEN + 250, &out), 1);
    assert_int_equal(decode(&b, sizeof(bytes), &out), 1);
    assert_int_equal(out.ecn, 2);
    assert_int_equal(out.segment, 100);
    assert_int_equal(out.len, 250);
}

static void the_first_byte_tells_a_trunk_from_tls(void **state)
{
    (void)state;
    struct trunk_batch out;
    for (unsigned first = 0; first < 256; first++) {
        const uint8_t byte = (uint8_t)first;
        bool is_trunk = first >= 0x30 && first <= 0x33;
        assert_int_equal(trunk_begins(byte), is_trunk);
        assert_int_equal(trunk_decode(&byte, 1, &out), is_trunk ? 0 : ERR_FORMAT);
    }
    assert_false(trunk_begins(22)); /* a handshake record of TLS */
}

static void sizes_out_of_range_are_no_batch(void **state)
{
    (void)state;
    static const struct trunk_batch wrong[] = {
        {.segment = 0, .len = 1},
        {.segment = 1, .len = 0},
        {.segment = 1, .len = TRUNK_DATAGRAMS + 1},
        {.segment = UINT16_MAX, .len = TRUNK_DATA_MAX + 1},
        {.segment = UINT16_MAX, .len = UINT16_MAX},
    };
    static const struct trunk_batch right[] = {{.segment = 1, .len = TRUNK_DATAGRAMS},
                                               {.segment = UINT16_MAX, .len = TRUNK_DATA_MAX},
                                               {.segment = 2, .len = 1}};
    struct trunk_batch out;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(decode(&wrong[i], TRUNK_HEAD_LEN, &out), ERR_FORMAT);
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_int_equal(decode(&right[i], sizeof(bytes), &out), 1);
}

static void the_first_batch_is_one_datagram_of_few_bytes(void **state)
{
    (void)state;
    static const struct {
        struct trunk_batch b;
        int verdict;
    } cases[] = {
        {{.segment = 1200, .len = 1200}, 1},          {{.segment = 76, .len = 76}, 1},
        {{.segment = 1201, .len = 1201}, ERR_FORMAT}, {{.segment = 600, .len = 1200}, ERR_FORMAT},
        {{.segment = 1200, .len = 600}, ERR_FORMAT},
    };
    struct trunk_batch out;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        trunk_encode(&cases[i].b, bytes);
        assert_int_equal(trunk_decode_first(bytes, sizeof(bytes), &out), cases[i].verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_whole_with_its_last_byte),
        cmocka_unit_test(the_first_byte_tells_a_trunk_from_tls),
        cmocka_unit_test(sizes_out_of_range_are_no_batch),
        cmocka_unit_test(the_first_batch_is_one_datagram_of_few_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
