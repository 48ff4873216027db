/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker against what the network may send: each datagram is counted under its reason, and the session
 * goes on. The other end is a puppet: the test itself holds its socket and its session. */

#include "worker_lab.h"

#include "node/data/intake.h"
#include "proto/session/fragment.h"

struct stage {
    struct lab_node node;
    struct udp_socket puppet;
    struct session *session; /* the puppet's */
    struct udp_remote to;    /* the node */
};

struct datagram {
    uint8_t data[UDP_BUFFER];
    size_t len;
};

static struct datagram d;
static struct lab_frame frame, got;

static void stage_open(struct stage *s)
{
    struct addr node;
    lab_node_open(&s->node);
    assert_int_equal(udp_open(0, 1, &s->puppet), 0);
    lab_sessions(1, 2, NULL, &s->node.tx[1], &s->session);
    s->node.rx[1] = s->node.tx[1];
    s->node.remote[1] = lab_address(&s->puppet);
    s->node.size[1] = LAB_SIZE;
    lab_publish(&s->node);
    lab_node_start(&s->node, 0, false);
    node = lab_address(s->node.socket);
    udp_remote_init(&s->puppet, &(struct addr){0}, &node, &s->to);
}

static void stage_close(struct stage *s)
{
    lab_node_close(&s->node);
    session_free(s->session);
    udp_close(&s->puppet, 1);
}

static void seal(struct stage *s, const struct wire_inner *inner, const uint8_t *data, size_t len)
{
    uint8_t head[WIRE_INNER_LEN];
    wire_inner_encode(inner, head);
    const struct slice pieces[] = {{head, sizeof(head)}, {data, len}};
    int n = session_seal(s->session, WIRE_DATA, 0, pieces, 2, d.data);
    assert_true(n > 0);
    d.len = (size_t)n;
}

static void send_datagram(struct stage *s)
{
    assert_int_equal(udp_send(&s->puppet, &s->to, d.data, d.len, d.len, 0), 0);
}

static void send_inner(struct stage *s, struct wire_inner inner, const uint8_t *data, size_t len)
{
    seal(s, &inner, data, len);
    send_datagram(s);
}

static void send_frame(struct stage *s, uint8_t src)
{
    lab_frame_make(&frame, 0xff, src, 100, src);
    send_inner(s, (struct wire_inner){0}, frame.data, frame.len);
}

/* All that was sent before has been dealt with, each drop under this reason, and the session lives. */
static void assert_dropped(struct stage *s, enum drop reason, uint64_t times)
{
    send_frame(s, 9);
    lab_get(&s->node, &got);
    lab_assert_same(&frame, &got);
    assert_false(lab_has_frame(&s->node));
    assert_int_equal(lab_count(&s->node, reason), times);
    assert_int_equal(lab_drops(&s->node), times);
}

