/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A process that opens files anew for one that has gone into its cage, where it opens none of them. It takes no word but
 * "again", and opens what it was told before: so a program that was taken over reaches those files alone, not all that
 * lies beside them. */

#include "base/err.h"
#include <stdbool.h>

#define OPENER_FILES_MAX 4
#define OPENER_WRONG_MAX 256

struct opener_config {
    const char *const *paths; /* as own_file_open takes them */
    unsigned count;
    bool caged;
    const char *title; /* for ps(1), as process_title takes it */
};

/* Forks it; it ends with the caller's end of the channel, which is *out and does not block. Before the process makes a
 * thread or has a key. ERR_IO with errno set. */
int opener_start(const struct opener_config *config, int *out) must_check;

/* The files as they are now. */
struct opened {
    unsigned count; /* all of them, or none */
    int fds[OPENER_FILES_MAX];
    char wrong[OPENER_WRONG_MAX]; /* of none: which one cannot be opened, and why */
};

/* Asks for them. ERR_CLOSED when the process is gone. */
int opener_ask(int fd) must_check;

/* Its answer, once for each time that it was asked, about count files; the descriptors are the caller's. ERR_AGAIN when
 * there is none yet, ERR_CLOSED as above. */
int opener_take(int fd, unsigned count, struct opened *out) must_check;
