/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A process that keeps helper processes alive: it starts each, and another one in the place of each that dies. It
 * takes nothing from anybody, so nothing can be done to it. */

#include "base/err.h"
#include <stdbool.h>

struct helper_job {
    const char *title; /* for ps(1): "shadowmesh-l2: names" */
    const char *name;  /* at most 15 characters */
    int fd;            /* the helper's end of its channel … */
    const int *more;   /* … and of others that it has, to be borrowed for the keeper's life */
    unsigned more_count;
    int (*run)(int fd, const void *context); /* the helper: returns its exit code, 0 once the node is gone */
    const void *context;
};

/* Forks the keeper, which forks the helpers; the jobs' descriptors are closed here. The keeper ends once all of them have
 * ended with 0, or the node is gone, which they outlive by a second at most. After another end the node is told on the job's channel (HELPER_ENDED), and the
 * next one begins after 0.25 s, doubled up to 60 s while they do not last a minute. node holds the node_count descriptors of
 * the node's ends, which nobody else may keep. Before the process makes a thread or has a key. caged: all of them are. ERR_IO with
 * errno set. */
int helper_keeper_start(const struct helper_job *jobs, unsigned count, const int *node, unsigned node_count,
                        bool caged) must_check;
