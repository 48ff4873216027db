/* SPDX-License-Identifier: Apache-2.0 */
/* Where a client wants to go, it says, or the door does. The addresses of that are tried in turn. A client that asked is answered;
 * another one's connection is broken: an end alone would look like a success. */
#include "node/doors/passages.h"

#include "node/doors/dial.h"
#include "node/doors/pipes.h"
#include "node/doors/pump.h"

#include "crypto/secret.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct passages {
    struct passages_config config;
    struct pipes pipes;
    unsigned asking; /* of other machines */
    uint32_t looked_up;
    struct passage *at[PLACES_MAX];
};

struct passage {
    struct passages *owner;
    const struct door *door;
    uint32_t place;
    uint32_t token; /* of the look-up that it waits for; 0: none */
    int client, target;
    bool other; /* from another machine */
    uint16_t port;
    struct door_request *request; /* while it asks */
    uv_poll_t ask;                /* of client, meanwhile */
    uv_timer_t patience;
    unsigned handles;
};

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct passage *g = handle->data;
    if (--g->handles)
        return;
    places_leave(g->owner->config.places, g->place);
    g->owner->at[g->place] = NULL;
    free(g);
}

/* Not before its descriptors are closed, or the pump has them. */
static void finish(struct passage *g)
{
    g->token = 0;
    uv_close((uv_handle_t *)&g->patience, on_closed);
}

