/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The helper that speaks with the backbones: HTTP, TLS, JSON and WebSocket, far from the node's key. */

#include "node/config/proxy.h"
#include "node/helper/uplink_helper.h"
#include "proto/path/endpoint.h"
#include <stdbool.h>

struct backbone_helper_config {
    bool caged;
    unsigned count; /* of backbones; requests name them by their numbers */
    struct backbone_place {
        const char *url;         /* without trailing slash; empty: its uplink makes visits */
        struct proxy proxy;      /* by which it is reached; its URL is empty for none */
        struct uplink_ends ends; /* of the uplink's channels */
    } places[UPLINKS_MAX];
};

/* Runs it on its end of the channel (struct helper_job); context is a struct backbone_helper_config. */
int backbone_helper_run(int fd, const void *context);
