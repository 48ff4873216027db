/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A TCP connection to one of several addresses, tried in turn. One thread, by the loop that it is given. */

#include "base/addr.h"
#include "proto/doors/outcome.h"
#include <uv.h>

#define DIAL_ADDRESSES_MAX 8
#define DIAL_CONNECT_MS    10000 /* for each address */

struct dial_config {
    uv_loop_t *loop;
    /* A socket towards that address, which does not block. ERR_IO. */
    int (*open)(void *context, const struct addr *to, int *out);
    /* Once, perhaps before dial_start returns. fd is for the callee to close; -1: none has answered, and outcome is the last one's. */
    void (*done)(void *context, int fd, enum outcome outcome);
    void *context;
};

/* Tries count addresses, DIAL_ADDRESSES_MAX at most, each with a port. ERR_NOMEM: then done is not called. */
int dial_start(const struct dial_config *config, const struct addr *addresses, unsigned count) must_check;
