/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Internal to net/tap. */

#include "net/tap.h"

/* Finds what the kernel takes of the offloads, and sets them: of a device whose queues are open, with virtio headers of 10
 * bytes. ERR_IO (errno). */
int tap_probe_offloads(struct tap *tap) must_check;
