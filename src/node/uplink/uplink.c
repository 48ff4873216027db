/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an uplink: what its helper tells, and what is asked of it. */

#include "node/uplink/uplink.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/uplink/uplink_connect.h"
#include "node/uplink/uplink_state.h"
#include "node/uplink/uplink_streams.h"
#include "node/uplink/uplink_talk.h"
#include "proto/wire/target.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- what the helper tells ---- */

/* A helper that was started anew knows of no connection. */
static void on_ready(struct uplink *u)
{
    u->ready = true;
    if (u->state == STATE_DOWN)
        uplink_connect(u);
    else
        uplink_go_down(u, u->state == STATE_LEAVING ? NULL : "its process ended", 0);
}

static void on_open(struct uplink *u)
{
    uv_timer_stop(&u->retry);
    uplink_enter(u, STATE_PROVING);
}

static void on_closed(struct uplink *u, const struct helper_message *m)
{
    if (u->state == STATE_LEAVING)
        uplink_go_down(u, NULL, 0);
    else if (u->state != STATE_DOWN)
        uplink_go_down(u, m->text, (unsigned)m->number);
}

static void on_told(void *context, const struct helper_message *m)
{
    struct uplink *u = context;
    if (m->kind == HELPER_UPLINK_READY)
        on_ready(u);
    else if (m->kind == HELPER_UPLINK_OPEN && u->state == STATE_CONNECTING)
        on_open(u);
    else if (m->kind == HELPER_UPLINK_CLOSED)
        on_closed(u, m);
    else if (m->kind == HELPER_UPLINK_DROPPED)
        u->config.dropped(u->config.context, m->number);
}

/* The helper's keeper is gone with it, which another channel has told. */
static void on_lost(void *context)
{
    struct uplink *u = context;
    u->lost = true;
    if (u->state != STATE_DOWN)
        uplink_go_down(u, "its process ended", 0);
}

/* ---- what is asked of it ---- */

static int read_urls(struct uplink *u)
{
    struct http_url at;
    if (uplink_is_idle(u))
        return 0;
    if (!http_url_parse(uplink_place(u), &u->url) ||
        !http_url_parse(u->config.proxy ? u->config.proxy : uplink_place(u), &at))
        return ERR_SPACE;
    u->is_named = !at.is_address;
    return 0;
}

/* A URL whose host is too long leads nowhere: the one before stays. */
void uplink_move(struct uplink *u, const char *url)
{
    u->instance = url;
    (void)!read_urls(u);
    u->failures = 0;
    u->moves = true;
    if (u->state == STATE_DOWN)
        uplink_try_in(u, 0);
    else if (u->state != STATE_LEAVING)
        uplink_leave(u, "another instance takes its place", UPLINK_CLOSE_NORMAL);
}

void uplink_hurry(struct uplink *u)
{
    if (u->state != STATE_DOWN)
        return;
    u->failures = 0;
    uplink_try_in(u, 0);
}

void uplink_check(struct uplink *u)
{
    static const struct helper_message check = {.kind = HELPER_UPLINK_CHECK};
    if (u->state == STATE_UP)
        (void)!uplink_line_tell(u->line, &check);
}

void uplink_network_changed(struct uplink *u)
{
    u->changed_us = clock_monotonic_us();
    uplink_check(u);
    uplink_hurry(u);
}

void uplink_heard(struct uplink *u, uint32_t interface, bool answered, uint64_t now_us)
{
    bool due = uplink_ways_heard(&u->way, interface, answered, now_us);
    if (!due || u->state != STATE_UP)
        return;
    log_info("backbone %s: uplink: the way out that the system prefers answers again: back to it",
             uplink_place(u));
    uplink_ways_return(&u->way);
    u->moves = true;
    uplink_leave(u, "it goes back to the way out that the system prefers", UPLINK_CLOSE_NORMAL);
}

void uplink_dial(struct uplink *u, uint64_t conn, const struct target *to)
{
    uplink_streams_dial(u->streams, conn, &to->id);
}

static void say(struct uplink *u, const struct uplink_message *m)
{
    if (u->state == STATE_UP && uplink_line_send(u->line, m))
        uplink_leave(u, "it takes too little", UPLINK_CLOSE_SLOW);
}

void uplink_pair(struct uplink *u, const struct node_id *id, bool on)
{
    const struct uplink_message m = {.kind = UPLINK_PAIR, .id = *id, .on = on};
    say(u, &m);
}

void uplink_relay(struct uplink *u, const struct node_id *id)
{
    const struct uplink_message m = {.kind = UPLINK_RELAY, .id = *id};
    say(u, &m);
}

struct uplink_status uplink_status(const struct uplink *u)
{
    const char *state = uplink_is_down(u->state) ? "down" : u->state == STATE_UP ? "up" : "proving";
    return (struct uplink_status){state, u->since_us, u->cause, u->state == STATE_UP ? u->way.interface : 0};
}

/* ---- life ---- */

static int open_parts(struct uplink *u)
{
    const struct uplink_line_events events = {on_told, uplink_on_message, uplink_on_malformed, on_lost, u};
    int err = uplink_line_new(u->config.loop, u->config.fd, &events, &u->line);
    const struct uplink_streams_config streams = {u->config.loop, u->config.backbone, u->line,
                                                  u->config.streams};
    return err ? err : uplink_streams_new(&streams, &u->streams);
}

int uplink_new(const struct uplink_config *config, struct uplink **out)
{
    struct uplink *u = calloc(1, sizeof(*u));
    if (!u) {
        close(config->fd);
        return ERR_NOMEM;
    }
    u->config = *config;
    u->instance = "";
    u->since_us = clock_monotonic_us();
    u->proof.me = config->me;
    u->proof.owner = u;
    u->proof.work.data = &u->proof;
    uv_timer_init(config->loop, &u->retry);
    u->retry.data = u;
    u->handles = 1;
    int err = open_parts(u);
    if (!err)
        err = read_urls(u);
    if (err)
        uplink_close(u);
    else
        *out = u;
    return err;
}

static void on_timer_closed(uv_handle_t *handle)
{
    uplink_release(handle->data);
}

void uplink_close(struct uplink *u)
{
    if (!u)
        return;
    u->closing = true;
    uplink_streams_close(u->streams);
    uplink_line_close(u->line);
    uv_close((uv_handle_t *)&u->retry, on_timer_closed);
}
