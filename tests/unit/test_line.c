/* SPDX-License-Identifier: Apache-2.0 */
/* bench/line: what comes out, when, and what does not. */

#include "line.h"

#include "frame/offload.h"
#include "packet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS     1000000ull
#define MSS    1448
#define TRAIN  40 /* segments of a super-frame */
#define TRAINS 500
#define VNET   sizeof(struct virtio_net_hdr)
#define L4     34        /* Ethernet, IPv4 … */
#define HEAD   (L4 + 32) /* … TCP with time stamps */
#define ECT0   2
#define CE     3

static uint8_t body[PACKET_MAX], frame[PACKET_MAX];

static struct packet segment_of(size_t len, uint8_t tos)
{
    return (struct packet){
        .tcp_flags = 0x10, .tcp_options = 12, .tos = tos, .partial = true, .body = body, .body_len = len};
}

static struct virtio_net_hdr vnet_of(const struct packet *p, uint16_t mss)
{
    return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type = mss ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE,
                                   .hdr_len = (uint16_t)p->head_len,
                                   .gso_size = mss,
                                   .csum_start = (uint16_t)p->l4,
                                   .csum_offset = 16};
}

/* A frame of body_len bytes of TCP, the seq tells which one it is. */
static void push(struct line *l, size_t body_len, uint16_t mss, uint8_t tos, uint32_t seq, uint64_t now_ns)
{
    struct packet p = segment_of(body_len, tos);
    p.seq = seq;
    size_t len = packet_build(&p, frame);
    struct virtio_net_hdr vnet = vnet_of(&p, mss);
    line_push(l, &vnet, frame, len, now_ns);
}

static struct line *make(struct line_config config)
{
    struct line *l;
    if (!config.room)
        config.room = 1 << 30;
    config.seed = 7;
    assert_int_equal(line_new(&config, &l), 0);
    return l;
}

static uint32_t seq_of(const uint8_t *head)
{
    const uint8_t *seq = head + L4 + 4;
    return (uint32_t)seq[0] << 24 | (uint32_t)seq[1] << 16 | (uint32_t)seq[2] << 8 | seq[3];
}

static void frames_come_after_the_delay_and_in_order(void **state)
{
    struct line *l = make((struct line_config){.delay_ns = 10 * MS});
    size_t len;
    (void)state;
    assert_true(line_next(l) == UINT64_MAX);
    push(l, 100, 0, 0, 1, 5 * MS);
    push(l, 100, 0, 0, 2, 6 * MS);
    assert_true(line_next(l) == 15 * MS);
    assert_null(line_front(l, 15 * MS - 1, &len));
    uint8_t *data = line_front(l, 15 * MS, &len);
    assert_non_null(data);
    assert_int_equal(len, VNET + HEAD + 100);
    assert_int_equal(seq_of(data + VNET), 1);
    line_pop(l);
    assert_null(line_front(l, 15 * MS, &len));
    assert_int_equal(seq_of(line_front(l, 16 * MS, &len) + VNET), 2);
    line_free(l);
}

static void super_frame_passes_whole(void **state)
{
    struct line *l = make((struct line_config){0});
    size_t len;
    (void)state;
    push(l, TRAIN * MSS, MSS, ECT0, 1, 0);
    uint8_t *data = line_front(l, 0, &len);
    assert_int_equal(len, VNET + HEAD + TRAIN * MSS);
    assert_memory_equal(data + VNET, frame, len - VNET);
    assert_int_equal(line_counters(l).passed, TRAIN);
    line_free(l);
}

/* What a receiver makes of what comes: the packets of all frames in a row. */
struct tally {
    unsigned frames, packets, marked;
    uint64_t bytes;
};

static void check_packet(struct tally *t, const struct offload_segment *s)
{
    assert_memory_equal(s->body, body + seq_of(s->head) % (TRAIN * MSS), s->body_len);
    t->packets++;
    t->marked += (s->head[15] & 3) == CE;
    t->bytes += s->body_len;
}

static void receive(struct line *l, uint64_t now_ns, struct tally *t)
{
    size_t len;
    for (uint8_t *data; (data = line_front(l, now_ns, &len)); line_pop(l), t->frames++) {
        struct virtio_net_hdr vnet;
        struct offload_split split;
        struct offload_segment s;
        memcpy(&vnet, data, VNET);
        enum offload_verdict verdict =
            offload_split_begin(&split, &vnet, data + VNET, len - VNET, len - VNET);
        if (verdict == OFFLOAD_WHOLE) {
            s.head_len = HEAD;
            memcpy(s.head, data + VNET, s.head_len);
            s.body = data + VNET + s.head_len;
            s.body_len = len - VNET - s.head_len;
            check_packet(t, &s);
            continue;
        }
        assert_int_equal(verdict, OFFLOAD_TRAIN);
        while (offload_split_next(&split, &s))
            check_packet(t, &s);
    }
}

