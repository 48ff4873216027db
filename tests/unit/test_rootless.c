/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/rootless: what a person reads where a machine refuses namespaces or the device in them. */

#include "node/device/rootless.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

/* Nothing of it is in the way. */
static const struct rootless_machine plain = {
    .user_namespaces = 1000, .network_namespaces = 1000, .clone = -1, .apparmor = -1};

static void says(enum broker_step step, int err, int number, struct rootless_machine machine,
                 const char *words)
{
    const struct broker_trouble trouble = {step, err, number};
    char line[ROOTLESS_WRONG_MAX];
    rootless_explain(&trouble, &machine, line);
    if (strncmp(line, "-rootless: ", 11) != 0 || !strstr(line, words) || strchr(line, '\n'))
        fail_msg("said: %s", line);
}

static void limits_are_named_with_the_setting(void **state)
{
    struct rootless_machine none = plain;
    (void)state;
    none.user_namespaces = none.network_namespaces = 0;
    says(BROKER_USER_NAMESPACE, ERR_IO, ENOSPC, none, "sysctl user.max_user_namespaces=10000");
    says(BROKER_NETWORK_NAMESPACE, ERR_IO, ENOSPC, none, "sysctl user.max_net_namespaces=10000");
    says(BROKER_USER_NAMESPACE, ERR_IO, ENOSPC, plain, "raise user.max_user_namespaces");
    says(BROKER_NETWORK_NAMESPACE, ERR_IO, ENOSPC, plain, "raise user.max_net_namespaces");
}

static void whoever_refuses_is_found_by_its_setting(void **state)
{
    struct rootless_machine debian = plain, ubuntu = plain, container = plain;
    (void)state;
    debian.clone = 0;
    ubuntu.clone = ubuntu.apparmor = 1;
    container.filter = 2;
    says(BROKER_USER_NAMESPACE, ERR_PERMISSION, EPERM, debian, "kernel.unprivileged_userns_clone=1");
    says(BROKER_USER_NAMESPACE, ERR_PERMISSION, EACCES, ubuntu, "/etc/apparmor.d/shadowmesh-l2");
    says(BROKER_NETWORK_NAMESPACE, ERR_PERMISSION, EPERM, ubuntu, "/etc/apparmor.d/shadowmesh-l2");
    says(BROKER_USER, ERR_PERMISSION, EPERM, ubuntu, "/etc/apparmor.d/shadowmesh-l2");
    says(BROKER_USER_NAMESPACE, ERR_PERMISSION, EPERM, container, "--security-opt seccomp=");
    says(BROKER_USER_NAMESPACE, ERR_PERMISSION, EPERM, plain,
         "the kernel refuses a user namespace: Operation not permitted");
}

static void the_way_to_the_device_is_named(void **state)
{
    (void)state;
    says(BROKER_TAP, ERR_PERMISSION, EACCES, plain, "chmod 0666");
    says(BROKER_TAP, ERR_NOT_FOUND, ENOENT, plain, "modprobe tun");
    says(BROKER_TAP, ERR_ARGUMENT, 0, plain, "cannot be the name of a device");
    says(BROKER_TAP, ERR_IO, EBUSY, plain, "the device in there: Device or resource busy");
}

static void what_is_left_is_told_as_the_kernel_says_it(void **state)
{
    (void)state;
    says(BROKER_PROCESS, ERR_IO, EAGAIN, plain, "its process: Resource temporarily unavailable");
    says(BROKER_LOOPBACK, ERR_IO, ENODEV, plain, "the loopback in there: No such device");
    says(BROKER_CAGE, ERR_IO, ENOMEM, plain, "-sandbox=off runs without it");
    says(BROKER_PROCESS, ERR_CLOSED, 0, plain, err_str(ERR_CLOSED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_named_with_the_setting),
        cmocka_unit_test(whoever_refuses_is_found_by_its_setting),
        cmocka_unit_test(the_way_to_the_device_is_named),
        cmocka_unit_test(what_is_left_is_told_as_the_kernel_says_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
