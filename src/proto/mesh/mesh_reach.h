/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether data can flow to a peer, in words. */

#include "proto/mesh/mesh.h"
#include <stdint.h>

struct link;
struct peer;

#define MESH_HOW_MAX 256

void mesh_update_reach(struct mesh *m, struct peer *p, uint64_t now_us);      /* and tells what is new */
void mesh_describe_link(const struct link *l, char out[MESH_HOW_MAX]);        /* how it came to be */
void mesh_describe_dark(const struct peer *p, char out[MESH_PEER_ERROR_MAX]); /* why data cannot flow */
