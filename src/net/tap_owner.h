/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Internal to net/tap. */

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

/* fdinfo tells a name but no network namespace, and tap0 is in many: a process counts when it lives in ours,
 * or, with any_netns, when it lives in another. ERR_NOT_FOUND. */
int tap_find_owner(const char *name, bool any_netns, pid_t *pid) must_check;
