/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors: network order, and nothing beyond the end, ever. */

#include "base/bytes.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void integers_are_in_network_order(void **state)
{
    static const uint8_t wire[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint8_t out[sizeof(wire)];
    struct writer w = writer_init(out, sizeof(out));
    struct reader r;

    (void)state;
    writer_u8(&w, 1);
    writer_u16(&w, 0x0203);
    writer_u32(&w, 0x04050607);
    writer_u64(&w, 0x08090a0b0c0d0e0f);
    assert_false(w.bad);
    assert_int_equal(writer_len(&w), sizeof(wire));
    assert_memory_equal(out, wire, sizeof(wire));
    r = reader_init(wire, sizeof(wire));
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_u16(&r), 0x0203);
    assert_int_equal(reader_u32(&r), 0x04050607);
    assert_true(reader_u64(&r) == 0x08090a0b0c0d0e0f);
    assert_false(r.bad);
    assert_int_equal(reader_left(&r), 0);
}

static void reader_past_its_end_stays_bad_and_yields_zeros(void **state)
{
    static const uint8_t wire[] = {0xff, 0xff, 0xff};
    struct reader r = reader_init(wire, sizeof(wire));
    uint8_t copy[4] = {9, 9, 9, 9}, zero[4] = {0};

    (void)state;
    assert_int_equal(reader_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(reader_u8(&r), 0); /* though a byte is there */
    assert_int_equal(reader_left(&r), 0);
    assert_null(reader_take(&r, 0));
    reader_copy(&r, copy, sizeof(copy));
    assert_memory_equal(copy, zero, sizeof(copy));
}

static void huge_lengths_do_not_wrap(void **state)
{
    uint8_t buffer[8] = {0};
    struct reader r = reader_init(buffer, sizeof(buffer));
    struct writer w = writer_init(buffer, sizeof(buffer));

    (void)state;
    assert_null(reader_take(&r, SIZE_MAX));
    assert_null(writer_reserve(&w, SIZE_MAX));
    assert_true(r.bad && w.bad);
}

static void full_writer_stays_bad_and_writes_nothing(void **state)
{
    uint8_t out[4] = {0, 0, 0, 0x55};
    struct writer w = writer_init(out, 3);

    (void)state;
    writer_u16(&w, 0x0102);
    writer_u16(&w, 0x0304);
    assert_true(w.bad);
    writer_u8(&w, 9); /* would have fitted */
    writer_put(&w, "x", 1);
    assert_int_equal(writer_len(&w), 2);
    assert_int_equal(out[2], 0);
    assert_int_equal(out[3], 0x55);
}

static void empty_parts_are_harmless(void **state)
{
    struct reader r = reader_init(NULL, 0);
    struct writer w = writer_init(NULL, 0);

    (void)state;
    reader_copy(&r, NULL, 0);
    writer_put(&w, NULL, 0);
    assert_false(r.bad || w.bad);
    assert_int_equal(reader_left(&r), 0);
    assert_int_equal(writer_len(&w), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_in_network_order),
        cmocka_unit_test(reader_past_its_end_stays_bad_and_yields_zeros),
        cmocka_unit_test(huge_lengths_do_not_wrap),
        cmocka_unit_test(full_writer_stays_bad_and_writes_nothing),
        cmocka_unit_test(empty_parts_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
