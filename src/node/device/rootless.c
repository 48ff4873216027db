/* SPDX-License-Identifier: Apache-2.0 */
/* A refusal of the kernel has one errno for many causes: the machine's settings tell which it is. Main thread, at the
 * start. */
#include "node/device/rootless.h"

#include "base/log.h"
#include "node/config/config.h"
#include "node/device/device_kind.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TITLE "shadowmesh-l2: broker"

static long read_number(const char *path)
{
    long value = -1;
    FILE *f = fopen(path, "re");
    if (!f || fscanf(f, "%ld", &value) != 1)
        value = -1;
    if (f)
        fclose(f);
    return value;
}

static long read_filter(void)
{
    char line[256];
    long value = -1;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && value < 0 && fgets(line, sizeof(line), f))
        (void)sscanf(line, "Seccomp: %ld", &value);
    if (f)
        fclose(f);
    return value;
}

static struct rootless_machine read_machine(void)
{
    return (struct rootless_machine){
        .user_namespaces = read_number("/proc/sys/user/max_user_namespaces"),
        .network_namespaces = read_number("/proc/sys/user/max_net_namespaces"),
        .clone = read_number("/proc/sys/kernel/unprivileged_userns_clone"),
        .apparmor = read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        .filter = read_filter(),
    };
}

/* ---- what a person reads ---- */

static const char *explain_namespace(const struct broker_trouble *t, const struct rootless_machine *m)
{
    bool user = t->step == BROKER_USER_NAMESPACE;
    if (t->number == ENOSPC && user)
        return m->user_namespaces == 0
                   ? "this machine allows no user namespaces: as root, sysctl user.max_user_namespaces=10000"
                   : "this user has too many user namespaces: as root, raise user.max_user_namespaces";
    if (t->number == ENOSPC)
        return m->network_namespaces == 0
                   ? "this machine allows no network namespaces: as root, sysctl "
                     "user.max_net_namespaces=10000"
                   : "this user has too many network namespaces: as root, raise user.max_net_namespaces";
    if (m->clone == 0)
        return "this machine lets root alone make user namespaces: as root, sysctl "
               "kernel.unprivileged_userns_clone=1";
    if (m->apparmor == 1)
        return "AppArmor lets no program make user namespaces without a profile: as root, install ours as "
               "/etc/apparmor.d/shadowmesh-l2 and run apparmor_parser -r on it (README, \"Without root\")";
    if (m->filter > 0)
        return "a filter of system calls, as containers have one, lets no namespace be made: give the "
               "container another (docker run --security-opt seccomp=FILE), or run the node outside";
    return NULL;
}

static const char *explain_tap(const struct broker_trouble *t)
{
    if (t->err == ERR_PERMISSION && t->number == EACCES)
        return "/dev/net/tun may not be opened by this user: as root, chmod 0666 it, as it is by default";
    if (t->err == ERR_NOT_FOUND)
        return "/dev/net/tun is missing: as root, modprobe tun, or give it to the container";
    if (t->err == ERR_ARGUMENT)
        return "-tap: that cannot be the name of a device: use 1 to 15 letters, digits, '-' or '_'";
    return NULL;
}

/* What is left. */
static const char *name_of(enum broker_step step)
{
    static const char *const names[] = {
        [BROKER_PROCESS] = "its process",
        [BROKER_USER_NAMESPACE] = "a user namespace",
        [BROKER_NETWORK_NAMESPACE] = "a network namespace",
        [BROKER_USER] = "its user in there",
        [BROKER_LOOPBACK] = "the loopback in there",
        [BROKER_TAP] = "the device in there",
        [BROKER_CAGE] = "the sandbox of its process (-sandbox=off runs without it)",
        [BROKER_MADE] = "what it made",
    };
    return names[step];
}

static const char *cause_of(const struct broker_trouble *t, const struct rootless_machine *m)
{
    switch (t->step) {
    case BROKER_USER_NAMESPACE:
    case BROKER_NETWORK_NAMESPACE:
    case BROKER_USER: /* where AppArmor lets the namespace be, without a right in it */
        return explain_namespace(t, m);
    case BROKER_TAP:
        return explain_tap(t);
    case BROKER_PROCESS:
    case BROKER_LOOPBACK:
    case BROKER_CAGE:
    case BROKER_MADE:
        break;
    }
    return NULL;
}

void rootless_explain(const struct broker_trouble *trouble, const struct rootless_machine *machine,
                      char out[ROOTLESS_WRONG_MAX])
{
    const char *cause = cause_of(trouble, machine);
    size_t len = (size_t)snprintf(out, ROOTLESS_WRONG_MAX, "-rootless: ");
    if (cause)
        snprintf(out + len, ROOTLESS_WRONG_MAX - len, "%s", cause);
    else
        snprintf(out + len, ROOTLESS_WRONG_MAX - len, "the kernel refuses %s: %s", name_of(trouble->step),
                 trouble->number ? strerror(trouble->number) : err_str(trouble->err));
}

int rootless_start(const struct config *config, unsigned queues, int also, struct broker *out)
{
    const struct broker_config broker = {.tap = device_name_of(config),
                                         .queues = queues,
                                         .caged = config->sandbox,
                                         .title = TITLE,
                                         .also = also,
                                         .layer = device_layer_of(config)};
    struct broker_trouble trouble;
    char wrong[ROOTLESS_WRONG_MAX];
    int err = broker_start(&broker, out, &trouble);
    if (!err)
        return 0;
    const struct rootless_machine machine = read_machine();
    rootless_explain(&trouble, &machine, wrong);
    log_error("%s", wrong);
    return err;
}
