/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who comes: the lobby, and those whose handshake runs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct candidate;
struct link;
struct mesh;
struct peer;
struct target;

/* Of a stream that has no link yet. */
void mesh_on_guest_bytes(struct mesh *m, uint64_t conn, const uint8_t *data, size_t len, uint64_t now_us);

/* Handshakes begin of those whose turn it is, unless too much is being computed already. */
void mesh_receive_guests(struct mesh *m, uint64_t now_us);

/* l has been identified, or ends. */
void mesh_leave_half_open(struct mesh *m, const struct link *l);

/* All whose handshake runs, without a byte more. */
void mesh_end_half_open(struct mesh *m);

void mesh_tick_accepted(struct mesh *m, uint64_t now_us);
uint64_t mesh_accepted_deadline(const struct mesh *m, uint64_t now_us);

/* Whether a peer of our lists is expected there: at its address, or by the id that a backbone tells, which proves nothing. */
bool mesh_expects(const struct mesh *m, const struct target *from);

/* Where p will dial us from, if it is on our lists. */
void mesh_expect_peer_at(struct mesh *m, const struct peer *p, const struct candidate *list, unsigned count);
