/* SPDX-License-Identifier: Apache-2.0 */
/* Deficit round robin (Shreedhar, Varghese 1995) over the senders of one queue, so a choice costs the same however many
 * there are. docs/PROTOCOL.md §15. */

#include "proto/uplink/batch_queue.h"

#include "proto/uplink/uplink_message.h"
#include "proto/wire/wire.h"
#include <stdlib.h>
#include <string.h>

struct batch_sender {
    struct batch_sender *before, *after; /* in the ring */
    struct batch *first, *last;
    size_t bytes;
    size_t allowance; /* bytes that it may still send in this turn */
    struct node_id id;
};

struct batch *batch_new(size_t len)
{
    struct batch *b = malloc(sizeof(*b) + len);
    if (!b)
        return NULL;
    b->next = NULL;
    b->at_us = 0;
    b->len = len;
    return b;
}

void batch_free(struct batch *b)
{
    free(b);
}

bool batch_is_urgent(const struct batch *b)
{
    uint8_t type = b->bytes[UPLINK_BATCH_HEAD_LEN];
    return type == WIRE_CONTROL || type == WIRE_PROBE;
}

unsigned batch_datagrams(const struct batch *b)
{
    return uplink_batch_datagrams(b->bytes, b->len - UPLINK_BATCH_HEAD_LEN);
}

/* NULL when it has nothing waiting. At most as many steps as messages wait. */
static struct batch_sender *find(const struct batch_lane *l, const uint8_t *id)
{
    struct batch_sender *s = l->turn;
    for (; s; s = s->after == l->turn ? NULL : s->after)
        if (memcmp(s->id.bytes, id, ID_LEN) == 0)
            return s;
    return NULL;
}

/* Behind all others. NULL without memory. */
static struct batch_sender *add(struct batch_lane *l, const uint8_t *id)
{
    struct batch_sender *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    memcpy(s->id.bytes, id, ID_LEN);
    s->allowance = UPLINK_MESSAGE_MAX;
    if (!l->turn)
        l->turn = s->before = s->after = s;
    s->after = l->turn;
    s->before = l->turn->before;
    s->before->after = s->after->before = s;
    return s;
}

static void remove_sender(struct batch_lane *l, struct batch_sender *s)
{
    if (l->turn == s)
        l->turn = s->after == s ? NULL : s->after;
    s->before->after = s->after;
    s->after->before = s->before;
    free(s);
}

/* The oldest of s, which is gone with its last one. */
static struct batch *pop(struct batch_lane *l, struct batch_sender *s)
{
    struct batch *b = s->first;
    s->first = b->next;
    b->next = NULL;
    s->bytes -= b->len;
    l->bytes -= b->len;
    l->count--;
    if (!s->first)
        remove_sender(l, s);
    return b;
}

static struct batch_sender *with_most(const struct batch_lane *l)
{
    struct batch_sender *most = l->turn;
    for (struct batch_sender *s = l->turn->after; s != l->turn; s = s->after)
        if (s->bytes > most->bytes)
            most = s;
    return most;
}

void batch_queue_drop(struct batch_queue *q, struct batch *b)
{
    q->dropped += batch_datagrams(b);
    batch_free(b);
}

static void clear(struct batch_queue *q, struct batch_lane *l)
{
    while (l->turn)
        batch_queue_drop(q, pop(l, l->turn));
}

void batch_queue_clear(struct batch_queue *q)
{
    clear(q, &q->urgent);
    clear(q, &q->data);
}

static bool is_over(const struct batch_queue *q, const struct batch_lane *l)
{
    if (l == &q->data)
        return l->count > BATCH_QUEUE_COUNT;
    return l->count > BATCH_QUEUE_URGENT_COUNT || (l->bytes > BATCH_QUEUE_URGENT_BYTES && l->count > 1);
}

void batch_queue_put(struct batch_queue *q, struct batch *b, uint64_t now_us)
{
    struct batch_lane *l = batch_is_urgent(b) ? &q->urgent : &q->data;
    struct batch_sender *s = find(l, b->bytes + UPLINK_BATCH_ID_AT);
    if (!s && !(s = add(l, b->bytes + UPLINK_BATCH_ID_AT))) {
        batch_queue_drop(q, b);
        return;
    }
    b->at_us = now_us;
    if (s->first)
        s->last->next = b;
    else
        s->first = b;
    s->last = b;
    s->bytes += b->len;
    l->bytes += b->len;
    l->count++;
    while (is_over(q, l))
        batch_queue_drop(q, pop(l, with_most(l)));
}

static struct batch *take(struct batch_lane *l)
{
    struct batch_sender *s = l->turn;
    if (!s)
        return NULL;
    while (s->allowance < s->first->len) {
        s->allowance += UPLINK_MESSAGE_MAX;
        s = l->turn = s->after;
    }
    s->allowance -= s->first->len;
    return pop(l, s);
}

void batch_queue_expire(struct batch_queue *q, uint64_t now_us)
{
    struct batch_lane *l = &q->data;
    struct batch_sender *s = l->turn;
    for (unsigned left = l->count; left > 0 && l->turn; left--) {
        struct batch_sender *next = s->after;
        while (s && s->first->at_us + BATCH_QUEUE_AGE_US < now_us) {
            bool last = !s->first->next;
            batch_queue_drop(q, pop(l, s));
            s = last ? NULL : s;
        }
        s = next;
    }
}

static struct batch *take_data(struct batch_queue *q, uint64_t now_us)
{
    struct batch *b;
    while ((b = take(&q->data)) && b->at_us + BATCH_QUEUE_AGE_US < now_us)
        batch_queue_drop(q, b);
    q->urgent_run = b ? 0 : q->urgent_run;
    return b;
}

struct batch *batch_queue_take(struct batch_queue *q, uint64_t now_us)
{
    struct batch *b = q->urgent_run < BATCH_QUEUE_URGENT_BYTES ? NULL : take_data(q, now_us);
    if (b)
        return b;
    b = take(&q->urgent);
    if (!b)
        return take_data(q, now_us);
    q->urgent_run += b->len;
    return b;
}
