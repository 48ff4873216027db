/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What lanes are made of, while they are used, and by what. */

#include <stdint.h>

struct peer;
struct session;

/* Frames to groups or unknown addresses that were exchanged with it: struct mesh_floods. */
uint32_t mesh_floods_of(const struct peer *p);

/* keychain_ops.cool, with the link as context. */
void mesh_cool_lanes(void *context, struct session *s);
