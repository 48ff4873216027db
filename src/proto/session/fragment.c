/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting frames into equal parts and rebuilding them: docs/PROTOCOL.md §5. A table belongs to one thread.
 * Everything a sender can influence is bounded: slots, bytes and parts per frame, time, and a receiver's
 * share of the slots. */

#include "proto/session/fragment.h"

#include <stdlib.h>
#include <string.h>

/* Group numbers count up per lane and come round. A frame that far from the newest of its lane is given up:
 * were it kept, parts of two frames could meet in one slot. */
#define GROUP_STALE 0x4000

struct slot {
    uint32_t receiver;
    uint16_t group;
    uint8_t lane;
    bool spoiled; /* contradicted itself: swallows its parts until it expires */
    uint64_t deadline;
    uint64_t have; /* one bit per part */
    uint16_t total;
    uint16_t part;     /* size of all but the last, 0 while unknown */
    uint16_t last_len; /* 0 while unknown */
    uint16_t missing;  /* bytes */
    uint8_t *frame;
};

struct fragment_table {
    unsigned slots, used;
    struct slot *slot;
    uint16_t
        *order; /* indices of slots: the first `used` are in the making, oldest first; the rest are free */
    uint8_t *frames;
};

unsigned fragment_plan(size_t len, size_t room, size_t *part)
{
    *part = 0;
    if (len == 0 || len > WIRE_FRAME_MAX || room == 0)
        return 0;
    size_t parts = (len + room - 1) / room;
    if (parts > FRAGMENT_PARTS_MAX)
        return 0;
    *part = (len + parts - 1) / parts;
    return (unsigned)parts;
}

int fragment_table_new(unsigned slots, struct fragment_table **out)
{
    *out = NULL;
    if (slots == 0 || slots > UINT16_MAX)
        return ERR_ARGUMENT;
    struct fragment_table *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_NOMEM;

    t->slots = slots;
    t->slot = calloc(slots, sizeof(*t->slot));
    t->order = calloc(slots, sizeof(*t->order));
    t->frames = calloc(slots, WIRE_FRAME_MAX);
    if (!t->slot || !t->order || !t->frames) {
        fragment_table_free(t);
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < slots; i++) {
        t->order[i] = (uint16_t)i;
        t->slot[i].frame = t->frames + (size_t)i * WIRE_FRAME_MAX;
    }
    *out = t;
    return 0;
}

void fragment_table_free(struct fragment_table *t)
{
    if (!t)
        return;
    free(t->slot);
    free(t->order);
    free(t->frames);
    free(t);
}

/* Frees the slot at this place in the order; its frame stays readable until a slot is taken again. */
static void release(struct fragment_table *t, unsigned at)
{
    uint16_t freed = t->order[at];

    memmove(t->order + at, t->order + at + 1, (t->used - at - 1) * sizeof(*t->order));
    t->order[--t->used] = freed;
}

static void give_up(struct fragment_table *t, unsigned at, unsigned *count)
{
    if (!t->slot[t->order[at]].spoiled) /* a spoiled frame was counted when it spoiled */
        ++*count;
    release(t, at);
}

static void expire(struct fragment_table *t, uint64_t now_us, struct fragment_lost *lost)
{
    while (t->used && now_us >= t->slot[t->order[0]].deadline)
        give_up(t, 0, &lost->timeout);
}

/* Drops what the lane left behind long ago as its group numbers go. */
static void expire_stale(struct fragment_table *t, uint32_t receiver, uint8_t lane, uint16_t group,
                         struct fragment_lost *lost)
{
    for (unsigned at = 0; at < t->used;) {
        const struct slot *s = &t->slot[t->order[at]];
        uint16_t ahead = (uint16_t)(group - s->group), behind = (uint16_t)(s->group - group);
        if (s->receiver == receiver && s->lane == lane && ahead >= GROUP_STALE && behind >= GROUP_STALE)
            give_up(t, at, &lost->timeout);
        else
            at++;
    }
}

