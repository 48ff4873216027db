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

/* Waits up to ten seconds until the shell's condition holds. */
static inline void lab_wait(const char *condition)
{
    lab_run("for i in $(seq 200); do %s && exit 0; sleep 0.05; done; exit 1", condition);
}

/* Adds an IPv6 address, which is usable on return: the kernel enters its route some time after it has said yes. */
static inline void lab_add_address6(const char *address, unsigned prefix, const char *device)
{
    char entered[128];
    lab_run("ip addr add %s/%u dev %s nodad", address, prefix, device);
    snprintf(entered, sizeof(entered), "ip -6 route show table local | grep -q '^local %s '", address);
    lab_wait(entered);
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
