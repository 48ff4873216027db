/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/change_log: an issuer's log of members is on disk, and is there again at the next start. */

#include "node/network/change_log.h"

#include "base/clock.h"
#include "base/folder.h"
#include "crypto/identity.h"
#include "proto/network/rolls.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"
#include "log_lab.h"

#define START_US (100 * USEC_PER_SEC)
#define LATER_US (START_US + 60 * USEC_PER_SEC)

static char folder[64];
static int keydir;
static struct rolls *rolls;
static struct change_log *change_log;

static void open_log(void)
{
    const struct change_log_config config = {keydir, identity_id(lab.issuer), rolls};

    assert_int_equal(change_log_open(&config, &change_log), 0);
}

static void open_again(void)
{
    change_log_close(change_log);
    open_log();
}

static int setup(void **state)
{
    struct cert ca = lab_ca(&lab);

    snprintf(folder, sizeof(folder), "/tmp/test_change_log.XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(folder_open(folder, &keydir), 0);
    assert_int_equal(rolls_new(&ca, &rolls), 0);
    rolls_on_time(rolls, LAB_NOW);
    open_log();
    return capture(state);
}

static int teardown(void **state)
{
    (void)release(state);
    change_log_close(change_log);
    rolls_free(rolls);
    unlinkat(keydir, CHANGE_LOG_FILE, 0);
    close(keydir);
    return rmdir(folder);
}

static void note(enum change_kind kind)
{
    change_log_note(change_log, kind, identity_id(lab.member), "paris", LAB_NOW + 9, "token 1a2b", LAB_NOW);
}

static size_t count(void)
{
    return changes_count(change_log_changes(change_log));
}

static off_t file_size(void)
{
    struct stat st;

    return fstatat(keydir, CHANGE_LOG_FILE, &st, 0) == 0 ? st.st_size : -1;
}

static void what_was_noted_is_there_after_a_start(void **state)
{
    (void)state;
    note(CHANGE_JOINED);
    note(CHANGE_RENEWED);
    open_again();
    assert_int_equal(count(), 2);
    const struct change *c = changes_at(change_log_changes(change_log), 0);
    assert_int_equal(c->kind, CHANGE_JOINED);
    assert_string_equal(c->name, "paris");
    assert_string_equal(c->by, "token 1a2b");
    assert_int_equal(id_compare(&c->signer, identity_id(lab.issuer)), 0);
    assert_string_equal(captured(), "");
}

static void it_is_written_a_while_after_the_last_time(void **state)
{
    (void)state;
    note(CHANGE_JOINED);
    change_log_tick(change_log, LAB_NOW, START_US);
    off_t first = file_size();
    assert_true(first > 0);
    note(CHANGE_RENEWED);
    change_log_tick(change_log, LAB_NOW, START_US + USEC_PER_SEC);
    assert_int_equal(file_size(), first);
    change_log_tick(change_log, LAB_NOW, LATER_US);
    assert_true(file_size() > first);
}

static void damaged_file_is_told_of_and_begun_anew(void **state)
{
    (void)state;
    note(CHANGE_JOINED);
    change_log_close(change_log);
    change_log = NULL;
    int fd = openat(keydir, CHANGE_LOG_FILE, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    open_log();
    assert_int_equal(count(), 0);
    assert_non_null(strstr(captured(), "it is damaged: the log of members begins anew"));
    note(CHANGE_RENEWED);
    open_again();
    assert_int_equal(count(), 1);
}

static void disk_that_takes_nothing_is_told_of_once(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(keydir, CHANGE_LOG_FILE, S_IRWXU), 0); /* in its place */
    note(CHANGE_JOINED);
    change_log_tick(change_log, LAB_NOW, START_US);
    assert_non_null(strstr(captured(), "the log of members is lost at the next start"));
    change_log_tick(change_log, LAB_NOW, LATER_US);
    assert_string_equal(captured(), "");
    assert_int_equal(unlinkat(keydir, CHANGE_LOG_FILE, AT_REMOVEDIR), 0);
    change_log_tick(change_log, LAB_NOW, LATER_US + 60 * USEC_PER_SEC);
    assert_true(file_size() > 0);
}

static void nobody_notes_anything_where_there_is_none(void **state)
{
    (void)state;
    change_log_note(NULL, CHANGE_JOINED, identity_id(lab.member), "paris", 0, "", LAB_NOW);
    change_log_close(NULL);
    assert_int_equal(count(), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_noted_is_there_after_a_start),     TEST(it_is_written_a_while_after_the_last_time),
        TEST(damaged_file_is_told_of_and_begun_anew),    TEST(disk_that_takes_nothing_is_told_of_once),
        TEST(nobody_notes_anything_where_there_is_none),
    };

    return cmocka_run_group_tests_name("change_log", tests, cert_lab_setup, cert_lab_teardown);
}
