/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's side of its doors (-forward, -listen): the process that serves them is told which device is the mesh's, and
 * believed in what it counts. Control thread. */

#include "node/doors/doors_counts.h"
#include <uv.h>

#define DOORS_TITLE "doors" /* what the process does, for the log */

struct doors;

struct doors_config {
    uv_loop_t *loop;
    uint32_t interface; /* the device's index */
};

/* Takes fd, the node's end of the channel, also on an error: ERR_NOMEM. */
int doors_new(const struct doors_config *config, int fd, struct doors **out) must_check;

/* As it told a second ago at most; of a process that died nothing is left. Borrowed. */
const struct doors_counts *doors_counts(const struct doors *d);

/* The process ends, and with it all connections. NULL is allowed. */
void doors_close(struct doors *d);
