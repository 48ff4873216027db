/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6455 §5: frames of a client, which are masked, and of a server, which are not. Of our own, because libwslay unmasks
 * byte by byte and keeps a buffer of 4 KB for each connection: it took more than half of what passing a batch on costs. */

#include "backbone/websocket.h"

#include "base/bytes.h"
#include "proto/uplink/batch_queue.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define HEAD_LEAST   2
#define MASK_LEN     4
#define IN_HEAD_MAX  (HEAD_LEAST + 8 + MASK_LEN)
#define OUT_HEAD_MAX (HEAD_LEAST + 8)
#define FIN          0x80 /* of the first byte … */
#define RESERVED     0x70
#define OPCODE       0x0f
#define CONTROL      0x08 /* … in the opcode */
#define MASKED       0x80 /* of the second byte */
#define LENGTH_16    126
#define LENGTH_64    127
#define CONTINUATION 0
#define FIRST_ROOM   64 /* of a message whose length is not known, since it comes in fragments */

struct websocket {
    int fd;
    /* the frame that comes in */
    uint8_t head[IN_HEAD_MAX];
    uint8_t head_len;
    bool begun, fin;
    uint8_t opcode;
    uint8_t mask[MASK_LEN];
    uint64_t got, len;     /* bytes of its payload */
    struct batch *control; /* when it is a ping, a pong or a close … */
    struct batch *message; /* … else; perhaps of several frames; NULL: none */
    size_t room;           /* of message */
    /* the frame that goes out */
    uint8_t out_head[OUT_HEAD_MAX];
    uint8_t out_len, out_sent; /* of its head; equal: it is through, or there is none */
    bool sending;
};

int websocket_new(int fd, struct websocket **out)
{
    struct websocket *ws = calloc(1, sizeof(*ws));
    if (!ws)
        return ERR_NOMEM;
    ws->fd = fd;
    *out = ws;
    return 0;
}

void websocket_free(struct websocket *ws)
{
    if (!ws)
        return;
    batch_free(ws->message);
    batch_free(ws->control);
    free(ws);
}

/* Room for more bytes of the message, twice as much each time. */
static int make_room(struct websocket *ws, uint64_t more, size_t limit)
{
    size_t len = ws->message ? ws->message->len : 0, room = ws->message ? ws->room : 0;
    if (more > limit || len + more > limit)
        return ERR_SPACE;
    if (ws->message && len + more <= room)
        return 0;
    room = room ? 2 * room : FIRST_ROOM;
    room = room < len + more ? len + more : room;
    struct batch *bigger = batch_new(room < limit ? room : limit);
    if (!bigger)
        return ERR_NOMEM;
    ws->room = bigger->len;
    bigger->len = len;
    if (len)
        memcpy(bigger->bytes, ws->message->bytes, len);
    batch_free(ws->message);
    ws->message = bigger;
    return 0;
}

static int make_control(struct websocket *ws)
{
    if (ws->len > WEBSOCKET_CONTROL_MAX || !ws->fin)
        return ERR_FORMAT;
    ws->control = batch_new(WEBSOCKET_CONTROL_MAX);
    if (!ws->control)
        return ERR_NOMEM;
    ws->control->len = 0;
    return 0;
}

static int begin_frame(struct websocket *ws, size_t limit)
{
    ws->begun = true;
    ws->got = 0;
    switch (ws->opcode) {
    case WEBSOCKET_BINARY:
        return ws->message ? ERR_FORMAT : make_room(ws, ws->len, limit);
    case CONTINUATION:
        return ws->message ? make_room(ws, ws->len, limit) : ERR_FORMAT;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        return make_control(ws);
    default:
        return ERR_FORMAT;
    }
}

/* How long the head is, as far as its first bytes tell. */
static size_t head_length(const struct websocket *ws)
{
    uint8_t length = ws->head_len < HEAD_LEAST ? 0 : ws->head[1] & ~MASKED;
    return HEAD_LEAST + (length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0) + MASK_LEN;
}

static int read_head(struct websocket *ws)
{
    struct reader r = reader_init(ws->head, ws->head_len);
    uint8_t first = reader_u8(&r), second = reader_u8(&r), length = second & ~MASKED;
    ws->fin = first & FIN;
    ws->opcode = first & OPCODE;
    ws->len = length == LENGTH_64 ? reader_u64(&r) : length == LENGTH_16 ? reader_u16(&r) : length;
    reader_copy(&r, ws->mask, sizeof(ws->mask));
    ws->head_len = 0;
    bool shorter =
        (length == LENGTH_64 && ws->len <= UINT16_MAX) || (length == LENGTH_16 && ws->len < LENGTH_16);
    return (first & RESERVED) || shorter ? ERR_FORMAT : 0;
}

