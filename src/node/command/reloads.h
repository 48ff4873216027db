/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command reload, and SIGHUP: the flags and the files of -config are read again, what may change does, and what does
 * not is named. docs/PROTOCOL.md §11. Control thread. */

#include "base/err.h"
#include "node/command/lists.h"
#include <stdbool.h>
#include <uv.h>

#define RELOADS_MAX 16 /* callers that wait */

struct api_call;
struct config;
struct frame_log;
struct workers;

struct reloads_config {
    uv_loop_t *loop;
    int opener;            /* of the files (net/opener.h), taken; -1: there are none */
    struct config *config; /* as the node runs */
    const struct lists *lists;
    struct frame_log *frame_log;
    const struct workers *workers;
};

struct reloads {
    struct reloads_config config;
    uv_poll_t poll;
    bool watched;   /* the opener is */
    bool signalled; /* SIGHUP has come since the files were asked for */
    bool asked;     /* they are */
    unsigned served, count;
    struct api_call *calls[RELOADS_MAX]; /* the first `served` are answered by what was asked for */
};

/* ERR_IO; reloads_end is to be called in any case. */
int reloads_init(struct reloads *r, const struct reloads_config *config) must_check;

/* Answers call once the files have been read; NULL: a signal, of which the log tells alone. */
void reloads_start(struct reloads *r, struct api_call *call);

/* The node ends, while its loop still runs: tells all, and the opener ends. */
void reloads_end(struct reloads *r);
