/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Straight paths by a birthday (proto/punch/birthday.h). */

#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stdint.h>

struct mesh;
struct message;
struct peer;

/* Does what is due with p. */
void mesh_poll_birthday(struct mesh *m, struct peer *p, uint64_t now_us);
uint64_t mesh_birthday_deadline(const struct peer *p);

enum drop mesh_on_birthday(struct mesh *m, struct peer *p, const struct message *message, uint64_t now_us);

/* The peer goes. */
void mesh_end_birthday(struct mesh *m, const struct peer *p);

/* What is tried, or "" while nothing is. */
const char *mesh_describe_birthday(const struct peer *p);