static void strangers_bytes_are_counted_by_what_is_wrong(void **state)
{
    (void)state;
    const struct {
        enum drop reason;
        size_t len, at;
        uint8_t value;
    } cases[] = {
        {DROP_SHORT, WIRE_OVERHEAD - 1, 0, WIRE_DATA},
        {DROP_SHORT, 1, 0, WIRE_DATA},
        {DROP_TYPE, 100, 0, WIRE_RELAY},
        {DROP_TYPE, 100, 0, 0xff},
        {DROP_RESERVED, 100, 2, 1},
        {DROP_LANE, 100, 1, WIRE_LANE_CONTROL},
        {DROP_LANE, 100, 1, 3},
        {DROP_RECEIVER, 100, 5, 0},
        {DROP_AUTH, 100, 50, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stage s;
        stage_open(&s);
        lab_frame_make(&frame, 0xff, 9, 100, 0);
        seal(&s, &(struct wire_inner){0}, frame.data, frame.len);
        d.len = cases[i].len < d.len ? cases[i].len : d.len;
        d.data[cases[i].at] = (uint8_t)(cases[i].value ? cases[i].value : ~d.data[cases[i].at]);
        send_datagram(&s);
        assert_dropped(&s, cases[i].reason, 1);
        stage_close(&s);
    }
}

static void replayed_datagrams_are_dropped(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    send_datagram(&s);
    send_datagram(&s);
    assert_dropped(&s, DROP_REPLAY, 2);
    stage_close(&s);
}

static void truncated_and_altered_datagrams_harm_nothing(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    uint64_t times = 0;
    for (size_t cut = 1; cut < 100; cut += 7, times++) {
        lab_frame_make(&frame, 0xff, 9, 100, 0);
        seal(&s, &(struct wire_inner){0}, frame.data, frame.len);
        d.len -= cut;
        send_datagram(&s);
    }
    for (size_t at = WIRE_HEADER_LEN; at < 140; at += 11, times++) {
        lab_frame_make(&frame, 0xff, 9, 100, 0);
        seal(&s, &(struct wire_inner){0}, frame.data, frame.len);
        d.data[at] ^= 0x10;
        send_datagram(&s);
    }
    assert_dropped(&s, DROP_AUTH, times);
    stage_close(&s);
}

static void a_peer_that_lies_in_the_inner_header_is_counted(void **state)
{
    (void)state;
    struct stage s;
    const struct wire_inner lies[] = {
        {.flags = 0x80},
        {.flags = WIRE_FLAG_CSUM, .csum_start = 14, .csum_offset = 200},
        {.flags = WIRE_FLAG_FRAGMENT, .frag_offset = 9000, .frag_total = 9000},
        {.flags = WIRE_FLAG_LAST},
    };
    stage_open(&s);
    lab_frame_make(&frame, 0xff, 9, 100, 0);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        send_inner(&s, lies[i], frame.data, frame.len);
    assert_dropped(&s, DROP_INNER, sizeof(lies) / sizeof(lies[0]));
    stage_close(&s);
}

static void frames_that_no_device_takes_are_counted(void **state)
{
    (void)state;
    struct stage s;
    static uint8_t large[WIRE_FRAME_MAX + 1] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9};
    stage_open(&s);
    send_inner(&s, (struct wire_inner){0}, frame.data, 0);
    send_inner(&s, (struct wire_inner){0}, large, 13);
    send_inner(&s, (struct wire_inner){0}, large, sizeof(large));
    lab_frame_make(&frame, 0xff, 9, 100, 0);
    frame.data[6] |= 1;
    send_inner(&s, (struct wire_inner){0}, frame.data, frame.len);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    assert_int_equal(lab_count(&s.node, DROP_RUNT), 2);
    assert_int_equal(lab_count(&s.node, DROP_OVERSIZE), 1);
    assert_int_equal(lab_count(&s.node, DROP_SOURCE), 1);
    stage_close(&s);
}

/* The largest that is taken is opened, and found to be forged. */
static void control_datagrams_have_a_largest_size(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    lab_frame_make(&frame, 0xff, 9, 100, 0);
    seal(&s, &(struct wire_inner){0}, frame.data, frame.len);
    d.data[0] = WIRE_CONTROL;
    d.data[1] = WIRE_LANE_CONTROL;
    d.len = WIRE_FRAME_MAX + WIRE_OVERHEAD;
    send_datagram(&s);
    d.len = WIRE_FRAME_MAX + WIRE_OVERHEAD + 1;
    send_datagram(&s);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    assert_int_equal(lab_count(&s.node, DROP_AUTH), 1);
    assert_int_equal(lab_count(&s.node, DROP_OVERSIZE), 1);
    stage_close(&s);
}

static void fragments_that_contradict_each_other_are_counted(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    lab_frame_make(&frame, 0xff, 9, 1000, 0);
    struct wire_inner in = {.flags = WIRE_FLAG_FRAGMENT, .group = 5, .frag_total = 1000};
    send_inner(&s, in, frame.data, 500);
    in.frag_total = 900;
    in.frag_offset = 500;
    send_inner(&s, in, frame.data + 500, 400);
    assert_dropped(&s, DROP_FRAGMENT, 1);
    stage_close(&s);
}

static void fragments_without_end_take_bounded_room(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    lab_frame_make(&frame, 0xff, 9, 1000, 0);
    for (uint16_t i = 0; i < FRAGMENT_SLOTS + 10; i++)
        send_inner(&s, (struct wire_inner){.flags = WIRE_FLAG_FRAGMENT, .group = i, .frag_total = 1000},
                   frame.data, 500);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    assert_true(lab_drops(&s.node) >= 10);
    assert_int_equal(lab_drops(&s.node),
                     lab_count(&s.node, DROP_FRAGMENT_SPACE) + lab_count(&s.node, DROP_FRAGMENT_TIMEOUT));
    stage_close(&s);
}

