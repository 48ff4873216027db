/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker: what enters one device leaves the right others, whole, whatever its size. */

#include "worker_lab.h"

struct pair {
    struct lab_node a, b;
};

static struct lab_frame sent, got;

static int pair_open(struct pair *p, uint16_t size, unsigned traces, bool profile)
{
    lab_node_open(&p->a);
    lab_node_open(&p->b);
    lab_connect(&p->a, 1, &p->b, 2, size);
    lab_publish(&p->a);
    lab_publish(&p->b);
    lab_node_start(&p->a, traces, profile);
    lab_node_start(&p->b, traces, profile);
    return 0;
}

static void pair_close(struct pair *p)
{
    lab_node_close(&p->a);
    lab_node_close(&p->b);
}

static void cross(struct lab_node *from, struct lab_node *to, uint8_t dst, uint8_t src, size_t len)
{
    lab_frame_make(&sent, dst, src, len, (uint8_t)len);
    lab_put(from, &sent);
    lab_get(to, &got);
    lab_assert_same(&sent, &got);
}

static void frames_pass_both_ways(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, LAB_SIZE, 0, false);
    cross(&p.a, &p.b, 0xff, 1, 60);
    cross(&p.b, &p.a, 1, 2, 60);
    for (size_t len = 14; len <= 1400; len += 99)
        cross(&p.a, &p.b, 2, 1, len);
    assert_int_equal(lab_drops(&p.a) + lab_drops(&p.b), 0);
    pair_close(&p);
}

/* 500 frames that a worker finds waiting go out in runs; none is lost, doubled or reordered. */
static void bursts_keep_their_order(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, LAB_SIZE, 0, true);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 50; i++) {
            lab_frame_make(&sent, 0xff, 1, i % 7 ? 100 : 60 + i, (uint8_t)i);
            lab_put(&p.a, &sent);
        }
        for (unsigned i = 0; i < 50; i++) {
            lab_frame_make(&sent, 0xff, 1, i % 7 ? 100 : 60 + i, (uint8_t)i);
            lab_get(&p.b, &got);
            lab_assert_same(&sent, &got);
        }
    }
    worker_profile_log(p.a.worker[0]);
    assert_int_equal(lab_drops(&p.a) + lab_drops(&p.b), 0);
    pair_close(&p);
}

static void frames_that_do_not_fit_are_fragmented_and_rebuilt(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1200, 0, false);
    cross(&p.a, &p.b, 0xff, 1, 1514);
    cross(&p.a, &p.b, 0xff, 1, 1200 - WIRE_OVERHEAD);
    cross(&p.a, &p.b, 0xff, 1, 1200 - WIRE_OVERHEAD + 1);
    cross(&p.a, &p.b, 0xff, 1, WIRE_FRAME_MAX);
    lab_await(&worker_counters(p.a.worker[0])->udp_tx_datagrams, 2 + 1 + 2 + 8);
    lab_frame_make(&sent, 0xff, 1, WIRE_FRAME_MAX + 1, 0);
    lab_put(&p.a, &sent);
    cross(&p.a, &p.b, 0xff, 1, 60);
    assert_int_equal(lab_count(&p.a, DROP_OVERSIZE), 1);
    assert_int_equal(lab_drops(&p.b), 0);
    pair_close(&p);
}

/* IPv4 and TCP headers of a super-frame with the checksum left to the other end. */
static void make_tcp(struct lab_frame *f, size_t payload, uint16_t mss)
{
    lab_frame_make(f, 2, 1, 54 + payload, 3);
    uint16_t total = (uint16_t)(40 + payload);
    const uint8_t head[] = {8,
                            0,
                            0x45,
                            0,
                            (uint8_t)(total >> 8),
                            (uint8_t)total,
                            0,
                            7,
                            0x40,
                            0,
                            64,
                            6,
                            0,
                            0,
                            10,
                            0,
                            0,
                            1,
                            10,
                            0,
                            0,
                            2,
                            0x12,
                            0x34,
                            0x56,
                            0x78,
                            0,
                            0,
                            0,
                            1,
                            0,
                            0,
                            0,
                            1,
                            0x50,
                            0x10,
                            1,
                            0,
                            0,
                            0,
                            0,
                            0};
    memcpy(f->data + 12, head, sizeof(head));
    uint32_t ip = 0, pseudo = 0x0a00 + 1 + 0x0a00 + 2 + 6 + 20 + (uint32_t)payload;
    for (unsigned i = 14; i < 34; i += 2)
        ip += (uint32_t)f->data[i] << 8 | f->data[i + 1];
    ip = (ip & 0xffff) + (ip >> 16);
    ip = ~((ip & 0xffff) + (ip >> 16));
    pseudo = (pseudo & 0xffff) + (pseudo >> 16);
    memcpy(f->data + 24, (uint8_t[]){(uint8_t)(ip >> 8), (uint8_t)ip}, 2);
    memcpy(f->data + 50, (uint8_t[]){(uint8_t)(pseudo >> 8), (uint8_t)pseudo}, 2);
    f->vnet = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                      .gso_type = mss ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE,
                                      .hdr_len = 54,
                                      .gso_size = mss,
                                      .csum_start = 34,
                                      .csum_offset = 16};
}

