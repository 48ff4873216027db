/* SPDX-License-Identifier: Apache-2.0 */
#include "node/doors/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct dial {
    struct dial_config config;
    unsigned count, next;
    struct addr addresses[DIAL_ADDRESSES_MAX];
    enum outcome outcome; /* of the last that was tried */
    int fd;               /* of the one that is */
    uv_poll_t poll;
    uv_timer_t patience;
};

static void try_next(struct dial *d);

static enum outcome outcome_of(int failed)
{
    switch (failed) {
    case 0:
        return OUTCOME_OPEN;
    case ECONNREFUSED:
        return OUTCOME_REFUSED;
    case ETIMEDOUT:
        return OUTCOME_SILENT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EACCES:
        return OUTCOME_UNREACHABLE;
    default:
        return OUTCOME_FAILED;
    }
}

static void on_gone(uv_handle_t *handle)
{
    free(handle->data);
}

static void end(struct dial *d, int fd)
{
    uv_close((uv_handle_t *)&d->patience, on_gone);
    d->config.done(d->config.context, fd, d->outcome);
}

/* The handle may be used again from here on. */
static void on_tried(uv_handle_t *handle)
{
    struct dial *d = handle->data;
    if (d->outcome == OUTCOME_OPEN) {
        end(d, d->fd);
        return;
    }
    close(d->fd);
    try_next(d);
}

static void end_try(struct dial *d, int failed)
{
    d->outcome = outcome_of(failed);
    uv_timer_stop(&d->patience);
    uv_close((uv_handle_t *)&d->poll, on_tried);
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
    struct dial *d = poll->data;
    int failed = 0;
    socklen_t len = sizeof(failed);
    (void)status, (void)events; /* the socket knows better */
    if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0)
        failed = errno;
    end_try(d, failed);
}

static void on_silent(uv_timer_t *timer)
{
    end_try(timer->data, ETIMEDOUT);
}

static int begin_try(struct dial *d, const struct addr *to)
{
    struct sockaddr_storage where;
    socklen_t len = addr_to_sockaddr(to, false, &where);
    d->outcome = OUTCOME_FAILED;
    if (d->config.open(d->config.context, to, &d->fd))
        return ERR_IO;
    if (connect(d->fd, (struct sockaddr *)&where, len) == 0 || errno == EINPROGRESS)
        return 0;
    d->outcome = outcome_of(errno);
    close(d->fd);
    return ERR_IO;
}

static void try_next(struct dial *d)
{
    int err = ERR_IO;
    while (err && d->next < d->count)
        err = begin_try(d, &d->addresses[d->next++]);
    if (err) {
        end(d, -1);
        return;
    }
    uv_poll_init(d->config.loop, &d->poll, d->fd);
    d->poll.data = d;
    uv_poll_start(&d->poll, UV_WRITABLE, on_connected);
    uv_timer_start(&d->patience, on_silent, DIAL_CONNECT_MS, 0);
}

int dial_start(const struct dial_config *config, const struct addr *addresses, unsigned count)
{
    struct dial *d = calloc(1, sizeof(*d));
    if (!d)
        return ERR_NOMEM;
    d->config = *config;
    d->count = count < DIAL_ADDRESSES_MAX ? count : DIAL_ADDRESSES_MAX;
    memcpy(d->addresses, addresses, d->count * sizeof(*addresses));
    uv_timer_init(config->loop, &d->patience);
    d->patience.data = d;
    try_next(d);
    return 0;
}
