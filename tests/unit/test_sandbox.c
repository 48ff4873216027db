/* SPDX-License-Identifier: Apache-2.0 */
/* net/sandbox: what a process that is in it may still do. Each case is a child, since nobody gets out again. */

#include "net/sandbox.h"

#include "net/landlock.h"
#include "net/syscall_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_ENTERED 100
#define NO_LANDLOCK 101

static char folder[] = "/tmp/test-sandbox-XXXXXX";

static const struct syscall_rule calls[] = {
    {"socket", 1, {SYSCALL_INT(0, AF_INET)}},
    {"ioctl", 1, {SYSCALL_INT(1, FIONBIO)}},
    {"renameat"},
    {NULL},
};

/* How a child ends that enters and then does it: its exit code, or minus the signal. */
static int ending_of(int (*deed)(void))
{
    int status;
    if (!SANDBOX_DEFAULT)
        skip(); /* the sanitizer makes calls of its own */
    pid_t pid = fork();
    if (pid == 0) {
        const struct landlock_path paths[] = {{folder, LANDLOCK_MANAGE},
                                              {"/etc/hostname", LANDLOCK_READ},
                                              {"/no/such/file", LANDLOCK_READ},
                                              {NULL}};
        const struct sandbox_config config = {.keep = 0, .paths = paths, .calls = {calls}};
        struct sandbox held;
        const char *failed;
        if (sandbox_enter(&config, &held, &failed) || !held.entered || held.capabilities)
            _exit(NOT_ENTERED);
        if (!held.landlock && deed == NULL)
            _exit(NO_LANDLOCK);
        _exit(deed ? deed() : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int errno_of(long result)
{
    return result < 0 ? errno : 0;
}

static int run_a_program(void)
{
    return errno_of(execl("/bin/true", "true", NULL));
}

static int trace(void)
{
    return errno_of(syscall(SYS_ptrace, 0, 0, 0, 0));
}

static int mount_something(void)
{
    return errno_of(syscall(SYS_mount, "none", folder, "tmpfs", 0, NULL));
}

static int load_a_program_into_the_kernel(void)
{
    return errno_of(syscall(SYS_bpf, 0, NULL, 0));
}

static void calls_of_an_intruder_end_the_process(void **state)
{
    (void)state;
    assert_int_equal(ending_of(run_a_program), -SIGSYS);
    assert_int_equal(ending_of(trace), -SIGSYS);
    assert_int_equal(ending_of(mount_something), -SIGSYS);
    assert_int_equal(ending_of(load_a_program_into_the_kernel), -SIGSYS);
}

static int make_io_uring(void)
{
    return errno_of(syscall(SYS_io_uring_setup, 1, NULL));
}

/* In a thread that goes on to make loops, say: all but that call works. */
static void a_call_can_be_refused_alone(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct utsname name;
        bool refused = syscall_filter_refuse("uname") == 0 && uname(&name) == -1 && errno == ENOSYS;
        _exit(refused && getppid() > 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int fork_a_child(void)
{
    return errno_of(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int call_what_no_kernel_has(void)
{
    return errno_of(syscall(4000));
}

static void other_calls_are_unknown(void **state)
{
    (void)state;
    assert_int_equal(ending_of(make_io_uring), ENOSYS);
    assert_int_equal(ending_of(fork_a_child), ENOSYS);
    assert_int_equal(ending_of(call_what_no_kernel_has), ENOSYS);
}

static int push_a_key(void)
{
    return errno_of(ioctl(0, TIOCSTI, "x"));
}

static int make_packet_socket(void)
{
    return errno_of(socket(AF_PACKET, SOCK_RAW, 0));
}

static int make_inet_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    return fd < 0 ? errno : errno_of(ioctl(fd, FIONBIO, &on));
}

static int map_code_that_can_be_written(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int map_code_of_a_file(void)
{
    int fd = open("/etc/hostname", O_RDONLY);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int make_memory_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NOT_ENTERED : errno_of(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static void calls_are_allowed_by_their_arguments(void **state)
{
    (void)state;
    assert_int_equal(ending_of(make_inet_socket), 0);
    assert_int_equal(ending_of(make_packet_socket), ENOSYS);
    assert_int_equal(ending_of(push_a_key), ENOSYS);
    assert_int_equal(ending_of(map_code_that_can_be_written), ENOSYS);
    assert_int_equal(ending_of(map_code_of_a_file), ENOSYS);
    assert_int_equal(ending_of(make_memory_code), ENOSYS);
}

static void *sleep_a_moment(void *context)
{
    static const struct timespec moment = {.tv_nsec = 1000};
    nanosleep(&moment, NULL);
    return context;
}

static int make_a_thread(void)
{
    pthread_t thread;
    int err = pthread_create(&thread, NULL, sleep_a_moment, NULL);
    return err ? err : pthread_join(thread, NULL);
}

static int fail_an_assertion(void)
{
    abort();
}

static void threads_and_failed_assertions_work(void **state)
{
    (void)state;
    assert_int_equal(ending_of(make_a_thread), 0);
    assert_int_equal(ending_of(fail_an_assertion), -SIGABRT);
}

static int open_what_is_not_listed(void)
{
    return errno_of(open("/etc/passwd", O_RDONLY));
}

static int open_what_is_listed(void)
{
    return errno_of(open("/etc/hostname", O_RDONLY));
}

static int write_what_is_only_to_be_read(void)
{
    return errno_of(open("/etc/hostname", O_WRONLY));
}

static int manage_the_folder(void)
{
    if (chdir(folder) == 0) /* no program of ours needs it */
        return NOT_ENTERED;
    int dir = open(folder, O_RDONLY | O_DIRECTORY);
    int fd = openat(dir, "a", O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || renameat(dir, "a", dir, "b") != 0)
        return errno;
    return errno_of(unlinkat(dir, "b", 0));
}

static void files_that_are_not_listed_cannot_be_opened(void **state)
{
    (void)state;
    if (ending_of(NULL) == NO_LANDLOCK)
        skip();
    assert_int_equal(ending_of(open_what_is_not_listed), EACCES);
    assert_int_equal(ending_of(open_what_is_listed), 0);
    assert_int_equal(ending_of(write_what_is_only_to_be_read), EACCES);
    assert_int_equal(ending_of(manage_the_folder), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_an_intruder_end_the_process),
        cmocka_unit_test(other_calls_are_unknown),
        cmocka_unit_test(a_call_can_be_refused_alone),
        cmocka_unit_test(calls_are_allowed_by_their_arguments),
        cmocka_unit_test(threads_and_failed_assertions_work),
        cmocka_unit_test(files_that_are_not_listed_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
