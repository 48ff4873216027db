/* SPDX-License-Identifier: Apache-2.0 */
/* proto/message/record_file: what is written is read; what is damaged is told from what ends. */

#include "proto/message/record_file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static uint8_t signature[IDENTITY_SIGNATURE_LEN];

struct file {
    uint8_t bytes[65536];
    size_t len;
};

static struct record_bytes record_of(const char *text)
{
    return (struct record_bytes){{(const uint8_t *)text, strlen(text)}, {signature, sizeof(signature)}};
}

static struct file file_of(const char *const *records, unsigned count)
{
    struct file f;
    struct writer w = writer_init(f.bytes, sizeof(f.bytes));
    record_file_begin(&w);
    for (unsigned i = 0; i < count; i++) {
        const struct record_bytes r = record_of(records[i]);
        size_t before = writer_len(&w);
        record_file_put(&w, &r);
        assert_int_equal(writer_len(&w) - before, record_file_room(&r));
    }
    assert_false(w.bad);
    f.len = writer_len(&w);
    return f;
}

static const char *const two[] = {"one record", "another"};

static void records_are_read_in_the_order_in_which_they_were_written(void **state)
{
    (void)state;
    struct record_file r;
    struct record_bytes out;
    signature[0] = 7;
    const struct file f = file_of(two, 2);
    assert_int_equal(record_file_open(&r, f.bytes, f.len), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(record_file_next(&r, &out), 0);
        assert_int_equal(out.data.len, strlen(two[i]));
        assert_memory_equal(out.data.data, two[i], out.data.len);
        assert_int_equal(out.signature.len, sizeof(signature));
        assert_int_equal(out.signature.data[0], 7);
    }
    assert_int_equal(record_file_next(&r, &out), ERR_NOT_FOUND);
    assert_int_equal(record_file_next(&r, &out), ERR_NOT_FOUND);
}

static void file_that_is_cut_anywhere_has_an_end_that_is_damaged(void **state)
{
    (void)state;
    const struct file f = file_of(two, 2), one = file_of(two, 1), none = file_of(two, 0);
    for (size_t len = none.len + 1; len < f.len; len += 97) {
        struct record_file r;
        struct record_bytes out;
        int err;
        assert_int_equal(record_file_open(&r, f.bytes, len), 0);
        while ((err = record_file_next(&r, &out)) == 0)
            continue;
        assert_int_equal(err, len == one.len ? ERR_NOT_FOUND : ERR_FORMAT);
        assert_int_equal(record_file_next(&r, &out), err);
        assert_null(out.data.data);
    }
}

static void other_files_are_none(void **state)
{
    (void)state;
    struct record_file r;
    struct file f = file_of(two, 1);
    assert_int_equal(record_file_open(&r, f.bytes, 5), ERR_FORMAT);
    assert_int_equal(record_file_open(&r, f.bytes, 0), ERR_FORMAT);
    f.bytes[0] ^= 1;
    assert_int_equal(record_file_open(&r, f.bytes, f.len), ERR_FORMAT);
    uint8_t *large = calloc(1, RECORD_FILE_MAX + 1);
    memcpy(large, file_of(two, 1).bytes, f.len);
    assert_int_equal(record_file_open(&r, large, RECORD_FILE_MAX + 1), ERR_FORMAT);
    free(large);
}

static void more_records_than_a_file_may_have_are_not_read(void **state)
{
    (void)state;
    struct record_file r;
    struct record_bytes out;
    const struct record_bytes record = record_of("r");
    size_t cap = 64 + (RECORD_FILE_RECORDS + 1) * record_file_room(&record);
    uint8_t *bytes = malloc(cap);
    struct writer w = writer_init(bytes, cap);
    record_file_begin(&w);
    for (unsigned i = 0; i <= RECORD_FILE_RECORDS; i++)
        record_file_put(&w, &record);
    assert_int_equal(record_file_open(&r, bytes, writer_len(&w)), 0);
    for (unsigned i = 0; i < RECORD_FILE_RECORDS; i++)
        assert_int_equal(record_file_next(&r, &out), 0);
    assert_int_equal(record_file_next(&r, &out), ERR_FORMAT);
    free(bytes);
}

static void record_of_a_wrong_size_is_not_written(void **state)
{
    (void)state;
    static uint8_t bytes[2 * RECORD_MAX];
    struct writer w = writer_init(bytes, sizeof(bytes));
    const struct record_bytes shorter = {{bytes, 10}, {signature, sizeof(signature) - 1}};
    record_file_put(&w, &shorter);
    assert_true(w.bad);
    w = writer_init(bytes, sizeof(bytes));
    const struct record_bytes longer = {{bytes, RECORD_MAX + 1}, {signature, sizeof(signature)}};
    record_file_put(&w, &longer);
    assert_true(w.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_in_the_order_in_which_they_were_written),
        cmocka_unit_test(file_that_is_cut_anywhere_has_an_end_that_is_damaged),
        cmocka_unit_test(other_files_are_none),
        cmocka_unit_test(more_records_than_a_file_may_have_are_not_read),
        cmocka_unit_test(record_of_a_wrong_size_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
