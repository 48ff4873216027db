/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Control streams over the session with a peer: who opens them, and how their bytes go out and come in. The mesh is what
 * carries them, so nobody else hears of them (mesh_outputs.h). */

#include "base/err.h"
#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mesh;
struct message;
struct peer;
struct target;

/* Opens conn over p's session; it is connected at once. ERR_SPACE, ERR_NOMEM. */
int mesh_session_open(struct mesh *m, struct peer *p, uint64_t conn) must_check;

/* Whether one that p opens may be a guest. */
bool mesh_session_welcomes(struct mesh *m, const struct target *from, uint64_t now_us);

int mesh_session_write(struct mesh *m, uint64_t conn, const uint8_t *data, size_t len) must_check;

/* Nothing more is wanted of conn: what was written goes out, or nothing when it is reset. False: it is over no session. */
bool mesh_session_let_go(struct mesh *m, uint64_t conn, bool reset);

/* STREAM, STREAM_ANSWER or STREAM_RESET of p. What it brings may end any link of p. */
enum drop mesh_on_session_stream(struct mesh *m, struct peer *p, const struct message *message,
                                 uint64_t now_us);

/* What is due of p's streams goes out; what is over ends. */
void mesh_poll_session(struct mesh *m, struct peer *p, uint64_t now_us);
/* Likewise at once, if conn is over a session. */
void mesh_session_hurry(struct mesh *m, uint64_t conn, uint64_t now_us);
uint64_t mesh_session_deadline(const struct peer *p);
