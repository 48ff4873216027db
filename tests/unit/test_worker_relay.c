/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker by a relay: two nodes, and a relay between them that is the test, on loopback. */

#include "worker_lab.h"

#include "node/data/spread.h"
#include "proto/relay/relay_message.h"

#define CHANNEL 0x01020304u

static struct lab_frame sent, got;
static struct worker_event event;
static struct udp_message messages[UDP_BATCH];

/* a is peer 2 of b, b is peer 1 of a; each reaches the other by the relay. */
struct lab {
    struct lab_node a, b;
    struct udp_socket relay, stranger;
    struct udp_batch *batch;
};

static void publish(struct lab *lab, struct lab_node *n, uint32_t slot)
{
    const struct addr relay = lab_address(&lab->relay);
    const struct endpoint by = endpoint_relay(&relay, CHANNEL);
    struct fwd_peer p = {.slot = slot,
                         .tx = n->tx[slot],
                         .has_path = true,
                         .endpoint = by,
                         .relays = &by,
                         .relay_count = 1,
                         .size = n->size[slot]};
    assert_int_equal(carrier_remote_init(n->socket, &p.endpoint, &p.to), 0);
    assert_int_equal(fwd_set(n->fwd, slot, &p, &n->rx[slot], 1), 0);
    fwd_settle(n->fwd, false);
}

static void lab_open(struct lab *lab, unsigned workers)
{
    lab_node_open_lanes(&lab->a, workers);
    lab_node_open_lanes(&lab->b, workers);
    assert_int_equal(udp_open(0, 1, &lab->relay), 0);
    assert_int_equal(udp_open(0, 1, &lab->stranger), 0);
    assert_int_equal(udp_batch_new(&lab->batch), 0);
    lab_connect(&lab->a, 1, &lab->b, 2, LAB_SIZE);
    publish(lab, &lab->a, 1);
    publish(lab, &lab->b, 2);
    lab_node_start(&lab->a, 0, false);
    lab_node_start(&lab->b, 0, false);
}

static void lab_close(struct lab *lab)
{
    lab_node_close(&lab->a);
    lab_node_close(&lab->b);
    udp_batch_free(lab->batch);
    udp_close(&lab->relay, 1);
    udp_close(&lab->stranger, 1);
}

static void send_from(struct udp_socket *s, const struct lab_node *to, const uint8_t *data, size_t len,
                      size_t segment, uint8_t ecn)
{
    const struct addr at = lab_address(to->socket);
    struct udp_remote remote;
    udp_remote_init(s, &(struct addr){0}, &at, &remote);
    assert_int_equal(udp_send(s, &remote, data, len, segment, ecn), 0);
}

/* What has come to the relay: one message at least. */
static int at_relay(struct lab *lab)
{
    uint64_t overflow = 0;
    struct pollfd p = {.fd = lab->relay.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, LAB_TIMEOUT_MS), 1);
    int count = udp_receive(&lab->relay, lab->batch, messages, &overflow);
    assert_true(count > 0);
    return count;
}

static void pass_on(struct lab *lab, const struct lab_node *to)
{
    int count = at_relay(lab);
    for (int i = 0; i < count; i++)
        send_from(&lab->relay, to, messages[i].data, messages[i].len, messages[i].segment, messages[i].ecn);
}

/* Waits for either: true when a frame has come out, false when the relay has something. */
static bool frame_or_datagram(struct lab *lab, const struct lab_node *n)
{
    struct pollfd p[] = {{.fd = n->tap_test[0], .events = POLLIN}, {.fd = lab->relay.fd, .events = POLLIN}};
    assert_in_range(poll(p, 2, LAB_TIMEOUT_MS), 1, 2);
    return p[0].revents & POLLIN;
}

