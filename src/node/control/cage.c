/* SPDX-License-Identifier: Apache-2.0 */
/* The node's table: its workers, control connections, host routes and what is put back at exit. Devices, listening
 * sockets, the API socket and the key are there by then; names and HTTP are matters of helper processes, with cages of
 * their own (node/helper/helper_cage.c). docs/HACKING.md tells how to find out which call or file is missing here. */

#include "node/control/cage.h"

#include "base/log.h"
#include "net/landlock.h"
#include "net/sandbox.h"
#include "net/syscall_filter.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const struct syscall_rule calls[] = {
    {"socket", 1, {SYSCALL_INT(0, AF_INET)}},
    {"socket", 1, {SYSCALL_INT(0, AF_INET6)}},
    {"socket", 2, {SYSCALL_INT(0, AF_NETLINK), SYSCALL_INT(2, NETLINK_ROUTE)}},
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
    {"fchmod"},
    {"fsync"},
    {"rename"},
    {"renameat"},
    {"renameat2"},
    {NULL},
};

static void list_paths(const struct config *c, const char *cache_folder, struct landlock_path *out)
{
    if (cache_folder[0])
        *out++ = (struct landlock_path){cache_folder, LANDLOCK_MANAGE};
    *out++ = (struct landlock_path){c->run_dir, LANDLOCK_MANAGE};
    if (c->network[0]) /* certificates, lists: they are replaced while it runs */
        *out++ = (struct landlock_path){c->keydir, LANDLOCK_MANAGE};
    *out++ = (struct landlock_path){"/proc/sys/net/ipv4/conf", LANDLOCK_CHANGE};
    *out++ = (struct landlock_path){"/proc/sys/kernel/random/boot_id", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/sys/devices/system/cpu", LANDLOCK_READ};
    /* whose host routes are refused: the name servers' (node/device/device_guard.c) */
    *out++ = (struct landlock_path){"/etc/resolv.conf", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/run/systemd/resolve", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/run/NetworkManager", LANDLOCK_READ};
    *out++ = (struct landlock_path){"/run/resolvconf", LANDLOCK_READ};
    *out = (struct landlock_path){NULL, LANDLOCK_READ};
}

int cage_enter(const struct config *config, const char *cache_folder, struct sandbox *out)
{
    struct landlock_path paths[16];
    const char *failed;
    const uint64_t names =
        config->network[0] && config->dns != RESOLVER_OFF; /* port 53, once we have addresses */
    *out = (struct sandbox){.entered = false};
    if (!config->sandbox) {
        log_warn("no sandbox: the node keeps the rights with which it was started");
        return 0;
    }
    list_paths(config, cache_folder, paths);
    const uint64_t here =
        !config->rootless; /* where the device is another namespace's, its owner needs none */
    const uint64_t admin = here && !config->tun_fd; /* nor one who changes nothing of it */
    const struct sandbox_config sandbox = {.keep = admin << CAP_NET_ADMIN | 1ull << CAP_SYS_NICE |
                                                   (here & names) << CAP_NET_BIND_SERVICE,
                                           .paths = paths,
                                           .calls = {calls}};
    int err = sandbox_enter(&sandbox, out, &failed);
    if (err)
        log_error("cannot enter the sandbox: %s: %s; -sandbox=off runs without it", failed, strerror(errno));
    else if (!out->landlock)
        log_warn(
            "this kernel has no Landlock (Linux 5.13 and later can have it): the node may open every file "
            "that its user may");
    return err;
}
