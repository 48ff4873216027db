/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* -rootless: a node of an ordinary user, whose device is in namespaces of its own, and what a machine may have against it. */

#include "base/err.h"
#include "net/broker.h"

#define ROOTLESS_WRONG_MAX 512

struct config;

/* Makes the namespaces and the device (net/broker.h, which tells what also is). On failure one line has told what refuses it, and what to do. */
int rootless_start(const struct config *config, unsigned queues, int also, struct broker *out) must_check;

/* What the machine says of namespaces; -1: it says nothing. */
struct rootless_machine {
    long user_namespaces, network_namespaces; /* at most so many: user.max_user_namespaces, … */
    long clone;                               /* kernel.unprivileged_userns_clone, of Debian */
    long apparmor;                            /* kernel.apparmor_restrict_unprivileged_userns, of Ubuntu */
    long filter;                              /* of our system calls: Seccomp of /proc/self/status */
};

/* What refuses it, and what to do, in one line. */
void rootless_explain(const struct broker_trouble *trouble, const struct rootless_machine *machine,
                      char out[ROOTLESS_WRONG_MAX]);
