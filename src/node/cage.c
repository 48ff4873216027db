/* SPDX-License-Identifier: Apache-2.0 */
/* The node's table: its workers, its look-ups and HTTP on libuv's pool, host routes and what is put back at exit. Devices,
 * listening sockets, the API socket and the key are there by then. docs/HACKING.md tells how to find out which
 * call or file is missing here. */

#include "node/cage.h"

#include "base/log.h"
#include "net/landlock.h"
#include "net/sandbox.h"
#include "net/syscall_filter.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

static const struct syscall_rule calls[] = {
    {"socket", 1, {SYSCALL_INT(0, AF_INET)}},
    {"socket", 1, {SYSCALL_INT(0, AF_INET6)}},
    {"socket", 1, {SYSCALL_INT(0, AF_UNIX)}}, /* name services of the machine */
    {"socket", 2, {SYSCALL_INT(0, AF_NETLINK), SYSCALL_INT(2, NETLINK_ROUTE)}},
    {"mmap", 1, {{2, PROT_WRITE | PROT_EXEC, PROT_EXEC}}}, /* their modules */
    {"bind"},
    {"connect"},
    {"ioctl", 1, {SYSCALL_INT(1, SIOCOUTQ)}},
    {"ioctl", 1, {SYSCALL_INT(1, FIONBIO)}},
    {"ioctl", 1, {SYSCALL_INT(1, FIONREAD)}},
    {"ioctl", 1, {SYSCALL_INT(1, SIOCGIFNAME)}},
    {"ioctl", 1, {SYSCALL_INT(1, SIOCGIFINDEX)}},
    {"ioctl", 1, {SYSCALL_INT(1, TUNSETOFFLOAD)}},
    {"sched_setattr", 1, {SYSCALL_INT(0, 0)}},
    {"getpriority"},
    {"rename"},
    {"renameat"},
    {"renameat2"},
    {NULL},
};

/* Where the C library looks for names. /etc as a whole: resolv.conf and hosts are replaced by files of their name
 * while we run, and a rule about a file would stay with the one that is gone. */
static const struct landlock_path name_paths[] = {
    {"/etc", LANDLOCK_READ},
    {"/run/NetworkManager", LANDLOCK_READ},
    {"/run/resolvconf", LANDLOCK_READ},
};
#define NAME_PATHS (sizeof name_paths / sizeof *name_paths)

static bool is_address(const char *host)
{
    struct addr a;
    return addr_parse(host, 1, &a) == 0;
}

/* A URL's host is what lies between "//" and what may follow an authority. */
static bool names_a_host(const char *url)
{
    char host[sizeof((struct config *)0)->backbone];
    const char *begin = strstr(url, "//");
    if (!begin)
        return url[0] != '\0';
    begin += 2;
    snprintf(host, sizeof host, "%.*s", (int)strcspn(begin, "/?#"), begin);
    return !is_address(host);
}

static bool looks_names_up(const struct config *c)
{
    bool any = c->backbone[0] && names_a_host(c->backbone);
    for (unsigned i = 0; i < c->connect_count; i++)
        any |= c->connect[i].host[0] && !is_address(c->connect[i].host);
    return any;
}

static void list_paths(const struct config *c, struct landlock_path *out)
{
    *out++ = (struct landlock_path){c->run_dir, LANDLOCK_MANAGE};
    *out++ = (struct landlock_path){"/proc/sys/net/ipv4/conf", LANDLOCK_CHANGE};
    *out++ = (struct landlock_path){"/proc/sys/kernel/random/boot_id", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/sys/devices/system/cpu", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/usr", LANDLOCK_READ}; /* the look-up modules, certificates */
    *out++ = (struct landlock_path){"/lib", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/etc/ssl", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/etc/pki", LANDLOCK_READ};
    /* whose host routes are refused: the name servers' (node/device/device_guard.c) */
    *out++ = (struct landlock_path){"/etc/resolv.conf", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/run/systemd/resolve", LANDLOCK_READ};
    for (unsigned i = 0; looks_names_up(c) && i < NAME_PATHS; i++)
        *out++ = name_paths[i];
    *out = (struct landlock_path){NULL, LANDLOCK_READ};
}

int cage_enter(const struct config *config, struct sandbox *out)
{
    struct landlock_path paths[16];
    const char *failed;
    *out = (struct sandbox){.entered = false};
    if (!config->sandbox) {
        log_warn("no sandbox: the node keeps the rights with which it was started");
        return 0;
    }
    list_paths(config, paths);
    const struct sandbox_config sandbox = {
        .keep = 1ull << CAP_NET_ADMIN | 1ull << CAP_SYS_NICE, .paths = paths, .calls = {calls}};
    int err = sandbox_enter(&sandbox, out, &failed);
    if (err)
        log_error("cannot enter the sandbox: %s: %s; -sandbox=off runs without it", failed, strerror(errno));
    else if (!out->landlock)
        log_warn(
            "this kernel has no Landlock (Linux 5.13 and later can have it): the node may open every file "
            "that its user may");
    return err;
}