/* The segments of a train whose middle one is lost: two writes, nothing else missing. */
static void a_torn_train_loses_only_its_gap(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    for (uint8_t i = 0; i < 5; i++) {
        struct wire_inner in = {.flags = WIRE_FLAG_TRAIN | (i == 4 ? WIRE_FLAG_LAST : 0), .position = i};
        lab_frame_make(&frame, 0xff, 9, 200, i);
        seal(&s, &in, frame.data, frame.len);
        if (i != 2)
            send_datagram(&s);
    }
    for (uint8_t i = 0; i < 5; i++) {
        if (i == 2)
            continue;
        lab_frame_make(&frame, 0xff, 9, 200, i);
        lab_get(&s.node, &got);
        lab_assert_same(&frame, &got);
    }
    assert_int_equal(lab_drops(&s.node), 0);
    stage_close(&s);
}

struct events {
    unsigned datagrams, sources, others;
    struct addr from;
    uint32_t slot;
    uint8_t first;
};

static void count_event(void *context, const struct worker_event *e)
{
    struct events *n = context;
    if (e->kind == WORKER_EVENT_LANES)
        return;
    n->from = e->from.remote;
    n->slot = e->slot;
    if (e->kind == WORKER_EVENT_DATAGRAM) {
        n->datagrams++;
        n->first = e->data[0];
        e->data[e->len - 1] ^= 1; /* ours to change */
    } else if (e->kind == WORKER_EVENT_SOURCE) {
        n->sources++;
        assert_int_equal(e->slot, 1);
    } else {
        n->others++;
    }
}

static void control_and_stun_reach_the_control_thread(void **state)
{
    (void)state;
    struct stage s;
    struct events n = {0};
    uint8_t inner[WIRE_INNER_LEN] = {0};
    const struct slice pieces[] = {{inner, sizeof(inner)}, {(const uint8_t *)"hello", 5}};
    stage_open(&s);
    int len = session_seal(s.session, WIRE_CONTROL, WIRE_LANE_CONTROL, pieces, 2, d.data);
    assert_true(len > 0);
    d.len = (size_t)len;
    send_datagram(&s);
    lab_wait_wake(&s.node);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.datagrams, 1);
    assert_int_equal(n.first, WIRE_CONTROL);
    assert_int_equal(n.from.port, s.puppet.port);
    memcpy(d.data, "\1\1\0\0\x21\x12\xa4\x42", 8);
    send_datagram(&s);
    lab_wait_wake(&s.node);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.datagrams, 2);
    assert_int_equal(n.first, 1);
    d.data[0] = WIRE_CONTROL; /* the receiver index is nobody's now */
    d.data[1] = WIRE_LANE_CONTROL;
    d.data[2] = d.data[3] = 0;
    send_datagram(&s);
    assert_dropped(&s, DROP_RECEIVER, 1);
    stage_close(&s);
}

static void a_flood_of_stun_leaves_room_for_sessions(void **state)
{
    (void)state;
    struct stage s;
    struct events n = {0};
    uint8_t inner[WIRE_INNER_LEN] = {0};
    const struct slice pieces[] = {{inner, sizeof(inner)}};
    stage_open(&s);
    memset(d.data, 0, 500);
    memcpy(d.data, "\1\1\0\0\x21\x12\xa4\x42", 8);
    d.len = 500;
    for (unsigned i = 0; i < 400; i++)
        send_datagram(&s);
    int len = session_seal(s.session, WIRE_PROBE, WIRE_LANE_CONTROL, pieces, 1, d.data);
    assert_true(len > 0);
    d.len = (size_t)len;
    send_datagram(&s);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.first, WIRE_PROBE);
    assert_int_equal(n.datagrams + lab_count(&s.node, DROP_CONTROL_QUEUE), 401);
    assert_true(lab_count(&s.node, DROP_CONTROL_QUEUE) > 300);
    stage_close(&s);
}

static void stun_that_is_no_answer_stays_with_the_worker(void **state)
{
    (void)state;
    struct stage s;
    struct events n = {0};
    stage_open(&s);
    memset(d.data, 0, 1000);
    d.len = 20;
    memcpy(d.data, "\0\1\0\0\x21\x12\xa4\x42", 8); /* a request */
    send_datagram(&s);
    assert_dropped(&s, DROP_TYPE, 1);
    d.len = 1000;
    d.data[0] = 1; /* larger than an answer */
    send_datagram(&s);
    assert_dropped(&s, DROP_TYPE, 2);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.datagrams, 0);
    stage_close(&s);
}

