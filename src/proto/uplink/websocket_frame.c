/* SPDX-License-Identifier: Apache-2.0 */
/* Of our own, because libwslay masks byte by byte and keeps a buffer of 4 KB for each connection: that took more than half of
 * what passing a batch on costs. */

#include "proto/uplink/websocket_frame.h"

#include "base/bytes.h"
#include "proto/uplink/batch_queue.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_LEAST   2
#define FIN          0x80 /* of the first byte … */
#define RESERVED     0x70
#define OPCODE       0x0f
#define CONTROL      0x08 /* … in the opcode */
#define MASKED       0x80 /* of the second byte */
#define LENGTH_16    126
#define LENGTH_64    127
#define CONTINUATION 0
#define FIRST_ROOM   64 /* of a message whose length is not known, since it comes in fragments */

struct websocket_reader {
    uint8_t masked; /* MASKED in each head, or 0 */
    uint8_t head[WEBSOCKET_HEAD_MAX];
    uint8_t head_len;
    bool begun, fin;
    uint8_t opcode;
    uint8_t mask[WEBSOCKET_MASK_LEN];
    uint64_t got, len;     /* bytes of its payload */
    struct batch *control; /* when it is a ping, a pong or a close … */
    struct batch *message; /* … else; perhaps of several frames; NULL: none */
    size_t room;           /* of message */
};

int websocket_reader_new(enum websocket_end end, struct websocket_reader **out)
{
    struct websocket_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->masked = end == WEBSOCKET_SERVER ? MASKED : 0;
    *out = r;
    return 0;
}

void websocket_reader_free(struct websocket_reader *r)
{
    if (!r)
        return;
    batch_free(r->message);
    batch_free(r->control);
    free(r);
}

void websocket_mask(const uint8_t mask[WEBSOCKET_MASK_LEN], uint64_t at, const uint8_t *in, size_t len,
                    uint8_t *out)
{
    uint8_t key[sizeof(uint64_t)];
    uint64_t word, keys;
    size_t i = 0;
    for (size_t k = 0; k < sizeof(key); k++)
        key[k] = mask[(at + k) % WEBSOCKET_MASK_LEN];
    memcpy(&keys, key, sizeof(keys));
    for (; i + sizeof(word) <= len; i += sizeof(word)) {
        memcpy(&word, in + i, sizeof(word));
        word ^= keys;
        memcpy(out + i, &word, sizeof(word));
    }
    for (; i < len; i++)
        out[i] = in[i] ^ key[i % sizeof(key)];
}

/* Room for more bytes of the message, twice as much each time. */
static int make_room(struct websocket_reader *ws, uint64_t more, size_t limit)
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

static int make_control(struct websocket_reader *ws)
{
    if (ws->len > WEBSOCKET_CONTROL_MAX || !ws->fin)
        return ERR_FORMAT;
    ws->control = batch_new(WEBSOCKET_CONTROL_MAX);
    if (!ws->control)
        return ERR_NOMEM;
    ws->control->len = 0;
    return 0;
}

static int begin_frame(struct websocket_reader *ws, size_t limit)
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
static size_t head_length(const struct websocket_reader *ws)
{
    uint8_t length = ws->head_len < HEAD_LEAST ? 0 : ws->head[1] & ~MASKED;
    return HEAD_LEAST +
           (length == LENGTH_64   ? 8
            : length == LENGTH_16 ? 2
                                  : 0) +
           (ws->masked ? WEBSOCKET_MASK_LEN : 0);
}

static int read_head(struct websocket_reader *ws)
{
    struct reader r = reader_init(ws->head, ws->head_len);
    uint8_t first = reader_u8(&r), second = reader_u8(&r), length = second & ~MASKED;
    ws->fin = first & FIN;
    ws->opcode = first & OPCODE;
    ws->len = length == LENGTH_64 ? reader_u64(&r) : length == LENGTH_16 ? reader_u16(&r) : length;
    if (ws->masked)
        reader_copy(&r, ws->mask, sizeof(ws->mask));
    ws->head_len = 0;
    bool shorter =
        (length == LENGTH_64 && ws->len <= UINT16_MAX) || (length == LENGTH_16 && ws->len < LENGTH_16);
    return (first & RESERVED) || shorter ? ERR_FORMAT : 0;
}

/* Takes bytes of the head; begins the frame with its last. */
static int take_head(struct websocket_reader *ws, struct reader *rest, size_t limit)
{
    ws->head[ws->head_len++] = reader_u8(rest);
    if (ws->head_len == HEAD_LEAST && (ws->head[1] & MASKED) != ws->masked)
        return ERR_FORMAT;
    if (ws->head_len < head_length(ws))
        return 0;
    int err = read_head(ws);
    return err ? err : begin_frame(ws, limit);
}

static void take_payload(struct websocket_reader *ws, struct reader *rest)
{
    struct batch *into = ws->opcode & CONTROL ? ws->control : ws->message;
    uint64_t left = ws->len - ws->got;
    size_t len = left < reader_left(rest) ? (size_t)left : reader_left(rest);
    const uint8_t *in = reader_take(rest, len);
    if (ws->masked)
        websocket_mask(ws->mask, ws->got, in, len, into->bytes + into->len);
    else
        memcpy(into->bytes + into->len, in, len);
    into->len += len;
    ws->got += len;
}

static int end_frame(struct websocket_reader *ws, websocket_take *take, void *context)
{
    bool control = ws->opcode & CONTROL;
    struct batch **from = control ? &ws->control : &ws->message, *whole = *from;
    ws->begun = false;
    if (!ws->fin)
        return 0;
    *from = NULL;
    return take(context, control ? (enum websocket_frame)ws->opcode : WEBSOCKET_BINARY, whole);
}

int websocket_read(struct websocket_reader *ws, const uint8_t *bytes, size_t len, size_t limit,
                   websocket_take *take, void *context)
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

size_t websocket_head(enum websocket_frame frame, size_t len, const uint8_t *mask,
                      uint8_t out[WEBSOCKET_HEAD_MAX])
{
    struct writer w = writer_init(out, WEBSOCKET_HEAD_MAX);
    uint8_t length = (uint8_t)(len < LENGTH_16 ? len : len <= UINT16_MAX ? LENGTH_16 : LENGTH_64);
    writer_u8(&w, (uint8_t)(FIN | frame));
    writer_u8(&w, length | (mask ? MASKED : 0));
    if (len > UINT16_MAX)
        writer_u64(&w, len);
    else if (len >= LENGTH_16)
        writer_u16(&w, (uint16_t)len);
    if (mask)
        writer_put(&w, mask, WEBSOCKET_MASK_LEN);
    return writer_len(&w);
}
