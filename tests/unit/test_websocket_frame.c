/* SPDX-License-Identifier: Apache-2.0 */
/* proto/uplink/websocket_frame: frames of a client and of a server, whole, in pieces and malformed; heads and masks. */

#include "proto/uplink/websocket_frame.h"

#include "proto/uplink/batch_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#define LIMIT 1000

struct taken {
    unsigned count;
    enum websocket_frame frame;
    size_t len;
    uint8_t bytes[LIMIT];
};

static struct websocket_reader *ws;
static struct taken taken;

static int take(void *context, enum websocket_frame frame, struct batch *b)
{
    struct taken *t = context;
    t->count++;
    t->frame = frame;
    t->len = b->len;
    memcpy(t->bytes, b->bytes, b->len);
    batch_free(b);
    return frame == WEBSOCKET_CLOSE ? ERR_CLOSED : 0;
}

static int open_at(enum websocket_end end)
{
    taken = (struct taken){0};
    websocket_reader_free(ws);
    return websocket_reader_new(end, &ws);
}

static int open_one(void **state)
{
    (void)state;
    return open_at(WEBSOCKET_SERVER);
}

static int close_one(void **state)
{
    (void)state;
    websocket_reader_free(ws);
    ws = NULL;
    return 0;
}

static int feed(const char *bytes, size_t len)
{
    return websocket_read(ws, (const uint8_t *)bytes, len, LIMIT, take, &taken);
}
#define FEED(text) feed(text, sizeof(text) - 1)

static void message_is_unmasked_and_whole(void **state)
{
    (void)state;
    assert_int_equal(FEED("\x82\x85\x01\x02\x03\x04igohm\x82\x81\x00\x00\x00\x00Z"), 0);
    assert_int_equal(taken.count, 2);
    assert_int_equal(FEED("\x82\x85\x01\x02\x03\x04igohn"), 0);
    assert_int_equal(taken.len, 5);
    assert_memory_equal(taken.bytes, "hello", 5);
}

static void message_comes_in_single_bytes_and_in_fragments(void **state)
{
    (void)state;
    static const char bytes[] = "\x02\x83\x00\x00\x00\x00one\x89\x80\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00"
                                "\x80\x83\x00\x00\x00\x00two";
    for (size_t i = 0; i < sizeof(bytes) - 1; i++)
        assert_int_equal(feed(bytes + i, 1), 0);
    assert_int_equal(taken.count, 2); /* a ping is between them */
    assert_int_equal(taken.frame, WEBSOCKET_BINARY);
    assert_int_equal(taken.len, 6);
    assert_memory_equal(taken.bytes, "onetwo", 6);
}

static void close_frame_ends_reading(void **state)
{
    (void)state;
    assert_int_equal(FEED("\x88\x82\x00\x00\x00\x00\x03\xe8\x82\x81\x00\x00\x00\x00Z"), ERR_CLOSED);
    assert_int_equal(taken.count, 1);
    assert_int_equal(taken.frame, WEBSOCKET_CLOSE);
    assert_memory_equal(taken.bytes, "\x03\xe8", 2);
}

static void server_speaks_without_masks_and_a_client_takes_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(open_at(WEBSOCKET_CLIENT), 0);
    assert_int_equal(FEED("\x82\x05hello\x8a\x01p"), 0);
    assert_int_equal(taken.count, 2);
    assert_int_equal(taken.frame, WEBSOCKET_PONG);
    assert_int_equal(FEED("\x02\x03one\x80\x03two"), 0);
    assert_memory_equal(taken.bytes, "onetwo", 6);
    assert_int_equal(FEED("\x82\x85\x01\x02\x03\x04igohm"), ERR_FORMAT);
}

static void heads_are_the_shortest_that_hold_the_length(void **state)
{
    static const uint8_t mask[] = {1, 2, 3, 4};
    uint8_t head[WEBSOCKET_HEAD_MAX];
    (void)state;
    assert_int_equal(websocket_head(WEBSOCKET_PING, 125, NULL, head), 2);
    assert_memory_equal(head, "\x89\x7d", 2);
    assert_int_equal(websocket_head(WEBSOCKET_BINARY, 126, NULL, head), 4);
    assert_memory_equal(head, "\x82\x7e\x00\x7e", 4);
    assert_int_equal(websocket_head(WEBSOCKET_BINARY, 65535, mask, head), 8);
    assert_memory_equal(head, "\x82\xfe\xff\xff\x01\x02\x03\x04", 8);
    assert_int_equal(websocket_head(WEBSOCKET_BINARY, 65536, mask, head), 14);
    assert_memory_equal(head, "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00\x01\x02\x03\x04", 14);
}

