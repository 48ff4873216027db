/* SPDX-License-Identifier: Apache-2.0 */
/* Folders that come into being whole or not at all, and go without leading elsewhere. */

#include "cli/draft.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char base[32], parent[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(base, "/tmp/draft-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    snprintf(parent, sizeof(parent), "%s/etc", base);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return draft_remove("/tmp", base + 5);
}

static bool exists(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", base, name);
    return access(path, F_OK) == 0;
}

static void touch(int dir, const char *name)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

static void published_folder_is_there_with_what_is_in_it(void **state)
{
    struct draft d;
    struct stat st;
    (void)state;
    assert_int_equal(draft_begin(parent, "home", 0700, &d), 0);
    touch(d.fd, "file");
    assert_false(exists("etc/home"));
    assert_int_equal(draft_publish(&d), 0);
    assert_true(exists("etc/home/file"));
    assert_int_equal(entries(parent), 1);
    char path[128];
    snprintf(path, sizeof(path), "%s/home", parent);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    draft_discard(&d); /* it has ended */
    assert_true(exists("etc/home/file"));
}

static void discarded_draft_leaves_nothing(void **state)
{
    struct draft d;
    (void)state;
    assert_int_equal(draft_begin(parent, "home", 0700, &d), 0);
    touch(d.fd, "file");
    assert_int_equal(mkdirat(d.fd, "inner", 0700), 0);
    draft_discard(&d);
    assert_int_equal(entries(parent), 0);
    draft_discard(&d);
}

static void existing_folder_is_never_replaced(void **state)
{
    struct draft d;
    (void)state;
    assert_int_equal(draft_begin(parent, "home", 0700, &d), 0);
    assert_int_equal(draft_publish(&d), 0);
    assert_int_equal(draft_begin(parent, "home", 0700, &d), ERR_EXISTS);
    assert_int_equal(draft_begin(parent, "other", 0700, &d), 0);
    assert_int_equal(mkdirat(d.parent, "other", 0700), 0); /* comes meanwhile */
    assert_int_equal(draft_publish(&d), ERR_EXISTS);
    assert_int_equal(entries(parent), 2);
}

static void two_are_not_made_at_once(void **state)
{
    struct draft d, second;
    (void)state;
    assert_int_equal(draft_begin(parent, "home", 0700, &d), 0);
    assert_int_equal(draft_begin(parent, "home", 0700, &second), ERR_BUSY);
    draft_discard(&d);
    assert_int_equal(draft_begin(parent, "home", 0700, &second), 0);
    draft_discard(&second);
}

static void what_a_killed_one_left_is_taken_away(void **state)
{
    struct draft d;
    (void)state;
    assert_int_equal(draft_begin(parent, "home", 0700, &d), 0);
    touch(d.fd, "half");
    close(d.fd);
    close(d.parent); /* as at a process's end */
    assert_int_equal(draft_begin(parent, "home", 0700, &d), 0);
    assert_int_equal(entries(d.path), 0);
    draft_discard(&d);
}

static void folder_that_others_can_change_is_refused(void **state)
{
    struct draft d;
    (void)state;
    assert_int_equal(mkdir(parent, 0700), 0);
    assert_int_equal(chmod(parent, 0777), 0);
    assert_int_equal(draft_begin(parent, "home", 0700, &d), ERR_FOLDER);
    assert_int_equal(draft_remove(parent, "home"), ERR_FOLDER);
}

static void removing_follows_no_link(void **state)
{
    char target[64], link[64];
    struct draft d;
    (void)state;
    snprintf(target, sizeof(target), "%s/kept", base);
    assert_int_equal(mkdir(target, 0700), 0);
    snprintf(link, sizeof(link), "%s/kept/file", base);
    assert_int_equal(close(open(link, O_WRONLY | O_CREAT, 0600)), 0);
    assert_int_equal(draft_begin(parent, "home", 0700, &d), 0);
    assert_int_equal(symlinkat(target, d.fd, "link"), 0);
    assert_int_equal(draft_publish(&d), 0);
    assert_int_equal(draft_remove(parent, "home"), 0);
    assert_true(exists("kept/file"));
    assert_int_equal(draft_remove(parent, "home"), ERR_NOT_FOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(published_folder_is_there_with_what_is_in_it),
        TEST(discarded_draft_leaves_nothing),
        TEST(existing_folder_is_never_replaced),
        TEST(two_are_not_made_at_once),
        TEST(what_a_killed_one_left_is_taken_away),
        TEST(folder_that_others_can_change_is_refused),
        TEST(removing_follows_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
