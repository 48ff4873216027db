/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A peer ends it: REFUSE and BYE, and what is made of the reason. */

#include <stdint.h>

struct link;
struct mesh;
struct message;

/* l is gone then. */
void mesh_on_refused(struct mesh *m, struct link *l, uint64_t now_us);

/* Its stream is gone then; the link too, unless it was replaced. */
void mesh_on_bye(struct mesh *m, struct link *l, uint64_t now_us);

/* In a datagram, from a peer that has no stream. May free l. */
void mesh_on_sealed_bye(struct mesh *m, struct link *l, const struct message *bye, uint64_t now_us);
