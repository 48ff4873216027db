/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keychains' owner: receiver indices, and sessions that come and go. */

#include "proto/link/keychain.h"
#include <stdint.h>

struct link;
struct mesh;
struct peer;

struct keychain_ops mesh_keychain_ops(struct link *l);

/* 0 when out of memory. */
uint32_t mesh_reserve_index(const struct peer *p);
void mesh_release_index(struct mesh *m, uint32_t index);
