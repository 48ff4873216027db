/* SPDX-License-Identifier: Apache-2.0 */
/* What every program of ours needs, what is never asked for in good faith, and the making of the filter. Names, not
 * numbers: libseccomp knows them for each machine. */

#include "net/syscall_filter.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* the C library names its areas */
#endif

static const struct syscall_rule common[] = {
    /* memory: never one that is written and run, or comes to be run later */
    {"brk"},
    {"mmap", 1, {{2, PROT_EXEC, 0}}},
    {"mprotect", 1, {{2, PROT_EXEC, 0}}},
    {"mremap"},
    {"munmap"},
    {"madvise"},
    {"mlock"},
    {"mlock2"},
    {"munlock"},
    /* threads, and no other process */
    {"clone", 1, {{0, CLONE_THREAD, CLONE_THREAD}}},
    {"set_robust_list"},
    {"rseq"},
    {"futex"},
    {"membarrier"},
    {"sched_yield"},
    {"sched_getaffinity"},
    {"gettid"},
    {"exit"},
    {"exit_group"},
    {"prctl", 1, {SYSCALL_INT(0, PR_SET_NAME)}},
    {"prctl", 1, {SYSCALL_INT(0, PR_SET_VMA)}},
    /* signals */
    {"rt_sigaction"},
    {"rt_sigprocmask"},
    {"rt_sigreturn"},
    {"rt_sigtimedwait"},
    {"sigaltstack"},
    {"restart_syscall"},
    /* time */
    {"clock_gettime"},
    {"clock_getres"},
    {"clock_nanosleep"},
    {"nanosleep"},
    {"gettimeofday"},
    {"time"},
    /* files, as far as Landlock lets them be opened */
    {"open"},
    {"openat"},
    {"close"},
    {"read"},
    {"readv"},
    {"pread64"},
    {"write"},
    {"writev"},
    {"lseek"},
    {"fcntl"},
    {"fstat"},
    {"stat"},
    {"lstat"},
    {"newfstatat"},
    {"statx"},
    {"access"},
    {"faccessat"},
    {"faccessat2"},
    {"readlink"},
    {"readlinkat"},
    {"getdents64"},
    {"unlink"},
    {"unlinkat"},
    /* waiting */
    {"poll"},
    {"ppoll"},
    {"select"},
    {"pselect6"},
    {"epoll_create1"},
    {"epoll_ctl"},
    {"epoll_wait"},
    {"epoll_pwait"},
    {"epoll_pwait2"},
    {"eventfd2"},
    {"pipe2"},
    {"socketpair"},
    /* sockets that are there */
    {"accept"},
    {"accept4"},
    {"getsockname"},
    {"getpeername"},
    {"getsockopt"},
    {"setsockopt"},
    {"recvfrom"},
    {"recvmsg"},
    {"recvmmsg"},
    {"sendto"},
    {"sendmsg"},
    {"sendmmsg"},
    {"shutdown"},
    /* what it is and where it runs */
    {"getpid"},
    {"getuid"},
    {"geteuid"},
    {"getgid"},
    {"getegid"},
    {"getrandom"},
    {"getrlimit"},
    {"prlimit64", 1, {SYSCALL_INT(0, 0)}},
    {"sysinfo"},
    {"uname"},
    {NULL},
};

/* Whoever makes one of these has taken the process over. */
static const char *const deadly[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "bpf",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "add_key",
    "request_key",
    "keyctl",
    "userfaultfd",
    "perf_event_open",
    "open_by_handle_at",
    "reboot",
    "swapon",
    "swapoff",
    "ioperm",
    "iopl",
};

static int add(scmp_filter_ctx filter, const struct syscall_rule *rule)
{
    struct scmp_arg_cmp cmp[2];
    int number = seccomp_syscall_resolve_name(rule->name);
    if (number == __NR_SCMP_ERROR)
        return 0;
    for (unsigned i = 0; i < rule->matches; i++)
        cmp[i] = SCMP_CMP64(rule->match[i].argument, SCMP_CMP_MASKED_EQ, rule->match[i].mask,
                            rule->match[i].value);
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, rule->matches, cmp);
}

static int add_all(scmp_filter_ctx filter, const struct syscall_rule *rules)
{
    int err = 0;
    for (; err == 0 && rules->name; rules++)
        err = add(filter, rules);
    return err;
}

static int add_deadly(scmp_filter_ctx filter)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < sizeof(deadly) / sizeof(*deadly); i++) {
        int number = seccomp_syscall_resolve_name(deadly[i]);
        if (number != __NR_SCMP_ERROR)
            err = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, number, 0);
    }
    return err;
}

/* A failed assertion ends us by a signal of our own: to nobody else. */
static int add_abort(scmp_filter_ctx filter)
{
    const struct syscall_rule self = {"tgkill", 1, {SYSCALL_INT(0, (uint64_t)getpid())}};
    return add(filter, &self);
}

/* No speculation is held back for the filter's sake: that would slow every call's return on kernels before 5.16, and no
 * code of strangers runs here. The tree is searched where the kernel keeps no map of what always passes. */
static int set_attributes(scmp_filter_ctx filter)
{
    int err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (err == 0)
        err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0); /* it is set */
    if (err == 0)
        err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (err == 0)
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB,
                               1); /* a kernel before 4.17 has nothing to switch */
    return err;
}

int syscall_filter_refuse(const char *name)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int number = seccomp_syscall_resolve_name(name);
    int err = !filter ? -ENOMEM : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
    if (err == 0)
        err = seccomp_load(filter);
    seccomp_release(filter);
    errno = -err;
    return err == 0 ? 0 : ERR_IO;
}

int syscall_filter_load(const struct syscall_rule *const *tables)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter) {
        errno = ENOMEM;
        return ERR_IO;
    }
    int err = set_attributes(filter);
    if (err == 0)
        err = add_deadly(filter);
    if (err == 0)
        err = add_all(filter, common);
    if (err == 0)
        err = add_abort(filter);
    for (; err == 0 && *tables; tables++)
        err = add_all(filter, *tables);
    if (err == 0)
        err = seccomp_load(filter);
    seccomp_release(filter);
    errno = -err;
    return err ? ERR_IO : 0;
}