/* The oldest frame makes room; a receiver that fills half of the table makes room from its own. */
static void evict(struct fragment_table *t, uint32_t receiver, struct fragment_lost *lost)
{
    unsigned own = 0, own_oldest = 0;

    for (unsigned at = t->used; at-- > 0;) {
        if (t->slot[t->order[at]].receiver == receiver) {
            own++;
            own_oldest = at;
        }
    }
    give_up(t, own * 2 >= t->slots ? own_oldest : 0, &lost->space);
}

static int find(const struct fragment_table *t, uint32_t receiver, uint8_t lane, uint16_t group)
{
    for (unsigned at = t->used; at-- > 0;) {
        const struct slot *s = &t->slot[t->order[at]];
        if (s->group == group && s->receiver == receiver && s->lane == lane)
            return (int)at;
    }
    return -1;
}

static unsigned begin(struct fragment_table *t, uint32_t receiver, uint8_t lane, const struct wire_inner *in,
                      uint64_t now_us, struct fragment_lost *lost)
{
    expire_stale(t, receiver, lane, in->group, lost);
    if (t->used == t->slots)
        evict(t, receiver, lost);

    struct slot *s = &t->slot[t->order[t->used]];
    *s = (struct slot){.receiver = receiver,
                       .lane = lane,
                       .group = in->group,
                       .deadline = now_us + FRAGMENT_TIMEOUT_US,
                       .total = in->frag_total,
                       .missing = in->frag_total,
                       .frame = s->frame};
    return t->used++;
}

/* Learns the sizes of the parts from this one; false when it contradicts what is known. The last part tells
 * its own length only, and is checked once another one has told the size of the rest. */
static bool fits(struct slot *s, size_t offset, size_t len)
{
    bool last = offset + len == s->total;

    if (last && s->last_len && s->last_len != len)
        return false;
    if (last)
        s->last_len = (uint16_t)len;
    if ((!last || offset == 0) && s->part && s->part != len)
        return false;
    if (!last || offset == 0)
        s->part = (uint16_t)len;
    if (!s->part)
        return true;
    size_t parts = ((size_t)s->total + s->part - 1) / s->part;
    return parts <= FRAGMENT_PARTS_MAX && offset % s->part == 0 &&
           (!s->last_len || (parts - 1) * s->part + s->last_len == s->total);
}

/* Which bit a part has: the last one's must be known before the part size is. */
static uint64_t part_bit(const struct slot *s, size_t offset, size_t len)
{
    return offset + len == s->total ? 1ull << (FRAGMENT_PARTS_MAX - 1) : 1ull << (offset / s->part);
}

/* DROP_FRAGMENT when the part contradicts the others. */
static enum drop place(struct slot *s, const struct wire_inner *in, const uint8_t *part, size_t len)
{
    size_t offset = in->frag_offset;

    if (in->frag_total != s->total || !fits(s, offset, len))
        return DROP_FRAGMENT;
    uint64_t bit = part_bit(s, offset, len);
    if (s->have & bit)
        return memcmp(s->frame + offset, part, len) ? DROP_FRAGMENT : DROP_NONE;
    s->have |= bit;
    s->missing = (uint16_t)(s->missing - len);
    memcpy(s->frame + offset, part, len);
    return DROP_NONE;
}

enum drop fragment_add(struct fragment_table *t, uint32_t receiver, uint8_t lane, const struct wire_inner *in,
                       const uint8_t *part, size_t len, uint64_t now_us, uint8_t **frame, size_t *frame_len,
                       struct fragment_lost *lost)
{
    *frame = NULL;
    *frame_len = 0;
    *lost = (struct fragment_lost){0};
    expire(t, now_us, lost);
    if (len == 0 || in->frag_total > WIRE_FRAME_MAX || in->frag_offset + len > in->frag_total)
        return DROP_FRAGMENT;

    int found = find(t, receiver, lane, in->group);
    unsigned at = found >= 0 ? (unsigned)found : begin(t, receiver, lane, in, now_us, lost);
    struct slot *s = &t->slot[t->order[at]];
    if (s->spoiled)
        return DROP_FRAGMENT;
    enum drop drop = place(s, in, part, len);
    if (drop) {
        s->spoiled = true;
        return drop;
    }
    if (s->missing == 0) {
        *frame = s->frame;
        *frame_len = s->total;
        release(t, at);
    }
    return DROP_NONE;
}
