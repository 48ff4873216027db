/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A virtual machine that is resumed from a snapshot runs on with keys and counters that were used already. */

#include <uv.h>

struct snapshot {
    uv_poll_t poll; /* of the kernel's events */
    int fd;         /* -1: it does not tell */
    void (*on_resumed)(void *context);
    void *context;
};
#define SNAPSHOT_NONE ((struct snapshot){.fd = -1}) /* before snapshot_watch */

/* From here on on_resumed is called when the kernel tells of it, with fresh randomness. */
void snapshot_watch(struct snapshot *s, uv_loop_t *loop, void (*on_resumed)(void *context), void *context);

/* Before the loop closes its handles. */
void snapshot_unwatch(struct snapshot *s);
