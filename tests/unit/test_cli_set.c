/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh set: which file takes the place of the old one, and that nothing is left of one that may not. The node's program
 * is a script that refuses what has "bad" in it. */

#include "cli_lab.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char program[] =
    "#!/bin/sh\n[ \"$1 $3\" = '-config -check' ] || exit 9\n! grep -q bad \"$2\" || exit 2\n";

static char file[64];

static void put(const char *name, const char *text, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    fchmod(fd, mode);
    close(fd);
}

static void assert_file(const char *text)
{
    char is[256] = "", next[80];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, is, sizeof(is) - 1) >= 0);
    close(fd);
    assert_string_equal(is, text);
    snprintf(next, sizeof(next), "%s.new", file);
    assert_int_equal(access(next, F_OK), -1);
}

static int set(const char *a, const char *b)
{
    char *args[] = {(char *)(uintptr_t) "shadowmesh",
                    (char *)(uintptr_t) "set",
                    file,
                    (char *)(uintptr_t)a,
                    (char *)(uintptr_t)b,
                    NULL};
    return run_args(!a ? 3 : !b ? 4 : 5, args);
}

static int set_up_file(void **state)
{
    if (set_up(state))
        return -1;
    snprintf(file, sizeof(file), "%s/node.conf", dir);
    put("shadowmesh-l2", program, 0700);
    put("node.conf", "# mine\nport = 1 # why\n", 0640);
    char path[128];
    snprintf(path, sizeof(path), "%s:/usr/bin:/bin", dir);
    return setenv("PATH", path, 1);
}

static int tear_down_file(void **state)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command);
    (void)!mkdir(dir, 0700);
    return tear_down(state);
}

static void new_values_are_in_the_file_and_its_mode_stays(void **state)
{
    struct stat st;
    (void)state;
    assert_int_equal(set("port=2", "allow+=x"), CLI_OK);
    assert_file("# mine\nport = 2 # why\nallow = x\n");
    assert_has(out, "changed; `shadowmesh reload ");
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(set("port=2", NULL), CLI_OK);
    assert_has(out, "nothing has changed");
}

static void what_the_node_refuses_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(set("port=bad", NULL), CLI_USAGE);
    assert_string_equal(out, "");
    assert_file("# mine\nport = 1 # why\n");
}

static void one_word_that_is_no_change_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(set("port=2", "port"), CLI_USAGE);
    assert_one_complaint("set: port: no change: give NAME=VALUE");
    assert_int_equal(set("port=2 # and", NULL), CLI_USAGE);
    assert_int_equal(set(NULL, NULL), CLI_USAGE);
    assert_one_complaint("set needs a change");
    assert_file("# mine\nport = 1 # why\n");
}

static void file_behind_a_link_is_changed_and_the_link_stays(void **state)
{
    char link[80];
    struct stat st;
    (void)state;
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(symlink("node.conf", link), 0);
    strcpy(file, link);
    assert_int_equal(set("port=2", NULL), CLI_OK);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_file("# mine\nport = 2 # why\n");
}

static void file_that_is_not_ours_alone_or_not_there_is_left(void **state)
{
    (void)state;
    assert_int_equal(chmod(file, 0666), 0);
    assert_int_equal(set("port=2", NULL), CLI_FAILURE);
    assert_int_equal(chmod(file, 0600), 0);
    put("node.conf.new", "", 0600);
    assert_int_equal(set("port=2", NULL), CLI_FAILURE);
    assert_one_complaint("another change is under way, or was broken off: then remove this file");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(set("port=2", NULL), CLI_FAILURE);
    assert_one_complaint("No such file or directory");
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_file, tear_down_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(new_values_are_in_the_file_and_its_mode_stays),
        FILE_TEST(what_the_node_refuses_changes_nothing),
        FILE_TEST(one_word_that_is_no_change_changes_nothing),
        FILE_TEST(file_behind_a_link_is_changed_and_the_link_stays),
        FILE_TEST(file_that_is_not_ours_alone_or_not_there_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