static void super_frames_cross_as_trains_and_arrive_whole(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, LAB_SIZE, 0, false);
    cross(&p.b, &p.a, 0xff, 2, 60);
    for (size_t payload = 2000; payload < 57000; payload += 5000) {
        make_tcp(&sent, payload, 1448);
        lab_put(&p.a, &sent);
        lab_get(&p.b, &got);
        lab_assert_same(&sent, &got);
        assert_int_equal(got.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
        assert_int_equal(got.vnet.gso_size, LAB_SIZE - WIRE_OVERHEAD - 54);
        assert_int_equal(got.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    }
    assert_int_equal(lab_drops(&p.a) + lab_drops(&p.b), 0);
    pair_close(&p);
}

/* A frame that begins a connection and takes segments of 1,460 bytes. */
static void make_syn(struct lab_frame *f)
{
    make_tcp(f, 4, 0);
    f->data[46] = 0x60; /* a header of 24 bytes … */
    f->data[47] = 0x02; /* … with SYN … */
    memcpy(f->data + 54, (uint8_t[]){2, 4, 1460 >> 8, 1460 & 0xff}, 4);
}

static unsigned size_that_arrives(uint16_t path_size)
{
    struct pair p;
    pair_open(&p, path_size, 0, false);
    cross(&p.b, &p.a, 0xff, 2, 60);
    make_syn(&sent);
    lab_put(&p.a, &sent);
    lab_get(&p.b, &got);
    assert_int_equal(got.len, sent.len);
    pair_close(&p);
    return (unsigned)got.data[56] << 8 | got.data[57];
}

static void a_connection_begins_with_segments_that_the_path_carries(void **state)
{
    (void)state;
    assert_int_equal(size_that_arrives(LAB_SIZE), LAB_SIZE - WIRE_OVERHEAD - 54);
    assert_int_equal(size_that_arrives(9000), 1460);
    assert_int_equal(size_that_arrives(WIRE_BASE_SIZE), 1460); /* where more is still to be proven */
}

/* Takes the next message of a's and gives it to b without the bytes in front of each datagram. */
static void take_envelopes_off(struct udp_socket *s, struct udp_batch *batch, const struct udp_remote *to)
{
    static struct udp_message messages[UDP_BATCH];
    static uint8_t bare[UDP_BUFFER];
    uint64_t overflow = 0;
    int count = udp_receive(s, batch, messages, &overflow);
    for (int i = 0; i < count; i++) {
        const struct udp_message *m = &messages[i];
        size_t len = 0;
        for (size_t at = 0; at < m->len; at += m->segment) {
            size_t part = m->len - at < m->segment ? m->len - at : m->segment;
            assert_true(part > ENDPOINT_ENVELOPE_MAX);
            memcpy(bare + len, m->data + at + ENDPOINT_ENVELOPE_MAX, part - ENDPOINT_ENVELOPE_MAX);
            len += part - ENDPOINT_ENVELOPE_MAX;
        }
        assert_int_equal(udp_send(s, to, bare, len, m->segment - ENDPOINT_ENVELOPE_MAX, 0), 0);
    }
}

/* True when a message came before a frame. */
static bool awaits_frame(const struct udp_socket *s, const struct lab_node *n)
{
    struct pollfd p[] = {{.fd = s->fd, .events = POLLIN}, {.fd = n->tap_test[0], .events = POLLIN}};
    assert_true(poll(p, 2, LAB_TIMEOUT_MS) > 0);
    return !p[1].revents;
}

/* Frames alone, in parts and in trains. */
static void an_envelope_has_its_place_in_front_of_every_datagram(void **state)
{
    (void)state;
    struct pair p;
    struct udp_socket between;
    struct udp_batch *batch;
    struct udp_remote to;
    pair_open(&p, LAB_SIZE, 0, false);
    cross(&p.b, &p.a, 0xff, 2, 60);
    assert_int_equal(udp_open(0, 1, &between), 0);
    assert_int_equal(udp_batch_new(&batch), 0);
    udp_remote_init(&between, &(struct addr){0}, &p.a.remote[1], &to);
    p.a.remote[1] = lab_address(&between);
    p.a.envelope[1] = ENDPOINT_ENVELOPE_MAX;
    lab_publish(&p.a);
    static const size_t lengths[] = {60, LAB_SIZE - WIRE_OVERHEAD, LAB_SIZE, 20054};
    for (unsigned i = 0; i < 4; i++) {
        lab_frame_make(&sent, 2, 1, lengths[i], (uint8_t)i);
        if (i == 3)
            make_tcp(&sent, lengths[i] - 54, 1448);
        lab_put(&p.a, &sent);
        while (awaits_frame(&between, &p.b))
            take_envelopes_off(&between, batch, &to);
        lab_get(&p.b, &got);
        lab_assert_same(&sent, &got);
    }
    assert_int_equal(lab_drops(&p.a) + lab_drops(&p.b), 0);
    udp_batch_free(batch);
    udp_close(&between, 1);
    pair_close(&p);
}

/* 120 segments: two groups, so two writes, together the whole payload. */
static void trains_longer_than_a_group_are_continued(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, LAB_SIZE, 0, false);
    cross(&p.b, &p.a, 0xff, 2, 60);
    make_tcp(&sent, 60000, 500);
    lab_put(&p.a, &sent);
    size_t at = 54;
    while (at < sent.len) {
        lab_get(&p.b, &got);
        assert_true(got.len > 54 && at + got.len - 54 <= sent.len);
        assert_memory_equal(got.data + 54, sent.data + at, got.len - 54);
        at += got.len - 54;
    }
    lab_await(&worker_counters(p.b.worker[0])->tap_tx_frames, 2);
    pair_close(&p);
}

