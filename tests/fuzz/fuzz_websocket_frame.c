/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a stranger, at either end: read at once or byte by byte they are the same messages and the same end, none is
 * longer than the limit, and what is written of them is read as it was. First byte: which end. */

#include "proto/uplink/batch_queue.h"
#include "proto/uplink/websocket_frame.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT      4096
#define MESSAGES   64
#define STOPPED    (-1000)
#define SUM_FACTOR 31

struct told {
    unsigned count;
    uint64_t sum; /* over all of what was told */
    enum websocket_end end;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void add(struct told *t, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        t->sum = t->sum * SUM_FACTOR + bytes[i] + 1;
}

static int expect(void *context, enum websocket_frame frame, struct batch *b)
{
    const struct batch *wanted = context;
    check(frame == WEBSOCKET_BINARY && b->len == wanted->len && memcmp(b->bytes, wanted->bytes, b->len) == 0);
    batch_free(b);
    return STOPPED;
}

static void write_and_read(enum websocket_end end, struct batch *b)
{
    static const uint8_t mask[] = {0xa5, 0x5a, 0x00, 0xff};
    static uint8_t frame[WEBSOCKET_HEAD_MAX + LIMIT];
    bool masked = end == WEBSOCKET_SERVER;
    struct websocket_reader *r;
    size_t head = websocket_head(WEBSOCKET_BINARY, b->len, masked ? mask : NULL, frame);
    memcpy(frame + head, b->bytes, b->len);
    if (masked)
        websocket_mask(mask, 0, frame + head, b->len, frame + head);
    check(websocket_reader_new(end, &r) == 0);
    check(websocket_read(r, frame, head + b->len, LIMIT, expect, b) == STOPPED);
    websocket_reader_free(r);
}

static int take(void *context, enum websocket_frame frame, struct batch *b)
{
    struct told *t = context;
    const uint8_t kind = (uint8_t)frame;
    check(b->len <= (frame == WEBSOCKET_BINARY ? LIMIT : WEBSOCKET_CONTROL_MAX));
    add(t, &kind, 1);
    add(t, b->bytes, b->len);
    if (frame == WEBSOCKET_BINARY)
        write_and_read(t->end, b);
    batch_free(b);
    return frame == WEBSOCKET_CLOSE || ++t->count == MESSAGES ? STOPPED : 0;
}

static int read_all(enum websocket_end end, const uint8_t *data, size_t size, size_t step, struct told *t)
{
    struct websocket_reader *r;
    int err = 0;
    *t = (struct told){.end = end};
    check(websocket_reader_new(end, &r) == 0);
    for (size_t at = 0; !err && at < size; at += step)
        err = websocket_read(r, data + at, size - at < step ? size - at : step, LIMIT, take, t);
    websocket_reader_free(r);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told whole, bytes;
    if (size < 2)
        return 0;
    enum websocket_end end = data[0] & 1 ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER;
    int err = read_all(end, data + 1, size - 1, size, &whole);
    check(read_all(end, data + 1, size - 1, 1, &bytes) == err);
    check(whole.count == bytes.count && whole.sum == bytes.sum);
    return 0;
}
