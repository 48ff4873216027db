/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command netcheck, and those that wait for its answer. docs/PROTOCOL.md §11. Control thread. */

#include "node/netcheck/netcheck.h"

struct api_call;
struct portmap;

#define CHECKS_MAX 16 /* callers that wait for one check */

struct checks {
    struct netcheck_config config;
    const struct portmap *portmap; /* whose state is part of the answer; NULL with -portmap off */
    struct netcheck *running;      /* NULL: none */
    unsigned count;
    struct api_call *calls[CHECKS_MAX];
};

/* Answers call when the check is over: one that runs already serves it as well. */
void checks_start(struct checks *c, struct api_call *call);

/* The node ends: tells all. */
void checks_end(struct checks *c);