static void masks_go_on_from_any_byte_and_in_place(void **state)
{
    static const uint8_t mask[] = {0x11, 0x22, 0x33, 0x44};
    uint8_t text[40], masked[40];
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(7 * i);
    for (size_t cut = 0; cut <= sizeof(text); cut++) {
        websocket_mask(mask, 0, text, cut, masked);
        websocket_mask(mask, cut, text + cut, sizeof(text) - cut, masked + cut);
        for (size_t i = 0; i < sizeof(text); i++)
            assert_int_equal(masked[i], text[i] ^ mask[i % 4]);
        websocket_mask(mask, 0, masked, sizeof(masked), masked);
        assert_memory_equal(masked, text, sizeof(text));
    }
}

static void frames_that_break_the_protocol_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {
#define WRONG(text) {text, sizeof(text) - 1}
        WRONG("\x82\x05hello"),                                      /* no mask */
        WRONG("\x81\x81\x00\x00\x00\x00Z"),                          /* text */
        WRONG("\xc2\x81\x00\x00\x00\x00Z"),                          /* an extension's bit */
        WRONG("\x83\x81\x00\x00\x00\x00Z"),                          /* no such opcode */
        WRONG("\x80\x81\x00\x00\x00\x00Z"),                          /* continues nothing */
        WRONG("\x02\x81\x00\x00\x00\x00Z\x82\x81\x00\x00\x00\x00Z"), /* begins twice */
        WRONG("\x89\xfe\x00\x7e\x00\x00\x00\x00"),                   /* a long ping */
        WRONG("\x09\x80\x00\x00\x00\x00"),                           /* a ping in fragments */
        WRONG("\x82\xff\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00Z"),
        WRONG("\x82\xfe\x00\x01\x00\x00\x00\x00Z"), /* a length that is shorter to write */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        open_one(state);
        assert_int_equal(feed(wrong[i].bytes, wrong[i].len), ERR_FORMAT);
        close_one(state);
    }
}

static void message_over_the_limit_is_refused_before_it_is_there(void **state)
{
    (void)state;
    assert_int_equal(FEED("\x82\xfe\x03\xe9\x00\x00\x00\x00Z"), ERR_SPACE);
    assert_int_equal(open_at(WEBSOCKET_SERVER), 0);
    assert_int_equal(FEED("\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00Z"), ERR_SPACE);
    assert_int_equal(open_at(WEBSOCKET_SERVER), 0);
    assert_int_equal(FEED("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"), ERR_SPACE);
}

static void payload_is_unmasked_wherever_it_is_cut(void **state)
{
    (void)state;
    uint8_t framed[8 + 300] = {0x82, 0xfe, 0x01, 0x2c, 0x11, 0x22, 0x33, 0x44};
    for (size_t i = 0; i < 300; i++)
        framed[8 + i] = (uint8_t)i ^ framed[4 + i % 4];
    for (size_t cut = 1; cut < sizeof(framed); cut++) {
        assert_int_equal(websocket_read(ws, framed, cut, LIMIT, take, &taken), 0);
        assert_int_equal(websocket_read(ws, framed + cut, sizeof(framed) - cut, LIMIT, take, &taken), 0);
        assert_int_equal(taken.count, cut);
        assert_int_equal(taken.len, 300);
        for (size_t i = 0; i < 300; i++)
            assert_int_equal(taken.bytes[i], (uint8_t)i);
    }
}

static void fragments_together_are_bounded(void **state)
{
    (void)state;
    int err = FEED("\x02\x81\x00\x00\x00\x00Z");
    unsigned count = 1;
    for (; !err && count < 2000; count++)
        err = FEED("\x00\x81\x00\x00\x00\x00Z");
    assert_int_equal(err, ERR_SPACE);
    assert_int_equal(count, LIMIT + 1);
}

int main(void)
{
#define with_one(name) cmocka_unit_test_setup_teardown(name, open_one, close_one)
    const struct CMUnitTest tests[] = {
        with_one(message_is_unmasked_and_whole),
        with_one(message_comes_in_single_bytes_and_in_fragments),
        with_one(close_frame_ends_reading),
        cmocka_unit_test(frames_that_break_the_protocol_are_refused),
        with_one(message_over_the_limit_is_refused_before_it_is_there),
        with_one(payload_is_unmasked_wherever_it_is_cut),
        with_one(fragments_together_are_bounded),
        with_one(server_speaks_without_masks_and_a_client_takes_nothing_else),
        cmocka_unit_test(heads_are_the_shortest_that_hold_the_length),
        cmocka_unit_test(masks_go_on_from_any_byte_and_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
