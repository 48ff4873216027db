/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of every `now`: in a time namespace whose machine has slept for an hour, as far as its clocks tell. */

#include "base/clock.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SLEPT "3600"

static uint64_t read_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

static bool set_asleep(void)
{
    static const char offset[] = "boottime " SLEPT " 0";
    if (unshare(CLONE_NEWTIME) < 0)
        return false;
    int fd = open("/proc/self/timens_offsets", O_WRONLY);
    bool written = fd >= 0 && write(fd, offset, sizeof(offset) - 1) == (ssize_t)sizeof(offset) - 1;
    if (fd >= 0)
        close(fd);
    return written;
}

/* Offsets hold for children. */
static bool counts_sleep_in_child(void)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        uint64_t before = read_us(CLOCK_BOOTTIME), now = clock_monotonic_us(),
                 after = read_us(CLOCK_BOOTTIME);
        _exit(!(before <= now && now <= after && now > read_us(CLOCK_MONOTONIC) + 3000 * USEC_PER_SEC));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status == 0;
}

static void time_in_which_the_machine_sleeps_counts(void **state)
{
    (void)state;
    if (!set_asleep()) {
        print_message("needs root, and a kernel with time namespaces\n");
        skip();
    }
    assert_true(counts_sleep_in_child());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(time_in_which_the_machine_sleeps_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
