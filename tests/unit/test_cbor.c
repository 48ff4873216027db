/* SPDX-License-Identifier: Apache-2.0 */
/* base/cbor: examples of RFC 8949 appendix A, and everything that is not deterministic is refused. */

#include "base/cbor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define BYTES(...)  ((const uint8_t[]){__VA_ARGS__})
#define READER(...) reader_init(BYTES(__VA_ARGS__), sizeof((const uint8_t[]){__VA_ARGS__}))
#define REFUSED(r)  assert_true((r).bad)

static void uints_have_the_shortest_form(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        uint8_t len, bytes[9];
    } examples[] = {
        {0, 1, {0x00}},
        {23, 1, {0x17}},
        {24, 2, {0x18, 0x18}},
        {1000, 3, {0x19, 0x03, 0xe8}},
        {1000000, 5, {0x1a, 0x00, 0x0f, 0x42, 0x40}},
        {UINT64_MAX, 9, {0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        uint8_t out[16];
        struct writer w = writer_init(out, sizeof(out));
        cbor_put_uint(&w, examples[i].value);
        assert_int_equal(writer_len(&w), examples[i].len);
        assert_memory_equal(out, examples[i].bytes, examples[i].len);
        struct reader r = reader_init(out, examples[i].len);
        assert_int_equal(cbor_take_uint(&r, UINT64_MAX), examples[i].value);
        assert_true(cbor_done(&r));
    }
}

static void longer_forms_are_refused(void **state)
{
    (void)state;
    struct reader r = READER(0x18, 0x17);
    cbor_take_uint(&r, 100);
    REFUSED(r);
    r = READER(0x19, 0x00, 0xff);
    cbor_take_uint(&r, 1000);
    REFUSED(r);
    size_t len;
    r = READER(0x58, 0x01, 0xaa);
    assert_null(cbor_take_bytes(&r, 8, &len));
    REFUSED(r);
    assert_int_equal(len, 0);
    r = READER(0x38, 0x01); /* -2 */
    cbor_skip(&r);
    REFUSED(r);
}

static void uint_above_its_bound_is_refused(void **state)
{
    (void)state;
    struct reader r = READER(0x18, 0xc8);
    assert_int_equal(cbor_take_uint(&r, 199), 0);
    REFUSED(r);
    r = READER(0x18, 0xc8);
    assert_int_equal(cbor_take_uint(&r, 200), 200);
    assert_true(cbor_done(&r));
}

static void strings_round_trip(void **state)
{
    (void)state;
    uint8_t out[64], four[4];
    char text[6];
    struct writer w = writer_init(out, sizeof(out));
    cbor_put_bytes(&w, "\1\2\3\4", 4);
    cbor_put_text(&w, "w\xc3\xb6lf");
    cbor_put_bytes(&w, NULL, 0);
    assert_false(w.bad);
    struct reader r = reader_init(out, writer_len(&w));
    cbor_take_exact(&r, four, sizeof(four));
    cbor_take_text(&r, text, sizeof(text));
    size_t len;
    assert_non_null(cbor_take_bytes(&r, 8, &len));
    assert_int_equal(len, 0);
    assert_memory_equal(four, "\1\2\3\4", 4);
    assert_string_equal(text, "w\xc3\xb6lf");
    assert_true(cbor_done(&r));
}

static void strings_of_other_length_or_kind_are_refused(void **state)
{
    (void)state;
    uint8_t out[4] = {9, 9, 9, 9};
    char text[4];
    struct reader r = READER(0x43, 1, 2, 3);
    cbor_take_exact(&r, out, 4);
    REFUSED(r);
    assert_memory_equal(out, "\0\0\0\0", 4);
    r = READER(0x64, 'a', 'b', 'c', 'd');
    cbor_take_text(&r, text, sizeof(text));
    REFUSED(r);
    assert_string_equal(text, "");
    r = READER(0x63, 'a', 'b', 'c');
    cbor_take_exact(&r, out, 3);
    REFUSED(r);
    r = READER(0x43, 'a', 'b'); /* truncated */
    cbor_skip(&r);
    REFUSED(r);
}

static void text_that_is_not_ok_is_neither_written_nor_taken(void **state)
{
    (void)state;
    uint8_t out[16];
    char text[8];
    struct writer w = writer_init(out, sizeof(out));
    cbor_put_text(&w, "bell\a");
    assert_true(w.bad);
    struct reader r = READER(0x63, 0xe2, 0x80, 0xae); /* right-to-left override */
    cbor_take_text(&r, text, sizeof(text));
    REFUSED(r);
    assert_string_equal(text, "");
    r = READER(0x62, 0xc0, 0xaf); /* overlong */
    cbor_take_text(&r, text, sizeof(text));
    REFUSED(r);
}

static unsigned walk(struct reader *r)
{
    struct cbor_map map = cbor_take_map(r);
    uint64_t key;
    unsigned pairs = 0;
    for (; cbor_map_next(&map, &key); pairs++)
        cbor_skip(r);
    return pairs;
}

static void map_keys_must_ascend(void **state)
{
    (void)state;
    struct reader r = READER(0xa2, 0x00, 0x05, 0x01, 0x06);
    assert_int_equal(walk(&r), 2);
    assert_true(cbor_done(&r));
    r = READER(0xa2, 0x01, 0x05, 0x01, 0x06); /* twice */
    walk(&r);
    REFUSED(r);
    r = READER(0xa2, 0x01, 0x05, 0x00, 0x06);
    walk(&r);
    REFUSED(r);
    r = READER(0xa1, 0x61, 'a', 0x06); /* text key */
    walk(&r);
    REFUSED(r);
}

static void indefinite_lengths_and_tags_are_refused(void **state)
{
    (void)state;
    struct reader r = READER(0x9f, 0x01, 0xff);
    cbor_take_array(&r, 8);
    REFUSED(r);
    r = READER(0xbf, 0x01, 0x01, 0xff);
    walk(&r);
    REFUSED(r);
    r = READER(0x5f, 0x41, 0x01, 0xff);
    cbor_skip(&r);
    REFUSED(r);
    r = READER(0x7f, 0x61, 'a', 0xff);
    cbor_skip(&r);
    REFUSED(r);
    r = READER(0xc0, 0x00);
    cbor_skip(&r);
    REFUSED(r);
    r = READER(0xff);
    cbor_skip(&r);
    REFUSED(r);
}

static void enormous_counts_cost_nothing(void **state)
{
    (void)state;
    struct reader r = READER(0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x01);
    assert_int_equal(cbor_take_array(&r, 1000), 0);
    REFUSED(r);
    r = READER(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    cbor_skip(&r);
    REFUSED(r);
    r = READER(0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0x01, 0x01, 0x01);
    cbor_skip(&r);
    REFUSED(r);
    r = READER(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    cbor_skip(&r);
    REFUSED(r);
}

static void skipped_values_are_of_bounded_depth(void **state)
{
    (void)state;
    struct reader r = READER(0x81, 0x81, 0x81, 0x81, 0x00);
    cbor_skip(&r);
    assert_true(cbor_done(&r));
    r = READER(0x81, 0x81, 0x81, 0x81, 0x81, 0x00);
    cbor_skip(&r);
    REFUSED(r);
    uint8_t deep[4096];
    memset(deep, 0x81, sizeof(deep));
    r = reader_init(deep, sizeof(deep));
    cbor_skip(&r);
    REFUSED(r);
}

static void any_plain_value_can_be_skipped(void **state)
{
    (void)state;
    struct reader r = READER(0x88, 0x20, 0xf4, 0xf6, 0xf9, 0x3c, 0x00, 0xfa, 0x47, 0xc3, 0x50, 0x00, 0x41,
                             0xff, 0xa1, 0x00, 0x81, 0x01, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0);
    cbor_skip(&r);
    assert_true(cbor_done(&r));
}

static void bytes_left_over_are_noticed(void **state)
{
    (void)state;
    struct reader r = READER(0xf5, 0x00);
    assert_true(cbor_take_bool(&r));
    assert_false(r.bad);
    assert_false(cbor_done(&r));
}

static void full_writer_goes_bad(void **state)
{
    (void)state;
    uint8_t out[4];
    struct writer w = writer_init(out, sizeof(out));
    cbor_put_bytes(&w, "12345", 5);
    assert_true(w.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uints_have_the_shortest_form),
        cmocka_unit_test(longer_forms_are_refused),
        cmocka_unit_test(uint_above_its_bound_is_refused),
        cmocka_unit_test(strings_round_trip),
        cmocka_unit_test(strings_of_other_length_or_kind_are_refused),
        cmocka_unit_test(text_that_is_not_ok_is_neither_written_nor_taken),
        cmocka_unit_test(map_keys_must_ascend),
        cmocka_unit_test(indefinite_lengths_and_tags_are_refused),
        cmocka_unit_test(enormous_counts_cost_nothing),
        cmocka_unit_test(skipped_values_are_of_bounded_depth),
        cmocka_unit_test(any_plain_value_can_be_skipped),
        cmocka_unit_test(bytes_left_over_are_noticed),
        cmocka_unit_test(full_writer_goes_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
