/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Pipes by which splice(2) moves bytes from one socket to another without copying them: taken while bytes are between the two, and
 * given back empty, so that a connection on which nothing moves has none. One thread. */

#include "base/err.h"

#define PIPES_SPARE_MAX 32 /* that are kept for the next */

struct pipes {
    unsigned count;
    int spare[PIPES_SPARE_MAX][2];
};

/* A pipe that does not block: its reading end first. ERR_IO with errno set. */
int pipes_take(struct pipes *p, int out[2]) must_check;

/* Takes it back, empty. */
void pipes_give(struct pipes *p, const int pipe[2]);

/* Closes one in which bytes may be left. */
void pipes_drop(const int pipe[2]);

void pipes_fini(struct pipes *p);
