/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker of a node that relays: what comes on its channels from one socket leaves to another, on loopback. */

#include "worker_lab.h"

#include "proto/admission/byte_rates.h"
#include "proto/relay/relay_desk.h"

#define LEN      1200
#define MBIT     100000
#define CHANNELS 16

static uint8_t train[UDP_BUFFER];
static struct udp_message messages[UDP_BATCH];

/* Two channels of the node, between ends 0 and 1, and 0 and 2. */
struct lab {
    struct lab_node node;
    struct byte_rates *rates;
    struct udp_socket ends[3], stranger;
    struct udp_batch *batch;
    uint32_t channels[2];
};

static void bind_end(struct lab *lab, const struct relay_grant *g, unsigned side,
                     const struct udp_socket *end)
{
    struct relay_message m = {.kind = RELAY_MESSAGE_BIND, .channel = g->channel, .number = 1};
    const struct relay_hop from = {lab_address(lab->node.socket), lab_address(end)};
    uint8_t bytes[RELAY_MESSAGE_LEN], answer[RELAY_MESSAGE_LEN];
    struct relay_message back;
    struct relay_binding bound = {0};
    for (; m.number < 3; m.number++) {
        assert_int_equal(relay_message_encode(&m, g->tokens[side], bytes), 0);
        assert_int_equal(relay_desk_bind(lab->node.desk, &from, bytes, sizeof(bytes), clock_monotonic_us(),
                                         answer, &bound),
                         RELAY_ANSWER);
        assert_int_equal(relay_message_decode(answer, sizeof(answer), &back), 0);
        memcpy(m.cookie, back.cookie, sizeof(m.cookie));
    }
    assert_true(bound.fresh);
}

static uint32_t open_channel(struct lab *lab, unsigned a, unsigned b)
{
    const struct node_id ids[2] = {{{(uint8_t)(1 + a)}}, {{(uint8_t)(1 + b)}}};
    struct relay_grant g;
    assert_int_equal(relay_desk_open(lab->node.desk, ids, clock_monotonic_us(), &g), 0);
    bind_end(lab, &g, 0, &lab->ends[a]);
    bind_end(lab, &g, 1, &lab->ends[b]);
    return g.channel;
}

static void lab_open(struct lab *lab, unsigned mbit)
{
    lab_node_open_lanes(&lab->node, 2);
    assert_int_equal(byte_rates_new(mbit, mbit, &secret_source, &lab->rates), 0);
    const struct relay_desk_config config = {{mbit * 125000ull, CHANNELS, secret_source}, lab->rates};
    assert_int_equal(relay_desk_new(&config, &lab->node.desk), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(udp_open(0, 1, &lab->ends[i]), 0);
    assert_int_equal(udp_open(0, 1, &lab->stranger), 0);
    assert_int_equal(udp_batch_new(&lab->batch), 0);
    lab->channels[0] = open_channel(lab, 0, 1);
    lab->channels[1] = open_channel(lab, 0, 2);
    lab_node_start(&lab->node, 0, false);
}

static void lab_close(struct lab *lab)
{
    struct relay_desk *desk = lab->node.desk;
    lab_node_close(&lab->node);
    relay_desk_free(desk);
    byte_rates_free(lab->rates);
    udp_batch_free(lab->batch);
    for (unsigned i = 0; i < 3; i++)
        udp_close(&lab->ends[i], 1);
    udp_close(&lab->stranger, 1);
}

/* The datagram at that place of the train: of a channel, with a mark. */
static void make(uint32_t channel, unsigned at, uint8_t mark)
{
    uint8_t *datagram = train + at * (ENVELOPE_LEN + LEN);
    envelope_encode(&(struct envelope){ENVELOPE_DATAGRAM, channel}, datagram);
    memset(datagram + ENVELOPE_LEN, mark, LEN);
    datagram[ENVELOPE_LEN] = WIRE_DATA;
}

static void send_from(const struct lab *lab, struct udp_socket *end, unsigned count, uint8_t ecn)
{
    const struct addr at = lab_address(lab->node.socket);
    struct udp_remote remote;
    udp_remote_init(end, &(struct addr){0}, &at, &remote);
    assert_int_equal(udp_send(end, &remote, train, count * (ENVELOPE_LEN + LEN), ENVELOPE_LEN + LEN, ecn), 0);
}

/* How many messages, one at least. */
static int received(struct lab *lab, struct udp_socket *end)
{
    uint64_t overflow = 0;
    struct pollfd p = {.fd = end->fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, LAB_TIMEOUT_MS), 1);
    int count = udp_receive(end, lab->batch, messages, &overflow);
    assert_true(count > 0);
    return count;
}

