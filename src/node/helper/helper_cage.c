/* SPDX-License-Identifier: Apache-2.0 */
/* The helpers' tables. Those that the keeper starts enter a second filter inside of its own, which therefore has their
 * rows, too. docs/HACKING.md tells how to find out which call or file is missing here. */
#include "node/helper/helper_cage.h"

#include "net/landlock.h"
#include "net/sandbox.h"
#include "net/syscall_filter.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* A copy of the process, which shares nothing with it and is in no namespace of its own. */
#define FORK_MASK (0xffffffff & ~(uint64_t)(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))

static const struct syscall_rule fork_calls[] = {
    {"clone", 1, {{0, FORK_MASK, SIGCHLD}}},
    {"wait4"},
    {"getppid"},
    {"dup3"},
    {"prctl", 2, {SYSCALL_INT(0, PR_SET_PDEATHSIG), SYSCALL_INT(1, SIGKILL)}},
    {NULL},
};

static const struct syscall_rule internet_calls[] = {
    {"socket", 1, {SYSCALL_INT(0, AF_INET)}},
    {"socket", 1, {SYSCALL_INT(0, AF_INET6)}},
    {"connect"},
    {"ioctl", 1, {SYSCALL_INT(1, FIONBIO)}},
    {NULL},
};

/* The names' own rows have these, too. */
static const struct syscall_rule portmap_calls[] = {
    {"bind"},
    {"alarm"},
    {"setitimer"},
    {NULL},
};

static const struct syscall_rule name_calls[] = {
    {"mmap", 1, {{2, PROT_WRITE | PROT_EXEC, PROT_EXEC}}}, /* the C library's look-up modules */
    {"socket", 1, {SYSCALL_INT(0, AF_UNIX)}},              /* name services of the machine */
    {"socket", 2, {SYSCALL_INT(0, AF_NETLINK), SYSCALL_INT(2, NETLINK_ROUTE)}},
    {"bind"},
    {"ioctl", 1, {SYSCALL_INT(1, FIONREAD)}},
    {"ioctl", 1, {SYSCALL_INT(1, SIOCGIFINDEX)}}, /* a name server at fe80::1%eth0 */
    {"ioctl", 1, {SYSCALL_INT(1, SIOCGIFNAME)}},
    {"alarm"},
    {"setitimer"},
    {NULL},
};

/* Sockets that listen were there before. */
static const struct syscall_rule doors_calls[] = {
    {"splice"},
    {NULL},
};

/* The keeper's own. */
static const struct syscall_rule keeper_calls[] = {
    {"kill"},
    {"capget"},
    {"capset"},
    {"prctl"},
    {"seccomp"},
    {"landlock_create_ruleset"},
    {"landlock_add_rule"},
    {"landlock_restrict_self"},
    {NULL},
};

static const struct landlock_path keeper_paths[] = {{"/", LANDLOCK_READ}, {NULL}};

/* Where the C library looks for names. /etc as a whole: resolv.conf and hosts are replaced by files of their name
 * while we run, and a rule about a file would stay with the one that is gone. */
static const struct landlock_path name_paths[] = {
    {"/etc", LANDLOCK_READ},
    {"/run/NetworkManager", LANDLOCK_READ},
    {"/run/resolvconf", LANDLOCK_READ},
    {"/run/systemd/resolve", LANDLOCK_READ},
    {"/usr", LANDLOCK_READ},
    {"/lib", LANDLOCK_READ},
    {NULL},
};

/* Certificates. */
static const struct landlock_path backbone_paths[] = {
    {"/etc/ssl", LANDLOCK_READ},
    {"/etc/pki", LANDLOCK_READ},
    {"/usr", LANDLOCK_READ},
    {"/var/lib/ca-certificates", LANDLOCK_READ},
    {NULL},
};

static const struct landlock_path no_paths[] = {{NULL}};

static const struct sandbox_config cages[] = {
    [HELPER_CAGE_KEEPER] = {.nobody = true,
                            .paths = keeper_paths,
                            .calls = {fork_calls, internet_calls, name_calls, doors_calls, keeper_calls}},
    [HELPER_CAGE_NAMES] = {.paths = name_paths, .calls = {fork_calls, internet_calls, name_calls}},
    [HELPER_CAGE_BACKBONE] = {.paths = backbone_paths, .calls = {internet_calls}},
    [HELPER_CAGE_PORTMAP] = {.paths = no_paths, .calls = {fork_calls, internet_calls, portmap_calls}},
    [HELPER_CAGE_DOORS] = {.paths = no_paths, .calls = {internet_calls, doors_calls}},
};

int helper_cage_enter(enum helper_cage which, char *failed, size_t size)
{
    struct sandbox held;
    const char *what;
    int err = sandbox_enter(&cages[which], &held, &what);
    if (err)
        snprintf(failed, size, "cannot enter its sandbox: %s: %s; -sandbox=off runs without it", what,
                 strerror(errno));
    return err;
}
