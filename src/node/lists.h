/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's commands that change whom a running node dials and admits: allow, disallow, connect, disconnect. Each is
 * logged with who asked. None outlives the node: the answer says which flag does. docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>

struct api_call;
struct node;

void lists_allow(struct node *n, const json_t *request, struct api_call *call);
void lists_disallow(struct node *n, const json_t *request, struct api_call *call);
void lists_connect(struct node *n, const json_t *request, struct api_call *call);
void lists_disconnect(struct node *n, const json_t *request, struct api_call *call);
