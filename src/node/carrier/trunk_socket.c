/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of one trunk, both ways. docs/PROTOCOL.md §18. */

#include "node/carrier/trunk_socket.h"

#include "base/bytes.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READS 2 /* at most, before others have their turn */
#define ECN_AT                                                                                               \
    (UPLINK_BATCH_ID_AT +                                                                                    \
     ID_LEN)       /* where a message of datagrams has its ECN field; the segment is behind it */
#define ECN_ECT0 2 /* RFC 3168 */
#define ECN_ECT1 1
#define ECN_CE   3

void trunk_name(uint64_t conn, uint8_t out[ID_LEN])
{
    struct writer w = writer_init(out, ID_LEN);
    memset(out, 0, ID_LEN);
    writer_u64(&w, conn);
}

uint64_t trunk_named(const uint8_t id[ID_LEN])
{
    struct reader r = reader_init(id, ID_LEN);
    return reader_u64(&r);
}

int trunk_new(uint64_t conn, int fd, const uint8_t *bytes, size_t len, struct trunk **out)
{
    int unsent = TRUNK_UNSENT;
    if (len > TRUNK_IN_MAX)
        return ERR_SPACE;
    struct trunk *t = malloc(sizeof(*t));
    if (!t)
        return ERR_NOMEM;
    memset(t, 0, offsetof(struct trunk, in));
    t->conn = conn;
    t->fd = fd;
    t->writable = true;
    if (len)
        memcpy(t->in, bytes, len);
    t->in_len = len;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    *out = t;
    return 0;
}

void trunk_free(struct trunk *t)
{
    if (!t)
        return;
    close(t->fd);
    trunk_clear(t);
    free(t);
}

void trunk_clear(struct trunk *t)
{
    if (t->out)
        batch_queue_drop(&t->queue, t->out);
    t->out = NULL;
    batch_queue_clear(&t->queue);
}

static int fail(struct trunk *t, int err, const char *reason)
{
    snprintf(t->reason, sizeof(t->reason), "%s", reason);
    return err;
}

/* ---- out ---- */

static void begin(struct trunk *t, uint64_t now_us)
{
    struct batch *b =
        t->queue.urgent.count + t->queue.data.count ? batch_queue_take(&t->queue, now_us) : NULL;
    if (!b)
        return;
    struct reader r = reader_init(b->bytes + ECN_AT, b->len - ECN_AT);
    struct trunk_batch head = {.ecn = reader_u8(&r), .segment = reader_u16(&r)};
    head.len = (uint16_t)reader_left(&r);
    if ((head.ecn == ECN_ECT0 || head.ecn == ECN_ECT1) && now_us - b->at_us > TRUNK_MARK_US)
        head.ecn = ECN_CE;
    trunk_encode(&head, t->head);
    t->out = b;
    t->sent = 0;
}

/* What is left of the head and of the datagrams. */
static int pieces_of(const struct trunk *t, struct iovec out[2])
{
    const struct batch *b = t->out;
    size_t at = t->sent > TRUNK_HEAD_LEN ? t->sent - TRUNK_HEAD_LEN : 0;
    int count = 0;
    if (t->sent < TRUNK_HEAD_LEN)
        out[count++] = (struct iovec){(uint8_t *)t->head + t->sent, TRUNK_HEAD_LEN - t->sent};
    out[count++] =
        (struct iovec){(uint8_t *)b->bytes + UPLINK_BATCH_HEAD_LEN + at, b->len - UPLINK_BATCH_HEAD_LEN - at};
    return count;
}

static int send_some(struct trunk *t)
{
    struct iovec pieces[2];
    const struct msghdr m = {.msg_iov = pieces, .msg_iovlen = (size_t)pieces_of(t, pieces)};
    ssize_t n;
    do
        n = sendmsg(t->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
        t->writable = false;
        return 0;
    }
    if (n < 0)
        return fail(t, ERR_CLOSED, errno == ETIMEDOUT ? "no answer" : "the connection was reset");
    t->sent += (size_t)n;
    if (t->sent < TRUNK_HEAD_LEN + t->out->len - UPLINK_BATCH_HEAD_LEN)
        return 0;
    batch_free(t->out);
    t->out = NULL;
    return 0;
}

int trunk_write(struct trunk *t, uint64_t now_us)
{
    int err = 0;
    while (!err && t->writable) {
        if (!t->out)
            begin(t, now_us);
        if (!t->out)
            return 0;
        err = send_some(t);
    }
    return err;
}

/* ---- in ---- */

static void hand_out(const struct trunk *t, const struct trunk_batch *b, const uint8_t *data,
                     trunk_batch_fn *take, void *context)
{
    uint8_t head[UPLINK_BATCH_HEAD_LEN] = {UPLINK_DATAGRAMS};
    struct writer w = writer_init(head + ECN_AT, sizeof(head) - ECN_AT);
    trunk_name(t->conn, head + UPLINK_BATCH_ID_AT);
    writer_u8(&w, b->ecn);
    writer_u16(&w, b->segment);
    take(context, head, data, b->len);
}

int trunk_parse(struct trunk *t, trunk_batch_fn *take, void *context)
{
    struct trunk_batch b;
    size_t at = 0;
    int whole;
    while ((whole = trunk_decode(t->in + at, t->in_len - at, &b)) == 1) {
        hand_out(t, &b, t->in + at + TRUNK_HEAD_LEN, take, context);
        at += TRUNK_HEAD_LEN + b.len;
    }
    if (whole < 0)
        return fail(t, ERR_FORMAT, "it sent what is no batch of datagrams");
    memmove(t->in, t->in + at, t->in_len - at);
    t->in_len -= at;
    return 0;
}

int trunk_read(struct trunk *t, trunk_batch_fn *take, void *context)
{
    for (unsigned i = 0; i < READS; i++) {
        size_t room = sizeof(t->in) - t->in_len;
        ssize_t n = recv(t->fd, t->in + t->in_len, room, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n == 0)
            return fail(t, ERR_CLOSED, "the connection was closed");
        if (n < 0)
            return fail(t, ERR_CLOSED, errno == ETIMEDOUT ? "no answer" : "the connection was reset");
        t->in_len += (size_t)n;
        int err = trunk_parse(t, take, context);
        if (err || (size_t)n < room)
            return err;
    }
    return 0;
}
