/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing over a power-of-two array, at most half full; removal shifts back what probing had pushed
 * along, so there are no tombstones and look-ups stay short for ever. */

#include "base/table.h"

#include <stdlib.h>

#define TABLE_FIRST_SIZE 16

struct table_slot {
    uint64_t key;
    void *value; /* NULL: free */
};

struct table {
    struct table_slot *slots;
    size_t size, count;
};

/* splitmix64's finaliser: keys may be consecutive numbers. */
static size_t home(const struct table *t, uint64_t key)
{
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ull;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebull;
    return (size_t)(key ^ (key >> 31)) & (t->size - 1);
}

static size_t find(const struct table *t, uint64_t key)
{
    size_t at = home(t, key);
    while (t->slots[at].value && t->slots[at].key != key)
        at = (at + 1) & (t->size - 1);
    return at;
}

int table_new(struct table **out)
{
    struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_NOMEM;
    t->size = TABLE_FIRST_SIZE;
    t->slots = calloc(t->size, sizeof(*t->slots));
    if (!t->slots) {
        free(t);
        return ERR_NOMEM;
    }
    *out = t;
    return 0;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    free(t->slots);
    free(t);
}

static int grow(struct table *t)
{
    struct table bigger = {.size = t->size * 2};
    bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
    if (!bigger.slots)
        return ERR_NOMEM;
    for (size_t i = 0; i < t->size; i++)
        if (t->slots[i].value)
            bigger.slots[find(&bigger, t->slots[i].key)] = t->slots[i];
    free(t->slots);
    t->slots = bigger.slots;
    t->size = bigger.size;
    return 0;
}

int table_put(struct table *t, uint64_t key, void *value)
{
    size_t at = find(t, key);
    if (!t->slots[at].value) {
        if ((t->count + 1) * 2 > t->size) {
            if (grow(t))
                return ERR_NOMEM;
            at = find(t, key);
        }
        t->count++;
    }
    t->slots[at] = (struct table_slot){key, value};
    return 0;
}

void *table_get(const struct table *t, uint64_t key)
{
    return t->slots[find(t, key)].value;
}

void table_each(const struct table *t, void (*visit)(void *context, void *value), void *context)
{
    for (size_t i = 0; i < t->size; i++)
        if (t->slots[i].value)
            visit(context, t->slots[i].value);
}

void *table_remove(struct table *t, uint64_t key)
{
    size_t hole = find(t, key);
    void *value = t->slots[hole].value;
    if (!value)
        return NULL;
    t->count--;
    size_t mask = t->size - 1;
    for (size_t at = (hole + 1) & mask; t->slots[at].value; at = (at + 1) & mask) {
        size_t from_home = (at - home(t, t->slots[at].key)) & mask;
        if (from_home >= ((at - hole) & mask)) {
            t->slots[hole] = t->slots[at];
            hole = at;
        }
    }
    t->slots[hole].value = NULL;
    return value;
}
