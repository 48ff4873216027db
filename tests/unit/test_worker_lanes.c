/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker, several per node: a flow leaves by its own queue, in order, whatever the numbers of workers and
 * the lanes that it came in, and has one worker at each end; and datagrams of several lanes in one received
 * message are each lane's own. */

#include "worker_lab.h"

#include "proto/session/fragment.h"

#define SLOT_AT_A 1
#define SLOT_AT_B 2

static const unsigned NUMBERS[][2] = {{1, 2}, {2, 1}, {2, 2}, {4, 2}, {2, 4}, {8, 3}};
#define NUMBER_COUNT (sizeof(NUMBERS) / sizeof(NUMBERS[0]))

static struct lab_frame sent, got;

/* The last of several has the sparse flows. */
static unsigned bulk_of(unsigned workers)
{
    return workers > 1 ? workers - 1 : 1;
}

/* There are as many classes of bulk flows as the node with fewer workers for them has. */
static unsigned classes_of(const struct lab_node *a, const struct lab_node *b)
{
    return bulk_of(a->workers) < bulk_of(b->workers) ? bulk_of(a->workers) : bulk_of(b->workers);
}

/* The worker, and queue, of a class of bulk flows at a node that has the other end in a slot. */
static unsigned place_of(unsigned class, unsigned slot, unsigned workers)
{
    return (class + slot) % bulk_of(workers);
}

static unsigned place_at(const struct lab_node *n, unsigned class, unsigned slot)
{
    return n->carries_much ? place_of(class, slot, n->workers) : n->workers - 1;
}

static void pair_open(struct lab_node *a, unsigned workers_a, struct lab_node *b, unsigned workers_b,
                      bool bulk)
{
    lab_node_open_lanes(a, workers_a);
    lab_node_open_lanes(b, workers_b);
    lab_flows_are(a, bulk);
    lab_flows_are(b, bulk);
    lab_connect(a, SLOT_AT_A, b, SLOT_AT_B, LAB_SIZE);
    lab_publish(a);
    lab_publish(b);
    lab_node_start(a, 0, false);
    lab_node_start(b, 0, false);
}

static void assert_flow_crosses(struct lab_node *from, unsigned queue, struct lab_node *to, unsigned slot,
                                unsigned class, uint8_t host)
{
    const size_t lens[] = {60, 1400, 3000, WIRE_FRAME_MAX};
    lab_flows_are(to, to->carries_much);
    for (unsigned i = 0; i < 4; i++) {
        lab_flow_make(&sent, class, classes_of(from, to), host, lens[i], (uint8_t)i);
        lab_put_at(from, queue, &sent);
        lab_get_at(to, place_at(to, class, slot), &got);
        lab_assert_same(&sent, &got);
    }
    assert_false(lab_has_frame(to));
}

static void assert_lanes_cross(struct lab_node *from, struct lab_node *to, unsigned slot, uint8_t host)
{
    for (unsigned queue = 0; queue < from->workers; queue++)
        for (unsigned class = 0; class < classes_of(from, to); class ++)
            assert_flow_crosses(from, queue, to, slot, class, (uint8_t)(host + queue));
}

static void lanes_cross_between_any_numbers_of_workers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * NUMBER_COUNT; i++) {
        struct lab_node a, b;
        pair_open(&a, NUMBERS[i / 2][0], &b, NUMBERS[i / 2][1], i % 2);
        assert_lanes_cross(&a, &b, SLOT_AT_B, 10);
        assert_lanes_cross(&b, &a, SLOT_AT_A, 20);
        assert_int_equal(lab_drops(&a) + lab_drops(&b), 0);
        lab_node_close(&a);
        lab_node_close(&b);
    }
}

/* The frame enters by the queue where the kernel has learned its flow. Only a worker's own count grows. */
static void assert_stays_with(struct lab_node *from, unsigned slot_at_from, struct lab_node *to,
                              unsigned slot_at_to, unsigned class, uint8_t host)
{
    unsigned out = place_at(from, class, slot_at_from), in = place_at(to, class, slot_at_to);
    const _Atomic uint64_t *written = &worker_counters(to->worker[in])->tap_tx_frames;
    uint64_t before = atomic_load(written);
    lab_flows_are(to, to->carries_much);
    lab_flow_make(&sent, class, classes_of(from, to), host, 100, 1);
    lab_put_at(from, out, &sent);
    lab_get_at(to, in, &got);
    lab_assert_same(&sent, &got);
    lab_await(written, before + 1);
}

