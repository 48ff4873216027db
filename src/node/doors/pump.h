/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What moves bytes between two TCP connections, both ways, until both have ended. An end of one direction is passed on and leaves
 * the other alone; a connection that breaks breaks the other one (RST), so nobody takes a part for the whole. One thread, by the
 * loop that it is given. */

#include "node/doors/pipes.h"
#include <stdint.h>
#include <uv.h>

#define PUMP_TURN_BYTES (256u << 10) /* of one direction, before other connections have their turn */

struct pump;

struct pump_config {
    uv_loop_t *loop;
    struct pipes *pipes;
    uint64_t *bytes[2];           /* counted: from the first descriptor to the second, and back */
    void (*ended)(void *context); /* both are closed; the pump is, too, behind this call */
    void *context;
};

/* Takes both descriptors, connected and not blocking, also on an error: ERR_NOMEM. */
int pump_new(const struct pump_config *config, const int fds[2], struct pump **out) must_check;

/* Breaks both connections, if they have not ended. Nobody is told. */
void pump_close(struct pump *p);
