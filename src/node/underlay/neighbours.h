/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Peers on the local networks of this machine: beacons that say that we are here, and theirs. docs/PROTOCOL.md §20. Control
 * thread. */

#include "base/err.h"
#include <stdint.h>
#include <uv.h>

struct config;
struct device;
struct identity;
struct mesh;
struct neighbours;

/* All borrowed while it lives. */
struct neighbours_config {
    uv_loop_t *loop;
    const struct config *config;
    const struct identity *me;
    struct device *device; /* no beacon goes there, nor by what is reached through it */
    struct mesh *mesh;     /* learns where a peer is */
    uint64_t *drops;       /* counts what was heard for nothing */
};

/* Where neither family can be used, a line says so and *out does nothing. ERR_NOMEM. */
int neighbours_new(const struct neighbours_config *config, struct neighbours **out) must_check;
/* While the loop still runs. NULL is allowed. */
void neighbours_close(struct neighbours *n);

/* Interfaces or addresses changed. NULL is allowed, as below. */
void neighbours_on_change(struct neighbours *n, uint64_t now_us);

/* Once a second. */
void neighbours_tick(struct neighbours *n, uint64_t now_us);
