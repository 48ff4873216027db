/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker_shim and shim: node 0 has a device without a link layer, node 1 one with Ethernet, and one session. */

#include "worker_lab.h"

#include "node/data/shim.h"
#include "node/data/workers.h"
#include "packet.h"

/* Newer than some distributions' headers. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

struct segment {
    struct lab_node n[2];
    struct shim *shim;
    struct workers workers; /* node 0's, as the shim sees them */
    unsigned served;        /* its events */
};

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, host_mac[6] = {2, 0, 0, 0, 0, 9};
static struct lab_frame frame, got;

static void on_conflict(void *context, const struct addr *ours, const uint8_t mac[6])
{
    (void)context, (void)ours, (void)mac;
}

static struct addr v4(uint8_t host)
{
    return (struct addr){.family = 4, .ip = {10, 10, 10, host}};
}

static int set_up(void **state, bool plain)
{
    static struct segment s;
    const struct addr_prefix address = {v4(3), 24};
    struct shim_config config = {.conflict = on_conflict};
    memcpy(config.mac, own_mac, sizeof(config.mac));
    s = (struct segment){.shim = NULL};
    const struct shim_machine now = {.addresses = &address, .address_count = 1};
    assert_int_equal(shim_new(&config, &now, &s.shim), 0);
    for (unsigned i = 0; i < 2; i++)
        lab_node_open(&s.n[i]);
    lab_connect(&s.n[0], 1, &s.n[1], 0, LAB_SIZE);
    s.n[0].neigh = shim_view(s.shim);
    s.n[0].plain = plain;
    for (unsigned i = 0; i < 2; i++) {
        lab_publish(&s.n[i]);
        lab_node_start(&s.n[i], 0, false);
    }
    s.workers = (struct workers){.fwd = s.n[0].fwd, .list = {s.n[0].worker[0]}, .count = 1};
    shim_begin(s.shim, &s.workers);
    *state = &s;
    return 0;
}

static int setup(void **state)
{
    return set_up(state, false);
}

static int setup_plain(void **state)
{
    return set_up(state, true);
}

static int teardown(void **state)
{
    struct segment *s = *state;
    for (unsigned i = 0; i < 2; i++)
        lab_node_close(&s->n[i]);
    shim_free(s->shim);
    return 0;
}

/* A UDP packet from 10.10.10.3 to 10.10.10.4 (packet.h), without its Ethernet header, as a TUN hands it out. */
static void make_packet(struct lab_frame *f, size_t body_len)
{
    static uint8_t whole[PACKET_MAX], body[PACKET_MAX];
    struct packet p = {.udp = true, .partial = true, .body = body, .body_len = body_len};
    size_t len = packet_build(&p, whole);
    f->len = len - 14;
    memcpy(f->data, whole + 14, f->len);
    f->vnet = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = 6, .hdr_len = 28};
}

static void on_event(void *context, const struct worker_event *e)
{
    struct segment *s = context;
    assert_int_equal(e->kind, WORKER_EVENT_NEIGHBOUR);
    assert_int_equal(shim_on_event(s->shim, e, clock_monotonic_us()), DROP_NONE);
    s->served++;
}

/* Node 0's control thread does what its worker asks of it next. */
static void serve(struct segment *s)
{
    for (unsigned before = s->served; s->served == before;) {
        lab_wait_wake(&s->n[0]);
        lab_take_events(s->n[0].worker[0], on_event, s);
    }
}

/* The host behind node 1 says that it has 10.10.10.4. */
static void answer(struct segment *s)
{
    lab_frame_make(&frame, 1, 9, 42, 0);
    memcpy(frame.data + 12, (uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 2}, 10);
    memcpy(frame.data + 22, host_mac, 6);
    memcpy(frame.data + 28, (uint8_t[]){10, 10, 10, 4}, 4);
    memcpy(frame.data + 38, (uint8_t[]){10, 10, 10, 3}, 4);
    lab_put(&s->n[1], &frame);
    serve(s);
}

