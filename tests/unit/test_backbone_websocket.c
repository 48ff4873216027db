/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/websocket: frames of a client, whole, in pieces and malformed; frames to it through a socket that fills up. */

#include "backbone/websocket.h"

#include "proto/uplink/batch_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT 1000

struct taken {
    unsigned count;
    enum websocket_frame frame;
    size_t len;
    uint8_t bytes[LIMIT];
};

static struct websocket *ws;
static int ends[2];
static struct taken taken;

static int take(void *context, enum websocket_frame frame, struct batch *b)
{
    struct taken *t = context;
    t->count++;
    t->frame = frame;
    t->len = b->len;
    memcpy(t->bytes, b->bytes, b->len);
    batch_free(b);
    return 0;
}

static int open_one(void **state)
{
    (void)state;
    taken = (struct taken){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(websocket_new(ends[0], &ws), 0);
    return 0;
}

static int close_one(void **state)
{
    (void)state;
    websocket_free(ws);
    close(ends[0]);
    close(ends[1]);
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
    assert_int_equal(taken.count, 0);
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
    websocket_free(ws);
    assert_int_equal(websocket_new(ends[0], &ws), 0);
    assert_int_equal(FEED("\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00Z"), ERR_SPACE);
    websocket_free(ws);
    assert_int_equal(websocket_new(ends[0], &ws), 0);
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

static void long_frame_goes_out_in_pieces_and_arrives_whole(void **state)
{
    static uint8_t out[300000], in[300010];
    size_t done = 0, got = 0;
    int err;
    (void)state;
    memset(out, 7, sizeof(out));
    while ((err = websocket_write(ws, WEBSOCKET_BINARY, out, sizeof(out), &done)) == ERR_AGAIN) {
        ssize_t len;
        while ((len = recv(ends[1], in + got, sizeof(in) - got, 0)) > 0)
            got += (size_t)len;
    }
    assert_int_equal(err, 0);
    got += (size_t)recv(ends[1], in + got, sizeof(in) - got, 0);
    assert_int_equal(got, sizeof(in));
    assert_memory_equal(in, "\x82\x7f\x00\x00\x00\x00\x00\x04\x93\xe0", 10);
    assert_memory_equal(in + 10, out, sizeof(out));
    close(ends[1]);
    done = 0;
    assert_int_equal(websocket_write(ws, WEBSOCKET_PONG, NULL, 0, &done), ERR_IO);
    ends[1] = dup(ends[0]);
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
        with_one(long_frame_goes_out_in_pieces_and_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
