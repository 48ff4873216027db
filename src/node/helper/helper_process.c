/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/helper_process.h"

#include "net/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* The standard error stays, for what a sanitizer or a failed assertion says. */
static void leave_terminal(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!dup2(fd, STDIN_FILENO);
    (void)!dup2(fd, STDOUT_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

void helper_process_begin(const char *title, const char *name)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
    leave_terminal();
    process_title(title, name);
}
