/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is accepted before the node has said which device is the mesh's. */
#include "node/doors/doors_process.h"

#include "node/doors/datagrams.h"
#include "node/doors/doors_counts.h"
#include "node/doors/mesh_side.h"
#include "node/doors/passages.h"
#include "node/helper/helper_cage.h"
#include "node/helper/helper_channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ACCEPTS_MAX 32 /* at one door, before others have their turn */
#define TELL_MS     1000

struct doors_process {
    const struct doors_process_config *config;
    int fd;
    uv_loop_t loop;
    uv_poll_t channel;
    uv_timer_t timer;
    struct entrance {
        struct doors_process *owner;
        const struct door *door;
        int fd; /* it listens; -1: it is not there yet */
        uv_poll_t poll;
    } entrances[DOORS_MAX];
    struct mesh_side mesh;
    struct places places;
    struct passages *passages;
    struct datagrams *datagrams;
    struct doors_counts counts, told;
    bool failed;
    struct helper_packet packet;
};

/* ---- arrivals ---- */

/* What cannot be accepted, since the machine has no file left, waits until the timer looks again. */
static void on_arrival(uv_poll_t *poll, int status, int events)
{
    const struct entrance *e = poll->data;
    (void)status, (void)events;
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage from;
        struct addr source = {0};
        socklen_t len = sizeof(from);
        int fd = accept4(e->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            uv_poll_stop(poll);
        if (fd < 0)
            return;
        if (addr_from_sockaddr((struct sockaddr *)&from, &source))
            source.family = 4; /* none of ours, and counted as 0.0.0.0's */
        passages_begin(e->owner->passages, e->door, fd, &source);
    }
}

static void open_doors(struct doors_process *d)
{
    for (unsigned i = 0; d->mesh.interface && i < d->config->count; i++)
        if (d->entrances[i].fd >= 0)
            uv_poll_start(&d->entrances[i].poll, UV_READABLE, on_arrival);
}

/* Those of UDP: what comes before the mesh is known finds no way. */
static int serve_datagrams(struct doors_process *d)
{
    const struct datagrams_config config = {&d->loop, &d->mesh, &d->places, &d->counts, DATAGRAMS_IDLE_MS};
    int err = datagrams_new(&config, &d->datagrams);
    for (unsigned i = 0; !err && i < d->config->count; i++)
        if (d->config->doors[i].udp)
            err = datagrams_serve(d->datagrams, &d->config->doors[i]);
    return err;
}

/* ---- the node ---- */

static int look_up(void *context, uint32_t token, const char *name)
{
    const struct doors_process *d = context;
    struct helper_message m = {.kind = HELPER_ASK_NAME, .token = token};
    helper_message_set_text(&m, name);
    return helper_channel_send(d->fd, &m);
}

static void tell(struct doors_process *d)
{
    uint8_t bytes[DOORS_COUNTS_LEN];
    struct helper_message m = {.kind = HELPER_DOORS_COUNTS, .data = {bytes, sizeof(bytes)}};
    if (memcmp(&d->told, &d->counts, sizeof(d->told)) == 0)
        return;
    doors_counts_encode(&d->counts, bytes);
    if (helper_channel_send(d->fd, &m) == 0) /* else a second later */
        d->told = d->counts;
}

static void on_timer(uv_timer_t *timer)
{
    struct doors_process *d = timer->data;
    tell(d);
    open_doors(d);
}

static int watch(struct doors_process *d, unsigned i, int fd)
{
    d->entrances[i].fd = fd;
    return uv_poll_init(&d->loop, &d->entrances[i].poll, fd) ? ERR_IO : 0;
}

static bool take_listener(struct doors_process *d, uint64_t door, int fd)
{
    if (fd < 0 || door >= d->config->count || d->entrances[door].fd >= 0 || watch(d, (unsigned)door, fd))
        return false;
    open_doors(d);
    return true;
}

/* Takes file. */
static bool on_message(struct doors_process *d, const struct helper_message *m, int file)
{
    if (m->kind == HELPER_DOORS_LISTEN)
        return take_listener(d, m->number, file);
    if (m->kind == HELPER_NAME) {
        passages_found(d->passages, m->token, m->addresses, m->address_count);
        return true;
    }
    if (m->kind != HELPER_DOORS_OPEN || mesh_side_decode(m->data, &d->mesh))
        return false;
    d->mesh.interface = m->interface;
    open_doors(d);
    return true;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct doors_process *d = poll->data;
    (void)status, (void)events;
    int file, err = helper_channel_receive_file(d->fd, &d->packet, &file);
    if (err == ERR_AGAIN)
        return;
    if (!err && on_message(d, &d->packet.message, file))
        return;
    d->failed = err != ERR_CLOSED;
    uv_stop(&d->loop);
}

/* ---- from start to end ---- */

static int begin(struct doors_process *d, int fd, const struct doors_process_config *config)
{
    d->config = config;
    d->fd = fd;
    d->mesh.broker = config->broker;
    if (uv_loop_init(&d->loop) || uv_timer_init(&d->loop, &d->timer) ||
        uv_poll_init(&d->loop, &d->channel, fd))
        return ERR_IO;
    const struct passages_config passages = {.loop = &d->loop,
                                             .places = &d->places,
                                             .mesh = &d->mesh,
                                             .words = config->authenticates ? &config->words : NULL,
                                             .direct = config->direct,
                                             .counts = &d->counts,
                                             .look_up = look_up,
                                             .context = d};
    d->places.max = config->max < PLACES_MAX ? config->max : PLACES_MAX;
    int err = passages_new(&passages, &d->passages);
    if (!err)
        err = serve_datagrams(d);
    for (unsigned i = 0; !err && i < config->count; i++) {
        struct entrance *e = &d->entrances[i];
        *e = (struct entrance){.owner = d, .door = &config->doors[i], .fd = -1, .poll = {.data = e}};
        err = e->door->fd < 0 || e->door->udp ? 0 : watch(d, i, e->door->fd);
    }
    d->timer.data = d->channel.data = d;
    return err;
}

int doors_process_run(int fd, const void *context)
{
    static struct doors_process d;
    const struct doors_process_config *config = context;
    struct helper_message first = {.kind = HELPER_READY};
    if (config->caged && helper_cage_enter(HELPER_CAGE_DOORS, first.text, sizeof(first.text)))
        first.kind = HELPER_UNABLE;
    if (first.kind == HELPER_READY && begin(&d, fd, config)) {
        first.kind = HELPER_UNABLE;
        helper_message_set_text(&first, strerror(errno));
    }
    if (helper_channel_send(fd, &first) != 0 || first.kind == HELPER_UNABLE)
        return EXIT_FAILURE;
    uv_poll_start(&d.channel, UV_READABLE, on_channel);
    uv_timer_start(&d.timer, on_timer, TELL_MS, TELL_MS);
    uv_run(&d.loop, UV_RUN_DEFAULT);
    return d.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
