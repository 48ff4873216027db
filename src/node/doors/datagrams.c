/* SPDX-License-Identifier: Apache-2.0 */
/* What a socket does not take now is lost, as on any way. */
#include "node/doors/datagrams.h"

#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX 65535

struct datagrams {
    struct datagrams_config config;
    struct udp_door *doors;
    uint8_t bytes[DATAGRAM_MAX];
};

struct udp_door {
    struct datagrams *owner;
    struct udp_door *next;
    const struct door *door;
    struct table *clients;
    uv_poll_t poll;
};

/* A client, and the socket that is connected to where its door leads. */
struct client {
    struct udp_door *door;
    uint64_t key;
    uint32_t place;
    int fd;
    struct sockaddr_storage at;
    socklen_t at_len;
    uint64_t last_ms; /* when something passed */
    uv_poll_t poll;
    uv_timer_t idle;
    unsigned handles;
};

/* Addresses of loopback differ in their last four bytes, and in their family. */
static uint64_t key_of(const struct addr *a)
{
    const uint8_t *ip = a->ip + (a->family == 4 ? 0 : 12);
    uint64_t last = (uint64_t)ip[0] << 24 | (uint64_t)ip[1] << 16 | (uint64_t)ip[2] << 8 | ip[3];
    return (uint64_t)(a->family == 6) << 48 | last << 16 | a->port;
}

/* ---- the end of a client ---- */

static void on_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    if (--c->handles == 0)
        free(c);
}

static void close_client(struct client *c)
{
    const struct datagrams_config *config = &c->door->owner->config;
    places_leave(config->places, c->place);
    config->counts->of[DOORS_OPEN]--;
    uv_close((uv_handle_t *)&c->poll, on_closed);
    uv_close((uv_handle_t *)&c->idle, on_closed);
    close(c->fd);
}

static void forget(struct client *c)
{
    table_remove(c->door->clients, c->key);
    close_client(c);
}

/* Set once for each span, not for each datagram. */
static void on_idle(uv_timer_t *timer)
{
    struct client *c = timer->data;
    uint64_t quiet_ms = uv_now(timer->loop) - c->last_ms, idle_ms = c->door->owner->config.idle_ms;
    if (quiet_ms < idle_ms)
        uv_timer_start(timer, on_idle, idle_ms - quiet_ms, 0);
    else
        forget(c);
}

/* ---- answers ---- */

