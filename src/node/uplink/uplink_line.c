/* SPDX-License-Identifier: Apache-2.0 */
#include "node/uplink/uplink_line.h"

#include "node/helper/uplink_channel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUND_PACKETS 64 /* before others have their turn */

struct waiting {
    struct waiting *next;
    size_t len;
    uint8_t bytes[];
};

struct uplink_line {
    struct uplink_line_events events;
    uv_poll_t poll;
    int fd; /* -1: it is gone */
    struct waiting *first, *last;
    size_t bytes; /* of them */
    uint8_t out[UPLINK_CONTROL_MAX], in[UPLINK_MESSAGE_MAX];
};

static_assert(1 + HELPER_MESSAGE_MAX <= UPLINK_CONTROL_MAX, "what is told fits, too");

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct uplink_line *l)
{
    if (l->fd >= 0)
        uv_poll_start(&l->poll, UV_READABLE | (l->first ? UV_WRITABLE : 0), on_ready);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop_fd(struct uplink_line *l)
{
    uv_poll_stop(&l->poll);
    close(l->fd);
    l->fd = -1;
}

/* ---- out ---- */

static int queue(struct uplink_line *l, const uint8_t *bytes, size_t len)
{
    struct waiting *w = l->bytes + len <= UPLINK_LINE_WAITING ? malloc(sizeof(*w) + len) : NULL;
    if (!w)
        return ERR_SPACE;
    w->next = NULL;
    w->len = len;
    memcpy(w->bytes, bytes, len);
    if (l->last)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
    l->bytes += len;
    watch(l);
    return 0;
}

static int send_now(const struct uplink_line *l, const uint8_t *bytes, size_t len)
{
    const struct iovec whole = {(void *)bytes, len};
    return uplink_channel_send(l->fd, &whole, 1);
}

static int send_bytes(struct uplink_line *l, const uint8_t *bytes, size_t len)
{
    if (l->fd < 0)
        return ERR_CLOSED;
    int err = l->first ? ERR_AGAIN : send_now(l, bytes, len);
    return err == ERR_AGAIN ? queue(l, bytes, len) : err;
}

int uplink_line_send(struct uplink_line *l, const struct uplink_message *m)
{
    size_t len;
    int err = uplink_message_encode(m, l->out, sizeof(l->out), &len);
    return err ? err : send_bytes(l, l->out, len);
}

int uplink_line_tell(struct uplink_line *l, const struct helper_message *m)
{
    size_t len;
    int err = helper_message_encode(m, l->out + 1, &len);
    l->out[0] = 0;
    return err ? err : send_bytes(l, l->out, 1 + len);
}

static void take_first(struct uplink_line *l)
{
    struct waiting *w = l->first;
    l->first = w->next;
    if (!l->first)
        l->last = NULL;
    l->bytes -= w->len;
    free(w);
}

void uplink_line_clear(struct uplink_line *l)
{
    while (l->first)
        take_first(l);
    watch(l);
}

static void send_waiting(struct uplink_line *l)
{
    while (l->first && send_now(l, l->first->bytes, l->first->len) == 0)
        take_first(l);
    watch(l);
}

/* ---- in ---- */

static void on_packet(struct uplink_line *l, size_t len)
{
    struct helper_message told;
    struct uplink_message m;
    if (uplink_channel_is_told(l->in)) {
        if (uplink_channel_read(l->in, len, &told) == 0)
            l->events.told(l->events.context, &told);
        return;
    }
    int err = uplink_message_decode(l->in, len, UPLINK_BACKBONE, &m);
    if (err == ERR_FORMAT)
        l->events.malformed(l->events.context);
    else if (!err)
        l->events.message(l->events.context, &m);
}

static void receive_all(struct uplink_line *l)
{
    for (unsigned i = 0; i < ROUND_PACKETS && l->fd >= 0; i++) {
        ssize_t len = uplink_channel_receive(l->fd, l->in);
        if (len > 0)
            on_packet(l, (size_t)len);
        if (len == ERR_AGAIN)
            return;
        if (len == ERR_CLOSED) {
            drop_fd(l);
            l->events.lost(l->events.context);
            return;
        }
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct uplink_line *l = poll->data;
    (void)status;
    if (events & UV_WRITABLE)
        send_waiting(l);
    receive_all(l);
}

/* ---- life ---- */

int uplink_line_new(uv_loop_t *loop, int fd, const struct uplink_line_events *events,
                    struct uplink_line **out)
{
    struct uplink_line *l = calloc(1, sizeof(*l));
    if (!l) {
        close(fd);
        return ERR_NOMEM;
    }
    l->events = *events;
    l->fd = fd;
    uv_poll_init(loop, &l->poll, fd);
    l->poll.data = l;
    watch(l);
    *out = l;
    return 0;
}

void uplink_line_close(struct uplink_line *l)
{
    if (!l)
        return;
    while (l->first)
        take_first(l);
    if (l->fd >= 0)
        drop_fd(l);
    uv_close((uv_handle_t *)&l->poll, on_closed);
}
