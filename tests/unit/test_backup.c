/* SPDX-License-Identifier: Apache-2.0 */
/* A backup's bytes: all comes back, and what was cut, altered, or would reach out of its folders is none. */

#include "crypto/backup.h"

#include "crypto/kdf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static uint8_t bytes[4096];
static size_t len;
static struct backup whole, got;

static struct backup_file file(enum backup_folder folder, const char *name, const char *text)
{
    struct backup_file f = {.folder = folder, .bytes = {(const uint8_t *)text, strlen(text)}};
    snprintf(f.name, sizeof(f.name), "%s", name);
    return f;
}

static int setup(void **state)
{
    const struct backup_file files[] = {
        file(BACKUP_LISTS, "revocations-00", "list"), file(BACKUP_NODE, "node.key", "key"),
        file(BACKUP_NETWORK, "node.conf", ""), file(BACKUP_NODE, "ledger", "who")};
    (void)state;
    whole = (struct backup){.network = "home", .time = 1790000000};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        assert_int_equal(backup_add(&whole, &files[i]), 0);
    return backup_encode(&whole, bytes, sizeof(bytes), &len);
}

/* With a check that fits. */
static int decode_altered(size_t at, uint8_t value)
{
    uint8_t copy[sizeof(bytes)];
    const struct slice all = {copy, len - KDF_LEN};
    memcpy(copy, bytes, len);
    copy[at] = value;
    assert_int_equal(kdf_hash(&all, 1, copy + all.len), 0);
    return backup_decode(copy, len, &got);
}

static size_t find(const char *text)
{
    const uint8_t *at = memmem(bytes, len, text, strlen(text));
    assert_non_null(at);
    return (size_t)(at - bytes);
}

static void all_comes_back(void **state)
{
    (void)state;
    assert_int_equal(backup_decode(bytes, len, &got), 0);
    assert_string_equal(got.network, "home");
    assert_int_equal(got.time, 1790000000);
    assert_int_equal(got.count, 4);
    assert_memory_equal(backup_find(&got, BACKUP_NODE, "node.key")->bytes.data, "key", 3);
    assert_int_equal(backup_find(&got, BACKUP_NETWORK, "node.conf")->bytes.len, 0);
    assert_null(backup_find(&got, BACKUP_NETWORK, "node.key"));
}

static void one_altered_byte_or_a_cut_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 1;
        assert_int_not_equal(backup_decode(bytes, len, &got), 0);
        assert_int_equal(got.count, 0);
        bytes[i] ^= 1;
        assert_int_not_equal(backup_decode(bytes, i, &got), 0);
    }
    assert_int_equal(backup_decode(bytes, len - 1, &got), ERR_MISMATCH);
}

static void another_version_is_told_from_what_is_no_backup(void **state)
{
    (void)state;
    assert_int_equal(decode_altered(find("1\n"), '2'), ERR_UNSUPPORTED);
    assert_int_equal(decode_altered(0, 'S'), ERR_FORMAT);
}

static void name_that_leads_elsewhere_is_refused(void **state)
{
    static const char *const names[] = {"", ".", "..", ".ssh", "a/b", "Ledger", "a b"};
    struct backup b = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct backup_file f = file(BACKUP_NODE, names[i], "");
        assert_int_equal(backup_add(&b, &f), ERR_ARGUMENT);
    }
    assert_int_equal(decode_altered(find("ledger"), '.'), ERR_FORMAT);
    assert_int_equal(decode_altered(find("edger"), '/'), ERR_FORMAT);
}

static void order_and_folders_have_one_form(void **state)
{
    struct backup_file again = file(BACKUP_NODE, "ledger", "");
    (void)state;
    assert_int_equal(backup_add(&whole, &again), ERR_ARGUMENT);
    assert_int_equal(decode_altered(find("ledger"), 'z'), ERR_FORMAT);
    assert_int_equal(decode_altered(find("revocations") - 2, 4), ERR_FORMAT);
    assert_int_equal(decode_altered(find("home"), 'H'), ERR_FORMAT);
}

static void no_more_files_than_there_is_room_for(void **state)
{
    struct backup b = {.network = "home"};
    char name[16];
    (void)state;
    for (unsigned i = 0; i <= BACKUP_FILES_MAX; i++) {
        snprintf(name, sizeof(name), "file-%u", i);
        struct backup_file f = file(BACKUP_NODE, name, "");
        assert_int_equal(backup_add(&b, &f), i < BACKUP_FILES_MAX ? 0 : ERR_SPACE);
    }
    assert_int_equal(backup_encode(&b, bytes, 100, &len), ERR_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_comes_back, setup),
        cmocka_unit_test_setup(one_altered_byte_or_a_cut_is_told, setup),
        cmocka_unit_test_setup(another_version_is_told_from_what_is_no_backup, setup),
        cmocka_unit_test_setup(name_that_leads_elsewhere_is_refused, setup),
        cmocka_unit_test_setup(order_and_folders_have_one_form, setup),
        cmocka_unit_test_setup(no_more_files_than_there_is_room_for, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
