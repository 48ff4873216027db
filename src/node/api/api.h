/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's API: two Unix stream sockets, DIR/<id>.sock, mode 0600, for everything, and DIR/<id>.ro.sock, which also the
 * group shadowmesh may open, for reading alone. One JSON object per line in, one per line
 * out: {"cmd": "status"} → {"ok": true, "result": …} or {"ok": false, "error": "…"}. docs/PROTOCOL.md §11.
 * At most 32 callers of each, one request of each caller at a time; one that is silent for 30 s is hung up on.
 * Control thread. */

#include "base/err.h"
#include "base/id.h"
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct api;
struct api_call;

struct api_config {
    uv_loop_t *loop;
    const char *run_dir;
    const struct node_id *id;
    /* Answers request, now or later, by exactly one of api_reply and api_fail on call. request is borrowed
     * for the duration of this call. */
    void (*handle)(void *context, const char *command, const json_t *request, struct api_call *call);
    void *context;
    pid_t *holder; /* NULL, or where ERR_EXISTS puts the other process's id (0 when it cannot be told) */
};

/* Who asks, as it was when it connected. */
struct api_caller {
    bool reads_only; /* on the socket for that */
    uid_t uid;
    pid_t pid;
};
const struct api_caller *api_call_by(const struct api_call *call);

/* Binds the sockets: dead ones are removed, and they appear only once they are private and listen. ERR_EXISTS
 * when a live process holds this id; other errors leave their errno. Makes run_dir (0755) when
 * missing. The program ignores SIGPIPE: callers hang up. */
int api_open(const struct api_config *config, struct api **out) must_check;

/* Closes and removes the sockets. Memory goes when the loop has closed its handles. Calls that are not yet
 * answered lose their caller, and are still to be answered (api_reply, api_fail) to be freed. */
void api_close(struct api *api);

/* Takes result. A caller that has hung up is no error. */
void api_reply(struct api_call *call, json_t *result);

/* A list of any length, made while it is sent. */
struct api_list {
    const char *member;             /* {"ok": true, "result": {member: [ … ]}} */
    json_t *(*next)(void *context); /* one entry, for the caller to decref; NULL after the last */
    void (*free)(void *context); /* nothing more is asked for: it was the last one, or the caller is gone */
    void *context;
};

#define API_LIST_PIECE                                                                                       \
    64 /* entries made in one turn of the loop, and waiting for a caller that reads slowly */

/* Answers with list, whose free is called in any case, now or later. */
void api_reply_list(struct api_call *call, const struct api_list *list);
void api_fail(struct api_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
