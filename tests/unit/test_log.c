/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines as they reach stderr, and the rate limit, on a clock of its own. */

#include "base/log.h"

#include "base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "log_lab.h"

static void line_has_time_level_and_text(void **state)
{
    int year, month, day, hour, minute, second, milli, end = 0;
    const char *text;

    (void)state;
    log_warn("peer %s: %d", "a", 7);
    text = captured();
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ warn  %n", &year, &month, &day, &hour,
                            &minute, &second, &milli, &end),
                     7);
    assert_true(end > 0);
    assert_string_equal(text + end, "peer a: 7\n");
}

static void lines_above_the_level_are_discarded(void **state)
{
    (void)state;
    assert_false(log_enabled(LOG_LEVEL_DEBUG));
    log_debug("hidden");
    assert_string_equal(captured(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    assert_true(log_enabled(LOG_LEVEL_DEBUG));
    log_debug("shown");
    assert_non_null(strstr(captured(), "debug shown\n"));
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("hidden");
    assert_string_equal(captured(), "");
    log_error("shown");
    assert_non_null(strstr(captured(), "error shown\n"));
}

/* Names come from strangers: no line breaks, no escape sequences, no change of direction; accents and arrows
 * stay. */
static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    log_info("name %s", "a\x1b[2J\r\nb\t\x7f\xc2\x9b"
                        "é→\xc2");
    assert_non_null(strstr(captured(), "info  name a?[2J??b???é→?\n"));
    log_info("cause %s", "\u202efdp.exe\u2066a\u2028b\u200bc");
    assert_non_null(strstr(captured(), "info  cause ?fdp.exe?a?b?c\n"));
}

static void long_line_is_cut_and_says_so(void **state)
{
    static char long_text[5000];
    const char *text;
    size_t len;

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    log_info("%s", long_text);
    text = captured();
    len = strlen(text);
    assert_in_range(len, 1000, 1024);
    assert_string_equal(text + len - 5, "x...\n");
}

static void errno_survives_and_can_be_told(void **state)
{
    (void)state;
    errno = ENOSPC;
    log_error("cannot write: %m");
    assert_int_equal(errno, ENOSPC);
    assert_non_null(strstr(captured(), "cannot write: No space left on device\n"));
}

static void limit_lets_one_line_through_per_interval_and_counts_the_rest(void **state)
{
    struct log_limit limit = {0};
    uint64_t suppressed = 99, passed = 0;

    (void)state;
    assert_true(log_limit_pass(&limit, 5, 1000, &suppressed));
    assert_int_equal(suppressed, 0);
    for (uint64_t now = 6; now < 1005; now++)
        passed += log_limit_pass(&limit, now, 1000, &suppressed);
    assert_int_equal(passed, 0);
    assert_true(log_limit_pass(&limit, 1005, 1000, &suppressed));
    assert_int_equal(suppressed, 999);
    assert_false(log_limit_pass(&limit, 1006, 1000, &suppressed));
    assert_true(log_limit_pass(&limit, 50000, 1000, &suppressed));
    assert_int_equal(suppressed, 1);
}

#define LINES   10000
#define STALL_S 20 /* a child that waits for its reader is ended by SIGALRM */

/* Runs write_lines in a process of its own, which logs to pipe_fd[1]. */
static pid_t start_child(void (*write_lines)(void))
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        signal(SIGALRM, SIG_DFL);
        alarm(STALL_S);
        close(pipe_fd[0]);
        write_lines();
        exit(0);
    }
    assert_true(child > 0);
    return child;
}

static int end_of_child(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Reads lines until the writer is gone or `until` was among them. */
static size_t read_lines(char *out, size_t cap, const char *until)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = read(pipe_fd[0], out + len, cap - 1 - len);
        assert_true(n >= 0);
        len += (size_t)n;
        out[len] = '\0';
        if (n == 0 || (until && strstr(out, until)))
            return len;
    }
}

static unsigned count(const char *text, const char *word)
{
    unsigned found = 0;
    while ((text = strstr(text, word)) != NULL) {
        text++;
        found++;
    }
    return found;
}

