/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's commands about our network's members: members lists them, revoke shuts one out. docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>

struct api_call;
struct backbones;
struct device;
struct identity;
struct mesh;
struct registry;

/* What the answers go by; all borrowed. */
struct rosters {
    struct registry *registry; /* NULL: we are in no network */
    struct mesh *mesh;
    const struct identity *me;
    const struct backbones *backbones;
    const struct device *device;
};

void rosters_list(struct rosters *r, struct api_call *call);
void rosters_revoke(struct rosters *r, const json_t *request, struct api_call *call);