static void a_super_frame_that_contradicts_itself_is_dropped(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, LAB_SIZE, 0, false);
    cross(&p.b, &p.a, 0xff, 2, 60);
    make_tcp(&sent, 5000, 1448);
    sent.vnet.csum_start = 60000;
    lab_put(&p.a, &sent);
    cross(&p.a, &p.b, 2, 1, 60);
    assert_int_equal(lab_count(&p.a, DROP_SPLIT), 1);
    pair_close(&p);
}

static void floods_reach_every_peer_and_stop_there(void **state)
{
    (void)state;
    struct lab_node n[3];
    for (unsigned i = 0; i < 3; i++)
        lab_node_open(&n[i]);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = i + 1; j < 3; j++)
            lab_connect(&n[i], j, &n[j], i, LAB_SIZE);
    for (unsigned i = 0; i < 3; i++) {
        lab_publish(&n[i]);
        lab_node_start(&n[i], 0, false);
    }
    lab_frame_make(&sent, 0xff, 9, 200, 5);
    lab_put(&n[0], &sent);
    for (unsigned i = 1; i < 3; i++) {
        lab_get(&n[i], &got);
        lab_assert_same(&sent, &got);
    }
    cross(&n[1], &n[0], 9, 8, 60); /* learned: not flooded */
    cross(&n[2], &n[0], 9, 7, 60);
    assert_false(lab_has_frame(&n[1]) || lab_has_frame(&n[2]));
    for (unsigned i = 0; i < 3; i++)
        lab_await(&worker_counters(n[i].worker[0])->udp_tx_datagrams, i ? 1 : 2);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(switch_floods(n[0].sw, i).sent, 1);
        assert_int_equal(switch_floods(n[i].sw, 0).received, 1);
    }
    for (unsigned i = 0; i < 3; i++)
        lab_node_close(&n[i]);
}

static void frames_without_a_way_are_counted(void **state)
{
    (void)state;
    struct lab_node a, b;
    lab_node_open(&a);
    lab_node_open(&b);
    lab_node_start(&a, 0, false);
    lab_node_start(&b, 0, false);
    lab_frame_make(&sent, 0xff, 1, 60, 0);
    lab_put(&a, &sent);
    sent.len = 13;
    lab_put(&a, &sent);
    lab_frame_make(&sent, 0xff, 1, 60, 0);
    sent.data[6] |= 1;
    lab_put(&a, &sent);
    lab_connect(&a, 1, &b, 2, LAB_SIZE);
    for (struct pollfd f = {.fd = a.tap[0], .events = POLLIN}; poll(&f, 1, 0) == 1;)
        ; /* the worker has read them all before the tables change */
    lab_publish(&a);
    lab_publish(&b);
    cross(&a, &b, 0xff, 1, 60);
    assert_int_equal(lab_count(&a, DROP_NO_PEER), 1);
    assert_int_equal(lab_count(&a, DROP_RUNT), 1);
    assert_int_equal(lab_count(&a, DROP_SOURCE), 1);
    lab_node_close(&a);
    lab_node_close(&b);
}

