/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Relays by which peers are reached over UDP, and how little they are believed. */

#include <stdbool.h>
#include <stdint.h>

struct endpoint;
struct mesh;
struct peer;

/* What p's channels need now. */
void mesh_poll_relays(struct mesh *m, struct peer *p, uint64_t now_us);
uint64_t mesh_relay_deadline(const struct peer *p);

/* The backbone says that it passes datagrams between us, or no longer. */
void mesh_relay_on_paired(struct mesh *m, struct peer *p, unsigned backbone, bool on, uint64_t now_us);

/* Our addresses have changed. */
void mesh_hurry_relays(struct peer *p, uint64_t now_us);

/* p's datagrams go by that backbone's relay no longer, or by no relay. */
void mesh_drop_relay(struct mesh *m, struct peer *p, unsigned backbone);
void mesh_drop_relays(struct mesh *m, struct peer *p);
