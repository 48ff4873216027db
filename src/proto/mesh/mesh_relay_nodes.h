/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Peers that relay for others of ours: which do, which are asked, and what they say. */

#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stdint.h>

struct mesh;
struct message;
struct peer;

/* Whether p may relay for us may have changed: its session, or our lists. */
void mesh_update_relay_node(struct mesh *m, struct peer *p);

/* Of p and us, we choose who relays. */
bool mesh_chooses_nodes(const struct peer *p);

/* Asks those that may relay between p and us, when that is due. */
void mesh_seek_relays(struct mesh *m, struct peer *p, uint64_t now_us);
uint64_t mesh_seek_deadline(const struct peer *p);

/* Asks the node in that place for a channel to p. False: it cannot be asked any more, and has lost its place. */
bool mesh_ask_node(struct mesh *m, struct peer *p, unsigned place);

/* What that node passes on does not arrive: another is sought. */
void mesh_leave_node(struct mesh *m, struct peer *p, unsigned place, uint64_t now_us);

/* RELAY_FOUND or RELAY_CHANNEL, from the peer node. */
enum drop mesh_on_relay_found(struct mesh *m, struct peer *node, const struct message *found,
                              uint64_t now_us);
enum drop mesh_on_relay_channel(struct mesh *m, struct peer *node, const struct message *channel,
                                uint64_t now_us);

/* Whether p's straight path is used by relaying, one way or the other: a NAT between us must not forget it. */
bool mesh_relay_needs(const struct peer *p);
