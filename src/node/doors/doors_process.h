/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The process that serves doors, started by the keeper of helper processes: it accepts connections, and moves their bytes. It opens
 * no file. docs/ARCHITECTURE.md, "Doors". */

#include "node/config/words.h"
#include "node/doors/door.h"

/* Of open files: what one connection may hold (two sockets, two pipes), and all else. */
#define DOORS_PROCESS_FILES_EACH 6
#define DOORS_PROCESS_FILES_OWN  (64 + DOORS_MAX + 2 * 32)

struct doors_process_config {
    bool caged;
    unsigned max; /* connections at once */
    bool direct;  /* -socks-direct */
    bool authenticates;
    struct words words; /* if it does; the node wipes its own once the process is forked */
    int broker;         /* a channel to it; -1: the mesh's device is here */
    unsigned count;
    struct door doors[DOORS_MAX]; /* those of the mesh have no socket yet */
};

/* Serves until the node closes its end of the channel fd. context is a struct doors_process_config. Returns the exit code. */
int doors_process_run(int fd, const void *context);
