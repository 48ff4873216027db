/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker by an uplink: two nodes whose channels lead to each other, in the place of helpers and a backbone. */

#include "worker_lab.h"

#include "node/helper/uplink_channel.h"
#include "proto/message/stun.h"

static struct lab_frame sent, got;
static struct worker_event event;

static void pair_open(struct lab_node *a, struct lab_node *b, uint16_t size)
{
    lab_node_open(a);
    lab_node_open(b);
    lab_connect(a, 1, b, 2, size);
    a->by_uplink = b->by_uplink = true;
    assert_int_equal(uplink_channel_open(&a->uplink, &b->uplink), 0);
    lab_publish(a);
    lab_publish(b);
}

static void pair_close(struct lab_node *a, struct lab_node *b)
{
    lab_node_close(a);
    lab_node_close(b);
    close(a->uplink);
    close(b->uplink);
}

static void cross(struct lab_node *from, struct lab_node *to, uint8_t dst, uint8_t src, size_t len)
{
    lab_frame_make(&sent, dst, src, len, (uint8_t)len);
    lab_put(from, &sent);
    lab_get(to, &got);
    lab_assert_same(&sent, &got);
}

static void frames_of_any_size_pass_both_ways(void **state)
{
    struct lab_node a, b;
    (void)state;
    pair_open(&a, &b, 1200);
    lab_node_start(&a, 0, false);
    lab_node_start(&b, 0, false);
    cross(&a, &b, 0xff, 1, 60);
    cross(&b, &a, 1, 2, 60);
    for (size_t len = 14; len <= WIRE_FRAME_MAX; len += 299)
        cross(&a, &b, 2, 1, len);
    assert_int_equal(lab_drops(&a) + lab_drops(&b), 0);
    pair_close(&a, &b);
}

static void bursts_keep_their_order(void **state)
{
    struct lab_node a, b;
    (void)state;
    pair_open(&a, &b, LAB_SIZE);
    lab_node_start(&a, 0, false);
    lab_node_start(&b, 0, false);
    for (unsigned i = 0; i < 200; i++) {
        lab_frame_make(&sent, 0xff, 1, i % 7 ? 100 : 60 + i, (uint8_t)i);
        lab_put(&a, &sent);
    }
    for (unsigned i = 0; i < 200; i++) {
        lab_frame_make(&sent, 0xff, 1, i % 7 ? 100 : 60 + i, (uint8_t)i);
        lab_get(&b, &got);
        lab_assert_same(&sent, &got);
    }
    assert_int_equal(lab_drops(&a) + lab_drops(&b), 0);
    pair_close(&a, &b);
}

/* Nobody reads at the other end. */
static void what_the_uplink_does_not_take_is_dropped_and_counted(void **state)
{
    struct lab_node a, b;
    (void)state;
    pair_open(&a, &b, LAB_SIZE);
    lab_node_start(&a, 0, false);
    for (unsigned i = 0; i < 20000 && !lab_count(&a, DROP_BACKLOG); i++) {
        lab_frame_make(&sent, 0xff, 1, 1400, (uint8_t)i);
        lab_put(&a, &sent);
    }
    assert_true(lab_count(&a, DROP_BACKLOG) > 0);
    assert_int_equal(lab_count(&a, DROP_SEND), 0);
    pair_close(&a, &b);
}

static void send_datagram(const struct lab_node *to_other, uint8_t *data, size_t len)
{
    struct carrier_ports ports = carrier_ports_of(NULL);
    ports.channels[0] = to_other->uplink;
    struct carrier_remote to = {.carrier = CARRIER_UPLINK, .batch = {UPLINK_DATAGRAMS, 0xbb}};
    assert_int_equal(carrier_send(&ports, &to, data, len, len, 0), 0);
}

static void on_event(void *context, const struct worker_event *e)
{
    (void)context;
    event = *e;
}

static void control_datagrams_tell_by_whom_they_came(void **state)
{
    struct lab_node a, b;
    uint8_t datagram[WIRE_OVERHEAD + 24];
    (void)state;
    pair_open(&a, &b, LAB_SIZE);
    lab_node_start(&a, 0, false);
    const struct slice plain = {(const uint8_t *)"what a probe has to tell", 24};
    int len = session_seal(b.tx[2], WIRE_PROBE, WIRE_LANE_CONTROL, &plain, 1, datagram);
    assert_true(len > 0);
    send_datagram(&b, datagram, (size_t)len);
    lab_wait_wake(&a);
    lab_take_events(a.worker[0], on_event, NULL);
    const struct endpoint from = endpoint_uplink(0, &(struct node_id){{0xbb}});
    assert_int_equal(event.kind, WORKER_EVENT_DATAGRAM);
    assert_true(event.slot == 1 && endpoint_same(&event.from, &from));
    pair_close(&a, &b);
}

/* Its senders are the backbones' STUN servers, and they are asked over UDP. */
static void stun_by_the_uplink_is_dropped_and_so_is_what_is_no_message(void **state)
{
    struct lab_node a, b;
    uint8_t transaction[STUN_TRANSACTION_LEN] = {0}, datagram[STUN_MESSAGE_MAX];
    const struct addr mapped = {.family = 4, .port = 9, .ip = {192, 0, 2, 1}};
    (void)state;
    pair_open(&a, &b, LAB_SIZE);
    lab_node_start(&a, 0, false);
    send_datagram(&b, datagram, stun_response_encode(transaction, &mapped, datagram));
    assert_int_equal(uplink_channel_send(b.uplink, &(struct iovec){(void *)"\x0c\x01", 2}, 1), 0);
    lab_await(&worker_counters(a.worker[0])->drops[DROP_TYPE], 2);
    pair_close(&a, &b);
}

static void worker_whose_uplink_is_gone_serves_on(void **state)
{
    struct lab_node a, b;
    (void)state;
    pair_open(&a, &b, LAB_SIZE);
    close(b.uplink);
    a.by_uplink = false;
    lab_publish(&a);
    a.by_uplink = true;
    b.by_uplink = false;
    lab_publish(&b);
    lab_node_start(&a, 0, false);
    lab_node_start(&b, 0, false);
    cross(&a, &b, 0xff, 1, 60);
    cross(&b, &a, 1, 2, 60);
    b.uplink = dup(a.uplink);
    pair_close(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_any_size_pass_both_ways),
        cmocka_unit_test(bursts_keep_their_order),
        cmocka_unit_test(what_the_uplink_does_not_take_is_dropped_and_counted),
        cmocka_unit_test(control_datagrams_tell_by_whom_they_came),
        cmocka_unit_test(stun_by_the_uplink_is_dropped_and_so_is_what_is_no_message),
        cmocka_unit_test(worker_whose_uplink_is_gone_serves_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
