/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one connection to a Redis or Valkey server: made, entered, lost and made again; requests in a pipeline, in whose order
 * answers come. Bounded in all that it holds, and nothing here waits. By hiredis, of which only the protocol is used: its
 * own loop asserts on answers that nobody asked for. The directory's thread.
 *
 *   DOWN ──→ CONNECTING ──→ GREETING ──→ UP
 *    ↑ wait      │              │         │ an answer is overdue, malformed or to nothing; the connection is lost
 *    └───────────┴──────────────┴─────────┘ what was asked is answered with NULL
 */

#include "backbone/metrics.h"
#include "backbone/redis_target.h"
#include "backbone/store.h"

#define REDIS_PIPELINE_MAX 1024               /* requests that wait for their answers */
#define REDIS_TIMEOUT_US   (2 * USEC_PER_SEC) /* for an answer, and to connect and enter */
#define REDIS_SLOW_US                                                                                        \
    (USEC_PER_SEC / 2) /* while one has waited so long, others are refused: else all would be late */
#define REDIS_RETRY_US      (USEC_PER_SEC / 4)  /* after the first failure, doubled … */
#define REDIS_RETRY_MAX_US  (2 * USEC_PER_SEC)  /* … up to this */
#define REDIS_STEADY_US     (10 * USEC_PER_SEC) /* … until it was up for so long */
#define REDIS_LOG_US        (60 * USEC_PER_SEC) /* between two lines that it is lost */
#define REDIS_ANSWER_MAX    (4u << 20)          /* bytes of one answer */
#define REDIS_ELEMENTS_MAX  2048                /* of one array in it */
#define REDIS_DEPTH_MAX     6                   /* of arrays in arrays */
#define REDIS_ARGUMENTS_MAX 16

struct redisReply;
struct redis_line;

/* NULL: there is no answer. It is borrowed. */
typedef void redis_line_done(void *context, const struct redisReply *answer);

/* Of a request: count strings. */
struct redis_request {
    int count;
    const char *parts[REDIS_ARGUMENTS_MAX];
    size_t lengths[REDIS_ARGUMENTS_MAX];
};

/* Scripts are loaded when the server is entered; digests[i] gets what EVALSHA calls script i by. All is borrowed as long as
 * the line lives. */
struct redis_line_config {
    const struct redis_target *target;
    struct store_metrics *metrics;
    const char *const *scripts;
    unsigned script_count; /* at most 8 */
    char (*digests)[41];
};

/* It connects at its first turn. ERR_NOMEM, and those of redis_tls_new. */
int redis_line_new(const struct redis_line_config *config, struct redis_line **out) must_check;
/* For tests: over a socket that is connected, which it takes. */
void redis_line_adopt(struct redis_line *l, int fd);
/* Answers what was not answered with NULL. NULL is allowed. */
void redis_line_free(struct redis_line *l);

/* Sends a request at the next turn. False without a connection, when too many wait, or, unless it is urgent, when the
 * server is slow: done is not called then. */
bool redis_line_ask(struct redis_line *l, const struct redis_request *r, bool urgent, redis_line_done *done,
                    void *context) must_check;

/* The connection is given up at the end of this turn, and made anew. */
void redis_line_give_up(struct redis_line *l, const char *why);

struct store_watch redis_line_watch(const struct redis_line *l);
void redis_line_turn(struct redis_line *l, uint64_t now_us);
