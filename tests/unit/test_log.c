/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines as they reach stderr, and the rate limit, on a clock of its own. */

#include "base/log.h"

#include "base/err.h"
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int saved_stderr, pipe_fd[2];

static int capture(void **state)
{
    (void)state;
    saved_stderr = dup(STDERR_FILENO);
    return pipe(pipe_fd) == 0 && dup2(pipe_fd[1], STDERR_FILENO) == STDERR_FILENO ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_INFO);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    return 0;
}

/* What was written since, without waiting for more: the mark that is written here ends it. */
static const char *captured(void)
{
    static char text[8192];
    ssize_t n;

    if (write(pipe_fd[1], "$", 1) != 1)
        return "";
    n = read(pipe_fd[0], text, sizeof(text) - 1);
    assert_true(n > 0 && text[n - 1] == '$');
    text[n - 1] = '\0';
    return text;
}

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

/* Names come from strangers: no line breaks, no escape sequences; accents and arrows stay. */
static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    log_info("name %s", "a\x1b[2J\r\nb\t\x7f\xc2\x9b"
                        "é→\xc2");
    assert_non_null(strstr(captured(), "info  name a?[2J??b????é→\xc2\n"));
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

static void every_error_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(err_str(0), "success");
    for (int a = ERR_NOMEM; a >= ERR_MISMATCH; a--) {
        assert_string_not_equal(err_str(a), "unknown error");
        for (int b = a - 1; b >= ERR_MISMATCH; b--)
            assert_string_not_equal(err_str(a), err_str(b));
    }
    assert_string_equal(err_str(ERR_MISMATCH - 1), "unknown error");
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
        cmocka_unit_test(every_error_has_a_phrase_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