static void send_probe(struct stage *s, struct session *session, size_t len)
{
    static uint8_t body[UDP_BUFFER];
    const struct slice pieces[] = {{body, len - WIRE_HEADER_LEN - WIRE_TAG_LEN}};
    int n = session_seal(session, WIRE_PROBE, WIRE_LANE_CONTROL, pieces, 1, d.data);
    assert_true(n > 0);
    d.len = (size_t)n;
    send_datagram(s);
}

/* One peer floods; what another one sends meanwhile is there, and the reader takes no more at a time than it asks
 * for. */
static void a_peers_flood_of_probes_leaves_room_for_another(void **state)
{
    (void)state;
    struct stage s;
    struct events n = {0};
    struct session *other, *others;
    stage_open(&s);
    lab_sessions(2, 1, NULL, &others, &other);
    s.node.tx[2] = s.node.rx[2] = others;
    s.node.remote[2] = lab_address(&s.puppet);
    s.node.size[2] = LAB_SIZE;
    lab_publish(&s.node);
    for (unsigned i = 0; i < 300; i++)
        send_probe(&s, s.session, 1472);
    send_probe(&s, other, 1472);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    unsigned in = INTAKE_SHARE / 1472;
    assert_int_equal(lab_count(&s.node, DROP_CONTROL_QUEUE), 300 - in);
    assert_true(worker_take_events(s.node.worker[0], in, count_event, &n));
    assert_int_equal(n.datagrams, in);
    assert_int_equal(n.slot, 1);
    assert_false(worker_take_events(s.node.worker[0], in, count_event, &n));
    assert_int_equal(n.datagrams, in + 1);
    assert_int_equal(n.slot, 2);
    send_probe(&s, s.session, 1472); /* its share is free again */
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.datagrams, in + 2);
    session_free(other);
    stage_close(&s);
}

/* Whoever sees a peer's datagrams can send others under its index: they are not charged to it. */
static void forged_control_datagrams_cost_the_peer_nothing(void **state)
{
    (void)state;
    struct stage s;
    struct events n = {0};
    stage_open(&s);
    send_probe(&s, s.session, 100);
    d.data[WIRE_HEADER_LEN - 2] ^= 0x10; /* a counter that is yet to come */
    for (unsigned i = 1; i < 2 * INTAKE_BURST; i++)
        send_datagram(&s);
    send_probe(&s, s.session, 100);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    assert_int_equal(lab_count(&s.node, DROP_AUTH), 2 * INTAKE_BURST - 1);
    assert_int_equal(lab_drops(&s.node), 2 * INTAKE_BURST - 1);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.datagrams, 2);
    assert_int_equal(n.slot, 1);
    stage_close(&s);
}

static void replayed_control_datagrams_cost_the_peer_nothing(void **state)
{
    (void)state;
    struct stage s;
    struct events n = {0};
    stage_open(&s);
    send_probe(&s, s.session, 100);
    for (unsigned i = 0; i < 2 * INTAKE_BURST; i++)
        send_datagram(&s);
    send_probe(&s, s.session, 100);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    assert_int_equal(lab_count(&s.node, DROP_REPLAY), 2 * INTAKE_BURST);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.datagrams, 2);
    stage_close(&s);
}

static void a_new_source_is_told_only_after_authentication(void **state)
{
    (void)state;
    struct stage s;
    struct udp_socket other;
    struct events n = {0};
    stage_open(&s);
    assert_int_equal(udp_open(0, 1, &other), 0);
    send_frame(&s, 9);
    lab_get(&s.node, &got);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.sources, 0);
    assert_int_equal(udp_send(&other, &s.to, d.data, d.len, d.len, 0), 0); /* replayed from elsewhere */
    assert_dropped(&s, DROP_REPLAY, 1);
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_int_equal(n.sources, 0);
    for (unsigned i = 0; i < 5; i++) {
        seal(&s, &(struct wire_inner){0}, frame.data, frame.len);
        assert_int_equal(udp_send(&other, &s.to, d.data, d.len, d.len, 0), 0);
        lab_get(&s.node, &got);
    }
    lab_take_events(s.node.worker[0], count_event, &n);
    assert_true(n.sources >= 1 && n.sources <= 5);
    assert_int_equal(n.from.port, other.port);
    udp_close(&other, 1);
    stage_close(&s);
}