static void a_packet_waits_for_its_neighbour_and_arrives_as_a_frame(void **state)
{
    struct segment *s = *state;
    static struct lab_frame packet;
    make_packet(&packet, 100);
    lab_put(&s->n[0], &packet);
    serve(s);
    lab_get(&s->n[1], &got);
    assert_int_equal(got.len, 42);
    assert_memory_equal(got.data + 12, ((uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1}), 10);
    answer(s);
    for (int i = 0; i < 2; i++) { /* by the control thread, then by the worker alone */
        lab_get(&s->n[1], &got);
        assert_int_equal(got.len, 14 + packet.len);
        assert_memory_equal(got.data, host_mac, 6);
        assert_memory_equal(got.data + 6, own_mac, 6);
        assert_memory_equal(got.data + 12, ((uint8_t[]){8, 0}), 2);
        assert_memory_equal(got.data + 14, packet.data, packet.len);
        assert_int_equal(got.vnet.csum_start, 14 + 20);
        if (i == 0)
            lab_put(&s->n[0], &packet);
    }
}

static void a_super_frame_is_cut_where_the_packet_says(void **state)
{
    struct segment *s = *state;
    const struct addr_prefix claim = {v4(4), 24};
    static struct lab_frame packet;
    shim_claim(s->shim, 1, &claim, 1, host_mac);
    make_packet(&packet, 12 * 1000);
    packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
    packet.vnet.gso_size = 1000;
    lab_put(&s->n[0], &packet);
    lab_get(&s->n[1], &got);
    assert_int_equal(got.len, 14 + packet.len); /* merged again */
    assert_int_equal(got.vnet.gso_size, 1000);
    assert_int_equal(got.vnet.hdr_len, 14 + 28);
    assert_memory_equal(got.data + 14 + 28, packet.data + 28, 12 * 1000);
    assert_int_equal(lab_drops(&s->n[0]), 0);
}

/* One for node 0, of 12 segments. */
static void make_super_frame(void)
{
    make_packet(&frame, 12 * 1000);
    memmove(frame.data + 14, frame.data, frame.len);
    memcpy(frame.data, own_mac, 6);
    memcpy(frame.data + 6, host_mac, 6);
    memcpy(frame.data + 12, (uint8_t[]){8, 0}, 2);
    frame.len += 14;
    frame.vnet = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                         .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
                                         .gso_size = 1000,
                                         .csum_start = 34,
                                         .csum_offset = 6,
                                         .hdr_len = 42};
}

static void a_frame_arrives_as_a_packet(void **state)
{
    struct segment *s = *state;
    make_super_frame();
    lab_put(&s->n[1], &frame);
    lab_get(&s->n[0], &got);
    assert_int_equal(got.len, frame.len - 14);
    assert_int_equal(got.vnet.csum_start, 20);
    assert_int_equal(got.vnet.hdr_len, 28);
    assert_memory_equal(got.data + 28, frame.data + 42, 12 * 1000);
}

static void what_is_no_packet_for_it_is_counted_and_goes_no_further(void **state)
{
    struct segment *s = *state;
    lab_frame_make(&frame, 1, 9, 100, 0); /* of a type of its own */
    lab_put(&s->n[1], &frame);
    lab_await(&worker_counters(s->n[0].worker[0])->drops[DROP_NOT_IP], 1);
    memset(frame.data, 0, frame.len);
    lab_put(&s->n[0], &frame);
    lab_await(&worker_counters(s->n[0].worker[0])->drops[DROP_NOT_IP], 2);
    assert_false(lab_has_frame(&s->n[0]) || lab_has_frame(&s->n[1]));
}

/* Of an IPv4 packet with UDP. */
static bool has_whole_checksum(const struct lab_frame *f)
{
    size_t udp_len = f->len - 20;
    uint32_t sum = packet_sum(f->data + 12, 8, (uint32_t)(17 + udp_len)); /* RFC 768's pseudo-header */
    return packet_sum(f->data + 20, udp_len, sum) == 0xffff;
}