static struct tally push_trains(struct line *l, uint8_t tos)
{
    struct tally t = {0};
    for (uint32_t i = 0; i < TRAINS; i++) {
        push(l, TRAIN * MSS, MSS, tos, i * TRAIN * MSS, 0);
        receive(l, 0, &t);
    }
    return t;
}

static void what_is_lost_is_a_packet_not_a_super_frame(void **state)
{
    struct line *l = make((struct line_config){.loss = 0.01});
    struct tally t = push_trains(l, 0);
    struct line_counters c = line_counters(l);
    (void)state;
    assert_in_range(c.lost, TRAINS * TRAIN / 200, TRAINS * TRAIN / 50);
    assert_int_equal(c.passed + c.lost, TRAINS * TRAIN);
    assert_int_equal(t.packets, c.passed);
    assert_int_equal(t.bytes, c.passed * MSS);
    assert_true(t.frames <= TRAINS + c.lost); /* nothing is cut that need not be */
    line_free(l);
}

static void packet_that_knows_ecn_is_marked_instead(void **state)
{
    struct line *l = make((struct line_config){.loss = 0.01, .mark = true});
    struct tally t = push_trains(l, ECT0);
    struct line_counters c = line_counters(l);
    (void)state;
    assert_int_equal(c.lost, 0);
    assert_in_range(c.marked, TRAINS * TRAIN / 200, TRAINS * TRAIN / 50);
    assert_int_equal(t.packets, TRAINS * TRAIN);
    assert_int_equal(t.marked, c.marked);
    line_free(l);
}

static void packet_that_does_not_know_ecn_is_lost_all_the_same(void **state)
{
    struct line *l = make((struct line_config){.loss = 0.01, .mark = true});
    (void)push_trains(l, 0);
    (void)state;
    assert_int_equal(line_counters(l).marked, 0);
    assert_true(line_counters(l).lost > 0);
    line_free(l);
}

/* 12,112 bits each at 12.112 Mbit/s: one packet a millisecond. */
static const struct line_config slow = {.rate = 12.112e6, .buffer_ns = 20 * MS};

static void packets_of_a_super_frame_pass_one_by_one_at_the_rate(void **state)
{
    struct line *l = make(slow);
    struct tally t = {0};
    (void)state;
    push(l, 10 * MSS, MSS, 0, 0, 0);
    for (unsigned ms = 1; ms <= 10; ms++) {
        receive(l, ms * MS, &t);
        assert_int_equal(t.frames, ms);
    }
    line_free(l);
}

static void what_finds_the_buffer_full_is_lost(void **state)
{
    struct line *l = make(slow);
    struct tally t = {0};
    (void)state;
    push(l, TRAIN * MSS, MSS, 0, 0, 0);
    assert_int_equal(line_counters(l).passed, 21); /* the last one waits for 20 ms */
    assert_int_equal(line_counters(l).overflowed, TRAIN - 21);
    receive(l, 21 * MS, &t);
    assert_int_equal(t.packets, 21);
    push(l, MSS, 0, 0, 0, 22 * MS);
    assert_int_equal(line_counters(l).passed, 22); /* its turn has come */
    line_free(l);
}

static void half_full_buffer_marks(void **state)
{
    struct line_config config = slow;
    struct tally t = {0};
    config.mark = true;
    struct line *l = make(config);
    (void)state;
    push(l, 20 * MSS, MSS, ECT0, 0, 0);
    receive(l, 20 * MS, &t);
    assert_int_equal(t.packets, 20);
    assert_int_equal(t.marked, 9); /* those that would wait for 11 to 19 ms */
    line_free(l);
}

static void more_than_the_room_is_lost(void **state)
{
    struct line *l = make((struct line_config){.delay_ns = MS, .room = 8000});
    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        push(l, MSS, 0, 0, 0, 0);
    assert_int_equal(line_counters(l).passed, 5);
    assert_int_equal(line_counters(l).no_room, 1);
    line_free(l);
}

static int fill_body(void **state)
{
    uint64_t seed = 0x5eed;
    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)packet_random(&seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_after_the_delay_and_in_order),
        cmocka_unit_test(super_frame_passes_whole),
        cmocka_unit_test(what_is_lost_is_a_packet_not_a_super_frame),
        cmocka_unit_test(packet_that_knows_ecn_is_marked_instead),
        cmocka_unit_test(packet_that_does_not_know_ecn_is_lost_all_the_same),
        cmocka_unit_test(packets_of_a_super_frame_pass_one_by_one_at_the_rate),
        cmocka_unit_test(what_finds_the_buffer_full_is_lost),
        cmocka_unit_test(half_full_buffer_marks),
        cmocka_unit_test(more_than_the_room_is_lost),
    };
    return cmocka_run_group_tests(tests, fill_body, NULL);
}
