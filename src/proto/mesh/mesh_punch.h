/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Straight paths through NATs, agreed upon by what carries already. */

#include "proto/path/path.h"
#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stdint.h>

#define MESH_SMALL_PROBE_LEN (WIRE_OVERHEAD + PATH_PROBE_LEN)

struct candidate;
struct mesh;
struct message;
struct peer;

/* Both of us punch: addresses as which the peer is seen wait for a round. */
bool mesh_punches(const struct peer *p);

/* A session with it began: a round that runs ends. */
void mesh_punch_begin(struct peer *p);

/* Of all that the peer has named. */
void mesh_punch_hold(struct peer *p, const struct candidate *list, unsigned count);

/* Does what is due with p, before its paths are polled. */
void mesh_poll_punch(struct mesh *m, struct peer *p, uint64_t now_us);

/* A request as small as can be, sealed for p, and not remembered: whatever answers comes from an address that is looked into
 * then. False without a session. */
bool mesh_small_probe(struct mesh *m, struct peer *p, uint8_t out[MESH_SMALL_PROBE_LEN]);

/* PUNCH or PUNCH_GO. */
enum drop mesh_on_punch(struct mesh *m, struct peer *p, const struct message *message, uint64_t now_us);

/* Why there is no straight path: the end of a sentence, empty where there is nothing to say. */
const char *mesh_describe_punch(const struct peer *p);
