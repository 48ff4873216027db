/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes of source addresses. Pure; any thread. docs/PROTOCOL.md §6. */

#include "proto/admission/prefix.h"

struct prefix prefix_of(const struct addr *source, unsigned level)
{
    static const uint8_t lengths[2][PREFIX_LEVELS] = {{32, 28, 24}, {64, 56, 48}};
    struct prefix p = {.family = source->family, .level = (uint8_t)level};
    for (unsigned i = 0; i < sizeof(p.bits); i++)
        p.bits = p.bits << 8 | source->ip[i];
    p.bits &= ~0ull << (64 - lengths[source->family == 6][level]);
    return p;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
    return a->bits == b->bits && a->family == b->family && a->level == b->level;
}

uint64_t prefix_hash(const struct prefix *p, const uint64_t seed[2])
{
    uint64_t kind = (uint64_t)p->family << 8 | p->level;
    unsigned __int128 product =
        (unsigned __int128)(p->bits ^ seed[0]) * (kind ^ seed[1] ^ 0x9e3779b97f4a7c15ull);
    uint64_t hash = (uint64_t)(product >> 64) ^ (uint64_t)product;
    return hash ^ hash >> 32;
}
