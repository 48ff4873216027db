/* SPDX-License-Identifier: Apache-2.0 */
/* node/carrier/trunks over TCP on loopback: what workers hand in comes out as batches, and the other way; and what a peer
 * that does not read, or sends rubbish, costs. */

#include "node/carrier/trunks.h"

#include "base/clock.h"
#include "node/carrier/trunk_socket.h"
#include "node/helper/uplink_channel.h"
#include "proto/wire/wire.h"
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMEOUT_MS 20000
#define WORKERS    2
#define CONN       0x123456789abcdefull

struct lab {
    uv_loop_t loop;
    struct trunks *trunks;
    int peer; /* the other end of trunk CONN */
    uint64_t closed;
    char reason[64];
    uint8_t in[4 * TRUNK_BATCH_MAX]; /* what the peer has read */
    size_t in_len;
};

static struct lab lab;

static void on_closed(void *context, uint64_t conn, const char *reason)
{
    struct lab *l = context;
    l->closed = conn;
    snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

static void connect_pair(int *a, int *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*a, (struct sockaddr *)&at, len), 0);
    *b = accept(listener, NULL, NULL);
    assert_true(*b >= 0);
    close(listener);
}

static int lab_open_with(const uint8_t *bytes, size_t len)
{
    int ours;
    memset(&lab, 0, sizeof(lab));
    uv_loop_init(&lab.loop);
    const struct trunks_config config = {&lab.loop, WORKERS, on_closed, &lab};
    assert_int_equal(trunks_new(&config, &lab.trunks), 0);
    connect_pair(&ours, &lab.peer);
    return trunks_add(lab.trunks, CONN, ours, bytes, len);
}

static int lab_open(void **state)
{
    (void)state;
    return lab_open_with(NULL, 0);
}

static int lab_close(void **state)
{
    (void)state;
    trunks_close(lab.trunks);
    uv_run(&lab.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&lab.loop), 0);
    close(lab.peer);
    return 0;
}

/* Probes are the control thread's, the rest the worker's: datagrams of this type, all bytes of which are fill. */
static void hand_in_for(unsigned worker, uint64_t conn, enum wire_type type, uint8_t fill, size_t segment,
                        size_t len)
{
    static uint8_t data[TRUNK_DATA_MAX];
    uint8_t head[UPLINK_BATCH_HEAD_LEN] = {UPLINK_DATAGRAMS};
    trunk_name(conn, head + UPLINK_BATCH_ID_AT);
    struct writer w = writer_init(head + 1 + ID_LEN, 3);
    writer_u8(&w, 2);
    writer_u16(&w, (uint16_t)segment);
    memset(data, fill, len);
    data[0] = (uint8_t)type;
    const struct iovec pieces[] = {{head, sizeof(head)}, {data, len}};
    uint64_t end_us = clock_monotonic_us() + TIMEOUT_MS * USEC_PER_MSEC;
    int err;
    int fd = type == WIRE_PROBE ? trunks_channel(lab.trunks) : trunks_channels(lab.trunks)[worker];
    while ((err = uplink_channel_send(fd, pieces, 2)) == ERR_AGAIN)
        assert_true(clock_monotonic_us() < end_us);
    assert_int_equal(err, 0);
}

static void hand_in(enum wire_type type, uint8_t fill, size_t segment, size_t len)
{
    hand_in_for(0, CONN, type, fill, segment, len);
}

/* The next batch at the peer's end; its datagrams lie behind lab.in + TRUNK_HEAD_LEN until the next call. False: the
 * connection ended. */
static bool peer_reads(struct trunk_batch *out)
{
    static size_t used;
    if (lab.in_len == 0)
        used = 0;
    memmove(lab.in, lab.in + used, lab.in_len - used);
    lab.in_len -= used;
    used = 0;
    int whole;
    while ((whole = trunk_decode(lab.in, lab.in_len, out)) == 0) {
        struct pollfd p = {.fd = lab.peer, .events = POLLIN};
        assert_int_equal(poll(&p, 1, TIMEOUT_MS), 1);
        ssize_t n = recv(lab.peer, lab.in + lab.in_len, sizeof(lab.in) - lab.in_len, 0);
        if (n <= 0)
            return false;
        lab.in_len += (size_t)n;
    }
    assert_int_equal(whole, 1);
    used = TRUNK_HEAD_LEN + out->len;
    return true;
}

