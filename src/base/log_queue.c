/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of bytes under a lock that is held for one copy. Any thread. */

#include "base/log_queue.h"

static size_t place(size_t at)
{
    return at % LOG_QUEUE_MAX;
}

static bool has_room(struct log_queue *q, size_t len)
{
    return q->lost == 0 && LOG_QUEUE_MAX - (q->put - q->taken) >= len;
}

void log_queue_put(struct log_queue *q, const char *line, size_t len)
{
    pthread_mutex_lock(&q->lock);
    if (has_room(q, len)) {
        size_t at = q->put;
        for (size_t i = 0; i < len; i++)
            q->ring[place(at + i)] = line[i];
        q->put = at + len;
    } else {
        q->lost++;
    }
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

void log_queue_lose(struct log_queue *q)
{
    q->lost++;
}

size_t log_queue_take(struct log_queue *q, char out[LOG_LINE_MAX], uint64_t *lost)
{
    size_t at, end, len = 0;
    pthread_mutex_lock(&q->lock);
    while (log_queue_is_done(q))
        pthread_cond_wait(&q->filled, &q->lock);
    at = q->taken;
    end = q->put;
    while (at + len < end && (len == 0 || out[len - 1] != '\n')) {
        out[len] = q->ring[place(at + len)];
        len++;
    }
    *lost = len ? 0 : q->lost;
    if (!len) {
        q->telling = true;
        q->lost = 0;
    }
    pthread_mutex_unlock(&q->lock);
    return len;
}

void log_queue_taken(struct log_queue *q, size_t len)
{
    q->taken += len;
    q->telling = false;
}

bool log_queue_is_done(struct log_queue *q)
{
    return q->put == q->taken && q->lost == 0 && !q->telling;
}
