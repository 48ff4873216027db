/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Peers by id, however many there are. The hash depends on a secret seed: ids are hashes of keys, and whoever makes many
 * keys could choose ids that collide. Control thread. */

#include "base/id.h"
#include <stdint.h>

#define PEER_INDEX_BUCKETS 4096

struct peer;

/* All zero but for the seed: empty. */
struct peer_index {
    uint64_t seed[3];
    struct peer *buckets[PEER_INDEX_BUCKETS];
};

/* p is in no index, and nobody with its id is in this one. */
void peer_index_add(struct peer_index *index, struct peer *p);
void peer_index_remove(struct peer_index *index, struct peer *p);

/* NULL when there is none. */
struct peer *peer_index_find(const struct peer_index *index, const struct node_id *id);
