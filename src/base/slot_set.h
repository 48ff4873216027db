/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A set of slots, in the order in which they came: adding and taking cost the same however many there are, and need no
 * memory. All zero is an empty one. Pure; one thread at a time. */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define SLOT_SET_MAX 4096 /* slots are below that */

struct slot_set {
    uint16_t list[SLOT_SET_MAX]; /* a ring, from first */
    unsigned first, count;
    bool has[SLOT_SET_MAX];
};

/* One that is in it stays where it is. */
static inline void slot_set_add(struct slot_set *s, uint32_t slot)
{
    assert(slot < SLOT_SET_MAX);
    if (s->has[slot])
        return;
    s->has[slot] = true;
    s->list[(s->first + s->count++) % SLOT_SET_MAX] = (uint16_t)slot;
}

/* Takes the first out of it; false when it is empty. */
static inline bool slot_set_take(struct slot_set *s, uint32_t *slot)
{
    if (!s->count)
        return false;
    *slot = s->list[s->first];
    s->first = (s->first + 1) % SLOT_SET_MAX;
    s->count--;
    s->has[*slot] = false;
    return true;
}