static const struct udp_message *arrived(struct lab *lab, struct udp_socket *end)
{
    (void)received(lab, end);
    return &messages[0];
}

static uint64_t sum(const struct lab *lab, enum drop why)
{
    return atomic_load(&worker_counters(lab->node.worker[0])->drops[why]) +
           atomic_load(&worker_counters(lab->node.worker[1])->drops[why]);
}

static void await_drops(const struct lab *lab, enum drop why, uint64_t count)
{
    for (unsigned i = 0; i < LAB_TIMEOUT_MS && sum(lab, why) < count; i++)
        usleep(1000);
    assert_int_equal(sum(lab, why), count);
}

static void trains_leave_as_they_came_with_their_marks(void **state)
{
    struct lab lab;
    (void)state;
    lab_open(&lab, MBIT);
    for (unsigned i = 0; i < 40; i++)
        make(lab.channels[0], i, (uint8_t)i);
    send_from(&lab, &lab.ends[0], 40, 2);
    const struct udp_message *m = arrived(&lab, &lab.ends[1]);
    assert_int_equal(m->len, 40 * (ENVELOPE_LEN + LEN));
    assert_int_equal(m->segment, ENVELOPE_LEN + LEN);
    assert_int_equal(m->ecn, 2);
    assert_memory_equal(m->data, train, m->len);
    assert_true(m->from.port == lab.node.socket[0].port);
    lab_close(&lab);
}

static void a_train_is_cut_where_the_channel_changes(void **state)
{
    struct lab lab;
    (void)state;
    lab_open(&lab, MBIT);
    for (unsigned i = 0; i < 30; i++)
        make(lab.channels[i / 10 % 2], i, (uint8_t)i);
    send_from(&lab, &lab.ends[0], 30, 0);
    assert_int_equal(arrived(&lab, &lab.ends[2])->data[ENVELOPE_LEN + 1], 10);
    for (unsigned seen = 0; seen < 20;) {
        int count = received(&lab, &lab.ends[1]);
        for (int i = 0; i < count; i++)
            for (size_t at = 0; at < messages[i].len; at += messages[i].segment, seen++) {
                uint8_t mark = messages[i].data[at + ENVELOPE_LEN + 1];
                assert_true(mark < 10 || mark >= 20);
            }
    }
    lab_close(&lab);
}

/* From elsewhere, back to the sender, in a second envelope, on a channel of nobody. */
static void what_is_not_between_two_ends_is_dropped_and_counted(void **state)
{
    struct lab lab;
    (void)state;
    lab_open(&lab, MBIT);
    make(lab.channels[0], 0, 1);
    make(lab.channels[0], 1, 1);
    send_from(&lab, &lab.stranger, 2, 0);
    await_drops(&lab, DROP_RELAY, 2);
    send_from(&lab, &lab.ends[2], 1, 0); /* an end of the other channel */
    await_drops(&lab, DROP_RELAY, 3);
    train[ENVELOPE_LEN] = WIRE_RELAY;
    send_from(&lab, &lab.ends[0], 1, 0);
    await_drops(&lab, DROP_RELAY, 4);
    make(lab.channels[0] ^ lab.channels[1] ^ 1, 0, 0);
    send_from(&lab, &lab.ends[0], 1, 0);
    await_drops(&lab, DROP_RECEIVER, 1); /* it may be for an end of our own */
    make(lab.channels[0], 0, 7);
    send_from(&lab, &lab.ends[1], 1, 0);
    assert_int_equal(arrived(&lab, &lab.ends[0])->data[ENVELOPE_LEN + 1], 7);
    lab_close(&lab);
}

static void what_is_over_the_rate_is_dropped_and_counted(void **state)
{
    struct lab lab;
    (void)state;
    lab_open(&lab, 1);
    for (unsigned i = 0; i < 50; i++)
        make(lab.channels[0], i, (uint8_t)i);
    for (unsigned i = 0; i < 10; i++)
        send_from(&lab, &lab.ends[0], 50, 0);
    for (unsigned i = 0; i < LAB_TIMEOUT_MS && sum(&lab, DROP_RELAY_RATE) < 100; i++)
        usleep(1000);
    assert_true(sum(&lab, DROP_RELAY_RATE) >= 100);
    assert_int_equal(arrived(&lab, &lab.ends[1])->data[ENVELOPE_LEN + 1], 0);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trains_leave_as_they_came_with_their_marks),
        cmocka_unit_test(a_train_is_cut_where_the_channel_changes),
        cmocka_unit_test(what_is_not_between_two_ends_is_dropped_and_counted),
        cmocka_unit_test(what_is_over_the_rate_is_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