static void a_spent_key_seals_nothing(void **state)
{
    (void)state;
    struct lab_node a, b;
    const struct session_limits limits = {1, 1 << 20, 3, 1 << 20};
    lab_node_open(&a);
    lab_node_open(&b);
    lab_connect(&a, 1, &b, 2, LAB_SIZE);
    session_free(a.tx[1]);
    session_free(b.tx[2]);
    lab_sessions(1, 2, &limits, &a.tx[1], &b.tx[2]);
    a.rx[1] = a.tx[1];
    b.rx[2] = b.tx[2];
    lab_publish(&a);
    lab_publish(&b);
    lab_node_start(&a, 0, false);
    lab_node_start(&b, 0, false);
    for (unsigned i = 0; i < 3; i++)
        cross(&a, &b, 0xff, 1, 60);
    lab_put(&a, &sent);
    lab_await(&worker_counters(a.worker[0])->drops[DROP_KEY_SPENT], 1);
    assert_false(lab_has_frame(&b));
    lab_node_close(&a);
    lab_node_close(&b);
}

static void take_kind(void *context, const struct worker_event *e)
{
    *(struct worker_event *)context = *e;
}

static void a_size_that_the_kernel_refuses_is_reported(void **state)
{
    (void)state;
    struct pair p;
    struct worker_event event = {0};
    pair_open(&p, LAB_SIZE, 0, false);
    if (!p.a.socket[0].v6) {
        pair_close(&p);
        skip();
    }
    /* Over IPv6 loopback, whose MTU is 65536, a payload of 65,488 bytes is the largest. */
    p.a.remote[1] = (struct addr){.family = 6, .port = p.b.socket[0].port, .ip = {[15] = 1}};
    p.a.size[1] = WIRE_DATAGRAM_MAX;
    lab_publish(&p.a);
    lab_frame_make(&sent, 0xff, 1, 65488 - WIRE_OVERHEAD + 1, 0);
    lab_put(&p.a, &sent);
    lab_wait_wake(&p.a);
    lab_take_events(p.a.worker[0], take_kind, &event);
    assert_int_equal(event.kind, WORKER_EVENT_TOO_BIG);
    assert_int_equal(event.slot, 1);
    lab_await(&worker_counters(p.a.worker[0])->drops[DROP_TOO_BIG], 1);
    pair_close(&p);
}

static void a_removed_device_is_reported_once(void **state)
{
    (void)state;
    struct pair p;
    struct worker_event event = {0};
    pair_open(&p, LAB_SIZE, 0, false);
    assert_int_equal(shutdown(p.a.tap_test[0], SHUT_RDWR), 0);
    lab_wait_wake(&p.a);
    lab_take_events(p.a.worker[0], take_kind, &event);
    assert_int_equal(event.kind, WORKER_EVENT_DEVICE_GONE);
    pair_close(&p);
}

static void traces_name_frames_and_are_limited(void **state)
{
    (void)state;
    struct pair p;
    struct worker_event event = {0};
    char text[WORKER_TRACE_MAX];
    pair_open(&p, LAB_SIZE, WORKER_TRACES_ALL, false);
    cross(&p.a, &p.b, 0xff, 1, 98);
    lab_wait_wake(&p.a);
    lab_take_events(p.a.worker[0], take_kind, &event);
    assert_int_equal(event.kind, WORKER_EVENT_TRACE);
    assert_string_equal(
        worker_trace_format(&event.trace, text),
        "TAP→P2P: EthernetFrame[dst=ff:ff:ff:ff:ff:ff, src=02:00:00:00:00:01, type=88b5, len=98]");
    lab_wait_wake(&p.b);
    lab_take_events(p.b.worker[0], take_kind, &event);
    assert_non_null(strstr(worker_trace_format(&event.trace, text), "P2P→TAP: EthernetFrame[dst=ff:"));
    event.trace.withheld = 12;
    event.trace.frame.vlan = 7;
    assert_non_null(
        strstr(worker_trace_format(&event.trace, text), "vlan=7, type=88b5, len=98] (12 more not shown)"));
    pair_close(&p);
}

static void count_traces(void *context, const struct worker_event *e)
{
    ((unsigned *)context)[e->trace.to_device] += e->kind == WORKER_EVENT_TRACE;
}

