/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The helper processes of a node: what they are, and their start. docs/ARCHITECTURE.md, "Processes". */

#include "base/err.h"
#include <stdbool.h>

#define HELPERS_NONE                                                                                         \
    (struct helpers)                                                                                         \
    {                                                                                                        \
        .names = -1, .backbone = -1                                                                          \
    }

/* The node's ends of their channels; -1 where there is none. */
struct helpers {
    int names, backbone;
};

struct helpers_config {
    bool caged;
    const char *backbone; /* its URL; empty for none, and no helper for it */
};

/* Starts them. Before this process makes a thread, reads a key or opens what they should not have. ERR_IO with errno
 * set: then none runs. */
int helpers_start(const struct helpers_config *config, struct helpers *out) must_check;

/* Closes what nobody has taken; each helper ends by it. */
void helpers_close(struct helpers *h);
