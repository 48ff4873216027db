/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The kernel's notice that this virtual machine is another one than before: resumed from a snapshot, or a copy
 * (drivers/virt/vmgenid.c of Linux 6.10 and later). It comes in network namespaces of the initial user namespace. */

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A socket that becomes readable with the kernel's "change" events. ERR_IO (errno). The caller closes it. */
int uevent_open(int *fd) must_check;

/* Reads what waits. True when the kernel itself told of a new generation of the machine. */
bool uevent_drain(int fd) must_check;

/* Whether one message (ACTION@DEVPATH and KEY=VALUE strings, each with a NUL behind it) tells of it. */
bool uevent_is_new_machine(const uint8_t *message, size_t len);
