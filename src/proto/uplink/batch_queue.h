/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* DATAGRAMS messages that wait for a TCP connection: few, and none for long, since TCP has a queue of its own and what
 * is late is worth nothing. Those that begin with a PROBE or CONTROL datagram go first, in a queue of their own; in each
 * queue the ids that messages name take turns, by bytes. What finds no room takes the place of the oldest of the id
 * that has most waiting. One thread; pure. docs/PROTOCOL.md §15. */

#include "base/err.h"
#include "base/id.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_QUEUE_COUNT        64    /* messages of data */
#define BATCH_QUEUE_AGE_US       20000 /* no message of data waits for longer */
#define BATCH_QUEUE_URGENT_BYTES 65536 /* of messages that begin with a PROBE or CONTROL datagram */
#define BATCH_QUEUE_URGENT_COUNT 256

/* One message as it travels: kind, id, ECN field, segment, datagrams. */
struct batch {
    struct batch *next;
    uint64_t at_us; /* since when it waits */
    size_t len;
    uint8_t bytes[];
};

/* Room for a message of len bytes, which the caller fills and frees, or NULL. */
struct batch *batch_new(size_t len);
void batch_free(struct batch *b);

/* Whether b, a DATAGRAMS message that decodes, begins with a PROBE or CONTROL datagram. */
bool batch_is_urgent(const struct batch *b);

/* How many datagrams it has. */
unsigned batch_datagrams(const struct batch *b);

struct batch_sender;

struct batch_lane {
    struct batch_sender *turn; /* ring of those with something waiting; whose turn it is */
    size_t bytes;
    unsigned count;
};

/* All zero: empty. */
struct batch_queue {
    struct batch_lane urgent, data;
    size_t
        urgent_run; /* bytes of urgent messages since the last one of data: after BATCH_QUEUE_URGENT_BYTES one may pass */
    uint64_t dropped; /* datagrams, for age or want of room or memory */
};

/* Drops what waits. */
void batch_queue_clear(struct batch_queue *q);

/* Drops b, which does not wait (any more). */
void batch_queue_drop(struct batch_queue *q, struct batch *b);

/* Takes b, a DATAGRAMS message that decodes. */
void batch_queue_put(struct batch_queue *q, struct batch *b, uint64_t now_us);

/* The next one to be sent, for the caller to free, or NULL. */
struct batch *batch_queue_take(struct batch_queue *q, uint64_t now_us);

/* Drops what has waited too long: whoever cannot send calls it now and then. */
void batch_queue_expire(struct batch_queue *q, uint64_t now_us);

static inline bool batch_queue_empty(const struct batch_queue *q)
{
    return q->urgent.count + q->data.count == 0;
}
