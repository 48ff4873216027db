/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What trunks.c (the control thread's side, start and stop) and trunks_thread.c share; nobody else includes this. */

#include "base/table.h"
#include "node/carrier/trunk_socket.h"
#include "node/carrier/trunks.h"
#include <pthread.h>
#include <stdatomic.h>

#define TRUNKS_CHANNELS_MAX (1 + TRUNKS_WORKERS_MAX) /* the control thread's, then the workers' */

/* What an event of epoll is of. */
#define TRUNKS_SOURCE_COMMANDS 0
#define TRUNKS_SOURCE_CHANNEL  1 /* and behind it the others … */
#define TRUNKS_SOURCE_TRUNK    (TRUNKS_SOURCE_CHANNEL + TRUNKS_CHANNELS_MAX) /* … and the trunks, by number */

struct trunks {
    struct trunks_config config;
    pthread_t thread;
    bool started;
    uv_async_t ended_async;
    int mine[TRUNKS_CHANNELS_MAX],
        theirs[TRUNKS_CHANNELS_MAX]; /* ends of the channels: the thread's, the others' */
    int epoll, wake;
    _Atomic bool stop;
    _Atomic uint64_t backlog, overload, malformed;

    pthread_mutex_t lock;                  /* of what follows */
    struct trunk *coming, *ending, *ended; /* a trunk is in one of them at most */
    struct table *by_conn; /* those that the thread has; it alone changes this, and reads it unlocked */

    /* the thread's */
    struct trunk *waiting; /* for their sockets */
    struct batch *spare;   /* room for the largest packet */
    uint64_t now_us, expired_us;
};

/* The thread, until stop. */
void *trunks_run(void *trunks);

/* Takes in what comes and ends what is to end; what is in ended is the control thread's. */
void trunks_take_commands(struct trunks *t);
