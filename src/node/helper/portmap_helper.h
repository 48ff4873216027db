/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The helper for port mappings: it asks the router, so that what that answers is parsed here, far from the node's keys. It
 * has no file and no name service, and speaks to the router that it is told alone. docs/ARCHITECTURE.md, "Processes". */

#include "proto/portmap/pcp.h"
#include <stdbool.h>

struct portmap_helper_config {
    bool caged;
    uint16_t port, control_port; /* that are to be mapped: UDP, TCP */
    uint8_t nonce
        [PCP_NONCE_LEN]; /* of this life of the node: a helper after this one renews what this one asked for */
};

/* A helper_job's; context is a struct portmap_helper_config. Once the node is gone it ends what it holds, within
 * 0.8 s. */
int portmap_helper_run(int fd, const void *context);
