/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store's files. What it has in common with others: test_store.c. */

#include "backbone/store_sqlite.h"

#include "base/log.h"
#include "store_lab.h"
#include <stdlib.h>
#include <unistd.h>

static int put(struct store *s, unsigned number, uint64_t seq, uint64_t expiry_s)
{
    struct test_entry t;
    uint64_t stored_seq;
    return store_lab_put(s, test_entry_init(&t, number, seq, expiry_s), NOW, &stored_seq);
}

static bool copy_seq(void *context, const struct store_entry *e)
{
    *(uint64_t *)context = e->seq;
    return true;
}

struct folder {
    char dir[64], path[96];
};

static struct folder make_folder(void)
{
    struct folder f = {.dir = "/tmp/shadowmesh-store.XXXXXX"};
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.path, sizeof(f.path), "%s/" STORE_SQLITE_FILE, f.dir);
    return f;
}

static void remove_folder(const struct folder *f)
{
    const char *suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[128];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
}

static void entries_and_their_number_survive_reopening(void **state)
{
    (void)state;
    struct folder f = make_folder();
    struct test_entry t;
    uint64_t seq;
    struct store *s;
    assert_int_equal(store_sqlite_open(f.path, 1, &s), 0);
    assert_int_equal(put(s, 1, 5, NOW + 10), 0);
    store_close(s);
    assert_int_equal(store_sqlite_open(f.path, 1, &s), 0);
    assert_int_equal(store_lab_get(s, &test_entry_init(&t, 1, 0, 0)->id, NOW, copy_seq, &seq), 0);
    assert_int_equal(seq, 5);
    assert_int_equal(put(s, 2, 1, NOW + 10), ERR_SPACE);
    store_close(s);
    remove_folder(&f);
}

static void second_process_is_kept_out(void **state)
{
    (void)state;
    struct folder f = make_folder();
    struct store *s, *other;
    assert_int_equal(store_sqlite_open(f.path, 1, &s), 0);
    assert_int_equal(store_sqlite_open(f.path, 1, &other), ERR_BUSY);
    store_close(s);
    remove_folder(&f);
}

static void file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    struct folder f = make_folder();
    struct store *s;
    FILE *file = fopen(f.path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("not a database ", file);
    fclose(file);
    assert_int_equal(store_sqlite_open(f.path, 1, &s), ERR_FORMAT);
    remove_folder(&f);
}

static void database_of_another_version_is_refused(void **state)
{
    (void)state;
    struct folder f = make_folder();
    struct store *s;
    uint8_t version[4] = {0, 0, 0, 99};
    assert_int_equal(store_sqlite_open(f.path, 1, &s), 0);
    store_close(s);
    FILE *file = fopen(f.path, "r+"); /* user_version: bytes 60 to 63 of the header */
    fseek(file, 60, SEEK_SET);
    fwrite(version, sizeof(version), 1, file);
    fclose(file);
    assert_int_equal(store_sqlite_open(f.path, 1, &s), ERR_FORMAT);
    remove_folder(&f);
}

static void folder_that_does_not_exist_is_an_error(void **state)
{
    (void)state;
    struct store *s;
    assert_int_equal(store_sqlite_open("/nonexistent/backbone.db", 1, &s), ERR_IO);
}

static int silence(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR - 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_and_their_number_survive_reopening),
        cmocka_unit_test(second_process_is_kept_out),
        cmocka_unit_test(file_that_is_no_database_is_refused),
        cmocka_unit_test(database_of_another_version_is_refused),
        cmocka_unit_test(folder_that_does_not_exist_is_an_error),
    };
    return cmocka_run_group_tests(tests, silence, NULL);
}
