/* SPDX-License-Identifier: Apache-2.0 */
/* The limit follows the underlay: up at once, since a sample in which nothing waited for a while tells too low a
 * rate; down by half of the difference each sample. */

#include "node/data/backlog.h"

void backlog_init(struct backlog *b)
{
    *b = (struct backlog){.limit = BACKLOG_FIRST};
}

static void begin_sample(struct backlog *b, uint64_t now_us, uint64_t sent, size_t unsent)
{
    b->since_us = now_us;
    b->sent = sent;
    b->unsent = unsent;
}

static void adapt(struct backlog *b, uint64_t taken, uint64_t elapsed_us)
{
    uint64_t target = taken * BACKLOG_TARGET_US / elapsed_us;
    if (target < BACKLOG_MIN)
        target = BACKLOG_MIN;
    if (target > BACKLOG_MAX)
        target = BACKLOG_MAX;
    b->limit = target > b->limit ? (size_t)target : b->limit - (b->limit - (size_t)target) / 2;
}

static void sample(struct backlog *b, uint64_t now_us, uint64_t sent, size_t unsent)
{
    /* The kernel's count of what waits is of more than the bytes sent, so it may grow by more. */
    uint64_t given = sent - b->sent + b->unsent;
    if (b->since_us && now_us - b->since_us < BACKLOG_SAMPLE_US)
        return;
    if (b->since_us)
        adapt(b, given > unsent ? given - unsent : 0, now_us - b->since_us);
    begin_sample(b, now_us, sent, unsent);
}

void backlog_look(struct backlog *b, uint64_t now_us, uint64_t sent, size_t unsent)
{
    if (unsent < BACKLOG_MIN / 2)
        b->since_us = 0; /* hardly anything waits: no telling what the underlay could take */
    else
        sample(b, now_us, sent, unsent);
    b->state = unsent < b->limit                    ? BACKLOG_FREE
               : unsent < BACKLOG_SPARED * b->limit ? BACKLOG_OVER
                                                    : BACKLOG_FULL;
}
