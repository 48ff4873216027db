/* SPDX-License-Identifier: Apache-2.0 */
/* DER: lengths, numbers and times have one form each, and others are refused. */

#include "crypto/der.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define UTC_TIME         0x17
#define GENERALIZED_TIME 0x18

static uint8_t room[70000];

static void content_of_every_length_is_read_as_it_was_written(void **state)
{
    static const size_t lens[] = {0, 1, 127, 128, 255, 256, 65535};
    static const size_t headers[] = {2, 2, 2, 3, 3, 4, 4};
    static const uint8_t content[65535] = {7};

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct writer w = writer_init(room, sizeof(room));
        der_put(&w, DER_OCTET_STRING, content, lens[i]);
        assert_false(w.bad);
        assert_int_equal(writer_len(&w), headers[i] + lens[i]);
        struct reader r = reader_init(room, writer_len(&w)), value = der_take(&r, DER_OCTET_STRING);
        assert_false(r.bad || value.bad);
        assert_int_equal(reader_left(&r), 0);
        assert_int_equal(reader_left(&value), lens[i]);
        assert_memory_equal(value.at, content, lens[i]);
    }
}

static void content_that_is_too_long_is_not_written(void **state)
{
    struct writer w = writer_init(room, sizeof(room)), small = writer_init(room, 4);
    size_t opened = der_open(&w, DER_SEQUENCE);

    (void)state;
    writer_reserve(&w, 65536);
    der_close(&w, opened);
    assert_true(w.bad);
    der_put(&small, DER_OCTET_STRING, "x", 1);
    assert_true(small.bad);
}

static void malformed_elements_are_refused(void **state)
{
    static const struct slice wrong[] = {
        {(const uint8_t *)"", 0},
        {(const uint8_t *)"\x04", 1},
        {(const uint8_t *)"\x05\x00", 2},                 /* another tag */
        {(const uint8_t *)"\x04\x02\x00", 3},             /* cut */
        {(const uint8_t *)"\x04\x80\x00\x00", 4},         /* indefinite */
        {(const uint8_t *)"\x04\x81\x01\x00", 4},         /* not minimal */
        {(const uint8_t *)"\x04\x82\x00\x01\x00", 5},     /* not minimal */
        {(const uint8_t *)"\x04\x83\x00\x00\x01\x00", 6}, /* longer than any of ours */
        {(const uint8_t *)"\x04\x81", 2},
        {(const uint8_t *)"\x04\x82\x01", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct reader r = reader_init(wrong[i].data, wrong[i].len), value = der_take(&r, DER_OCTET_STRING);
        assert_true(r.bad);
        assert_true(value.bad);
    }
}

static void numbers_are_read_as_they_were_written(void **state)
{
    static const uint32_t values[] = {0,     1,     127,        128,        255,       256,
                                      32767, 32768, 0x7fffffff, 0x80000000, UINT32_MAX};
    static const size_t lens[] = {1, 1, 1, 2, 2, 2, 2, 3, 4, 5, 5};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct writer w = writer_init(room, sizeof(room));
        der_put_uint(&w, values[i]);
        assert_int_equal(writer_len(&w), 2 + lens[i]);
        struct reader r = reader_init(room, writer_len(&w));
        assert_int_equal(der_take_uint(&r), values[i]);
        assert_false(r.bad);
    }
}

static void numbers_that_are_none_of_ours_are_refused(void **state)
{
    static const struct slice wrong[] = {
        {(const uint8_t *)"\x02\x00", 2},                         /* empty */
        {(const uint8_t *)"\x02\x01\x80", 3},                     /* negative */
        {(const uint8_t *)"\x02\x05\x01\x00\x00\x00\x00", 7},     /* 2^32 */
        {(const uint8_t *)"\x02\x06\x00\x00\x00\x00\x00\x01", 8}, /* six bytes */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct reader r = reader_init(wrong[i].data, wrong[i].len);
        assert_int_equal(der_take_uint(&r), 0);
        assert_true(r.bad);
    }
}

static void assert_time(uint64_t seconds, uint8_t tag, const char *text)
{
    struct writer w = writer_init(room, sizeof(room));

    der_put_time(&w, seconds);
    assert_int_equal(writer_len(&w), 2 + strlen(text));
    assert_int_equal(room[0], tag);
    assert_memory_equal(room + 2, text, strlen(text));
    struct reader r = reader_init(room, writer_len(&w));
    assert_true(der_take_time(&r) == seconds);
    assert_false(r.bad);
}

/* RFC 5280 §4.1.2.5: two digits of the year up to 2049, four from 2050. */
static void times_at_the_edges_have_their_form(void **state)
{
    (void)state;
    assert_time(0, UTC_TIME, "700101000000Z");
    assert_time(951782400, UTC_TIME, "000229000000Z");
    assert_time(2524607999, UTC_TIME, "491231235959Z");
    assert_time(2524608000, GENERALIZED_TIME, "20500101000000Z");
    assert_time(4107542400, GENERALIZED_TIME, "21000301000000Z");
    assert_time(DER_TIME_MAX, GENERALIZED_TIME, "99991231235959Z");
}

static void times_agree_with_the_c_library(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < DER_TIME_MAX; at += 86400ull * 97 + 3607) {
        char text[32];
        time_t seconds = (time_t)at;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof(text), tm.tm_year < 150 ? "%y%m%d%H%M%SZ" : "%Y%m%d%H%M%SZ", &tm);
        assert_time(at, tm.tm_year < 150 ? UTC_TIME : GENERALIZED_TIME, text);
    }
}

static void time_without_a_form_is_not_written(void **state)
{
    struct writer w = writer_init(room, sizeof(room)), wrapped = w;

    (void)state;
    der_put_time(&w, DER_TIME_MAX + 1);
    assert_true(w.bad);
    der_put_time(&wrapped, UINT64_MAX);
    assert_true(wrapped.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_of_every_length_is_read_as_it_was_written),
        cmocka_unit_test(content_that_is_too_long_is_not_written),
        cmocka_unit_test(malformed_elements_are_refused),
        cmocka_unit_test(numbers_are_read_as_they_were_written),
        cmocka_unit_test(numbers_that_are_none_of_ours_are_refused),
        cmocka_unit_test(times_at_the_edges_have_their_form),
        cmocka_unit_test(times_agree_with_the_c_library),
        cmocka_unit_test(time_without_a_form_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
