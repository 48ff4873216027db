/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a link says, and how it ends: with or without its stream, its keys, or the peer's session. */

#include "proto/message/message.h"
#include <stdint.h>

struct link;
struct mesh;
struct peer;

/* What l has to say goes out on its stream. */
void mesh_flush(struct mesh *m, struct link *l);

/* Gives the stream up once that is out; keys live on. */
void mesh_end_stream(struct mesh *m, struct link *l);

/* Ends the stream without a byte more from l's keys, of sessions or TLS. */
void mesh_abandon_link(struct mesh *m, struct link *l);

/* The index that was promised to a link which ends before it has keys. */
void mesh_release_promise(struct mesh *m, const struct link *l);

/* Frees l. */
void mesh_discard_link(struct mesh *m, struct link *l);

/* Frees l of p; if it carries, the peer is without a session. why NULL: people know already. */
void mesh_lose(struct mesh *m, struct peer *p, struct link *l, const char *why, uint64_t now_us);

/* Says BYE on every link of p and ends it. */
void mesh_end_peer(struct mesh *m, struct peer *p, enum bye_code code, const char *why, uint64_t now_us);
