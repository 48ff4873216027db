/* SPDX-License-Identifier: Apache-2.0 */
/* First the holder is kept from being another one of the same number, then its namespaces are opened and looked at: whose
 * they are, the kernel says. */
#include "cli/inside.h"

#include "cli/cli.h"
#include "cli/inside_names.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_namespace(pid_t holder, const char *kind)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)holder, kind);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool is_ours(int user)
{
    uid_t owner;
    return ioctl(user, NS_GET_OWNER_UID, &owner) == 0 && owner == geteuid();
}

/* The network's user namespace is this one. */
static bool belong_together(int user, int network)
{
    struct stat a, b;
    int of_network = ioctl(network, NS_GET_USERNS);
    bool same = of_network >= 0 && fstat(user, &a) == 0 && fstat(of_network, &b) == 0 &&
                a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    if (of_network >= 0)
        close(of_network);
    return same;
}

bool inside_open(pid_t holder, struct inside *out, char wrong[INSIDE_WRONG_MAX])
{
    *out = (struct inside){.holder = (int)syscall(SYS_pidfd_open, holder, 0), .user = -1, .network = -1};
    if (out->holder >= 0)
        out->user = open_namespace(holder, "user");
    if (out->user >= 0)
        out->network = open_namespace(holder, "net");
    if (out->network < 0)
        snprintf(wrong, INSIDE_WRONG_MAX, "its namespaces cannot be opened: %s", strerror(errno));
    else if (!is_ours(out->user) || !belong_together(out->user, out->network))
        snprintf(wrong, INSIDE_WRONG_MAX, "its namespaces are another user's: run this as that user");
    else
        return true;
    inside_close(out);
    return false;
}

void inside_close(struct inside *in)
{
    const int fds[] = {in->holder, in->user, in->network};
    for (unsigned i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *in = (struct inside){.holder = -1, .user = -1, .network = -1};
}

/* Who enters has every right in there. The bounding set stays: else programs with rights of their own, as ping has them,
 * are not run at all. With no_new_privs they run, and have none; nor has root. */
static bool drop_rights(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_capset, &header, none) == 0;
}

bool inside_enter(const struct inside *in)
{
    if (setns(in->user, CLONE_NEWUSER) != 0 || setns(in->network, CLONE_NEWNET) != 0)
        return false;
    if (in->names && !inside_names_mount(in->folder, in->names))
        cli_complain("run: names of the network are not found: /etc/resolv.conf: %s", strerror(errno));
    return drop_rights();
}
