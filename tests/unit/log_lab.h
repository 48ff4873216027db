/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Log lines as they reach stderr: setup and teardown of a test, and what was written since. Included after cmocka.h. */

#include "base/log.h"
#include <string.h>
#include <unistd.h>

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