/* RFC 6040: congestion met on the way is told to whoever understands, by a loss to whoever does not. */
static void congestion_on_the_way_marks_the_packet(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s);
    lab_frame_make(&frame, 0xff, 9, 60, 0);
    memcpy(frame.data + 12, "\x08\0\x45\2\0\x2e\0\1\0\0\x40\xfd\0\0\x0a\0\0\1\x0a\0\0\2", 22); /* ECT(0) */
    uint32_t sum = 0;
    for (unsigned i = 14; i < 34; i += 2)
        sum += (uint32_t)frame.data[i] << 8 | frame.data[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame.data[24] = (uint8_t)(sum >> 8);
    frame.data[25] = (uint8_t)sum;
    seal(&s, &(struct wire_inner){0}, frame.data, frame.len);
    assert_int_equal(udp_send(&s.puppet, &s.to, d.data, d.len, d.len, 3), 0);
    lab_get(&s.node, &got);
    assert_int_equal(got.data[15] & 3, 3);
    frame.data[15] = 0;
    seal(&s, &(struct wire_inner){0}, frame.data, frame.len);
    assert_int_equal(udp_send(&s.puppet, &s.to, d.data, d.len, d.len, 3), 0);
    assert_dropped(&s, DROP_ECN, 1);
    stage_close(&s);
}

/* A train of datagrams of one size. */
static void send_train(struct stage *s)
{
    static uint8_t train[UDP_BUFFER];
    size_t len = 0;
    lab_frame_make(&frame, 0xff, 9, 100, 0);
    for (unsigned i = 0; i < 64; i++) {
        seal(s, &(struct wire_inner){0}, frame.data, frame.len);
        memcpy(train + len, d.data, d.len);
        len += d.len;
    }
    (void)!udp_send(&s->puppet, &s->to, train, len, d.len, 0);
}

static void peer_that_floods_is_shed_where_there_is_another(void **state)
{
    struct stage s;
    struct session *other;
    int small = 1 << 18;
    uint64_t until_us = clock_monotonic_us() + LAB_TIMEOUT_MS * USEC_PER_MSEC;
    (void)state;
    stage_open(&s);
    lab_sessions(2, 3, NULL, &s.node.tx[2], &other);
    s.node.rx[2] = s.node.tx[2];
    s.node.remote[2] = lab_address(&s.puppet);
    s.node.size[2] = LAB_SIZE;
    lab_publish(&s.node);
    assert_int_equal(setsockopt(s.node.socket->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    while (lab_count(&s.node, DROP_OVERLOAD) == 0 && clock_monotonic_us() < until_us)
        send_train(&s);
    assert_true(lab_count(&s.node, DROP_OVERLOAD) > 0);
    stage_close(&s);
    session_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_bytes_are_counted_by_what_is_wrong),
        cmocka_unit_test(replayed_datagrams_are_dropped),
        cmocka_unit_test(truncated_and_altered_datagrams_harm_nothing),
        cmocka_unit_test(a_peer_that_lies_in_the_inner_header_is_counted),
        cmocka_unit_test(frames_that_no_device_takes_are_counted),
        cmocka_unit_test(control_datagrams_have_a_largest_size),
        cmocka_unit_test(fragments_that_contradict_each_other_are_counted),
        cmocka_unit_test(fragments_without_end_take_bounded_room),
        cmocka_unit_test(a_torn_train_loses_only_its_gap),
        cmocka_unit_test(control_and_stun_reach_the_control_thread),
        cmocka_unit_test(a_flood_of_stun_leaves_room_for_sessions),
        cmocka_unit_test(stun_that_is_no_answer_stays_with_the_worker),
        cmocka_unit_test(a_peers_flood_of_probes_leaves_room_for_another),
        cmocka_unit_test(forged_control_datagrams_cost_the_peer_nothing),
        cmocka_unit_test(replayed_control_datagrams_cost_the_peer_nothing),
        cmocka_unit_test(a_new_source_is_told_only_after_authentication),
        cmocka_unit_test(congestion_on_the_way_marks_the_packet),
        cmocka_unit_test(peer_that_floods_is_shed_where_there_is_another),
    };
    return cmocka_run_group_tests_name("worker_hostile", tests, NULL, NULL);
}
