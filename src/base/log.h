/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Lines for the person who runs the program, on stderr. Only node, backbone and cli speak; lower layers
 * return codes. One line per call, written with one write(2), so that threads never mix. Never called per
 * frame. The program ignores SIGPIPE: who reads the log may go away. */

#include "base/bucket.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are discarded. The default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* From here on log_line never waits: lines go through a queue of LOG_QUEUE_MAX bytes to a thread that writes
 * them. What finds no room is lost, and told as "N lines were lost" once the reader reads again. Before, a line waits
 * for its reader 0.1 s at most. At exit and at abort what waits gets 0.25 s to leave. Once, by the thread that
 * starts the others, after whatever a thread must inherit is set. ERR_NOMEM, which it has told. */
int log_start_writer(void) must_check;

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Lets one line through every interval_us; the rest are counted and told with the next one. */
struct log_limit {
    struct bucket bucket;
    uint64_t suppressed;
};

/* True when a line may be written at now_us; *suppressed is how many were withheld since the last. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_us, uint64_t interval_us, uint64_t *suppressed);
