/* SPDX-License-Identifier: Apache-2.0 */
/* A direction reads only when nothing of it waits to be written: what a slow reader makes us hold is one pipe. */
#include "node/doors/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 65536 /* what a pipe takes */

/* From side i to the other one. */
struct flow {
    int pipe[2]; /* while something is held; else -1 */
    size_t held;
    bool ended; /* no more comes … */
    bool shut;  /* … and the other side was told */
};

struct pump {
    struct pump_config config;
    struct side {
        struct pump *owner;
        int fd;
        int events; /* that are waited for */
        uv_poll_t poll;
    } sides[2];
    struct flow flows[2];
    unsigned handles;
};

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    const struct side *s = handle->data;
    struct pump *p = s->owner;
    if (--p->handles == 0)
        free(p);
}

static void close_sides(struct pump *p, bool broken)
{
    const struct linger at_once = {.l_onoff = 1};
    for (unsigned i = 0; i < 2; i++) {
        if (p->flows[i].pipe[0] >= 0)
            pipes_drop(p->flows[i].pipe);
        uv_close((uv_handle_t *)&p->sides[i].poll, on_closed);
        if (broken)
            (void)!setsockopt(p->sides[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(p->sides[i].fd);
    }
}

static void end(struct pump *p, bool broken)
{
    const struct pump_config config = p->config;
    close_sides(p, broken);
    config.ended(config.context);
}

void pump_close(struct pump *p)
{
    close_sides(p, true);
}

/* ---- one direction ---- */

/* ERR_AGAIN: nothing is there; ERR_CLOSED: broken. At the end nothing is held. */
static int fill(struct pump *p, unsigned i)
{
    struct flow *f = &p->flows[i];
    if (f->pipe[0] < 0 && pipes_take(p->config.pipes, f->pipe)) {
        f->pipe[0] = -1;
        return ERR_CLOSED;
    }
    ssize_t n = splice(p->sides[i].fd, NULL, f->pipe[1], NULL, PIECE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ERR_AGAIN : ERR_CLOSED;
    f->held = (size_t)n;
    f->ended = n == 0;
    return 0;
}

/* ERR_AGAIN: the other side takes no more now; ERR_CLOSED: broken. */
static int drain(struct pump *p, unsigned i)
{
    struct flow *f = &p->flows[i];
    while (f->held) {
        ssize_t n =
            splice(f->pipe[0], NULL, p->sides[!i].fd, NULL, f->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
        f->held -= (size_t)n;
        *p->config.bytes[i] += (uint64_t)n;
    }
    return 0;
}

static void rest(struct pump *p, struct flow *f)
{
    if (f->held || f->pipe[0] < 0)
        return;
    pipes_give(p->config.pipes, f->pipe);
    f->pipe[0] = -1;
}

/* False when a connection broke. */
static bool move(struct pump *p, unsigned i)
{
    struct flow *f = &p->flows[i];
    uint64_t until = *p->config.bytes[i] + PUMP_TURN_BYTES;
    int err = drain(p, i);
    while (!err && !f->ended && *p->config.bytes[i] < until) {
        err = fill(p, i);
        if (!err)
            err = drain(p, i);
    }
    if (err == ERR_CLOSED)
        return false;
    if (f->ended && !f->held && !f->shut) {
        (void)!shutdown(p->sides[!i].fd, SHUT_WR); /* of one that broke the other direction tells */
        f->shut = true;
    }
    rest(p, f);
    return true;
}

/* ---- both ---- */

static void on_ready(uv_poll_t *poll, int status, int events);

static void wait_for_more(struct pump *p, unsigned i)
{
    struct side *s = &p->sides[i];
    int events =
        (p->flows[i].ended || p->flows[i].held ? 0 : UV_READABLE) | (p->flows[!i].held ? UV_WRITABLE : 0);
    if (events == s->events)
        return;
    s->events = events;
    if (events)
        uv_poll_start(&s->poll, events, on_ready);
    else
        uv_poll_stop(&s->poll);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    const struct side *s = poll->data;
    struct pump *p = s->owner;
    unsigned i = s != &p->sides[0];
    bool whole =
        status == 0 && (!(events & UV_READABLE) || move(p, i)) && (!(events & UV_WRITABLE) || move(p, !i));
    if (!whole || (p->flows[0].shut && p->flows[1].shut)) {
        end(p, !whole);
        return;
    }
    wait_for_more(p, 0);
    wait_for_more(p, 1);
}

int pump_new(const struct pump_config *config, const int fds[2], struct pump **out)
{
    struct pump *p = calloc(1, sizeof(*p));
    if (!p) {
        close(fds[0]);
        close(fds[1]);
        return ERR_NOMEM;
    }
    p->config = *config;
    p->handles = 2;
    for (unsigned i = 0; i < 2; i++) {
        p->flows[i].pipe[0] = -1;
        p->sides[i] = (struct side){.owner = p, .fd = fds[i], .events = UV_READABLE};
        uv_poll_init(config->loop, &p->sides[i].poll, fds[i]);
        p->sides[i].poll.data = &p->sides[i];
        uv_poll_start(&p->sides[i].poll, UV_READABLE, on_ready);
    }
    *out = p;
    return 0;
}
