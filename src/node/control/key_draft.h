/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A key that was made at this start: on disk before the cage, where errors show early, and under its name once the
 * start has succeeded. By then the node may not write there any more: a small process holds the folder. It gives the
 * key its name when it is told to, and removes it when the node ends before, in whatever way. */

#include "base/err.h"

struct identity;

#define KEY_DRAFT_NONE                                                                                       \
    (struct key_draft)                                                                                       \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

struct key_draft {
    int fd; /* the channel to its process; -1: there is none, or no longer */
};

/* As identity_draft. ERR_AGAIN, with errno set, when its process cannot be started. On an error nothing is left, and
 * *out is KEY_DRAFT_NONE. Before the cage. */
int key_draft_new(const struct identity *me, const char *dir, struct key_draft *out) must_check;

/* As identity_publish; waits for the disk. ERR_CLOSED when its process was killed: then a file with another name may be
 * left. */
int key_draft_keep(struct key_draft *draft) must_check;

/* Returns when nothing is left of it. Does nothing for one that was kept. */
void key_draft_drop(struct key_draft *draft);
