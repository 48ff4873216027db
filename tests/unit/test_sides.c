/* SPDX-License-Identifier: Apache-2.0 */
/* node/carrier/sides and what a worker does with a side socket, on loopback. */

#include "worker_lab.h"

#include "node/carrier/sides.h"
#include "proto/message/stun.h"
#include <string.h>

#define SIDE 3

static uint8_t datagram[2048];

/* a and b are peers, and a sends to b by a side socket, to which b sends. */
struct lab {
    struct lab_node a, b;
    struct sides sides;
};

static void lab_open(struct lab *lab)
{
    struct udp_socket socket;
    lab->sides = (struct sides){0};
    lab_node_open(&lab->a);
    lab_node_open(&lab->b);
    assert_int_equal(udp_open(0, 1, &socket), 0);
    sides_add(&lab->sides, SIDE, &socket);
    lab_connect(&lab->a, 0, &lab->b, 0, LAB_SIZE);
    lab->b.remote[0] = lab_address(&socket);
    lab->a.sides = &lab->sides;
    lab->a.side[0] = SIDE;
    lab_publish(&lab->a);
    lab_publish(&lab->b);
    lab_node_start(&lab->a, 0, false);
    lab_node_start(&lab->b, 0, false);
    assert_int_equal(worker_watch_side(lab->a.worker[0], SIDE), 0);
}

static void lab_close(struct lab *lab)
{
    lab_node_close(&lab->a);
    lab_node_close(&lab->b);
    sides_fini(&lab->sides);
}

static void pass(struct lab_node *from, struct lab_node *to, uint8_t src)
{
    struct lab_frame in, out;
    lab_frame_make(&in, 0xff, src, 900, src);
    lab_put(from, &in);
    lab_get(to, &out);
    lab_assert_same(&in, &out);
}

static void count_event(void *context, const struct worker_event *e)
{
    if (e->kind == WORKER_EVENT_SOURCE)
        *(struct endpoint *)context = e->from;
}

static void frames_go_both_ways_by_a_side_socket(void **state)
{
    (void)state;
    struct lab lab;
    struct endpoint seen = {0};
    lab_open(&lab);
    pass(&lab.a, &lab.b, 1);
    pass(&lab.b, &lab.a, 2);
    pass(&lab.a, &lab.b, 1);
    assert_int_equal(lab_drops(&lab.a) + lab_drops(&lab.b), 0);
    /* Each end gets it from where it sends to. */
    lab_take_events(lab.a.worker[0], count_event, &seen);
    lab_take_events(lab.b.worker[0], count_event, &seen);
    assert_int_equal(seen.carrier, CARRIER_NONE);
    lab_close(&lab);
}

/* The same address by another socket is another way. */
static void what_comes_by_another_socket_than_the_path_s_is_told(void **state)
{
    (void)state;
    struct lab lab;
    struct endpoint seen = {0};
    lab_open(&lab);
    lab.a.side[0] = 0;
    lab_publish(&lab.a);
    pass(&lab.b, &lab.a, 2);
    lab_wait_wake(&lab.a);
    lab_take_events(lab.a.worker[0], count_event, &seen);
    assert_int_equal(seen.side, SIDE);
    assert_int_equal(seen.remote.port, lab.b.socket[0].port);
    lab_close(&lab);
}

static void nothing_but_sessions_comes_by_a_side_socket(void **state)
{
    (void)state;
    struct lab lab;
    struct udp_remote to;
    static const struct addr any;
    const uint8_t transaction[STUN_TRANSACTION_LEN] = {1};
    lab_open(&lab);
    const struct addr side = lab_address(sides_socket(&lab.sides, SIDE));
    udp_remote_init(lab.b.socket, &any, &side, &to);
    size_t len = stun_response_encode(transaction, &side, datagram);
    assert_true(stun_looks_like_response(datagram, len));
    assert_int_equal(udp_send(lab.b.socket, &to, datagram, len, len, 0), 0);
    envelope_encode(&(struct envelope){ENVELOPE_DATAGRAM, 7}, datagram);
    assert_int_equal(udp_send(lab.b.socket, &to, datagram, 200, 200, 0), 0);
    lab_await(&worker_counters(lab.a.worker[0])->drops[DROP_TYPE], 2);
    lab_close(&lab);
}

