/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Standbys: what peers are told of where ours are reached, and say of theirs. */

#include "proto/wire/drop.h"
#include <stdint.h>

struct mesh;
struct message;
struct peer;

/* The peer is asked to probe ours, if they are about to be tried. */
void mesh_call_standbys(struct mesh *m, struct peer *p);

/* It asks for that. */
enum drop mesh_on_standby(struct mesh *m, struct peer *p, const struct message *message, uint64_t now_us);
