/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node does that relays for its peers: who is served, what they ask, and what they bind. Nothing where the mesh has no
 * desk. */

#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoint;
struct mesh;
struct message;
struct peer;

/* A person named it: it is not admitted for being anybody. */
bool mesh_is_listed(const struct peer *p);

/* Whether we relay for p may have changed: its session, or our lists. */
void mesh_update_served(struct mesh *m, struct peer *p);

/* RELAY_SEEK or RELAY_ASK, from p. */
enum drop mesh_on_relay_seek(struct mesh *m, struct peer *p, const struct message *seek, uint64_t now_us);
enum drop mesh_on_relay_ask(struct mesh *m, struct peer *p, const struct message *ask, uint64_t now_us);

/* A message in an envelope (proto/relay/relay_message.h) that is not for an end of ours. */
enum drop mesh_on_bind(struct mesh *m, const struct endpoint *from, const uint8_t *data, size_t len,
                       uint64_t now_us);

/* Whether we drew that channel. */
bool mesh_gave_out(const struct mesh *m, uint32_t channel);

/* Channels that end for want of use. */
void mesh_expire_channels(struct mesh *m, uint64_t now_us);
uint64_t mesh_expiry_due(const struct mesh *m);
