/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A peer as lines for people call it: "site-b (a1b2c3d4e5)", or its id alone while it has no name. */

#include "base/id.h"
#include "proto/message/message.h"

struct mesh;

#define WHO_TEXT_MAX (ID_TEXT_MAX + MESSAGE_NAME_MAX + 8)

/* name empty: unknown. Returns out. */
const char *who_format(const struct node_id *id, const char *name, char out[WHO_TEXT_MAX]);

/* Who is in the slot of the mesh. "that is gone" when nobody is, or slot is below 0. Returns out. */
const char *who_is_in(const struct mesh *m, int slot, char out[WHO_TEXT_MAX]);