/* Errors are what ICMP said of a datagram before: the next one may arrive. */
static void on_answer(uv_poll_t *poll, int status, int events)
{
    struct client *c = poll->data;
    struct datagrams *d = c->door->owner;
    (void)events;
    for (unsigned i = 0; i < DATAGRAMS_TURN; i++) {
        ssize_t n = recv(c->fd, d->bytes, sizeof(d->bytes), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            continue;
        c->last_ms = uv_now(poll->loop);
        d->config.counts->of[DOORS_FROM_MESH] += (uint64_t)n;
        (void)!sendto(c->door->door->fd, d->bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL,
                      (struct sockaddr *)&c->at, c->at_len);
    }
    if (status < 0)
        uv_poll_start(poll, UV_READABLE, on_answer); /* the error has stopped it */
}

/* ---- clients ---- */

static int connect_there(const struct udp_door *u, int *out)
{
    const struct addr *to = &u->door->targets[0];
    struct sockaddr_storage where;
    socklen_t len = addr_to_sockaddr(to, false, &where);
    int err = mesh_side_socket(u->owner->config.mesh, to->family, SOCK_DGRAM, out);
    if (!err && connect(*out, (struct sockaddr *)&where, len) != 0) {
        close(*out);
        err = ERR_IO;
    }
    return err;
}

static struct client *take_place(struct udp_door *u, const struct addr *from)
{
    const struct datagrams_config *config = &u->owner->config;
    uint32_t place = places_take(config->places, from);
    struct client *c = place == PLACES_NONE ? NULL : calloc(1, sizeof(*c));
    if (place != PLACES_NONE && !c)
        places_leave(config->places, place);
    if (!c) {
        config->counts->of[DOORS_FULL]++;
        return NULL;
    }
    *c = (struct client){.door = u, .key = key_of(from), .place = place, .handles = 2};
    return c;
}

static void watch(struct client *c)
{
    uv_loop_t *loop = c->door->owner->config.loop;
    uint64_t *counts = c->door->owner->config.counts->of;
    uv_poll_init(loop, &c->poll, c->fd);
    uv_timer_init(loop, &c->idle);
    c->poll.data = c->idle.data = c;
    uv_poll_start(&c->poll, UV_READABLE, on_answer);
    uv_timer_start(&c->idle, on_idle, c->door->owner->config.idle_ms, 0);
    counts[DOORS_OPEN]++;
    counts[DOORS_SERVED]++;
}

/* NULL: there is no place, or no way. */
static struct client *begin(struct udp_door *u, const struct addr *from)
{
    struct client *c = take_place(u, from);
    if (!c)
        return NULL;
    c->at_len = addr_to_sockaddr(from, false, &c->at);
    int err = connect_there(u, &c->fd);
    if (!err && table_put(u->clients, c->key, c)) {
        close(c->fd);
        err = ERR_NOMEM;
    }
    if (err) {
        u->owner->config.counts->of[DOORS_UNREACHABLE]++;
        places_leave(u->owner->config.places, c->place);
        free(c);
        return NULL;
    }
    watch(c);
    return c;
}

static void pass(struct udp_door *u, const struct addr *from, size_t len)
{
    struct datagrams *d = u->owner;
    struct client *c = table_get(u->clients, key_of(from));
    if (!c)
        c = begin(u, from);
    if (!c)
        return;
    c->last_ms = uv_now(d->config.loop);
    if (send(c->fd, d->bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        d->config.counts->of[DOORS_TO_MESH] += len;
}

static void on_datagram(uv_poll_t *poll, int status, int events)
{
    struct udp_door *u = poll->data;
    (void)status, (void)events;
    for (unsigned i = 0; i < DATAGRAMS_TURN; i++) {
        struct sockaddr_storage at;
        struct addr from;
        socklen_t len = sizeof(at);
        ssize_t n = recvfrom(u->door->fd, u->owner->bytes, sizeof(u->owner->bytes), MSG_DONTWAIT,
                             (struct sockaddr *)&at, &len);
        if (n < 0)
            return;
        if (addr_from_sockaddr((struct sockaddr *)&at, &from) == 0 && addr_is_loopback(&from))
            pass(u, &from, (size_t)n);
    }
}

/* ---- the beginning ---- */

int datagrams_serve(struct datagrams *d, const struct door *door)
{
    struct udp_door *u = calloc(1, sizeof(*u));
    if (!u || table_new(&u->clients)) {
        free(u);
        return ERR_NOMEM;
    }
    *u = (struct udp_door){
        .owner = d, .next = d->doors, .door = door, .clients = u->clients, .poll = {.data = u}};
    d->doors = u;
    if (uv_poll_init(d->config.loop, &u->poll, door->fd) || uv_poll_start(&u->poll, UV_READABLE, on_datagram))
        return ERR_IO;
    return 0;
}

int datagrams_new(const struct datagrams_config *config, struct datagrams **out)
{
    struct datagrams *d = calloc(1, sizeof(*d));
    if (!d)
        return ERR_NOMEM;
    d->config = *config;
    *out = d;
    return 0;
}

static void visit(void *context, void *value)
{
    (void)context;
    close_client(value);
}

static void on_door_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void datagrams_close(struct datagrams *d)
{
    for (struct udp_door *u = d->doors; u; u = u->next) {
        table_each(u->clients, visit, NULL);
        table_free(u->clients);
        uv_close((uv_handle_t *)&u->poll, on_door_closed);
    }
    free(d);
}
