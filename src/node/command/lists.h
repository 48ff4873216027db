/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's commands that change whom a running node dials and admits: allow, disallow, connect, disconnect. Each is
 * logged with who asked. None outlives the node: the answer says which flag does. docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>
#include <stdbool.h>

struct api_call;
struct config;
struct hosts;
struct mesh;
struct node_id;

/* What is changed, and what the answers go by; all borrowed. */
struct lists {
    const struct config *config; /* the flags */
    struct mesh *mesh;
    struct hosts *hosts;
    const struct node_id *me;
    unsigned peers_max; /* as many as the mesh takes */
};

void lists_allow(struct lists *l, const json_t *request, struct api_call *call);
void lists_disallow(struct lists *l, const json_t *request, struct api_call *call);
void lists_connect(struct lists *l, const json_t *request, struct api_call *call);
void lists_disconnect(struct lists *l, const json_t *request, struct api_call *call);