/* A worker finds the kernel's answers in its own queue. One worker alone has one lane for all flows, which is bulk's. */
static void a_flow_stays_with_one_worker_at_each_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * NUMBER_COUNT; i++) {
        struct lab_node a, b;
        bool bulk = i % 2;
        if (!bulk && (NUMBERS[i / 2][0] == 1 || NUMBERS[i / 2][1] == 1))
            continue;
        pair_open(&a, NUMBERS[i / 2][0], &b, NUMBERS[i / 2][1], bulk);
        for (unsigned class = 0; class < classes_of(&a, &b); class ++) {
            assert_stays_with(&a, SLOT_AT_A, &b, SLOT_AT_B, class, (uint8_t)(30 + class));
            assert_stays_with(&b, SLOT_AT_B, &a, SLOT_AT_A, class, (uint8_t)(40 + class));
        }
        lab_node_close(&a);
        lab_node_close(&b);
    }
}

/* All queues at once, far more frames than fit in one message:
 * none lost, doubled, altered or out of order. */
static void queues_keep_their_order_side_by_side(void **state)
{
    (void)state;
    enum { WORKERS = 4, CLASSES = 2, BURST = 30, ROUNDS = 20 };
    struct lab_node a, b;
    pair_open(&a, WORKERS, &b, CLASSES + 1, true);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < BURST * WORKERS; i++) {
            unsigned queue = i % WORKERS;
            lab_flow_make(&sent, queue % CLASSES, CLASSES, (uint8_t)queue, 200, (uint8_t)(i / WORKERS));
            lab_put_at(&a, queue, &sent);
        }
        unsigned next[WORKERS] = {0};
        for (unsigned i = 0; i < BURST * WORKERS; i++) {
            lab_get_at(&b, i % CLASSES, &got);
            uint8_t queue = got.data[11];
            lab_flow_make(&sent, queue % CLASSES, CLASSES, queue, 200, (uint8_t)next[queue]++);
            lab_assert_same(&sent, &got);
        }
    }
    assert_int_equal(lab_drops(&a) + lab_drops(&b), 0);
    lab_node_close(&a);
    lab_node_close(&b);
}

/* ---- several lanes in one message, as GRO makes them: UDP_SEGMENT over loopback does the same ---- */

struct stage {
    struct lab_node node;
    struct udp_socket puppet;
    struct session *session; /* the puppet's */
    struct udp_remote to;
    uint8_t data[UDP_BUFFER];
    size_t len, segment;
};

#define LANES 2

static struct stage s;

static void stage_open(void)
{
    lab_node_open_lanes(&s.node, LANES + 1);
    lab_flows_are(&s.node, true);
    assert_int_equal(udp_open(0, 1, &s.puppet), 0);
    lab_sessions_lanes(SLOT_AT_A, LANES + 1, SLOT_AT_B, LANES + 2, NULL, &s.node.tx[1], &s.session);
    s.node.rx[1] = s.node.tx[1];
    s.node.remote[1] = lab_address(&s.puppet);
    s.node.size[1] = LAB_SIZE;
    lab_publish(&s.node);
    lab_node_start(&s.node, 0, false);
    struct addr node = lab_address(s.node.socket);
    udp_remote_init(&s.puppet, &(struct addr){0}, &node, &s.to);
    s.len = 0;
}

static void stage_close(void)
{
    lab_node_close(&s.node);
    session_free(s.session);
    udp_close(&s.puppet, 1);
}

