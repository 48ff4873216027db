/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SIGHUP: the flags and the files of -config are read again, what may change does, and what does not is named. Main
 * thread. */

#include "base/err.h"

struct backbone_config;

struct reload {
    struct backbone_config *config; /* as the server runs */
    int opener;                     /* of the files (net/opener.h); -1: there are none */
};

/* Before the server makes a thread. ERR_IO, which it has told. */
int reload_start(struct reload *r, struct backbone_config *config) must_check;

/* Reads them again; the log tells what has changed, or that nothing has and why. Waits for the files for 5 s at most. */
void reload_run(struct reload *r);

void reload_end(struct reload *r);
