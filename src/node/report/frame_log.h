/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames that pass, as lines for people: all that the workers tell of with -v, else the first of each direction. Control
 * thread. */

#include <stdbool.h>

struct worker_trace;

#define FRAME_LOG_FIRST 5 /* of each direction, without -v */

struct frame_log {
    bool verbose;
    unsigned shown[2]; /* without -v: from, to the device */
};

void frame_log_init(struct frame_log *f, bool verbose);

/* -v has changed; frame_log_traces may have, too. */
void frame_log_set_verbose(struct frame_log *f, bool verbose);

/* Of how many frames of a direction each worker is to tell. */
unsigned frame_log_traces(const struct frame_log *f);

void frame_log_tell(struct frame_log *f, const struct worker_trace *trace);