/* Whoever is behind it knows nothing of offloads. */
static void a_plain_device_takes_each_segment_as_a_packet_of_its_own(void **state)
{
    struct segment *s = *state;
    make_super_frame();
    lab_put(&s->n[1], &frame);
    for (unsigned i = 0; i < 12; i++) {
        lab_get(&s->n[0], &got);
        assert_int_equal(got.len, 28 + 1000);
        assert_memory_equal(got.data + 28, frame.data + 42 + 1000 * i, 1000);
        assert_true(has_whole_checksum(&got));
    }
    assert_false(lab_has_frame(&s->n[0]));
}

static void a_packet_of_a_plain_device_leaves_as_it_is(void **state)
{
    struct segment *s = *state;
    const struct addr_prefix claim = {v4(4), 24};
    static struct lab_frame packet;
    shim_claim(s->shim, 1, &claim, 1, host_mac);
    make_packet(&packet, 1000);
    for (int i = 0; i < 2; i++) {
        lab_put(&s->n[0], &packet);
        lab_get(&s->n[1], &got);
        assert_int_equal(got.len, 14 + packet.len);
        assert_memory_equal(got.data + 14, packet.data, packet.len);
        assert_int_equal(got.vnet.flags | got.vnet.gso_type | got.vnet.hdr_len, 0);
    }
    assert_int_equal(lab_drops(&s->n[0]), 0);
}

static void note_gone(void *context, const struct worker_event *e)
{
    *(bool *)context |= e->kind == WORKER_EVENT_DEVICE_GONE;
}

static void the_end_of_a_plain_device_is_told(void **state)
{
    struct segment *s = *state;
    bool gone = false;
    assert_int_equal(shutdown(s->n[0].tap_test[0], SHUT_WR), 0);
    while (!gone) {
        lab_wait_wake(&s->n[0]);
        lab_take_events(s->n[0].worker[0], note_gone, &gone);
    }
}

/* A peer that asks without end is heard as often as a peer may speak to the control thread. */
static void a_flood_of_questions_is_bounded(void **state)
{
    struct segment *s = *state;
    lab_frame_make(&frame, 0xff, 9, 42, 0);
    memcpy(frame.data + 12, (uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 10);
    memcpy(frame.data + 22, host_mac, 6);
    memcpy(frame.data + 28, (uint8_t[]){10, 10, 10, 4}, 4);
    memcpy(frame.data + 38, (uint8_t[]){10, 10, 10, 3}, 4);
    uint64_t deadline = clock_monotonic_us() + LAB_TIMEOUT_MS * USEC_PER_MSEC;
    while (lab_count(&s->n[0], DROP_CONTROL_QUEUE) + lab_count(&s->n[0], DROP_CONTROL_RATE) == 0 &&
           clock_monotonic_us() < deadline)
        lab_put(&s->n[1], &frame);
    assert_true(lab_count(&s->n[0], DROP_CONTROL_QUEUE) + lab_count(&s->n[0], DROP_CONTROL_RATE) > 0);
}

#define TEST(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_PLAIN(f) cmocka_unit_test_setup_teardown(f, setup_plain, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_packet_waits_for_its_neighbour_and_arrives_as_a_frame),
        TEST(a_super_frame_is_cut_where_the_packet_says),
        TEST(a_frame_arrives_as_a_packet),
        TEST(what_is_no_packet_for_it_is_counted_and_goes_no_further),
        TEST(a_flood_of_questions_is_bounded),
        TEST_PLAIN(a_plain_device_takes_each_segment_as_a_packet_of_its_own),
        TEST_PLAIN(a_packet_of_a_plain_device_leaves_as_it_is),
        TEST_PLAIN(the_end_of_a_plain_device_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