static void frames_pass_both_ways_in_envelopes(void **state)
{
    struct lab lab;
    (void)state;
    lab_open(&lab, 1);
    for (size_t len = 14; len <= WIRE_FRAME_MAX; len += 499) {
        lab_frame_make(&sent, 0xff, 1, len, (uint8_t)len);
        lab_put(&lab.a, &sent);
        while (!frame_or_datagram(&lab, &lab.b))
            pass_on(&lab, &lab.b);
        lab_get(&lab.b, &got);
        lab_assert_same(&sent, &got);
    }
    lab_frame_make(&sent, 1, 2, 100, 1);
    lab_put(&lab.b, &sent);
    pass_on(&lab, &lab.a);
    lab_get(&lab.a, &got);
    lab_assert_same(&sent, &got);
    assert_int_equal(lab_drops(&lab.a) + lab_drops(&lab.b), 0);
    lab_close(&lab);
}

static void runs_leave_as_one_train_with_an_envelope_each(void **state)
{
    struct lab lab;
    size_t seen = 0;
    (void)state;
    lab_open(&lab, 1);
    lab_frame_make(&sent, 0xff, 1, 7000, 3); /* five fragments of one size */
    lab_put(&lab.a, &sent);
    int count = at_relay(&lab);
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < messages[i].len; at += messages[i].segment, seen++) {
            struct envelope e;
            size_t left = messages[i].len - at;
            assert_int_equal(envelope_decode(messages[i].data + at, left, &e), DROP_NONE);
            assert_true(e.kind == ENVELOPE_DATAGRAM && e.channel == CHANNEL);
            assert_int_equal(messages[i].data[at + ENVELOPE_LEN], WIRE_DATA);
        }
    assert_int_equal(seen, 5);
    assert_int_equal(count, 1);
    assert_true(messages[0].segment <= LAB_SIZE + ENVELOPE_LEN);
    lab_close(&lab);
}

static void only_the_relay_and_channel_that_were_bound_bring_anything(void **state)
{
    struct lab lab;
    static uint8_t copy[UDP_BUFFER];
    (void)state;
    lab_open(&lab, 1);
    lab_frame_make(&sent, 0xff, 1, 100, 1);
    lab_put(&lab.a, &sent);
    assert_int_equal(at_relay(&lab), 1);
    size_t len = messages[0].len;
    memcpy(copy, messages[0].data, len);
    const _Atomic uint64_t *drops = worker_counters(lab.b.worker[0])->drops;
    send_from(&lab.stranger, &lab.b, copy, len, len, 0);
    lab_await(&drops[DROP_RELAY], 1);
    copy[7] ^= 1; /* another channel of the same relay */
    send_from(&lab.relay, &lab.b, copy, len, len, 0);
    lab_await(&drops[DROP_RELAY], 2);
    copy[7] ^= 1;
    copy[2] = 1;
    send_from(&lab.relay, &lab.b, copy, len, len, 0);
    lab_await(&drops[DROP_RESERVED], 1);
    copy[2] = 0;
    memmove(copy + ENVELOPE_LEN, copy, len); /* in a second envelope */
    send_from(&lab.relay, &lab.b, copy, len + ENVELOPE_LEN, len + ENVELOPE_LEN, 0);
    lab_await(&drops[DROP_RELAY], 3);
    send_from(&lab.relay, &lab.b, copy, ENVELOPE_LEN, ENVELOPE_LEN, 0);
    lab_await(&drops[DROP_SHORT], 1);
    assert_false(lab_has_frame(&lab.b));
    send_from(&lab.relay, &lab.b, copy + ENVELOPE_LEN, len, len, 0);
    lab_get(&lab.b, &got);
    lab_assert_same(&sent, &got);
    lab_close(&lab);
}

static void on_event(void *context, const struct worker_event *e)
{
    (void)context;
    event = *e;
}

