/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which files a process may still open (landlock(7)). */

#include "base/err.h"

enum landlock_access {
    LANDLOCK_READ,   /* open files and list folders */
    LANDLOCK_CHANGE, /* and write to files that are there */
    LANDLOCK_MANAGE, /* and make, rename, truncate and remove files */
};

/* A file, or a folder with all that is below it. One that is not there is passed over. */
struct landlock_path {
    const char *path;
    enum landlock_access access;
};

/* From here on the calling thread, and those that it makes, open by name nothing but the paths, which end with
 * a path of NULL. What is open stays usable, stat(2) too. No TCP port is bound any more, no device that is opened
 * anew takes ioctl(2), no process outside is signalled, and no abstract socket outside is reached, as far as
 * the kernel knows how. Needs no_new_privs. version returns the ABI that holds, 0 where the kernel has none: then
 * nothing is restricted and the result is 0. ERR_IO with errno set. */
int landlock_restrict(const struct landlock_path *paths, int *version) must_check;
