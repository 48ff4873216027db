/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Files of a person's that say how a program is to run: it reads none that somebody else may have chosen. Any thread. */

#include "base/err.h"

enum own_file {
    OWN_FILE_PRIVATE, /* nobody else may even read it */
    OWN_FILE_SHOWN,   /* nobody else may write it */
};

/* Opens a regular file that is this user's or root's, to be read; never waits, as a pipe is none. The descriptor is the
 * caller's. -1: *wrong says why, as the end of a sentence. */
int own_file_open(const char *path, enum own_file kind, const char **wrong) must_check;
