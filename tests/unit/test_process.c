/* SPDX-License-Identifier: Apache-2.0 */
/* net/process: what another process of the same user may see of one, before and after; what is left
 * resident of code that has run. */

#include "net/process.h"
#include "smaps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534

static const struct rlimit some = {1 << 20, 1 << 20};

/* An ordinary user's process: to root everything is open. */
static void become_nobody(void)
{
    if (setrlimit(RLIMIT_CORE, &some) != 0 ||
        (geteuid() == 0 &&
         (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) ||
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        _exit(100);
}

/* A process that waits to be looked at, hardened or not. */
static pid_t start(bool hardened)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        become_nobody();
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || (hardened && process_harden()) ||
            write(ready[1], "", 1) != 1)
            _exit(101);
        pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* The errno that a process of the same user meets at /proc/PID/<file>. */
static int refusal_at(pid_t pid, const char *file, int flags)
{
    char path[64];
    int status;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    pid_t looker = fork();
    if (looker == 0) {
        become_nobody();
        _exit(open(path, flags | O_CLOEXEC) >= 0 ? 0 : errno);
    }
    assert_int_equal(waitpid(looker, &status, 0), looker);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static uid_t owner_of_fds(pid_t pid)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    assert_int_equal(stat(path, &st), 0);
    return st.st_uid;
}

static void the_same_user_sees_nothing_of_a_hardened_process(void **state)
{
    (void)state;
    pid_t open_one = start(false), hardened = start(true);
    assert_int_equal(refusal_at(open_one, "fd", O_RDONLY | O_DIRECTORY), 0);
    assert_int_equal(refusal_at(open_one, "environ", O_RDONLY), 0);
    assert_int_not_equal(owner_of_fds(open_one), 0);
    assert_int_equal(refusal_at(hardened, "fd", O_RDONLY | O_DIRECTORY), EACCES);
    assert_int_equal(refusal_at(hardened, "environ", O_RDONLY), EACCES);
    assert_int_equal(refusal_at(hardened, "mem", O_RDONLY), EACCES);
    assert_int_equal(owner_of_fds(hardened), 0);
    end(open_one);
    end(hardened);
}

static void a_hardened_process_still_reaches_its_own(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        become_nobody();
        if (process_harden())
            _exit(101);
        int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), tmp = open("/tmp", O_PATH);
        char path[64];
        struct stat st;
        snprintf(path, sizeof(path), "/proc/self/fd/%d/.", tmp);
        _exit(dir >= 0 && stat(path, &st) == 0 && stat("/proc/thread-self/ns/net", &st) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_hardened_process_dumps_no_core(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit now;
        become_nobody();
        if (process_harden() || getrlimit(RLIMIT_CORE, &now) != 0 || now.rlim_max != 0 ||
            prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
            _exit(101);
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !WCOREDUMP(status));
}

/* The soft limit after asking for wanted files, in a process that has these limits. */
static unsigned files_after(unsigned soft, unsigned hard, unsigned wanted)
{
    int result[2];
    unsigned told = 0;
    assert_int_equal(pipe(result), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit given = {soft, hard};
        struct rlimit now;
        bool ok = setrlimit(RLIMIT_NOFILE, &given) == 0;
        told = process_raise_files(wanted);
        ok = ok && getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == told && now.rlim_max == hard;
        _exit(ok && write(result[1], &told, sizeof(told)) == sizeof(told) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(read(result[0], &told, sizeof(told)), sizeof(told));
    close(result[0]);
    close(result[1]);
    return told;
}

static void files_are_raised_as_far_as_the_hard_limit_goes(void **state)
{
    (void)state;
    assert_int_equal(files_after(64, 512, 256), 256);
    assert_int_equal(files_after(64, 512, 1000), 512);
    assert_int_equal(files_after(300, 512, 256), 300); /* never lowered */
}

/* What ps(1) reads of pid. */
/* In a process of a user who has no other: three, itself included. */
static void threads_are_tried_all_at_once(void **state)
{
    (void)state;
    if (mallinfo2().uordblks == 0)
        skip(); /* a sanitizer has threads of its own */
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit three = {3, 3};
        if (setresuid(64323, 64323, 64323) || setrlimit(RLIMIT_NPROC, &three))
            _exit(2);
        _exit(process_may_start_threads(2) && !process_may_start_threads(3) && process_may_start_threads(2)
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void read_shown(pid_t pid, const char *file, char out[4096])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    out[fread(out, 1, 4095, f)] = '\0';
    fclose(f);
}

static void a_process_is_shown_by_its_title(void **state)
{
    char before[4096], shown[4096];
    int ready[2];
    char byte;
    (void)state;
    read_shown(getpid(), "cmdline", before);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        process_title(
            "a title that is longer than what it takes the place of, by as much as makes any path to this "
            "program look short: a title that is longer than what it takes the place of, in any case",
            "longer");
        process_title("a: title", "a name");
        (void)!write(ready[1], "", 1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    read_shown(pid, "cmdline", shown);
    assert_string_equal(shown, "a: title");
    read_shown(pid, "comm", shown);
    assert_string_equal(shown, "a name\n");
    read_shown(getpid(), "cmdline", shown);
    assert_string_equal(shown, before);
    end(pid);
    close(ready[0]);
    close(ready[1]);
}

static void root_becomes_nobody_and_stays_hardened(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        uid_t before = geteuid(), real, effective, saved;
        process_become_nobody();
        bool changed = getresuid(&real, &effective, &saved) == 0 && real == NOBODY && effective == NOBODY &&
                       saved == NOBODY && getgroups(0, NULL) == 0 && getegid() == NOBODY;
        _exit(before != 0 || (changed && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* KiB of files that are mapped and not written to. */
static unsigned resident_code(void)
{
    char line[4096], flags[5] = "";
    unsigned long inode = 0;
    unsigned kib, sum = 0;
    FILE *f = fopen("/proc/self/smaps", "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%*x-%*x %4s %*x %*s %lu", flags, &inode) == 2)
            continue;
        if (inode && flags[1] == '-' && sscanf(line, "Rss: %u", &kib) == 1)
            sum += kib;
    }
    fclose(f);
    return sum;
}

static void a_trimmed_process_runs_on_with_less(void **state)
{
    (void)state;
    volatile char *zeros = calloc(1, 4 << 20);
    unsigned before = resident_code();
    process_trim();
    unsigned after = resident_code();
    if (after * 4 > before * 3)
        fail_msg("%u KiB of %u are left", after, before);
    assert_int_equal(zeros[4095], 0);
    free((void *)zeros);
    process_trim();
    assert_true(resident_code() > 0); /* this very function, at least */
}

#define PIECES 4000
#define PIECE  5000 /* bytes, which the allocator does not map apart */
#define KEPT   10   /* one in so many */

static void what_was_freed_between_things_that_are_kept_is_given_back(void **state)
{
    (void)state;
    static void *pieces[PIECES];
    if (mallinfo2().uordblks == 0)
        skip(); /* the allocator is a sanitizer's */
    for (unsigned i = 0; i < PIECES; i++)
        assert_non_null(pieces[i] = memset(malloc(PIECE), 1, PIECE));
    for (unsigned i = 0; i < PIECES; i++)
        if (i % KEPT)
            free(pieces[i]);
    size_t before = smaps_resident();
    assert_true(before);
    process_give_back();
    size_t after = smaps_resident();
    if (after + (size_t)PIECES * PIECE / 2 > before)
        fail_msg("%zu bytes of %zu are left", after, before);
    for (unsigned i = 0; i < PIECES; i += KEPT)
        free(pieces[i]);
}

/* Bytes that are there, of so many that nobody has written to. The heap was used before, and is full of what was freed. */
static size_t resident_of_untouched(size_t len)
{
    void *used[8], *above = NULL;
    for (unsigned i = 0; i < 8; i++)
        used[i] = memset(malloc(len), 1, len);
    above = malloc(1000); /* so the heap does not end below it */
    for (unsigned i = 0; i < 8; i++)
        free(used[i]);
    void *table = calloc(1, len);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)table + page - 1) & ~(page - 1);
    size_t pages = ((uintptr_t)table + len - from) / page, there = 0;
    uint8_t present[64];
    assert_in_range(pages, 0, sizeof(present));
    assert_int_equal(mincore((void *)from, pages * page, present), 0);
    for (size_t i = 0; i < pages; i++)
        there += present[i] & 1 ? page : 0;
    free(table);
    free(above);
    return there;
}

/* First of all tests: what others leave in the heap has room for such pieces. */
static void what_is_allocated_at_the_start_is_there_as_far_as_it_is_used(void **state)
{
    (void)state;
    const size_t table = 100000, passing = 40000;
    if (mallinfo2().uordblks == 0)
        skip();
    void *volatile rest = malloc(table); /* of the heap, as it was before */
    process_begin_small();
    void *volatile small[] = {malloc(20000), malloc(20000)};
    assert_int_equal(resident_of_untouched(table), 0);
    assert_int_equal(resident_of_untouched(passing), 0);
    process_end_small();
    assert_true(resident_of_untouched(passing) > passing / 2); /* quicker, for what comes and goes */
    free(rest);
    free(small[0]);
    free(small[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_allocated_at_the_start_is_there_as_far_as_it_is_used),
        cmocka_unit_test(the_same_user_sees_nothing_of_a_hardened_process),
        cmocka_unit_test(a_hardened_process_still_reaches_its_own),
        cmocka_unit_test(a_hardened_process_dumps_no_core),
        cmocka_unit_test(a_process_is_shown_by_its_title),
        cmocka_unit_test(root_becomes_nobody_and_stays_hardened),
        cmocka_unit_test(files_are_raised_as_far_as_the_hard_limit_goes),
        cmocka_unit_test(threads_are_tried_all_at_once),
        cmocka_unit_test(a_trimmed_process_runs_on_with_less),
        cmocka_unit_test(what_was_freed_between_things_that_are_kept_is_given_back),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
