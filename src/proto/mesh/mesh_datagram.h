/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Probes. */

#include <stdint.h>

struct mesh;
struct peer;

/* Probes that are due, and what the paths have to tell. */
void mesh_poll_paths(struct mesh *m, struct peer *p, uint64_t now_us);