static void add_part(unsigned lane, const struct wire_inner *inner, const uint8_t *data, size_t len)
{
    uint8_t head[WIRE_INNER_LEN];
    wire_inner_encode(inner, head);
    const struct slice pieces[] = {{head, sizeof(head)}, {data, len}};
    int n = session_seal(s.session, WIRE_DATA, lane, pieces, 2, s.data + s.len);
    assert_true(n > 0);
    s.segment = s.len ? s.segment : (size_t)n;
    s.len += (size_t)n;
}

/* The worker that receives a lane. */
static unsigned place_of_lane(unsigned lane)
{
    return place_of(lane, SLOT_AT_A, LANES + 1);
}

/* Each lane has a flow, one that belongs there. */
static void make_frame(unsigned lane, uint8_t number)
{
    lab_flow_make(&sent, lane % LANES, LANES, (uint8_t)(0x40 + lane), 100, number);
}

static void add_frame(unsigned lane, uint8_t number)
{
    make_frame(lane, number);
    add_part(lane, &(struct wire_inner){0}, sent.data, sent.len);
}

static void send_message(void)
{
    assert_int_equal(udp_send(&s.puppet, &s.to, s.data, s.len, s.segment, 0), 0);
    s.len = 0;
}

static void assert_frame(unsigned lane, uint8_t number)
{
    make_frame(lane, number);
    lab_get_at(&s.node, place_of_lane(lane), &got);
    lab_assert_same(&sent, &got);
}

static void foreign_lanes_in_a_message_are_written_to_the_queues_of_their_flows(void **state)
{
    (void)state;
    stage_open();
    const unsigned lanes[] = {0, 0, 1, 1, 0, 2, 1};
    uint8_t next[LANES + 1] = {0};
    for (unsigned i = 0; i < 7; i++)
        add_frame(lanes[i], next[lanes[i]]++);
    send_message();
    for (uint8_t i = 0; i < 3; i++) {
        assert_frame(0, i);
        assert_frame(1, i);
    }
    assert_frame(2, 0);
    assert_int_equal(lab_drops(&s.node), 0);
    stage_close();
}

/* Else the kernel, which learns a flow's queue from what is written, would move its answers about. */
static void a_flow_leaves_by_one_queue_whatever_its_lanes(void **state)
{
    (void)state;
    stage_open();
    for (unsigned class = 0; class < LANES; class ++)
        for (unsigned i = 0; i < 20; i++) {
            lab_flow_make(&sent, class, LANES, 0x50, 100, (uint8_t)i);
            add_part(i % 3, &(struct wire_inner){0}, sent.data, sent.len);
            send_message();
            lab_get_at(&s.node, place_of(class, SLOT_AT_A, LANES + 1), &got);
            lab_assert_same(&sent, &got);
        }
    assert_false(lab_has_frame(&s.node));
    assert_int_equal(lab_drops(&s.node), 0);
    stage_close();
}

/* The first part comes at the end of a message of lane 0, the second one to lane 1's own worker. */
static void parts_of_a_frame_meet_whichever_worker_received_them(void **state)
{
    (void)state;
    static struct lab_frame whole;
    stage_open();
    lab_flow_make(&whole, 1, LANES, 9, 200, 7);
    struct wire_inner inner = {.flags = WIRE_FLAG_FRAGMENT, .group = 5, .frag_total = 200};
    for (unsigned round = 0; round < 50; round++) {
        add_frame(0, (uint8_t)round);
        inner.frag_offset = 0;
        add_part(1, &inner, whole.data, 100);
        send_message();
        assert_frame(0, (uint8_t)round);
        inner.frag_offset = 100;
        add_part(1, &inner, whole.data + 100, 100);
        send_message();
        lab_get_at(&s.node, place_of_lane(1), &got);
        lab_assert_same(&whole, &got);
        inner.group++;
    }
    assert_int_equal(lab_drops(&s.node), 0);
    stage_close();
}

