/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is said under sessions in CONTROL datagrams. */

#include "proto/message/message.h"
#include "proto/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoint;
struct link;
struct path;
struct peer;
struct session;
struct slice;

/* In datagrams under s, a session of l's, on the path that carries. */
void mesh_say_under(struct link *l, struct session *s, const struct message *message);

/* In datagrams under l's keys, on the path that carries; or on every one that has not failed. */
void mesh_say_sealed(struct link *l, const struct message *message);
void mesh_say_everywhere(struct link *l, const struct message *message);

/* Likewise; text may be empty. What l has to say goes so where it has no stream, or one whose last bytes nobody would repeat. */
void mesh_say_bye(struct link *l, enum bye_code code, const char *text);
bool mesh_needs_datagrams(const struct link *l);

/* How much of a stream one datagram holds on that path. */
size_t mesh_segment_room(const struct path *path);

/* Seals pieces (inner header first) on the control lane and sends them to one endpoint. */
void mesh_send_sealed(struct peer *p, struct session *s, enum wire_type type, const struct slice *pieces,
                      size_t count, const struct endpoint *to);
