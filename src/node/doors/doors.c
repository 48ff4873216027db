/* SPDX-License-Identifier: Apache-2.0 */
#include "node/doors/doors.h"

#include "base/bucket.h"
#include "base/clock.h"
#include "base/log.h"
#include "node/helper/helper_channel.h"
#include "node/helper/name_client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TELL_US      (60 * USEC_PER_SEC)
#define LOOK_UPS_MAX 64 /* of names that are no members' */

struct doors {
    struct doors_config config;
    int fd; /* -1: it is gone for good */
    uv_poll_t poll;
    bool ready; /* it has said that it serves */
    struct doors_counts counts;
    struct bucket asked;
    struct look_up {
        struct doors *owner;
        uint32_t token; /* 0: free */
    } look_ups[LOOK_UPS_MAX];
    struct log_limit ended, unable;
    struct helper_packet packet;
};

static void give_up(struct doors *d, const char *why)
{
    log_error(DOORS_TITLE ": their process %s: restart the node", why);
    uv_poll_stop(&d->poll);
    close(d->fd);
    d->fd = -1;
    d->counts = (struct doors_counts){0};
}

/* What does not get through is said again when the mesh changes; its channel takes a first message. */
static void tell_mesh(struct doors *d)
{
    uint8_t bytes[MESH_SIDE_LEN_MAX];
    struct helper_message m = {.kind = HELPER_DOORS_OPEN, .interface = d->config.mesh.interface};
    m.data = (struct slice){bytes, mesh_side_encode(&d->config.mesh, bytes)};
    if (d->ready && d->fd >= 0 && helper_channel_send(d->fd, &m) == ERR_CLOSED)
        give_up(d, "is gone");
}

/* Each process that serves begins without them. */
static void hand_out(struct doors *d)
{
    const struct door_sockets *s = d->config.sockets;
    for (unsigned i = 0; i < s->count && d->fd >= 0; i++) {
        const struct helper_message m = {.kind = HELPER_DOORS_LISTEN, .number = s->at[i].door};
        if (helper_channel_send_file(d->fd, &m, s->at[i].fd))
            give_up(d, "takes no socket");
    }
}

void doors_tell_mesh(struct doors *d, const struct mesh_side *mesh)
{
    if (!d)
        return;
    d->config.mesh = *mesh;
    tell_mesh(d);
}

/* ---- names ---- */

/* One whose answer is lost waits until it gives up. */
static void answer(struct doors *d, uint32_t token, const struct addr *addresses, unsigned count)
{
    struct helper_message m = {.kind = HELPER_NAME, .token = token};
    m.address_count = count < HELPER_ADDRESSES_MAX ? count : HELPER_ADDRESSES_MAX;
    memcpy(m.addresses, addresses, m.address_count * sizeof(*addresses));
    if (d->fd >= 0)
        (void)!helper_channel_send(d->fd, &m);
}

static void on_looked_up(void *context, const struct addr *addresses, unsigned count, const char *why)
{
    struct look_up *l = context;
    uint32_t token = l->token;
    (void)why;
    l->token = 0;
    answer(l->owner, token, addresses, count);
}

/* Of a process that died: the next one counts its tokens anew. */
static void forget_look_ups(struct doors *d)
{
    for (unsigned i = 0; i < LOOK_UPS_MAX; i++) {
        if (d->look_ups[i].token)
            name_client_forget(d->config.names, &d->look_ups[i]);
        d->look_ups[i].token = 0;
    }
}

/* What is no member's is this machine's to know. */
static bool look_beyond(struct doors *d, const struct helper_message *m)
{
    struct look_up *l = d->look_ups;
    while (l < d->look_ups + LOOK_UPS_MAX && l->token)
        l++;
    if (!d->config.names || l == d->look_ups + LOOK_UPS_MAX ||
        name_client_ask(d->config.names, m->text, on_looked_up, l))
        return false;
    *l = (struct look_up){d, m->token};
    return true;
}

static void on_name(struct doors *d, const struct helper_message *m)
{
    static const struct bucket_rate rate = {.interval_us = USEC_PER_SEC / DOORS_NAMES_SECOND,
                                            .burst = DOORS_NAMES_BURST};
    struct addr addresses[MESH_SIDE_PREFIXES_MAX];
    unsigned count = 0;
    bool taken = bucket_take(&d->asked, &rate, 1, clock_monotonic_us());
    if (taken)
        count = d->config.find(d->config.context, m->text, addresses);
    if (count || !taken || !look_beyond(d, m))
        answer(d, m->token, addresses, count);
}

/* ---- the channel ---- */

static void on_ended(struct doors *d, const char *how)
{
    uint64_t withheld;
    d->ready = false;
    d->counts = (struct doors_counts){0};
    forget_look_ups(d);
    if (log_limit_pass(&d->ended, clock_monotonic_us(), TELL_US, &withheld))
        log_warn(DOORS_TITLE ": their process ended (%s), and with it their connections: another one is "
                             "started",
                 how);
}

static void on_unable(struct doors *d, const char *why)
{
    uint64_t withheld;
    if (log_limit_pass(&d->unable, clock_monotonic_us(), TELL_US, &withheld))
        log_warn(DOORS_TITLE ": their process does not start: %s", why);
}

static void on_message(struct doors *d, const struct helper_message *m)
{
    if (m->kind == HELPER_READY) {
        d->ready = true;
        tell_mesh(d);
        hand_out(d);
    } else if (m->kind == HELPER_ENDED) {
        on_ended(d, m->text);
    } else if (m->kind == HELPER_UNABLE) {
        on_unable(d, m->text);
    } else if (m->kind == HELPER_ASK_NAME && m->token) {
        on_name(d, m);
    } else if (m->kind != HELPER_DOORS_COUNTS || doors_counts_decode(m->data, &d->counts)) {
        give_up(d, "sends what is not its to send");
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct doors *d = poll->data;
    (void)status, (void)events;
    int err = helper_channel_receive(d->fd, &d->packet);
    if (err == ERR_AGAIN)
        return;
    if (err == ERR_CLOSED)
        give_up(d, "ended, and so did the one that would start another");
    else if (err)
        give_up(d, "sends what is no message");
    else
        on_message(d, &d->packet.message);
}

int doors_new(const struct doors_config *config, int fd, struct doors **out)
{
    struct doors *d = calloc(1, sizeof(*d));
    if (!d) {
        close(fd);
        return ERR_NOMEM;
    }
    d->config = *config;
    d->fd = fd;
    uv_poll_init(config->loop, &d->poll, fd);
    d->poll.data = d;
    uv_poll_start(&d->poll, UV_READABLE, on_readable);
    *out = d;
    return 0;
}

const struct doors_counts *doors_counts(const struct doors *d)
{
    return &d->counts;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void doors_close(struct doors *d)
{
    if (!d)
        return;
    forget_look_ups(d);
    uv_poll_stop(&d->poll);
    if (d->fd >= 0)
        close(d->fd);
    uv_close((uv_handle_t *)&d->poll, on_closed);
}
