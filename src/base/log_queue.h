/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Log lines that wait for their reader: a bounded queue. Any thread puts lines in and never waits; one thread
 * takes them out. What finds no room is lost and counted. Nothing is put in again before all that waited is
 * out and the loss is told, so that a gap is one gap. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX  1024    /* bytes of a line with its line break */
#define LOG_QUEUE_MAX 0x10000 /* bytes that wait: some 600 lines; a power of two */

struct log_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    _Atomic size_t put, taken; /* bytes since the start */
    _Atomic uint64_t lost;     /* lines since the last loss that was told */
    atomic_bool telling;       /* of a loss, at present */
    char ring[LOG_QUEUE_MAX];
};

#define LOG_QUEUE_INIT                                                                                       \
    {                                                                                                        \
        .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER                                \
    }

/* len bytes, at most LOG_LINE_MAX, the last of them a line break and the only one. */
void log_queue_put(struct log_queue *q, const char *line, size_t len);

/* Counts a line as lost. */
void log_queue_lose(struct log_queue *q);

/* Waits for the oldest line and copies it; returns its length. When none is left and some were lost, 0 and how
 * many. The line keeps its place until log_queue_taken. */
size_t log_queue_take(struct log_queue *q, char out[LOG_LINE_MAX], uint64_t *lost);

/* What log_queue_take gave, with its length, is dealt with. */
void log_queue_taken(struct log_queue *q, size_t len);

/* True when nothing waits and no loss is untold. Also in a signal handler. */
bool log_queue_is_done(struct log_queue *q);