static void only_so_many_frames_of_a_direction_are_traced(void **state)
{
    (void)state;
    struct pair p;
    unsigned at_a[2] = {0}, at_b[2] = {0};
    pair_open(&p, LAB_SIZE, 3, false);
    for (unsigned i = 0; i < 8; i++)
        cross(&p.a, &p.b, 0xff, 1, 60);
    cross(&p.b, &p.a, 1, 2, 60);
    lab_take_events(p.a.worker[0], count_traces, at_a);
    lab_take_events(p.b.worker[0], count_traces, at_b);
    assert_int_equal(at_a[false], 3);
    assert_int_equal(at_a[true], 1);
    assert_int_equal(at_b[true], 3);
    assert_int_equal(at_b[false], 1);
    pair_close(&p);
}

static void tracing_goes_on_when_it_is_told(void **state)
{
    (void)state;
    struct pair p;
    unsigned at_a[2] = {0};
    pair_open(&p, LAB_SIZE, 0, false);
    cross(&p.a, &p.b, 0xff, 1, 60);
    lab_take_events(p.a.worker[0], count_traces, at_a);
    assert_int_equal(at_a[false], 0);
    worker_trace(p.a.worker[0], 2);
    for (unsigned i = 0; i < 4; i++)
        cross(&p.a, &p.b, 0xff, 1, 60);
    lab_take_events(p.a.worker[0], count_traces, at_a);
    assert_int_equal(at_a[false], 2);
    pair_close(&p);
}

static void frames_that_go_nowhere_are_not_traced(void **state)
{
    (void)state;
    struct lab_node n;
    unsigned traced[2] = {0};
    lab_node_open(&n);
    lab_publish(&n);
    lab_node_start(&n, WORKER_TRACES_ALL, false);
    lab_frame_make(&sent, 0xff, 1, 60, 1);
    lab_put(&n, &sent);
    lab_await(&worker_counters(n.worker[0])->drops[DROP_NO_PEER], 1);
    lab_take_events(n.worker[0], count_traces, traced);
    assert_int_equal(traced[false], 0);
    lab_node_close(&n);
}

/* A ratchet in miniature, over and over under traffic: new sessions beside the old, then the old freed. */
static void tables_change_under_traffic(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, LAB_SIZE, 0, false);
    for (unsigned i = 0; i < 200; i++) {
        struct session *old_a = p.a.tx[1], *old_b = p.b.tx[2];
        lab_frame_make(&sent, 0xff, 1, 300, (uint8_t)i);
        lab_put(&p.a, &sent);
        struct session *a, *b;
        lab_sessions(1, 2, NULL, &a, &b);
        p.a.rx[3] = a;
        p.b.rx[3] = b;
        lab_publish(&p.a);
        lab_publish(&p.b);
        p.a.tx[1] = a;
        p.b.tx[2] = b;
        lab_publish(&p.a);
        lab_publish(&p.b);
        lab_get(&p.b, &got);
        lab_assert_same(&sent, &got);
        p.a.rx[1] = a;
        p.b.rx[2] = b;
        p.a.rx[3] = p.b.rx[3] = NULL;
        lab_publish(&p.a);
        lab_publish(&p.b);
        session_free(old_a);
        session_free(old_b);
    }
    assert_int_equal(lab_drops(&p.a) + lab_drops(&p.b), 0);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_pass_both_ways),
        cmocka_unit_test(bursts_keep_their_order),
        cmocka_unit_test(frames_that_do_not_fit_are_fragmented_and_rebuilt),
        cmocka_unit_test(super_frames_cross_as_trains_and_arrive_whole),
        cmocka_unit_test(a_connection_begins_with_segments_that_the_path_carries),
        cmocka_unit_test(an_envelope_has_its_place_in_front_of_every_datagram),
        cmocka_unit_test(trains_longer_than_a_group_are_continued),
        cmocka_unit_test(a_super_frame_that_contradicts_itself_is_dropped),
        cmocka_unit_test(floods_reach_every_peer_and_stop_there),
        cmocka_unit_test(frames_without_a_way_are_counted),
        cmocka_unit_test(a_spent_key_seals_nothing),
        cmocka_unit_test(a_size_that_the_kernel_refuses_is_reported),
        cmocka_unit_test(a_removed_device_is_reported_once),
        cmocka_unit_test(traces_name_frames_and_are_limited),
        cmocka_unit_test(only_so_many_frames_of_a_direction_are_traced),
        cmocka_unit_test(tracing_goes_on_when_it_is_told),
        cmocka_unit_test(frames_that_go_nowhere_are_not_traced),
        cmocka_unit_test(tables_change_under_traffic),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
