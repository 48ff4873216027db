/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of what a door leads to are tried in turn. What fails breaks the connection that arrived: an end alone would look
 * like a success. */
#include "node/doors/passages.h"

#include "node/doors/pipes.h"
#include "node/doors/places.h"
#include "node/doors/pump.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct passages {
    struct passages_config config;
    struct pipes pipes;
    struct places places;
};

struct passage {
    struct passages *owner;
    const struct door *door;
    uint32_t place;
    unsigned next;      /* of the door's targets */
    int client, target; /* -1: there is none, or the pump has it */
    bool connected;
    uv_poll_t poll;      /* of target: until it is connected, … */
    uv_timer_t patience; /* … or this runs out */
};

/* ---- the end ---- */

static void on_gone(uv_handle_t *handle)
{
    struct passage *g = handle->data;
    places_leave(&g->owner->places, g->place);
    free(g);
}

static void finish(struct passage *g)
{
    uv_close((uv_handle_t *)&g->patience, on_gone);
}

static void break_off(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    (void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

static void fail(struct passage *g)
{
    uint64_t *counts = g->owner->config.counts->of;
    counts[DOORS_HALF_OPEN]--;
    counts[DOORS_UNREACHABLE]++;
    break_off(g->client);
    finish(g);
}

static void on_ended(void *context)
{
    struct passage *g = context;
    g->owner->config.counts->of[DOORS_OPEN]--;
    finish(g);
}

/* ---- bytes pass ---- */

/* Small pieces are passed on at once; a host that is gone is noticed. */
static void set_options(int fd)
{
    const int on = 1, idle_s = PASSAGES_SILENT_S, lost_ms = PASSAGES_LOST_S * 1000;
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)!setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms, sizeof(lost_ms));
}

static void open_up(struct passage *g)
{
    uint64_t *counts = g->owner->config.counts->of;
    bool inwards = g->door->kind == DOOR_LISTEN;
    const struct pump_config config = {
        .loop = g->owner->config.loop,
        .pipes = &g->owner->pipes,
        .bytes = {&counts[inwards ? DOORS_FROM_MESH : DOORS_TO_MESH],
                  &counts[inwards ? DOORS_TO_MESH : DOORS_FROM_MESH]},
        .ended = on_ended,
        .context = g,
    };
    const int fds[2] = {g->client, g->target};
    struct pump *pump; /* it says when it ends */
    set_options(g->client);
    set_options(g->target);
    counts[DOORS_HALF_OPEN]--;
    if (pump_new(&config, fds, &pump)) {
        finish(g);
        return;
    }
    counts[DOORS_OPEN]++;
    counts[DOORS_SERVED]++;
}

/* ---- connecting ---- */

static void try_next(struct passage *g);

/* The handle may be used again from here on. */
static void on_tried(uv_handle_t *handle)
{
    struct passage *g = handle->data;
    if (g->connected) {
        open_up(g);
        return;
    }
    close(g->target);
    try_next(g);
}

static void end_try(struct passage *g, bool connected)
{
    g->connected = connected;
    uv_timer_stop(&g->patience);
    uv_close((uv_handle_t *)&g->poll, on_tried);
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
    struct passage *g = poll->data;
    int failed = 0;
    socklen_t len = sizeof(failed);
    (void)events;
    bool ok = status == 0 && getsockopt(g->target, SOL_SOCKET, SO_ERROR, &failed, &len) == 0 && failed == 0;
    end_try(g, ok);
}

static void on_impatient(uv_timer_t *timer)
{
    end_try(timer->data, false);
}

static int open_target(const struct passage *g, const struct addr *to, int *out)
{
    if (g->door->kind == DOOR_FORWARD)
        return mesh_side_socket(g->owner->config.mesh, to->family, SOCK_STREAM, out);
    *out = socket(to->family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return *out < 0 ? ERR_IO : 0;
}

static int begin_try(struct passage *g, const struct addr *to)
{
    struct sockaddr_storage where;
    socklen_t len = addr_to_sockaddr(to, false, &where);
    if (open_target(g, to, &g->target))
        return ERR_IO;
    if (connect(g->target, (struct sockaddr *)&where, len) == 0 || errno == EINPROGRESS)
        return 0;
    close(g->target);
    return ERR_IO;
}

static void try_next(struct passage *g)
{
    uv_loop_t *loop = g->owner->config.loop;
    int err = ERR_IO;
    while (err && g->next < g->door->target_count)
        err = begin_try(g, &g->door->targets[g->next++]);
    if (err) {
        fail(g);
        return;
    }
    uv_poll_init(loop, &g->poll, g->target);
    g->poll.data = g;
    uv_poll_start(&g->poll, UV_WRITABLE, on_connected);
    uv_timer_start(&g->patience, on_impatient, PASSAGES_CONNECT_MS, 0);
}

/* ---- the beginning ---- */

void passages_begin(struct passages *p, const struct door *door, int fd, const struct addr *from)
{
    uint32_t place = places_take(&p->places, from);
    struct passage *g = place == PLACES_NONE ? NULL : calloc(1, sizeof(*g));
    if (!g) {
        p->config.counts->of[DOORS_FULL]++;
        if (place != PLACES_NONE)
            places_leave(&p->places, place);
        break_off(fd);
        return;
    }
    *g = (struct passage){.owner = p, .door = door, .place = place, .client = fd, .target = -1};
    uv_timer_init(p->config.loop, &g->patience);
    g->patience.data = g;
    p->config.counts->of[DOORS_HALF_OPEN]++;
    try_next(g);
}

int passages_new(const struct passages_config *config, struct passages **out)
{
    struct passages *p = calloc(1, sizeof(*p));
    if (!p)
        return ERR_NOMEM;
    p->config = *config;
    p->places.max = config->max < PLACES_MAX ? config->max : PLACES_MAX;
    *out = p;
    return 0;
}

void passages_free(struct passages *p)
{
    if (!p)
        return;
    pipes_fini(&p->pipes);
    free(p);
}
