/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A folder that comes into being whole: it is filled under another name, ".NAME.new", and nobody else makes one beside it at the
 * same time. */

#include "base/err.h"
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct draft {
    int parent; /* locked; -1: there is no draft */
    int fd;     /* the folder, to be filled */
    char name[NAME_MAX + 1];
    char path[PATH_MAX]; /* of the draft */
};

/* Makes the draft of parent/name, and parent and what leads to it where it is missing. ERR_EXISTS when there is a folder of that
 * name, ERR_BUSY when somebody else makes one, ERR_FOLDER when others can change parent, ERR_PERMISSION, ERR_IO (errno). */
int draft_begin(const char *parent, const char *name, mode_t mode, struct draft *out) must_check;

/* Gives it its name once all is on disk, and ends the draft in either case. */
int draft_publish(struct draft *d) must_check;

/* Removes it, with all that is in it. Nothing when there is none. errno stays. */
void draft_discard(struct draft *d);

/* Removes parent/name with all that is in it; follows no link out of it. ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO (errno). */
int draft_remove(const char *parent, const char *name) must_check;
