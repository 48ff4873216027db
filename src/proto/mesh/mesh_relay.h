/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Relays by which peers are reached over UDP, and how little they are believed. A relay has a number (proto/path/endpoint.h). */

#include <stdbool.h>
#include <stdint.h>

struct mesh;
struct mesh_channel;
struct mesh_turns;
struct peer;

/* Whether p relays for us, or we for it, may have changed: its session, or our lists. */
void mesh_update_relaying(struct mesh *m, struct peer *p);

/* What p's channels need now. */
void mesh_poll_relays(struct mesh *m, struct peer *p, uint64_t now_us);
uint64_t mesh_relay_deadline(const struct peer *p);

/* The backbone says that it passes datagrams between us, or no longer. */
void mesh_relay_on_paired(struct mesh *m, struct peer *p, unsigned backbone, bool on, uint64_t now_us);

/* A relay gave us a channel to p: it is bound, unless one was given just now or another has its number. */
void mesh_take_channel(struct mesh *m, struct peer *p, unsigned relay, const struct mesh_channel *channel,
                       uint64_t now_us);

/* Whether we are an end of one with that number. */
bool mesh_is_end_of(const struct mesh *m, uint32_t channel);

/* Our addresses have changed. */
void mesh_hurry_relays(struct peer *p, uint64_t now_us);

/* p's datagrams go by that relay no longer, or by no relay. */
void mesh_drop_relay(struct mesh *m, struct peer *p, unsigned relay);
void mesh_drop_relays(struct mesh *m, struct peer *p);

/* Whether so many words may be said now, of those for which the bucket is. Else *at_us is when their turn comes: who waits has one of
 * his own, and it is no later than after one of each peer. */
bool mesh_has_turn(const struct mesh *m, struct mesh_turns *t, unsigned words, uint64_t now_us,
                   uint64_t *at_us);