static void break_off(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    (void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

static bool is_asked(const struct passage *g)
{
    return !g->door->target_count && !g->door->name[0];
}

static void count_outcome(uint64_t *counts, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_OPEN:
    case OUTCOME_FAILED:
        return;
    case OUTCOME_REFUSED:
    case OUTCOME_UNREACHABLE:
    case OUTCOME_SILENT:
        counts[DOORS_UNREACHABLE]++;
        return;
    case OUTCOME_NO_NAME:
        counts[DOORS_NO_NAME]++;
        return;
    case OUTCOME_FORBIDDEN:
        counts[DOORS_FORBIDDEN]++;
        return;
    case OUTCOME_UNSUPPORTED:
        counts[DOORS_UNSUPPORTED]++;
        return;
    }
}

static void refuse(struct passage *g, enum outcome outcome)
{
    uint64_t *counts = g->owner->config.counts->of;
    counts[DOORS_HALF_OPEN]--;
    count_outcome(counts, outcome);
    if (!is_asked(g) || door_request_answer(g->door->kind, g->client, outcome, NULL))
        break_off(g->client);
    else
        close(g->client);
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

static void answer_and_open(struct passage *g)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof(own);
    struct addr bound;
    bool known = getsockname(g->target, (struct sockaddr *)&own, &len) == 0 &&
                 addr_from_sockaddr((struct sockaddr *)&own, &bound) == 0;
    if (is_asked(g) && door_request_answer(g->door->kind, g->client, OUTCOME_OPEN, known ? &bound : NULL)) {
        close(g->target);
        refuse(g, OUTCOME_FAILED);
        return;
    }
    open_up(g);
}

/* ---- connecting ---- */

static void on_dialled(void *context, int fd, enum outcome outcome)
{
    struct passage *g = context;
    g->target = fd;
    if (fd >= 0)
        answer_and_open(g);
    else
        refuse(g, outcome);
}

/* A door of the mesh leads nowhere else, unless clients were given all that this machine reaches. */
static bool is_mesh(const struct passage *g, const struct addr *to)
{
    const struct passages_config *c = &g->owner->config;
    if (!is_asked(g))
        return g->door->kind == DOOR_FORWARD;
    return !c->direct || mesh_side_has(c->mesh, to);
}

static int open_target(void *context, const struct addr *to, int *out)
{
    const struct passage *g = context;
    if (is_mesh(g, to))
        return mesh_side_socket(g->owner->config.mesh, to->family, SOCK_STREAM, out);
    *out = socket(to->family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return *out < 0 ? ERR_IO : 0;
}

/* ---- where to ---- */

/* A client's word leads to other machines alone: never to what listens for this one only. */
static void go_to(struct passage *g, const struct addr *addresses, unsigned count)
{
    const struct dial_config config = {g->owner->config.loop, open_target, on_dialled, g};
    struct addr to[DIAL_ADDRESSES_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < count && n < DIAL_ADDRESSES_MAX; i++) {
        if (is_asked(g) && !addr_is_routable(&addresses[i]))
            continue;
        to[n] = addresses[i];
        to[n++].port = g->port;
    }
    if (!n)
        refuse(g, OUTCOME_FORBIDDEN);
    else if (dial_start(&config, to, n))
        refuse(g, OUTCOME_FAILED);
}

static void on_no_answer(uv_timer_t *timer)
{
    refuse(timer->data, OUTCOME_SILENT);
}

static void look_up(struct passage *g, const char *name)
{
    struct passages *p = g->owner;
    g->token = ++p->looked_up % (UINT32_MAX / PLACES_MAX) * PLACES_MAX + g->place;
    if (p->config.look_up(p->config.context, g->token, name)) {
        refuse(g, OUTCOME_FAILED);
        return;
    }
    uv_timer_start(&g->patience, on_no_answer, PASSAGES_NAME_MS, 0);
}

void passages_found(struct passages *p, uint32_t token, const struct addr *addresses, unsigned count)
{
    struct passage *g = p->at[token % PLACES_MAX];
    if (!token || !g || g->token != token)
        return;
    g->token = 0;
    uv_timer_stop(&g->patience);
    if (count)
        go_to(g, addresses, count);
    else
        refuse(g, OUTCOME_NO_NAME);
}

/* ---- asking ---- */

static void stop_asking(struct passage *g)
{
    uv_timer_stop(&g->patience);
    uv_close((uv_handle_t *)&g->ask, on_closed);
    g->owner->asking -= g->other;
    secret_wipe(g->request, sizeof(*g->request));
    free(g->request);
    g->request = NULL;
}

static void end_unasked(struct passage *g)
{
    uint64_t *counts = g->owner->config.counts->of;
    counts[DOORS_HALF_OPEN]--;
    close(g->client);
    finish(g);
}

static void give_up_asking(struct passage *g)
{
    g->owner->config.counts->of[DOORS_MALFORMED]++;
    stop_asking(g);
    end_unasked(g);
}

static void on_request_late(uv_timer_t *timer)
{
    give_up_asking(timer->data);
}

static void on_wrong(uv_timer_t *timer)
{
    struct passage *g = timer->data;
    door_request_refuse_words(g->door->kind, g->client);
    end_unasked(g);
}

static void on_target(struct passage *g)
{
    const struct destination to = g->request->to;
    stop_asking(g);
    g->port = to.port;
    if (to.address.family)
        go_to(g, &to.address, 1);
    else
        look_up(g, to.name);
}

static void on_client(uv_poll_t *poll, int status, int events)
{
    struct passage *g = poll->data;
    enum outcome outcome;
    (void)events;
    switch (status < 0 ? DOOR_ASKED_NOTHING : door_request_turn(g->request)) {
    case DOOR_ASKED_MORE:
        return;
    case DOOR_ASKED_TARGET:
        on_target(g);
        return;
    case DOOR_ASKED_REFUSED:
        outcome = g->request->outcome;
        stop_asking(g);
        refuse(g, outcome);
        return;
    case DOOR_ASKED_WRONG_WORDS:
        g->owner->config.counts->of[DOORS_WRONG_WORDS]++;
        stop_asking(g);
        uv_timer_start(&g->patience, on_wrong, PASSAGES_WRONG_MS, 0);
        return;
    case DOOR_ASKED_NOTHING:
        give_up_asking(g);
        return;
    }
}

static void ask(struct passage *g)
{
    struct passages *p = g->owner;
    bool room = !g->other || p->asking < PASSAGES_ASKING_MAX;
    g->request = room ? calloc(1, sizeof(*g->request)) : NULL;
    if (!g->request) {
        p->config.counts->of[DOORS_FULL]++;
        end_unasked(g);
        return;
    }
    *g->request = (struct door_request){.kind = g->door->kind, .words = p->config.words, .fd = g->client};
    p->asking += g->other;
    uv_poll_init(p->config.loop, &g->ask, g->client);
    g->ask.data = g;
    g->handles++;
    uv_poll_start(&g->ask, UV_READABLE, on_client);
    uv_timer_start(&g->patience, on_request_late, PASSAGES_REQUEST_MS, 0);
}

/* ---- the beginning ---- */

static struct passage *take_place(struct passages *p, const struct addr *from)
{
    uint32_t place = places_take(p->config.places, from);
    struct passage *g = place == PLACES_NONE ? NULL : calloc(1, sizeof(*g));
    if (place != PLACES_NONE && !g)
        places_leave(p->config.places, place);
    if (!g)
        return NULL;
    *g = (struct passage){.owner = p, .place = place, .other = !addr_is_loopback(from), .handles = 1};
    p->at[place] = g;
    uv_timer_init(p->config.loop, &g->patience);
    g->patience.data = g;
    return g;
}

void passages_begin(struct passages *p, const struct door *door, int fd, const struct addr *from)
{
    struct passage *g = take_place(p, from);
    if (!g) {
        p->config.counts->of[DOORS_FULL]++;
        break_off(fd);
        return;
    }
    g->door = door;
    g->client = fd;
    g->port = door->port;
    p->config.counts->of[DOORS_HALF_OPEN]++;
    if (is_asked(g))
        ask(g);
    else if (door->name[0])
        look_up(g, door->name);
    else
        go_to(g, door->targets, door->target_count);
}

int passages_new(const struct passages_config *config, struct passages **out)
{
    struct passages *p = calloc(1, sizeof(*p));
    if (!p)
        return ERR_NOMEM;
    p->config = *config;
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
