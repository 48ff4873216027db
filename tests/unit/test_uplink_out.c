/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/uplink_out: frames to a node, through a socket that fills up and one that is gone. */

#include "backbone/uplink_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOW_US 1000000

static struct uplink_out out;
static int ends[2];

static int open_one(void **state)
{
    (void)state;
    out = (struct uplink_out){.blocked = false};
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
}

static int close_one(void **state)
{
    (void)state;
    uplink_out_fini(&out);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static size_t take(uint8_t *into, size_t room)
{
    size_t got = 0;
    ssize_t len;
    while ((len = recv(ends[1], into + got, room - got, 0)) > 0)
        got += (size_t)len;
    return got;
}

static void long_frame_goes_out_in_pieces_and_arrives_whole_before_the_next(void **state)
{
    static uint8_t sent[300000], in[sizeof(sent) + 12 + 1];
    size_t got = 0;
    uint64_t datagrams;
    int err;
    (void)state;
    memset(sent, 7, sizeof(sent));
    assert_int_equal(uplink_out_add(&out, WEBSOCKET_BINARY, sent, sizeof(sent)), 0);
    assert_int_equal(uplink_out_add(&out, WEBSOCKET_PONG, NULL, 0), 0);
    while ((err = uplink_out_flush(&out, ends[0], NOW_US, &datagrams)) == ERR_AGAIN)
        got += take(in + got, sizeof(in) - got);
    assert_int_equal(err, 0);
    got += take(in + got, sizeof(in) - got);
    assert_int_equal(got, sizeof(sent) + 12);
    assert_memory_equal(in, "\x82\x7f\x00\x00\x00\x00\x00\x04\x93\xe0", 10);
    assert_memory_equal(in + 10, sent, sizeof(sent));
    assert_memory_equal(in + 10 + sizeof(sent), "\x8a\x00", 2);
    assert_true(!out.first && batch_queue_empty(&out.queue) && !out.current.frame && !out.current.batch);
}

static void frame_to_a_node_that_is_gone_is_an_error(void **state)
{
    uint64_t datagrams;
    (void)state;
    close(ends[1]);
    ends[1] = dup(ends[0]);
    shutdown(ends[0], SHUT_RDWR);
    assert_int_equal(uplink_out_add(&out, WEBSOCKET_PONG, NULL, 0), 0);
    assert_int_equal(uplink_out_flush(&out, ends[0], NOW_US, &datagrams), ERR_IO);
}

int main(void)
{
#define with_one(name) cmocka_unit_test_setup_teardown(name, open_one, close_one)
    const struct CMUnitTest tests[] = {
        with_one(long_frame_goes_out_in_pieces_and_arrives_whole_before_the_next),
        with_one(frame_to_a_node_that_is_gone_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
