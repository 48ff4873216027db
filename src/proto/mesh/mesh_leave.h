/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A member that leaves its network. docs/PROTOCOL.md §27. */

#include "proto/wire/drop.h"
#include <stdint.h>

struct link;
struct mesh;
struct peer;

/* LEAVE has come: where we sign lists, and its peer is a member, MESH_OUTPUT_LEAVE tells. */
enum drop mesh_on_leave(struct mesh *m, struct link *l, uint64_t now_us);

/* p admits us no longer: if that is the issuer that we asked, we have left. */
void mesh_leave_on_shut_out(struct mesh *m, const struct peer *p);
