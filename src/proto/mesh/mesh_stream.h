/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Links on streams, moved on by events and time. */

#include <stdint.h>

struct link;
struct mesh;
struct peer;

/* Acts upon what l has received. May free l. */
void mesh_advance(struct mesh *m, struct link *l, uint64_t now_us);

/* What is late on the links of p ends, what is old is renewed. */
void mesh_tick_links(struct mesh *m, struct peer *p, uint64_t now_us);
