/* SPDX-License-Identifier: Apache-2.0 */
/* A set of sources, hashed into sets of eight places. docs/PROTOCOL.md §6. */

#include "proto/admission/known.h"

#include "proto/admission/prefix.h"
#include <stdlib.h>

#define WAYS 8

struct entry {
    struct prefix source;
    uint64_t noted; /* counts up; 0: a free place */
};

struct known {
    uint64_t notes, seed[2];
    size_t set_mask;
    struct entry entries[];
};

int known_new(unsigned sources, const struct random_source *random, struct known **out)
{
    size_t sets = 1;
    while (sets * WAYS < sources)
        sets *= 2;
    struct known *k = calloc(1, sizeof(*k) + sets * WAYS * sizeof(*k->entries));
    if (!k)
        return ERR_NOMEM;
    k->set_mask = sets - 1;
    random_fill(random, k->seed, sizeof(k->seed));
    *out = k;
    return 0;
}

void known_free(struct known *k)
{
    free(k);
}

static size_t set_of(const struct known *k, const struct prefix *source)
{
    return (prefix_hash(source, k->seed) & k->set_mask) * WAYS;
}

void known_note(struct known *k, const struct addr *source)
{
    const struct prefix p = prefix_of(source, 0);
    struct entry *set = &k->entries[set_of(k, &p)], *place = set;
    for (struct entry *e = set; e < set + WAYS; e++) {
        if (e->noted && prefix_equal(&e->source, &p)) {
            place = e;
            break;
        }
        if (e->noted < place->noted)
            place = e;
    }
    *place = (struct entry){p, ++k->notes};
}

bool known_has(const struct known *k, const struct addr *source)
{
    const struct prefix p = prefix_of(source, 0);
    const struct entry *set = &k->entries[set_of(k, &p)];
    for (const struct entry *e = set; e < set + WAYS; e++)
        if (e->noted && prefix_equal(&e->source, &p))
            return true;
    return false;
}