static void write_more_than_is_read(void)
{
    if (log_start_writer() != 0)
        _exit(1);
    for (int i = 0; i < LINES; i++)
        log_info("line number %d", i);
    raise(SIGSTOP); /* nobody reads before */
    pause();        /* until SIGALRM or the parent ends it */
}

static void lines_never_wait_and_every_one_is_written_or_told_as_lost(void **state)
{
    static char text[1 << 20];
    unsigned long lost = 0;
    char *told;
    pid_t child = start_child(write_more_than_is_read);

    (void)state;
    assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
    kill(child, SIGCONT);
    dup2(saved_stderr, STDERR_FILENO);
    close(pipe_fd[1]);
    read_lines(text, sizeof(text), "the reader of the log is slow");
    told = strstr(text, "lost: the reader");
    assert_non_null(told);
    while (told > text && told[-1] != '\n')
        told--;
    assert_int_equal(sscanf(told, "%*s warn %lu lines were lost", &lost), 1);
    assert_int_equal(count(text, "line number") + lost, LINES);
    kill(child, SIGKILL);
    end_of_child(child);
}

static void fill_the_pipe(void)
{
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
    while (write(STDERR_FILENO, "x", 1) == 1)
        ;
    fcntl(STDERR_FILENO, F_SETFL, flags);
}

static void write_into_a_full_pipe(void)
{
    fill_the_pipe();
    log_info("before there is a writer");
    if (log_start_writer() != 0)
        _exit(1);
    log_info("afterwards");
}

static void reader_that_never_reads_holds_up_neither_start_nor_end(void **state)
{
    int status = end_of_child(start_child(write_into_a_full_pipe));
    (void)state;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void write_to_nobody(void)
{
    log_info("before there is a writer");
    if (log_start_writer() != 0)
        _exit(1);
    for (int i = 0; i < LINES; i++)
        log_info("line number %d", i);
}

static void reader_that_left_ends_nothing(void **state)
{
    (void)state;
    int nobody = open("/dev/null", O_RDONLY), status;
    dup2(nobody, pipe_fd[0]);
    close(nobody);
    status = end_of_child(start_child(write_to_nobody));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void write_and_exit(void)
{
    if (log_start_writer() != 0)
        _exit(1);
    for (int i = 0; i < 100; i++)
        log_info("line number %d", i);
    log_error("the last words");
}

static void write_and_abort(void)
{
    write_and_exit();
    abort();
}

static void what_waits_leaves_before_the_end(void **state)
{
    static char text[1 << 16];
    void (*const ends[])(void) = {write_and_exit, write_and_abort};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        int status = end_of_child(start_child(ends[i]));
        read_lines(text, sizeof(text), "the last words\n");
        assert_int_equal(count(text, "line number"), 100);
        assert_true(i == 0 ? WIFEXITED(status) : WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static void every_error_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(err_str(0), "success");
    for (int a = ERR_NOMEM; a >= ERR_FOLDER; a--) {
        assert_string_not_equal(err_str(a), "unknown error");
        for (int b = a - 1; b >= ERR_FOLDER; b--)
            assert_string_not_equal(err_str(a), err_str(b));
    }
    assert_string_equal(err_str(ERR_FOLDER - 1), "unknown error");
    assert_string_equal(err_str(1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(line_has_time_level_and_text, capture, release),
        cmocka_unit_test_setup_teardown(lines_above_the_level_are_discarded, capture, release),
        cmocka_unit_test_setup_teardown(control_characters_do_not_reach_the_terminal, capture, release),
        cmocka_unit_test_setup_teardown(long_line_is_cut_and_says_so, capture, release),
        cmocka_unit_test_setup_teardown(errno_survives_and_can_be_told, capture, release),
        cmocka_unit_test(limit_lets_one_line_through_per_interval_and_counts_the_rest),
        cmocka_unit_test_setup_teardown(lines_never_wait_and_every_one_is_written_or_told_as_lost, capture,
                                        release),
        cmocka_unit_test_setup_teardown(reader_that_never_reads_holds_up_neither_start_nor_end, capture,
                                        release),
        cmocka_unit_test_setup_teardown(reader_that_left_ends_nothing, capture, release),
        cmocka_unit_test_setup_teardown(what_waits_leaves_before_the_end, capture, release),
        cmocka_unit_test(every_error_has_a_phrase_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
