/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which system calls a process may still make (seccomp(2), by libseccomp). */

#include "base/err.h"
#include <stdint.h>

/* An argument whose bits under mask are value. Arguments are numbered from 0. */
struct syscall_match {
    uint8_t argument;
    uint64_t mask, value;
};

/* A call that is allowed, by its name in Linux: one that this machine's kernel does not have is passed over.
 * With matches only where all hold; more rows of one name are alternatives. */
struct syscall_rule {
    const char *name;
    unsigned matches;
    struct syscall_match match[2];
};

/* The low half, which is all that the kernel takes of an int. */
#define SYSCALL_INT(argument, value)                                                                         \
    {                                                                                                        \
        argument, 0xffffffff, value                                                                          \
    }

/* From here on the call of that name fails with ENOSYS in the calling thread, and in those that it makes. Sets no_new_privs.
 * ERR_IO with errno set. */
int syscall_filter_refuse(const char *name) must_check;

/* From here on the calling thread, and those that it makes, may make the calls in tables, each of which ends with a
 * name of NULL and the last of which is followed by NULL, and those of memory, threads, time and open files that every program of ours makes. Calls that would
 * run another program, look into another process, mount, or load code into the kernel end the process, with
 * the kernel's audit line. Any other fails with ENOSYS, as on a kernel that has no such call: then the C
 * library takes an older one. Needs no_new_privs. ERR_IO with errno set. */
int syscall_filter_load(const struct syscall_rule *const *tables) must_check;