/* Both workers open lane 1 at the same time: each datagram is taken once, and its replay by neither. */
static void two_workers_share_a_lane_without_losing_or_doubling(void **state)
{
    (void)state;
    enum { ROUNDS = 200, EACH = 8 };
    stage_open();
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned seen[EACH * 2] = {0};
        uint8_t lane_1[EACH * 160];
        add_frame(0, 0);
        for (uint8_t i = 0; i < EACH; i++)
            add_frame(1, i);
        send_message();
        for (uint8_t i = EACH; i < EACH * 2; i++)
            add_frame(1, i);
        assert_true(s.len <= sizeof(lane_1));
        size_t len = s.len;
        memcpy(lane_1, s.data, len);
        send_message();
        memcpy(s.data, lane_1, len);
        s.len = len;
        send_message(); /* replayed */
        assert_frame(0, 0);
        for (unsigned i = 0; i < EACH * 2; i++) {
            lab_get_at(&s.node, place_of_lane(1), &got);
            seen[(uint8_t)(got.data[50] - 50 * 7)]++;
        }
        for (unsigned i = 0; i < EACH * 2; i++)
            assert_int_equal(seen[i], 1);
    }
    lab_await(&worker_counters(s.node.worker[place_of_lane(1)])->drops[DROP_REPLAY], ROUNDS * EACH);
    assert_false(lab_has_frame(&s.node));
    assert_int_equal(lab_drops(&s.node), ROUNDS * EACH);
    stage_close();
}

/* Lane bytes that no session has reach some worker, which drops them;
 * a lane is steered by its number and the receiver index alone. */
static void lanes_that_no_session_has_are_dropped(void **state)
{
    (void)state;
    stage_open();
    for (unsigned lane = LANES + 1; lane < 256; lane += lane == WIRE_LANE_SPARSE - 1 ? 2 : 1) {
        add_frame(1, 0);
        s.data[1] = (uint8_t)lane;
        send_message();
    }
    add_frame(0, 1);
    send_message();
    assert_frame(0, 1);
    add_frame(1, 2);
    send_message();
    assert_frame(1, 2);
    assert_int_equal(lab_count(&s.node, DROP_LANE), 256 - LANES - 2);
    stage_close();
}

/* A frame that comes by a lane of bulk, and whose flow carries little, leaves where no bulk is in front of it. */
static void a_flow_moves_when_it_has_become_bulk(void **state)
{
    (void)state;
    struct lab_node a, b;
    unsigned sparse = 0, in_a_row = 0;
    pair_open(&a, 2, &b, 3, false);
    for (unsigned i = 0; i < 3000 && in_a_row < 100; i++) {
        lab_flow_make(&sent, 0, 1, 5, 1400, (uint8_t)i);
        lab_put_at(&a, 0, &sent);
        struct pollfd p[] = {{.fd = b.tap_test[0], .events = POLLIN},
                             {.fd = b.tap_test[1], .events = POLLIN},
                             {.fd = b.tap_test[2], .events = POLLIN}};
        assert_true(poll(p, 3, LAB_TIMEOUT_MS) > 0);
        unsigned queue = p[0].revents ? 0 : p[1].revents ? 1 : 2;
        lab_get_at(&b, queue, &got);
        lab_assert_same(&sent, &got);
        sparse += queue == 2;
        in_a_row = queue == 2 ? 0 : in_a_row + 1;
        assert_true(queue == 2 || queue == place_of(0, SLOT_AT_B, 3));
    }
    assert_int_equal(in_a_row, 100);
    assert_true(sparse >= BULK_BYTES / (1400 + BULK_FRAME_BYTES));
    lab_node_close(&a);
    lab_node_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_cross_between_any_numbers_of_workers),
        cmocka_unit_test(a_flow_stays_with_one_worker_at_each_end),
        cmocka_unit_test(queues_keep_their_order_side_by_side),
        cmocka_unit_test(foreign_lanes_in_a_message_are_written_to_the_queues_of_their_flows),
        cmocka_unit_test(a_flow_leaves_by_one_queue_whatever_its_lanes),
        cmocka_unit_test(parts_of_a_frame_meet_whichever_worker_received_them),
        cmocka_unit_test(two_workers_share_a_lane_without_losing_or_doubling),
        cmocka_unit_test(lanes_that_no_session_has_are_dropped),
        cmocka_unit_test(a_flow_moves_when_it_has_become_bulk),
    };
    return cmocka_run_group_tests_name("worker_lanes", tests, NULL, NULL);
}
