/* SPDX-License-Identifier: Apache-2.0 */
#include "node/doors/doors.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/helper/helper_channel.h"

#include <stdlib.h>
#include <unistd.h>

#define TELL_US (60 * USEC_PER_SEC)

struct doors {
    struct doors_config config;
    int fd; /* -1: it is gone for good */
    uv_poll_t poll;
    struct doors_counts counts;
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

/* The first message that such a process has, so its channel takes it. */
static void open_doors(struct doors *d)
{
    const struct helper_message m = {.kind = HELPER_DOORS_OPEN, .interface = d->config.interface};
    if (helper_channel_send(d->fd, &m))
        give_up(d, "takes no message");
}

static void on_ended(struct doors *d, const char *how)
{
    uint64_t withheld;
    d->counts = (struct doors_counts){0};
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
    if (m->kind == HELPER_READY)
        open_doors(d);
    else if (m->kind == HELPER_ENDED)
        on_ended(d, m->text);
    else if (m->kind == HELPER_UNABLE)
        on_unable(d, m->text);
    else if (m->kind != HELPER_DOORS_COUNTS || doors_counts_decode(m->data, &d->counts))
        give_up(d, "sends what is not its to send");
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
    uv_poll_stop(&d->poll);
    if (d->fd >= 0)
        close(d->fd);
    uv_close((uv_handle_t *)&d->poll, on_closed);
}