static void probes_tell_by_which_relay_and_channel_they_came(void **state)
{
    struct lab lab;
    uint8_t datagram[ENVELOPE_LEN + WIRE_OVERHEAD + 24];
    (void)state;
    lab_open(&lab, 1);
    const struct slice plain = {(const uint8_t *)"what a probe has to tell", 24};
    int len = session_seal(lab.b.tx[2], WIRE_PROBE, WIRE_LANE_CONTROL, &plain, 1, datagram + ENVELOPE_LEN);
    assert_true(len > 0);
    envelope_encode(&(struct envelope){ENVELOPE_DATAGRAM, CHANNEL}, datagram);
    send_from(&lab.relay, &lab.a, datagram, ENVELOPE_LEN + (size_t)len, sizeof(datagram), 0);
    lab_wait_wake(&lab.a);
    lab_take_events(lab.a.worker[0], on_event, NULL);
    const struct addr relay = lab_address(&lab.relay);
    const struct endpoint from = endpoint_relay(&relay, CHANNEL);
    assert_int_equal(event.kind, WORKER_EVENT_DATAGRAM);
    assert_true(event.slot == 1 && endpoint_same_way(&event.from, &from));
    assert_int_equal(event.len, len);
    lab_close(&lab);
}

/* What a relay says is judged by the control thread; other lengths stay here. */
static void messages_of_a_relay_reach_control_and_nothing_like_them(void **state)
{
    struct lab lab;
    uint8_t message[RELAY_MESSAGE_LEN + 1] = {0};
    (void)state;
    lab_open(&lab, 1);
    envelope_encode(&(struct envelope){ENVELOPE_MESSAGE, CHANNEL}, message);
    send_from(&lab.relay, &lab.a, message, sizeof(message), sizeof(message), 0);
    lab_await(&worker_counters(lab.a.worker[0])->drops[DROP_RELAY], 1);
    send_from(&lab.relay, &lab.a, message, RELAY_MESSAGE_LEN, RELAY_MESSAGE_LEN, 0);
    lab_wait_wake(&lab.a);
    lab_take_events(lab.a.worker[0], on_event, NULL);
    assert_true(event.kind == WORKER_EVENT_DATAGRAM && event.slot == WORKER_NO_PEER);
    assert_true(event.len == RELAY_MESSAGE_LEN && event.from.remote.port == lab.relay.port);
    lab_close(&lab);
}

/* Nothing is learned from where a relay is. */
static void a_relay_is_no_address_of_the_peers(void **state)
{
    struct lab lab;
    (void)state;
    lab_open(&lab, 1);
    event = (struct worker_event){.slot = WORKER_NO_PEER};
    lab_frame_make(&sent, 0xff, 1, 100, 1);
    lab_put(&lab.a, &sent);
    pass_on(&lab, &lab.b);
    lab_get(&lab.b, &got);
    lab_take_events(lab.b.worker[0], on_event, NULL);
    assert_int_equal(event.slot, WORKER_NO_PEER);
    lab_close(&lab);
}

static void lanes_meet_their_workers_in_envelopes_too(void **state)
{
    struct lab lab;
    (void)state;
    lab_open(&lab, 3);
    for (unsigned i = 0; i < 3; i++) {
        unsigned lane = i < 2 ? i : WIRE_LANE_SPARSE;
        const struct worker_counters *c = worker_counters(lab.b.worker[spread_worker(lab.b.rx[2], lane, 3)]);
        uint64_t before = atomic_load(&c->udp_rx_datagrams);
        unsigned queue =
            i < 2 ? (i + spread_shift(lab.a.tx[1])) % 2 : 2; /* whose worker sends in that lane */
        lab_flow_make(&sent, i, 3, 1, 200, (uint8_t)i);
        lab_put_at(&lab.a, queue, &sent);
        pass_on(&lab, &lab.b);
        lab_await(&c->udp_rx_datagrams, before + 1);
    }
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_pass_both_ways_in_envelopes),
        cmocka_unit_test(runs_leave_as_one_train_with_an_envelope_each),
        cmocka_unit_test(only_the_relay_and_channel_that_were_bound_bring_anything),
        cmocka_unit_test(probes_tell_by_which_relay_and_channel_they_came),
        cmocka_unit_test(messages_of_a_relay_reach_control_and_nothing_like_them),
        cmocka_unit_test(a_relay_is_no_address_of_the_peers),
        cmocka_unit_test(lanes_meet_their_workers_in_envelopes_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
