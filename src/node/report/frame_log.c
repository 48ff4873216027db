/* SPDX-License-Identifier: Apache-2.0 */
/* Each worker tells of as many frames as are shown in all, since it knows not of the others': the first of all are shown.
 * Control thread. */

#include "node/report/frame_log.h"

#include "base/log.h"
#include "node/data/worker.h"

void frame_log_init(struct frame_log *f, bool verbose)
{
    *f = (struct frame_log){.verbose = verbose};
}

void frame_log_set_verbose(struct frame_log *f, bool verbose)
{
    f->verbose = verbose;
}

unsigned frame_log_traces(const struct frame_log *f)
{
    return f->verbose ? WORKER_TRACES_ALL : FRAME_LOG_FIRST;
}

void frame_log_tell(struct frame_log *f, const struct worker_trace *trace)
{
    char text[WORKER_TRACE_MAX];
    unsigned *own = &f->shown[trace->to_device];
    worker_trace_format(trace, text);
    if (f->verbose) {
        log_debug("%s", text);
        return;
    }
    if (*own == FRAME_LOG_FIRST)
        return;
    log_info("%s", text);
    if (++*own == FRAME_LOG_FIRST && f->shown[!trace->to_device] < FRAME_LOG_FIRST)
        log_info("only the first %u frames of each direction are shown: -v shows more", FRAME_LOG_FIRST);
}