static size_t worker_gets(unsigned worker, uint8_t room[UPLINK_MESSAGE_MAX])
{
    int fd = trunks_channels(lab.trunks)[worker];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, TIMEOUT_MS), 1);
    ssize_t len = uplink_channel_receive(fd, room);
    assert_true(len > UPLINK_BATCH_HEAD_LEN);
    return (size_t)len;
}

static void peer_says(const void *bytes, size_t len)
{
    assert_int_equal(send(lab.peer, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void wait_closed(void)
{
    uint64_t end_us = clock_monotonic_us() + TIMEOUT_MS * USEC_PER_MSEC;
    while (!lab.closed) {
        assert_true(clock_monotonic_us() < end_us);
        uv_run(&lab.loop, UV_RUN_ONCE);
    }
    assert_true(lab.closed == CONN);
}

static void what_workers_hand_in_goes_out_whole_with_its_ecn_field(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {
        {100, 100}, {1200, 1200}, {1452, 64 * 1000}, {9066, TRUNK_DATA_MAX}, {60, 61}};
    for (unsigned i = 0; i < 5; i++) {
        struct trunk_batch b;
        hand_in_for(i % WORKERS, CONN, WIRE_DATA, (uint8_t)i, sizes[i][0], sizes[i][1]);
        assert_true(peer_reads(&b));
        assert_true(b.ecn == 2 || b.ecn == 3); /* 3: the machine was slow */
        assert_int_equal(b.segment, sizes[i][0]);
        assert_int_equal(b.len, sizes[i][1]);
        for (size_t at = 1; at < b.len; at++)
            assert_int_equal(lab.in[TRUNK_HEAD_LEN + at], i);
    }
}

static void what_is_for_no_trunk_is_lost(void **state)
{
    (void)state;
    struct trunk_batch b;
    hand_in_for(0, CONN + 1, WIRE_DATA, 1, 100, 100);
    hand_in(WIRE_DATA, 2, 100, 100);
    assert_true(peer_reads(&b));
    assert_int_equal(lab.in[TRUNK_HEAD_LEN + 1], 2);
}

static size_t put_batch(uint8_t *out, uint8_t ecn, const uint8_t *data, size_t segment, size_t len)
{
    trunk_encode(&(struct trunk_batch){.ecn = ecn, .segment = (uint16_t)segment, .len = (uint16_t)len}, out);
    memcpy(out + TRUNK_HEAD_LEN, data, len);
    return TRUNK_HEAD_LEN + len;
}

/* A datagram of lane 0 for a receiver index that ends with this byte. */
static void put_datagram(uint8_t *out, enum wire_type type, uint8_t lane, size_t len)
{
    const struct wire_header h = {.type = (uint8_t)type, .lane = lane, .receiver = 0x100u};
    memset(out, 7, len);
    wire_header_encode(&h, out);
}

static void what_comes_goes_to_the_worker_of_its_lane_however_it_was_cut(void **state)
{
    (void)state;
    static uint8_t datagrams[3000], stream[3 * 4000], got[UPLINK_MESSAGE_MAX];
    static const uint8_t lanes[] = {0, WIRE_LANE_SPARSE, WIRE_LANE_CONTROL};
    size_t len = 0;
    for (uint8_t i = 0; i < 3; i++) {
        put_datagram(datagrams, i < 2 ? WIRE_DATA : WIRE_PROBE, lanes[i], sizeof(datagrams));
        len += put_batch(stream + len, i, datagrams, 1000, sizeof(datagrams));
    }
    for (size_t at = 0; at < len; at += 77)
        peer_says(stream + at, len - at < 77 ? len - at : 77);
    static const unsigned workers[] = {0, 1, 0}; /* probes are the first one's */
    for (unsigned i = 0; i < 3; i++) {
        struct uplink_message m;
        size_t got_len = worker_gets(workers[i], got);
        assert_int_equal(uplink_message_decode(got, got_len, UPLINK_BACKBONE, &m), 0);
        assert_true(trunk_named(m.id.bytes) == CONN);
        assert_int_equal(m.ecn, i);
        assert_int_equal(m.segment, 1000);
        assert_int_equal(m.data.len, sizeof(datagrams));
        assert_memory_equal(m.data.data, stream + i * (TRUNK_HEAD_LEN + sizeof(datagrams)) + TRUNK_HEAD_LEN,
                            sizeof(datagrams));
    }
}

static void what_came_before_it_was_a_trunk_is_not_lost(void **state)
{
    (void)state;
    static uint8_t stream[2 * 200], got[UPLINK_MESSAGE_MAX], datagram[150];
    put_datagram(datagram, WIRE_DATA, 0, sizeof(datagram));
    size_t len = put_batch(stream, 0, datagram, sizeof(datagram), sizeof(datagram));
    len += put_batch(stream + len, 0, datagram, sizeof(datagram), sizeof(datagram));
    assert_int_equal(lab_open_with(stream, len - 10), 0);
    assert_int_equal(worker_gets(0, got), UPLINK_BATCH_HEAD_LEN + sizeof(datagram));
    peer_says(stream + len - 10, 10);
    assert_int_equal(worker_gets(0, got), UPLINK_BATCH_HEAD_LEN + sizeof(datagram));
}

static void rubbish_ends_it_and_is_told(void **state)
{
    (void)state;
    static const uint8_t tls[] = {22, 3, 1, 0, 100};
    peer_says(tls, sizeof(tls));
    wait_closed();
    assert_string_equal(lab.reason, "it sent what is no batch of datagrams");
    assert_int_equal(trunks_lost(lab.trunks).malformed, 1);
    assert_int_equal(trunks_lost(lab.trunks).malformed, 0);
    trunks_end(lab.trunks, CONN); /* is none any more */
}

static void a_peer_that_hangs_up_is_told(void **state)
{
    (void)state;
    shutdown(lab.peer, SHUT_RDWR);
    wait_closed();
    assert_string_equal(lab.reason, "the connection was closed");
}

static void one_that_is_ended_tells_nothing(void **state)
{
    (void)state;
    struct trunk_batch b;
    trunks_end(lab.trunks, CONN);
    assert_false(peer_reads(&b));
    hand_in(WIRE_DATA, 1, 100, 100);
    uv_run(&lab.loop, UV_RUN_NOWAIT);
    assert_int_equal(lab.closed, 0);
}

/* Waits until what was handed in is taken: the thread has then put it into its queue, or lost it. */
static void settle(void)
{
    uint64_t end_us = clock_monotonic_us() + TIMEOUT_MS * USEC_PER_MSEC;
    struct pollfd p = {.fd = lab.peer, .events = POLLIN};
    assert_int_equal(poll(&p, 1, TIMEOUT_MS), 1);
    for (uint64_t lost = 0; lost == 0; lost = trunks_lost(lab.trunks).backlog)
        assert_true(clock_monotonic_us() < end_us);
}

/* Of 1,000 batches of 64 KB: what the kernel holds, and what is not older than 20 ms. */
static void a_peer_that_does_not_read_costs_little_and_probes_go_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        hand_in(WIRE_DATA, 1, 1000, 64 * 1000);
    settle();
    hand_in(WIRE_PROBE, 9, 100, 100);
    hand_in(WIRE_DATA, 2, 1000, 1000);
    struct trunk_batch b;
    unsigned data = 0;
    for (bool probe = false; !probe; data += !probe) {
        assert_true(peer_reads(&b));
        probe = lab.in[TRUNK_HEAD_LEN] == WIRE_PROBE;
    }
    assert_true(data < 500); /* buffers of loopback are large */
}

/* 64 datagrams in each of 300 batches, of which the peer reads none before the trunk ends. */
static void each_datagram_is_sent_or_counted_as_lost(void **state)
{
    (void)state;
    uint64_t sent = 300 * 64, arrived = 0, lost = 0,
             end_us = clock_monotonic_us() + TIMEOUT_MS * USEC_PER_MSEC;
    for (unsigned i = 0; i < 300; i++)
        hand_in(WIRE_DATA, 1, 1000, 64 * 1000);
    trunks_end(lab.trunks, CONN);
    for (struct trunk_batch b; peer_reads(&b);)
        arrived += (b.len + b.segment - 1) / b.segment;
    assert_true(arrived < sent);
    while ((lost += trunks_lost(lab.trunks).backlog) < sent - arrived)
        assert_true(clock_monotonic_us() < end_us);
    assert_true(arrived + lost == sent);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_open, lab_close)
    const struct CMUnitTest tests[] = {
        TEST(what_workers_hand_in_goes_out_whole_with_its_ecn_field),
        TEST(what_is_for_no_trunk_is_lost),
        TEST(what_comes_goes_to_the_worker_of_its_lane_however_it_was_cut),
        cmocka_unit_test_setup_teardown(what_came_before_it_was_a_trunk_is_not_lost, NULL, lab_close),
        TEST(rubbish_ends_it_and_is_told),
        TEST(a_peer_that_hangs_up_is_told),
        TEST(one_that_is_ended_tells_nothing),
        TEST(a_peer_that_does_not_read_costs_little_and_probes_go_first),
        TEST(each_datagram_is_sent_or_counted_as_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
