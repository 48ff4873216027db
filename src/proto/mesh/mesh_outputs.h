/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the mesh wants done, queued. Room for it was promised where the stream, session or peer was made, but for
 * datagrams, notices and pongs, which are lost when there is no memory (outputs.h). */

#include "base/err.h"
#include "proto/mesh/outputs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr;
struct endpoint;
struct link_work;
struct mesh;
struct node_id;
struct peer;
struct record_bytes;
struct session;

void mesh_stream_end(struct mesh *m, uint64_t conn, enum mesh_output_kind kind); /* CLOSE or ABORT */
void mesh_turn_away(struct mesh *m, uint64_t conn); /* ABORT, of who has not proved its id */
void mesh_publish(struct mesh *m, const struct peer *p);
void mesh_retire(struct mesh *m, struct session *s);
void mesh_want(struct mesh *m, const struct node_id *id, bool wanted);
int mesh_promise_overlay(struct mesh *m, struct peer *p) must_check; /* before p may become LIVE */
void mesh_tell_overlay(struct mesh *m, struct peer *p);
void mesh_tell_gone(struct mesh *m, struct peer *p);
void mesh_tell_member(struct mesh *m, const struct peer *p);
void mesh_tell_asked(struct mesh *m, const struct node_id *issuer);
void mesh_tell_leave(struct mesh *m, const struct node_id *member);
void mesh_send_datagram(struct mesh *m, const struct endpoint *to, const uint8_t *data, size_t len);
void mesh_tell_pong(struct mesh *m, uint64_t token, uint32_t rtt_us);
/* ERR_NOMEM: it was not. */
int mesh_give_out(struct mesh *m, struct link_work *work, bool stranger) must_check;
/* False when out of memory: it is not told. */
bool mesh_tell_pair(struct mesh *m, const struct node_id *id, unsigned backbone, bool on);
/* A record that a peer passed on is to be verified. ERR_NOMEM. */
int mesh_verify(struct mesh *m, const struct record_bytes *bytes) must_check;

void mesh_ask_relay(struct mesh *m, const struct node_id *id, unsigned backbone);
void mesh_check_uplink(struct mesh *m, unsigned backbone);
/* At our NAT. keep: the socket that looks first is to be a side socket. */
void mesh_ask_look(struct mesh *m, const struct peer *p, bool keep);
/* Straight over UDP, and no further than so many hops; 0: as far as it takes. */
void mesh_send_near(struct mesh *m, const struct endpoint *to, uint8_t hops, const uint8_t *data, size_t len);
/* As mesh_send_near, from many fresh sockets for p. */
void mesh_draw(struct mesh *m, const struct peer *p, const struct addr *to, uint8_t hops, const uint8_t *data,
               size_t len);
void mesh_note(struct mesh *m, enum mesh_notice what, const struct peer *p, const char *text);
void mesh_note_id(struct mesh *m, enum mesh_notice what, const struct node_id *id, const char *name,
                  const char *text);
