/* SPDX-License-Identifier: Apache-2.0 */
/* One frame at a time is with the socket; when it is through, the next is chosen. docs/PROTOCOL.md §15. */

#include "backbone/uplink_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct out_frame {
    struct out_frame *next;
    enum websocket_frame kind;
    size_t len;
    uint8_t bytes[];
};

int uplink_out_add(struct uplink_out *o, enum websocket_frame frame, const uint8_t *bytes, size_t len)
{
    struct out_frame *f = malloc(sizeof(*f) + len);
    if (!f)
        return ERR_NOMEM;
    f->next = NULL;
    f->kind = frame;
    f->len = len;
    if (len)
        memcpy(f->bytes, bytes, len);
    if (o->first)
        o->last->next = f;
    else
        o->first = f;
    o->last = f;
    o->bytes += len;
    return 0;
}

static void begin(struct uplink_out *o, enum websocket_frame kind, size_t len)
{
    o->current.done = 0;
    o->current.head_len = websocket_head(kind, len, NULL, o->current.head);
}

static bool choose(struct uplink_out *o, uint64_t now_us)
{
    if (o->current.frame || o->current.batch)
        return true;
    o->current.frame = o->first;
    if (o->first) {
        o->first = o->first->next;
        o->bytes -= o->current.frame->len;
        begin(o, o->current.frame->kind, o->current.frame->len);
        return true;
    }
    o->current.batch = batch_queue_take(&o->queue, now_us);
    if (o->current.batch)
        begin(o, WEBSOCKET_BINARY, o->current.batch->len);
    return o->current.batch;
}

static void end_current(struct uplink_out *o)
{
    free(o->current.frame);
    batch_free(o->current.batch);
    o->current.frame = NULL;
    o->current.batch = NULL;
}

/* 0 when all of it is the kernel's. */
static int write_current(struct uplink_out *o, int fd)
{
    const struct out_frame *f = o->current.frame;
    const struct batch *b = o->current.batch;
    const uint8_t *payload = f ? f->bytes : b->bytes;
    size_t head_len = o->current.head_len, whole = head_len + (f ? f->len : b->len);
    while (o->current.done < whole) {
        size_t done = o->current.done, head = done < head_len ? head_len - done : 0;
        size_t at = done + head - head_len;
        struct iovec parts[] = {{o->current.head + head_len - head, head},
                                {(void *)(uintptr_t)(payload + at), whole - head_len - at}};
        const struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? ERR_AGAIN : ERR_IO;
        o->current.done += (size_t)sent;
    }
    return 0;
}

int uplink_out_flush(struct uplink_out *o, int fd, uint64_t now_us, uint64_t *sent)
{
    *sent = 0;
    if (!o->blocked)
        o->moved_us = now_us;
    o->blocked = false;
    while (choose(o, now_us)) {
        size_t before = o->current.done;
        int err = write_current(o, fd);
        if (!err || o->current.done != before)
            o->moved_us = now_us;
        o->blocked = err == ERR_AGAIN;
        if (err)
            return err;
        *sent += o->current.batch ? o->current.batch->len : 0;
        end_current(o);
    }
    return 0;
}

void uplink_out_drop(struct uplink_out *o)
{
    batch_queue_clear(&o->queue);
    while (o->first) {
        struct out_frame *f = o->first;
        o->first = f->next;
        free(f);
    }
    o->bytes = 0;
}

void uplink_out_fini(struct uplink_out *o)
{
    uplink_out_drop(o);
    end_current(o);
}
