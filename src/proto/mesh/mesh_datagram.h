/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Sessions and paths: receiver indices, CONTROL in datagrams, probes. */

#include "proto/link/keychain.h"
#include "proto/message/message.h"
#include <stdint.h>

struct link;
struct mesh;
struct peer;

struct keychain_ops mesh_keychain_ops(struct link *l);

/* 0 when out of memory. */
uint32_t mesh_reserve_index(const struct peer *p);
void mesh_release_index(struct mesh *m, uint32_t index);

/* In datagrams: for a link without a stream. */
void mesh_say_bye(struct link *l, enum bye_code code);

/* Probes that are due, and what the paths have to tell. */
void mesh_poll_paths(struct mesh *m, struct peer *p, uint64_t now_us);
