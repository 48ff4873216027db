/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command fdb: where the switch has learned which addresses. docs/PROTOCOL.md §11. Control thread. */

struct api_call;
struct mesh;
struct switch_table;

/* Answers, piece by piece; sw and mesh are borrowed until the API is closed. */
void learned_tell(struct switch_table *sw, const struct mesh *mesh, struct api_call *call);
