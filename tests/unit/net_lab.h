/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Tests that need a kernel run in a network namespace of their own, which goes with the process. Without root
 * they are skipped, and counted as such. */

#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* Runs one command of iproute2 in the namespace. */
static inline void lab_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void lab_run(const char *format, ...)
{
    char command[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(command, sizeof(command), format, ap);
    va_end(ap);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static inline void lab_enter(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
        print_message("needs root for a network namespace\n");
        skip();
    }
    lab_run("ip link set lo up");
}

/* True when fd can be read within ten seconds. */
static inline int lab_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 10000) == 1;
}
