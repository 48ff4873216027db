/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The folders of a network on this machine, which come into being whole, or not at all: while they are filled, signals that
 * would end this process wait. */

#include "cli/draft.h"
#include "cli/place.h"
#include <signal.h>

struct making {
    const struct place *place; /* borrowed */
    struct draft dir, keydir;  /* keydir: only where the place is the standard one */
    int keydir_fd;             /* of the node's folder, either way */
    char keydir_path[PATH_MAX];
    sigset_t signals; /* as they were */
};

/* Begins to make them. Each complains and returns false when it cannot go on; then nothing is left. */
bool making_begin(const struct place *place, struct making *out);

/* Writes a file of the network's folder, or of the node's. */
bool making_put(struct making *m, const char *name, const char *text);
bool making_put_secret(struct making *m, const char *name, const char *text, size_t len);

/* Complains about what, with err's reason; and discards all. Returns false. */
bool making_fail(struct making *m, const char *what, int err);

/* They are there from now on. */
bool making_publish(struct making *m);
