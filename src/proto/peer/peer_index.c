/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of peers behind the hash of their ids. Control thread. */

#include "proto/peer/peer_index.h"

#include "proto/peer/peer.h"
#include <string.h>

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static unsigned bucket_of(const struct peer_index *index, const struct node_id *id)
{
    uint64_t words[3] = {0};
    memcpy(words, id->bytes, sizeof(id->bytes));
    uint64_t first = fold(words[0] ^ index->seed[0], words[1] ^ index->seed[1]);
    return (unsigned)(fold(first ^ words[2], index->seed[2] | 1) % PEER_INDEX_BUCKETS);
}

/* From the head of a chain to the pointer at the peer with that id, or to the NULL at the chain's end. */
static struct peer **find(struct peer **at, const struct node_id *id)
{
    while (*at && id_compare(&(*at)->id, id) != 0)
        at = &(*at)->next_by_id;
    return at;
}

void peer_index_add(struct peer_index *index, struct peer *p)
{
    p->next_by_id = NULL;
    *find(&index->buckets[bucket_of(index, &p->id)], &p->id) = p;
}

void peer_index_remove(struct peer_index *index, struct peer *p)
{
    *find(&index->buckets[bucket_of(index, &p->id)], &p->id) = p->next_by_id;
}

struct peer *peer_index_find(const struct peer_index *index, const struct node_id *id)
{
    struct peer *chain = index->buckets[bucket_of(index, id)];
    return *find(&chain, id);
}
