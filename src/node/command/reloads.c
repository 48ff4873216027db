/* SPDX-License-Identifier: Apache-2.0 */
/* Each asking is answered by files that were opened after it: one that comes while others are served waits for the next
 * round. */

#include "node/command/reloads.h"

#include "base/log.h"
#include "net/notify.h"
#include "net/opener.h"
#include "node/api/api.h"
#include "node/command/relist.h"
#include "node/config/config.h"
#include "node/data/workers.h"
#include "node/report/frame_log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRONG_MAX 512
#define NO_FILE   "this node was started without -config: there is no file to read again"
#define GONE      "the process that opens the files is gone: restart the node"

/* One reading. */
struct outcome {
    json_t *result;        /* of the command */
    char wrong[WRONG_MAX]; /* empty: it was carried out */
    char line[WRONG_MAX];  /* the last that the parser said: what is wrong, if anything is */
};

/* ---- what has changed ---- */

static void on_said(void *context, const char *line)
{
    static const char warning[] = "warning: ";
    struct outcome *o = context;
    snprintf(o->line, sizeof(o->line), "%s", line);
    if (strncmp(line, warning, sizeof(warning) - 1) == 0)
        json_array_append_new(json_object_get(o->result, "warnings"),
                              json_string(line + sizeof(warning) - 1));
}

static void name_restart(void *context, const char *name)
{
    json_array_append_new(context, json_string(name));
}

