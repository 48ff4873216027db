/* SPDX-License-Identifier: Apache-2.0 */
/* net/opener: which files come back, as they are when they are asked for, and what is said of those that do not. */

#include "net/opener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/sandbox.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 30000

static char folder[] = "/tmp/test-opener-XXXXXX";
static int opener = -1;

static void write_file(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static int enter_folder(void **state)
{
    (void)state;
    return !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return chdir("/") || system(command);
}

static void start(const char *const *paths, unsigned count)
{
    const struct opener_config config = {paths, count, SANDBOX_DEFAULT, "test: files"};
    assert_int_equal(opener_start(&config, &opener), 0);
}

static int stop(void **state)
{
    (void)state;
    close(opener);
    return 0;
}

/* The answer to one asking about count files. */
static struct opened opened(unsigned count)
{
    struct opened o;
    struct pollfd p = {.fd = opener, .events = POLLIN};
    assert_int_equal(opener_take(opener, count, &o), ERR_AGAIN);
    assert_int_equal(opener_ask(opener), 0);
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_int_equal(opener_take(opener, count, &o), 0);
    return o;
}

static void assert_reads(const char *a, const char *b)
{
    char text[64] = "";
    struct opened o = opened(b ? 2 : 1);
    assert_string_equal(o.wrong, "");
    assert_int_equal(o.count, b ? 2 : 1);
    assert_true(read(o.fds[0], text, sizeof(text) - 1) >= 0);
    assert_string_equal(text, a);
    close(o.fds[0]);
    if (!b)
        return;
    memset(text, 0, sizeof(text));
    assert_true(read(o.fds[1], text, sizeof(text) - 1) >= 0);
    assert_string_equal(text, b);
    close(o.fds[1]);
}

static void assert_refuses(const char *words)
{
    struct opened o = opened(1);
    assert_int_equal(o.count, 0);
    assert_string_equal(o.wrong, words);
}

static void files_come_as_they_are_when_they_are_asked_for(void **state)
{
    char path[PATH_MAX];
    (void)state;
    snprintf(path, sizeof(path), "%s/b", folder);
    write_file("a", "one");
    write_file("b", "two");
    start((const char *const[]){"a", path}, 2);
    assert_reads("one", "two");
    write_file("a", "three");
    assert_reads("three", "two");
    write_file("b.new", "four"); /* as editors do it */
    assert_int_equal(rename("b.new", "b"), 0);
    assert_reads("three", "four");
}

static void a_link_may_come_to_lead_elsewhere_in_its_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdir("1", 0700) | mkdir("2", 0700), 0);
    write_file("1/a", "one");
    write_file("2/a", "two");
    assert_int_equal(symlink("1/a", "link"), 0);
    start((const char *const[]){"link"}, 1);
    assert_reads("one", NULL);
    assert_int_equal(symlink("2/a", "new"), 0);
    assert_int_equal(rename("new", "link"), 0);
    assert_reads("two", NULL);
}

static void what_cannot_be_opened_is_named_and_may_come_back(void **state)
{
    (void)state;
    write_file("a", "one");
    start((const char *const[]){"a"}, 1);
    assert_int_equal(unlink("a"), 0);
    assert_refuses("-config a: No such file or directory");
    write_file("a", "two");
    assert_int_equal(chmod("a", 0622), 0);
    assert_refuses("-config a: others can write it: chmod go-w");
    assert_int_equal(unlink("a"), 0);
    assert_int_equal(mkfifo("a", 0600), 0);
    assert_refuses("-config a: it is no file");
    assert_int_equal(unlink("a"), 0);
    write_file("a", "three");
    assert_reads("three", NULL);
}

/* A program that was taken over cannot make it lead elsewhere, nor does it read what stands elsewhere. */
static void a_link_out_of_the_folder_is_not_followed(void **state)
{
    (void)state;
    if (!SANDBOX_DEFAULT)
        skip();
    write_file("a", "one");
    start((const char *const[]){"a"}, 1);
    assert_reads("one", NULL);
    assert_int_equal(unlink("a"), 0);
    assert_int_equal(symlink("/etc/hostname", "a"), 0);
    assert_refuses("-config a: Permission denied");
}

static void files_for_which_there_is_no_descriptor_are_none(void **state)
{
    (void)state;
    write_file("a", "one");
    start((const char *const[]){"a", "a"}, 2);
    struct opened o = opened(1); /* as if one had been cut off */
    assert_int_equal(o.count, 0);
    assert_string_equal(o.wrong, "-config: too many files are open here for another one");
    assert_int_equal(fcntl(o.fds[0], F_GETFD), -1);
}

static void it_keeps_none_of_them_open(void **state)
{
    struct rlimit before, few = {24, 0};
    (void)state;
    write_file("a", "one");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    start((const char *const[]){"a"}, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned i = 0; i < 2 * few.rlim_cur; i++)
        assert_reads("one", NULL);
}

static void its_end_is_told(void **state)
{
    struct opened o;
    (void)state;
    write_file("a", "one");
    start((const char *const[]){"a"}, 1);
    assert_int_equal(send(opener, "", 0, 0), 0); /* an end, to it */
    struct pollfd p = {.fd = opener, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_int_equal(opener_take(opener, 1, &o), ERR_CLOSED);
    assert_int_equal(opener_ask(opener), ERR_CLOSED);
}

#define TEST(f) cmocka_unit_test_teardown(f, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_come_as_they_are_when_they_are_asked_for),
        TEST(a_link_may_come_to_lead_elsewhere_in_its_folder),
        TEST(what_cannot_be_opened_is_named_and_may_come_back),
        TEST(a_link_out_of_the_folder_is_not_followed),
        TEST(files_for_which_there_is_no_descriptor_are_none),
        TEST(it_keeps_none_of_them_open),
        TEST(its_end_is_told),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
