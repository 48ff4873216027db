/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Straight paths by a birthday (proto/punch/birthday.h), and the side sockets that come of it. */

#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stdint.h>

struct mesh;
struct message;
struct peer;

/* Does what is due with p, and closes its side socket when no path leaves by it any more. */
void mesh_poll_birthday(struct mesh *m, struct peer *p, uint64_t now_us);
uint64_t mesh_birthday_deadline(const struct peer *p);

enum drop mesh_on_birthday(struct mesh *m, struct peer *p, const struct message *message, uint64_t now_us);

/* The peer goes: so does its side socket. */
void mesh_end_birthday(struct mesh *m, struct peer *p);

/* What is tried, or "" while nothing is. */
const char *mesh_describe_birthday(const struct peer *p);