static void a_side_socket_that_closes_while_frames_flow_is_not_used_again(void **state)
{
    (void)state;
    struct lab lab;
    struct lab_frame f;
    lab_open(&lab);
    for (unsigned i = 0; i < 200; i++) {
        lab_frame_make(&f, 0xff, 1, 900, (uint8_t)i);
        lab_put(&lab.a, &f);
        lab_frame_make(&f, 0xff, 2, 900, (uint8_t)i);
        lab_put(&lab.b, &f);
        if (i != 100)
            continue;
        sides_retire(&lab.sides, SIDE);
        fwd_settle(lab.a.fwd, true);
        sides_close(&lab.sides, SIDE);
    }
    assert_null(sides_socket(&lab.sides, SIDE));
    lab_frame_make(&f, 0xff, 1, 900, 1);
    lab_put(&lab.a, &f);
    uint64_t deadline = clock_monotonic_us() + LAB_TIMEOUT_MS * USEC_PER_MSEC;
    while (!lab_count(&lab.a, DROP_SEND) && clock_monotonic_us() < deadline)
        sched_yield();
    assert_true(lab_count(&lab.a, DROP_SEND) > 0);
    lab_close(&lab);
}

static void a_frame_that_a_side_socket_sent_does_not_go_round(void **state)
{
    (void)state;
    struct lab lab;
    struct lab_frame f;
    lab_open(&lab);
    lab_frame_make(&f, 0xff, 1, 400, 1);
    memcpy(f.data + 12, (uint8_t[]){8, 0, 0x45, 0}, 4);
    memset(f.data + 20, 0, 2);
    f.data[23] = 17;
    uint16_t port = sides_socket(&lab.sides, SIDE)->port;
    memcpy(f.data + 34, (uint8_t[]){(uint8_t)(port >> 8), (uint8_t)port}, 2);
    const struct wire_header h = {.type = WIRE_DATA, .receiver = session_tx_index(lab.a.tx[0]), .counter = 9};
    wire_header_encode(&h, f.data + 42);
    lab_put(&lab.a, &f);
    lab_await(&worker_counters(lab.a.worker[0])->drops[DROP_CIRCLE], 1);
    lab_close(&lab);
}

static void numbers_are_given_out_once_until_they_are_free_again(void **state)
{
    (void)state;
    struct sides s = {0};
    struct udp_socket socket;
    assert_null(sides_socket(NULL, 1));
    assert_false(sides_have_port(NULL, 0));
    for (unsigned number = 1; number <= SIDES_MAX; number++) {
        assert_int_equal(sides_free_number(&s), number);
        assert_int_equal(udp_open(0, 1, &socket), 0);
        sides_add(&s, number, &socket);
        assert_int_equal(sides_socket(&s, number)->fd, socket.fd);
    }
    assert_int_equal(sides_free_number(&s), 0);
    assert_null(sides_socket(&s, 0));
    uint16_t port = sides_socket(&s, 5)->port;
    assert_true(sides_have_port(&s, port));
    sides_retire(&s, 5);
    sides_close(&s, 5);
    assert_null(sides_socket(&s, 5));
    assert_false(sides_have_port(&s, port));
    assert_int_equal(sides_free_number(&s), 5);
    port = sides_socket(&s, 1)->port;
    sides_fini(&s);
    assert_false(sides_have_port(&s, port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_given_out_once_until_they_are_free_again),
        cmocka_unit_test(frames_go_both_ways_by_a_side_socket),
        cmocka_unit_test(what_comes_by_another_socket_than_the_path_s_is_told),
        cmocka_unit_test(nothing_but_sessions_comes_by_a_side_socket),
        cmocka_unit_test(a_side_socket_that_closes_while_frames_flow_is_not_used_again),
        cmocka_unit_test(a_frame_that_a_side_socket_sent_does_not_go_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