static void follow_verbose(const struct reloads *r, bool verbose, json_t *changes)
{
    if (verbose == r->config.config->verbose)
        return;
    log_set_level(verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    frame_log_set_verbose(r->config.frame_log, verbose);
    workers_trace(r->config.workers, frame_log_traces(r->config.frame_log));
    json_array_append_new(changes,
                          json_pack("{s:s, s:s}", "flag", "v", "change", verbose ? "added" : "removed"));
}

static void refuse_list(struct outcome *o, const struct lists *l, const char *flag, int err)
{
    if (err == ERR_EXISTS)
        snprintf(o->wrong, sizeof(o->wrong), "%s: that id is our own: name the other node's", flag);
    else if (err == ERR_SPACE)
        snprintf(o->wrong, sizeof(o->wrong), "%s: too many peers, at most %u", flag, l->peers_max);
    else
        snprintf(o->wrong, sizeof(o->wrong), "%s: %s", flag, err_str(err));
}

static void follow(const struct reloads *r, const struct config *fresh, struct outcome *o)
{
    const struct flags *flags = config_flags();
    const char *flag;
    json_t *changes = json_object_get(o->result, "changes");
    int err = relist(r->config.lists, fresh, changes, &flag);
    if (err) {
        refuse_list(o, r->config.lists, flag, err);
        return;
    }
    follow_verbose(r, fresh->verbose, changes);
    flags_restarts(flags, flags_differ(flags, r->config.config, fresh), name_restart,
                   json_object_get(o->result, "restart"));
    flags_take(flags, r->config.config, fresh);
}

/* Takes the files. */
static void read_again(const struct reloads *r, const struct opened *files, struct outcome *o)
{
    struct config *fresh = malloc(sizeof(*fresh));
    const struct flags_again again = {
        .source = &r->config.config->source, .files = files->fds, .say = on_said, .context = o};
    if (!fresh) {
        snprintf(o->wrong, sizeof(o->wrong), "%s", err_str(ERR_NOMEM));
        return;
    }
    if (config_parse_again(&again, fresh) == FLAGS_RUN)
        follow(r, fresh, o);
    else
        snprintf(o->wrong, sizeof(o->wrong), "%s", o->line);
    free(fresh);
}

/* ---- what is said ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void log_change(const json_t *change)
{
    const char *id = text_of(change, "id");
    log_info("reload: -%s%s%s %s", text_of(change, "flag"), id[0] ? " " : "", id, text_of(change, "change"));
}

static void log_outcome(const struct outcome *o)
{
    size_t i;
    const json_t *entry, *changes = json_object_get(o->result, "changes");
    if (o->wrong[0]) {
        log_error("reload: nothing has changed: %s", o->wrong);
        return;
    }
    json_array_foreach(json_object_get(o->result, "warnings"), i, entry)
        log_warn("reload: %s", json_string_value(entry));
    json_array_foreach(changes, i, entry) log_change(entry);
    json_array_foreach(json_object_get(o->result, "restart"), i, entry)
        log_warn("reload: -%s has another value, which the next start takes", json_string_value(entry));
    log_info("reload: the flags were read again: %zu changed", json_array_size(changes));
}

static void reply(struct api_call *call, const struct outcome *o)
{
    if (o->wrong[0])
        api_fail(call, "%s", o->wrong);
    else
        api_reply(call, json_incref(o->result));
}

static void ask(struct reloads *r);

/* Those that were served hear of it; the next round begins, if there is one. */
static void conclude(struct reloads *r, const struct outcome *o)
{
    r->asked = false;
    log_outcome(o);
    notify_ready();
    for (unsigned i = 0; i < r->served; i++)
        reply(r->calls[i], o);
    r->count -= r->served;
    memmove(r->calls, r->calls + r->served, r->count * sizeof(r->calls[0]));
    r->served = 0;
    if (r->count || r->signalled)
        ask(r);
}

/* ---- the opener ---- */

static void close_opener(struct reloads *r)
{
    if (r->config.opener < 0)
        return;
    if (r->watched)
        uv_close((uv_handle_t *)&r->poll, NULL);
    close(r->config.opener);
    r->watched = false;
    r->config.opener = -1;
}

static json_t *empty_result(const struct flags_source *source)
{
    json_t *files = json_array();
    for (unsigned i = 0; i < source->file_count; i++)
        json_array_append_new(files, json_string(source->files[i]));
    return json_pack("{s:o, s:[], s:[], s:[]}", "files", files, "changes", "restart", "warnings");
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
    struct reloads *r = poll->data;
    const struct flags_source *source = &r->config.config->source;
    struct outcome o = {.result = empty_result(source)};
    struct opened files;
    (void)status, (void)events;
    int err = opener_take(r->config.opener, source->file_count, &files);
    if (err == ERR_CLOSED) {
        close_opener(r);
        snprintf(o.wrong, sizeof(o.wrong), GONE);
    } else if (!err && files.wrong[0]) {
        snprintf(o.wrong, sizeof(o.wrong), "%s", files.wrong);
    } else if (!err) {
        read_again(r, &files, &o);
    }
    if (err != ERR_AGAIN && r->asked)
        conclude(r, &o);
    json_decref(o.result);
}

static void ask(struct reloads *r)
{
    struct outcome gone = {.wrong = GONE};
    r->asked = true;
    r->signalled = false;
    r->served = r->count;
    notify_reloading();
    if (r->config.opener < 0 || opener_ask(r->config.opener))
        conclude(r, &gone);
}

void reloads_start(struct reloads *r, struct api_call *call)
{
    if (!r->config.config->source.file_count) {
        log_info("reload: " NO_FILE);
        if (call)
            api_fail(call, NO_FILE);
        return;
    }
    if (call && r->count == RELOADS_MAX) {
        api_fail(call, "too many wait for it already");
        return;
    }
    if (call) {
        log_info("reload: by user %lu, process %ld", (unsigned long)api_call_by(call)->uid,
                 (long)api_call_by(call)->pid);
        r->calls[r->count++] = call;
    } else {
        log_info("reload: by SIGHUP");
        r->signalled = true;
    }
    if (!r->asked)
        ask(r);
}

/* ---- from start to stop ---- */

int reloads_init(struct reloads *r, const struct reloads_config *config)
{
    *r = (struct reloads){.config = *config};
    if (config->opener < 0)
        return 0;
    if (uv_poll_init(config->loop, &r->poll, config->opener) != 0)
        return ERR_IO;
    r->watched = true;
    r->poll.data = r;
    return uv_poll_start(&r->poll, UV_READABLE, on_answer) == 0 ? 0 : ERR_IO;
}

void reloads_end(struct reloads *r)
{
    close_opener(r);
    for (unsigned i = 0; i < r->count; i++)
        api_fail(r->calls[i], "the node is stopping");
    r->count = r->served = 0;
}