/* Takes bytes of the head; begins the frame with its last. */
static int take_head(struct websocket *ws, struct reader *r, size_t limit)
{
    ws->head[ws->head_len++] = reader_u8(r);
    if (ws->head_len == HEAD_LEAST && !(ws->head[1] & MASKED))
        return ERR_FORMAT;
    if (ws->head_len < head_length(ws))
        return 0;
    int err = read_head(ws);
    return err ? err : begin_frame(ws, limit);
}

static void unmask(const struct websocket *ws, uint8_t *out, const uint8_t *in, size_t len)
{
    uint8_t key[sizeof(uint64_t)];
    uint64_t word, keys;
    size_t at = 0;
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = ws->mask[(ws->got + i) % MASK_LEN];
    memcpy(&keys, key, sizeof(keys));
    for (; at + sizeof(word) <= len; at += sizeof(word)) {
        memcpy(&word, in + at, sizeof(word));
        word ^= keys;
        memcpy(out + at, &word, sizeof(word));
    }
    for (; at < len; at++)
        out[at] = in[at] ^ key[at % sizeof(key)];
}

static void take_payload(struct websocket *ws, struct reader *r)
{
    struct batch *into = ws->opcode & CONTROL ? ws->control : ws->message;
    uint64_t left = ws->len - ws->got;
    size_t len = left < reader_left(r) ? (size_t)left : reader_left(r);
    const uint8_t *in = reader_take(r, len);
    unmask(ws, into->bytes + into->len, in, len);
    into->len += len;
    ws->got += len;
}

static int end_frame(struct websocket *ws, websocket_take *take, void *context)
{
    bool control = ws->opcode & CONTROL;
    struct batch **from = control ? &ws->control : &ws->message, *whole = *from;
    ws->begun = false;
    if (!ws->fin)
        return 0;
    *from = NULL;
    if (ws->opcode != WEBSOCKET_CLOSE)
        return take(context, control ? (enum websocket_frame)ws->opcode : WEBSOCKET_BINARY, whole);
    batch_free(whole);
    return ERR_CLOSED;
}

int websocket_read(struct websocket *ws, const uint8_t *bytes, size_t len, size_t limit, websocket_take *take,
                   void *context)
{
    struct reader r = reader_init(bytes, len);
    int err = 0;
    while (!err && reader_left(&r)) {
        if (!ws->begun)
            err = take_head(ws, &r, limit);
        else
            take_payload(ws, &r);
        if (!err && ws->begun && ws->got == ws->len)
            err = end_frame(ws, take, context);
    }
    return err;
}

static void write_head(struct websocket *ws, enum websocket_frame frame, size_t len)
{
    struct writer w = writer_init(ws->out_head, sizeof(ws->out_head));
    writer_u8(&w, (uint8_t)(FIN | frame));
    writer_u8(&w, (uint8_t)(len < LENGTH_16 ? len : len <= UINT16_MAX ? LENGTH_16 : LENGTH_64));
    if (len > UINT16_MAX)
        writer_u64(&w, len);
    else if (len >= LENGTH_16)
        writer_u16(&w, (uint16_t)len);
    ws->out_len = (uint8_t)writer_len(&w);
    ws->out_sent = 0;
    ws->sending = true;
}

int websocket_write(struct websocket *ws, enum websocket_frame frame, const uint8_t *bytes, size_t len,
                    size_t *done)
{
    if (!ws->sending)
        write_head(ws, frame, len);
    while (ws->out_sent < ws->out_len || *done < len) {
        size_t head = (size_t)(ws->out_len - ws->out_sent);
        struct iovec parts[] = {{ws->out_head + ws->out_sent, head},
                                {(void *)(uintptr_t)(bytes + *done), len - *done}};
        const struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t sent = sendmsg(ws->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? ERR_AGAIN : ERR_IO;
        head = head < (size_t)sent ? head : (size_t)sent;
        ws->out_sent = (uint8_t)(ws->out_sent + head);
        *done += (size_t)sent - head;
    }
    ws->sending = false;
    return 0;
}
