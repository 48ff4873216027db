/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of what the mesh wants done: an array that is emptied from its head and starts anew when empty. Control
 * thread. */

#include "proto/mesh/outputs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void outputs_fini(struct outputs *q)
{
    while (outputs_take(q))
        continue;
    free(q->list);
}

/* So that count more fit beside what waits and what is promised. */
static int make_room(struct outputs *q, size_t count)
{
    if (q->end + q->promised + count <= q->cap)
        return 0;
    if (q->head)
        memmove(q->list, q->list + q->head, (q->end - q->head) * sizeof(*q->list));
    q->end -= q->head;
    q->head = 0;
    size_t cap = q->cap ? q->cap : FIRST_CAP;
    while (q->end + q->promised + count > cap)
        cap *= 2;
    if (cap == q->cap)
        return 0;
    struct mesh_output *list = realloc(q->list, cap * sizeof(*list));
    if (!list)
        return ERR_NOMEM;
    q->list = list;
    q->cap = cap;
    return 0;
}

int outputs_promise(struct outputs *q, size_t count)
{
    int err = make_room(q, count);
    if (!err)
        q->promised += count;
    return err;
}

void outputs_give_back(struct outputs *q, size_t count)
{
    assert(q->promised >= count);
    q->promised -= count;
}

int outputs_put(struct outputs *q, const struct mesh_output *o, const void *payload, size_t len)
{
    uint8_t *room = len ? malloc(ENDPOINT_ENVELOPE_MAX + len) : NULL;
    if ((len && !room) || make_room(q, 1)) {
        free(room);
        return ERR_NOMEM;
    }
    struct mesh_output *last = &q->list[q->end++];
    *last = *o;
    last->payload = room ? room + ENDPOINT_ENVELOPE_MAX : NULL;
    if (len)
        memcpy(last->payload, payload, len);
    last->len = len;
    return 0;
}

void outputs_keep(struct outputs *q, const struct mesh_output *o)
{
    outputs_give_back(q, 1);
    q->list[q->end++] = *o;
}

void outputs_publish(struct outputs *q, uint32_t slot)
{
    slot_set_add(&q->changed, slot);
}

const struct mesh_output *outputs_take(struct outputs *q)
{
    if (q->taken.payload)
        free(q->taken.payload - ENDPOINT_ENVELOPE_MAX);
    q->taken = (struct mesh_output){.kind = MESH_OUTPUT_PUBLISH};
    if (slot_set_take(&q->changed, &q->taken.slot))
        return &q->taken;
    if (q->head == q->end)
        return NULL;
    q->taken = q->list[q->head++];
    if (q->head == q->end)
        q->head = q->end = 0;
    return &q->taken;
}
