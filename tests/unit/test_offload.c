/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting and merging against frames built independently (packet.h), and what hostile peers may send. */

#include "frame/offload.h"

#include "net/tap.h"
#include "packet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALL       (OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_USO)
#define USO       5 /* VIRTIO_NET_HDR_GSO_UDP_L4 */
#define ROOM      1428
#define ROUNDS    3000
#define TRAIN_MAX 400

#define FIN 0x01
#define SYN 0x02
#define PSH 0x08
#define ACK 0x10
#define CWR 0x80

static uint8_t body[PACKET_MAX], frame[PACKET_MAX], expected[PACKET_MAX], joined[PACKET_MAX];

static int fill_body(void **state)
{
    uint64_t seed = 0x5eed;
    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)packet_random(&seed);
    return 0;
}

static struct packet tcp4(size_t len)
{
    return (struct packet){.tcp_flags = ACK | PSH,
                           .ip_id = 0xfff0,
                           .window = 512,
                           .seq = 0xfffff000,
                           .tcp_options = 12,
                           .partial = true,
                           .body = body,
                           .body_len = len};
}

static struct packet udp4(size_t len)
{
    struct packet p = tcp4(len);
    p.udp = true;
    p.tcp_options = 0;
    return p;
}

static uint8_t gso_type(const struct packet *p)
{
    uint8_t type = p->udp ? USO : p->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    return !p->udp && (p->tcp_flags & CWR) ? type | VIRTIO_NET_HDR_GSO_ECN : type;
}

/* The virtio header with which a kernel hands out p; mss 0 for a frame that is no super-frame. */
static struct virtio_net_hdr vnet_of(const struct packet *p, uint16_t mss)
{
    return (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = mss ? gso_type(p) : VIRTIO_NET_HDR_GSO_NONE,
        .hdr_len = mss ? (uint16_t)p->head_len : 0,
        .gso_size = mss,
        .csum_start = (uint16_t)p->l4,
        .csum_offset = p->udp ? 6 : 16,
    };
}

static enum offload_verdict begin(struct offload_split *s, struct packet *p, uint16_t mss, size_t room)
{
    size_t len = packet_build(p, frame);
    struct virtio_net_hdr vnet = vnet_of(p, mss);
    return offload_split_begin(s, &vnet, frame, len, room);
}

static size_t join(const struct offload_segment *seg, uint8_t *out)
{
    memcpy(out, seg->head, seg->head_len);
    memcpy(out + seg->head_len, seg->body, seg->body_len);
    return seg->head_len + seg->body_len;
}

static struct packet random_packet(uint64_t *seed)
{
    struct packet p = tcp4(1 + packet_random(seed) % 65000);
    p.v6 = packet_random(seed) & 1;
    p.udp = packet_random(seed) & 1;
    p.vlans = packet_random(seed) % 3;
    p.ip_options = p.v6 ? 0 : packet_random(seed) % 11 * 4;
    p.extensions = p.v6 ? packet_random(seed) % 4 : 0;
    p.tcp_options = p.udp ? 0 : packet_random(seed) % 11 * 4;
    p.tcp_flags = ACK | (packet_random(seed) & (FIN | PSH | CWR | 0x40));
    p.tos = (uint8_t)packet_random(seed);
    p.ip_id = (uint16_t)packet_random(seed);
    p.seq = (uint32_t)packet_random(seed);
    if (packet_random(seed) % 4 == 0)
        p.body_len = 1 + p.body_len % 4000;
    return p;
}

/* A segment size that keeps the train under TRAIN_MAX. */
static uint16_t random_mss(uint64_t *seed, const struct packet *p)
{
    return (uint16_t)(p->body_len / TRAIN_MAX + 1 + packet_random(seed) % 9000);
}

/* ---- splitting ---- */

static void frame_that_fits_is_whole(void **state)
{
    struct offload_split s;
    struct packet p = udp4(100);
    (void)state;
    assert_int_equal(begin(&s, &p, 0, ROOM), OFFLOAD_WHOLE);
    assert_true(s.csum.partial);
    assert_int_equal(s.csum.start, p.l4);
    assert_int_equal(s.csum.offset, 6);
}

static void frame_without_partial_checksum_is_whole_or_fragmented(void **state)
{
    struct offload_split s;
    struct packet p = tcp4(1400);
    struct virtio_net_hdr vnet = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    (void)state;
    p.partial = false;
    size_t len = packet_build(&p, frame);
    assert_int_equal(offload_split_begin(&s, &vnet, frame, len, len), OFFLOAD_WHOLE);
    assert_false(s.csum.partial);
    assert_int_equal(offload_split_begin(&s, &vnet, frame, len, len - 1), OFFLOAD_FRAGMENT);
    assert_false(s.csum.partial);
}

static void check_segments(struct packet *p, struct offload_split *s, size_t mss)
{
    struct offload_segment seg;
    size_t covered = 0;
    unsigned i = 0;
    for (; offload_split_next(s, &seg); i++) {
        size_t len = join(&seg, joined);
        assert_int_equal(seg.head_len, p->head_len);
        assert_true(i + 1 == s->segments || len == s->segment_len);
        assert_true(seg.csum.partial);
        assert_int_equal(packet_build_segment(p, mss, i, true, expected), len);
        assert_memory_equal(joined, expected, len);
        packet_complete(joined, len, seg.csum.start, seg.csum.offset);
        packet_build_segment(p, mss, i, false, expected);
        assert_memory_equal(joined, expected, len);
        covered += seg.body_len;
    }
    assert_int_equal(i, s->segments);
    assert_int_equal(covered, p->body_len);
}

static void super_frames_become_the_segments_built_by_hand(void **state)
{
    uint64_t seed = 0xabcdef;
    unsigned trains = 0;
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct offload_split s;
        struct packet p = random_packet(&seed);
        uint16_t mss = random_mss(&seed, &p);
        size_t room = 600 + packet_random(&seed) % 9000, cut = mss;
        enum offload_verdict v = begin(&s, &p, mss, room);
        if (!p.udp && cut > room - p.head_len)
            cut = room - p.head_len;
        if (p.body_len <= cut) {
            assert_int_equal(v, p.head_len + p.body_len <= room ? OFFLOAD_WHOLE : OFFLOAD_FRAGMENT);
            continue;
        }
        assert_int_equal(v, OFFLOAD_TRAIN);
        assert_int_equal(s.segments, (p.body_len + cut - 1) / cut);
        check_segments(&p, &s, cut);
        trains++;
    }
    assert_true(trains > ROUNDS / 2);
}

static void tcp_is_cut_to_room_but_never_above_gso_size(void **state)
{
    struct offload_split s;
    struct packet p = tcp4(30000);
    (void)state;
    assert_int_equal(begin(&s, &p, 1448, ROOM), OFFLOAD_TRAIN);
    assert_int_equal(s.segment_len, ROOM);
    assert_int_equal(begin(&s, &p, 1448, 9000), OFFLOAD_TRAIN);
    assert_int_equal(s.segment_len, p.head_len + 1448);
}

static void udp_train_keeps_its_datagrams_even_beyond_room(void **state)
{
    struct offload_split s;
    struct packet p = udp4(10 * 1472);
    (void)state;
    assert_int_equal(begin(&s, &p, 1472, ROOM), OFFLOAD_TRAIN);
    assert_int_equal(s.segments, 10);
    assert_int_equal(s.segment_len, 14 + 20 + 8 + 1472);
    assert_true(s.segment_len > ROOM);
    check_segments(&p, &s, 1472);
}

static void single_tcp_frame_beyond_room_becomes_a_train(void **state)
{
    struct offload_split s;
    struct packet p = tcp4(1448);
    (void)state;
    assert_int_equal(begin(&s, &p, 0, ROOM), OFFLOAD_TRAIN);
    assert_int_equal(s.segments, 2);
    check_segments(&p, &s, ROOM - p.head_len);
}

static void what_cannot_be_cut_is_fragmented(void **state)
{
    struct offload_split s;
    struct packet udp = udp4(1472), syn = tcp4(1448), fragment = tcp4(1448), odd = tcp4(1448);
    (void)state;
    assert_int_equal(begin(&s, &udp, 0, ROOM), OFFLOAD_FRAGMENT);
    assert_true(s.csum.partial);
    syn.tcp_flags = SYN;
    assert_int_equal(begin(&s, &syn, 0, ROOM), OFFLOAD_FRAGMENT);

    size_t len = packet_build(&fragment, frame);
    struct virtio_net_hdr vnet = vnet_of(&fragment, 0);
    frame[14 + 6] = 0x20; /* more fragments */
    assert_int_equal(offload_split_begin(&s, &vnet, frame, len, ROOM), OFFLOAD_FRAGMENT);

    len = packet_build(&odd, frame);
    vnet.csum_start += 2; /* some inner checksum, not TCP's */
    assert_int_equal(offload_split_begin(&s, &vnet, frame, len, ROOM), OFFLOAD_FRAGMENT);
    assert_int_equal(s.csum.start, odd.l4 + 2);
}

static void trains_may_exceed_one_batch(void **state)
{
    struct offload_split s;
    struct packet p = tcp4(60000);
    (void)state;
    assert_int_equal(begin(&s, &p, 500, ROOM), OFFLOAD_TRAIN);
    assert_int_equal(s.segments, 120);
    check_segments(&p, &s, 500);
}

static void verified_super_frame_is_given_partial_checksums(void **state)
{
    struct offload_split s;
    struct packet p = tcp4(20000);
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        p.v6 = v6;
        p.partial = false;
        size_t len = packet_build(&p, frame);
        struct virtio_net_hdr vnet = vnet_of(&p, 1400);
        vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
        vnet.csum_start = vnet.csum_offset = 0;
        assert_int_equal(offload_split_begin(&s, &vnet, frame, len, 9000), OFFLOAD_TRAIN);
        check_segments(&p, &s, 1400);
    }
}

enum lie {
    LIE_NONE,
    LIE_GSO_SIZE,
    LIE_HDR_LEN,
    LIE_CSUM_OUTSIDE,
    LIE_CSUM_IN_ETHERNET,
    LIE_CSUM_ELSEWHERE,
    LIE_NO_CSUM,
    LIE_TYPE_FAMILY,
    LIE_TYPE_PROTOCOL,
    LIE_TYPE_UNKNOWN,
    LIE_IP_LENGTH,
    LIE_IP_HEADER,
    LIE_IP_VERSION,
    LIE_IP_FRAGMENT,
    LIE_TCP_HEADER,
    LIE_TCP_SYN,
    LIE_SHORT,
    LIE_LONG,
    LIE_ROOM,
    LIE_COUNT,
};

static enum offload_verdict lie(enum lie kind)
{
    struct offload_split s;
    struct packet p = tcp4(20000);
    size_t len = packet_build(&p, frame), room = ROOM;
    struct virtio_net_hdr v = vnet_of(&p, 1448);
    switch (kind) {
    case LIE_NONE:
    case LIE_COUNT:
        break;
    case LIE_GSO_SIZE:
        v.gso_size = 0;
        break;
    case LIE_HDR_LEN:
        v.hdr_len = (uint16_t)(len + 1);
        break;
    case LIE_CSUM_OUTSIDE:
        v.csum_start = (uint16_t)(len - 17);
        break;
    case LIE_CSUM_IN_ETHERNET:
        v.csum_start = 13;
        break;
    case LIE_CSUM_ELSEWHERE:
        v.csum_offset = 6;
        break;
    case LIE_NO_CSUM:
        v.flags = 0;
        break;
    case LIE_TYPE_FAMILY:
        v.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
        break;
    case LIE_TYPE_PROTOCOL:
        v.gso_type = USO;
        break;
    case LIE_TYPE_UNKNOWN:
        v.gso_type = VIRTIO_NET_HDR_GSO_UDP;
        break;
    case LIE_IP_LENGTH:
        frame[p.l3 + 3] ^= 1;
        break;
    case LIE_IP_HEADER:
        frame[p.l3] = 0x44;
        break;
    case LIE_IP_VERSION:
        frame[p.l3] = 0x65;
        break;
    case LIE_IP_FRAGMENT:
        frame[p.l3 + 7] = 1;
        break;
    case LIE_TCP_HEADER:
        frame[p.l4 + 12] = 0x40;
        break;
    case LIE_TCP_SYN:
        frame[p.l4 + 13] |= SYN;
        break;
    case LIE_SHORT:
        len = 13;
        v.hdr_len = 0;
        break;
    case LIE_LONG:
        len = OFFLOAD_FRAME_MAX + 1;
        break;
    case LIE_ROOM:
        room = p.head_len;
        break;
    }
    return offload_split_begin(&s, &v, frame, len, room);
}

static void frame_that_contradicts_its_header_is_invalid(void **state)
{
    (void)state;
    assert_int_equal(lie(LIE_NONE), OFFLOAD_TRAIN);
    for (enum lie k = LIE_NONE + 1; k < LIE_COUNT; k++)
        if (lie(k) != OFFLOAD_INVALID)
            fail_msg("lie %d was believed", k);
}

static void tcp_header_beyond_the_frame_is_invalid(void **state)
{
    struct offload_split s;
    struct packet p = tcp4(10);
    (void)state;
    p.tcp_options = 0;
    size_t len = packet_build(&p, frame);
    struct virtio_net_hdr v = vnet_of(&p, 5);
    assert_int_equal(offload_split_begin(&s, &v, frame, len, ROOM), OFFLOAD_TRAIN);
    frame[p.l4 + 12] = 0xf0;
    assert_int_equal(offload_split_begin(&s, &v, frame, len, ROOM), OFFLOAD_INVALID);
    struct offload_meta meta = {{true, (uint16_t)p.l4, 16}, true, false, 1, 0};
    struct offload_merge m = {.count = 0};
    assert_true(offload_merge_add(&m, &meta, frame, len, ALL));
    assert_true(m.closed);
}

static void truncated_super_frames_never_pass(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct packet p = tcp4(3000);
        p.v6 = v6;
        p.extensions = v6 ? 3 : 0;
        p.vlans = 2;
        size_t len = packet_build(&p, frame);
        struct virtio_net_hdr v = vnet_of(&p, 1000);
        for (size_t cut = 0; cut < len; cut++) {
            struct offload_split s;
            uint8_t *exact = malloc(cut + 1); /* so that ASan sees a read beyond */
            memcpy(exact + 1, frame, cut);
            assert_int_equal(offload_split_begin(&s, &v, exact + 1, cut, ROOM), OFFLOAD_INVALID);
            free(exact);
        }
    }
}

/* ---- merging ---- */

struct train {
    struct packet p;
    size_t mss;
    unsigned count;
    uint8_t *frames[TRAIN_MAX];
    size_t lens[TRAIN_MAX];
    struct offload_meta metas[TRAIN_MAX];
};

/* Cuts p as a sender would; each segment in memory of its own. */
static void train_make(struct train *t, struct packet p, uint16_t mss, size_t room)
{
    struct offload_split s;
    struct offload_segment seg;
    memset(t, 0, sizeof(*t));
    assert_int_equal(begin(&s, &p, mss, room), OFFLOAD_TRAIN);
    t->p = p;
    t->mss = s.segment_len - p.head_len;
    for (; offload_split_next(&s, &seg); t->count++) {
        unsigned i = t->count;
        t->frames[i] = malloc(seg.head_len + seg.body_len);
        t->lens[i] = join(&seg, t->frames[i]);
        t->metas[i] = (struct offload_meta){.csum = seg.csum,
                                            .train = true,
                                            .last = i + 1 == s.segments || i % OFFLOAD_SEGMENTS == 63,
                                            .group = (uint16_t)(77 + i / OFFLOAD_SEGMENTS),
                                            .position = (uint8_t)(i % OFFLOAD_SEGMENTS)};
    }
}

static void train_free(struct train *t)
{
    for (unsigned i = 0; i < t->count; i++)
        free(t->frames[i]);
}

static bool train_add(struct offload_merge *m, struct train *t, unsigned i, unsigned offloads)
{
    return offload_merge_add(m, &t->metas[i], t->frames[i], t->lens[i], offloads);
}

static size_t gather(const struct offload_merge *m, uint8_t *out)
{
    size_t len = 0;
    for (int i = 1; i < m->count; i++) {
        memcpy(out + len, m->iov[i].iov_base, m->iov[i].iov_len);
        len += m->iov[i].iov_len;
    }
    return len;
}

static void split_and_merged_is_the_same(void **state)
{
    uint64_t seed = 0x77777;
    unsigned merged = 0;
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct offload_merge m = {.count = 0};
        struct train t;
        struct packet p = random_packet(&seed);
        size_t room = 1000 + packet_random(&seed) % 9000;
        uint16_t mss = (uint16_t)(1100 + packet_random(&seed) % 1500);
        size_t cut = !p.udp && mss > room - 252 ? room - 252 : mss;
        if (p.body_len <= mss || p.body_len / cut >= OFFLOAD_SEGMENTS)
            continue;
        train_make(&t, p, mss, room);
        for (unsigned i = 0; i < t.count; i++)
            assert_true(train_add(&m, &t, i, ALL));
        offload_merge_finish(&m);
        size_t len = packet_build(&p, expected);
        assert_int_equal(gather(&m, joined), len);
        assert_memory_equal(joined, expected, len);
        struct virtio_net_hdr v = vnet_of(&t.p, (uint16_t)t.mss);
        assert_memory_equal(&m.vnet, &v, sizeof(v));
        assert_ptr_equal(m.iov[0].iov_base, &m.vnet);
        assert_int_equal(m.iov[0].iov_len, sizeof(v));
        train_free(&t);
        merged++;
    }
    assert_true(merged > ROUNDS / 3);
}

static void frame_outside_a_train_passes_alone(void **state)
{
    struct offload_merge m = {.count = 0};
    struct packet p = udp4(300);
    (void)state;
    size_t len = packet_build(&p, frame);
    struct offload_meta meta = {.csum = {true, (uint16_t)p.l4, 6}};
    assert_true(offload_merge_add(&m, &meta, frame, len, ALL));
    assert_false(offload_merge_add(&m, &meta, frame, len, ALL));
    offload_merge_finish(&m);
    assert_int_equal(m.count, 2);
    assert_int_equal(m.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(m.vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    assert_int_equal(m.vnet.csum_start, p.l4);
    assert_int_equal(m.vnet.csum_offset, 6);
    assert_int_equal(gather(&m, joined), len);
    packet_build(&p, expected);
    assert_memory_equal(joined, expected, len);
}

static void merge_is_reusable_after_a_flush(void **state)
{
    struct offload_merge m = {.count = 0};
    struct train t;
    (void)state;
    train_make(&t, tcp4(5000), 1000, ROOM);
    assert_true(train_add(&m, &t, 0, ALL));
    assert_true(train_add(&m, &t, 1, ALL));
    offload_merge_finish(&m);
    assert_int_equal(m.vnet.gso_size, 1000);
    m.count = 0;
    struct offload_meta plain = {.train = false};
    uint8_t arp[60] = {0};
    assert_true(offload_merge_add(&m, &plain, arp, sizeof(arp), ALL));
    offload_merge_finish(&m);
    assert_int_equal(m.vnet.flags, 0);
    assert_int_equal(m.vnet.gso_type, 0);
    assert_int_equal(m.vnet.gso_size, 0);
    assert_int_equal(m.count, 2);
    train_free(&t);
}

/* After a loss the rest of a train is still worth merging. */
static void train_may_begin_in_its_middle(void **state)
{
    struct offload_merge m = {.count = 0};
    struct train t;
    (void)state;
    train_make(&t, tcp4(8000), 1000, ROOM);
    assert_true(train_add(&m, &t, 0, ALL));
    assert_false(train_add(&m, &t, 2, ALL));
    m.count = 0;
    for (unsigned i = 2; i < t.count; i++)
        assert_true(train_add(&m, &t, i, ALL));
    offload_merge_finish(&m);
    struct packet rest = t.p;
    rest.body += 2000;
    rest.body_len -= 2000;
    rest.seq += 2000;
    rest.ip_id += 2;
    size_t len = packet_build(&rest, expected);
    assert_int_equal(gather(&m, joined), len);
    assert_memory_equal(joined, expected, len);
    train_free(&t);
}

static void short_segment_ends_the_train(void **state)
{
    struct offload_merge m = {.count = 0};
    struct train t;
    uint8_t more[1200];
    (void)state;
    struct packet p = tcp4(2500);
    p.tcp_flags = ACK;
    train_make(&t, p, 1000, ROOM);
    t.metas[2].last = false;
    for (unsigned i = 0; i < 3; i++)
        assert_true(train_add(&m, &t, i, ALL));
    p.seq += 2500;
    p.ip_id = (uint16_t)(p.ip_id + 3);
    p.body_len = 500;
    size_t len = packet_build(&p, more);
    struct offload_meta meta = t.metas[2];
    meta.position = 3;
    assert_false(offload_merge_add(&m, &meta, more, len, ALL));
    train_free(&t);
}

static void push_and_fin_end_the_train(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct offload_merge m = {.count = 0};
        struct train t;
        train_make(&t, tcp4(5000), 1000, ROOM);
        t.frames[first ? 0 : 1][t.p.l4 + 13] |= first ? FIN : PSH;
        assert_true(train_add(&m, &t, 0, ALL));
        assert_int_equal(train_add(&m, &t, 1, ALL), !first);
        assert_false(train_add(&m, &t, 2, ALL));
        offload_merge_finish(&m);
        assert_int_equal(((uint8_t *)m.iov[1].iov_base)[t.p.l4 + 13], ACK | (first ? FIN : PSH));
        train_free(&t);
    }
}

static void train_holds_at_most_64_segments(void **state)
{
    struct offload_merge m = {.count = 0};
    struct train t;
    unsigned i = 0;
    (void)state;
    train_make(&t, tcp4(60000), 500, ROOM);
    for (unsigned k = 0; k < t.count; k++) {
        t.metas[k].group = 1;
        t.metas[k].position = (uint8_t)k;
        t.metas[k].last = false;
    }
    while (train_add(&m, &t, i, ALL))
        i++;
    assert_int_equal(i, OFFLOAD_SEGMENTS);
    assert_true((size_t)m.count <= sizeof(m.iov) / sizeof(m.iov[0]));
    train_free(&t);
}

/* A peer that sends more than an IP packet holds. */
static void merged_packet_never_exceeds_65535_bytes(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct offload_merge m = {.count = 0};
        unsigned added = 0;
        for (unsigned i = 0; i < 10; i++) {
            struct packet p = tcp4(8000);
            p.v6 = v6;
            p.tcp_flags = ACK;
            p.seq += i * 8000;
            p.ip_id = (uint16_t)(p.ip_id + i);
            uint8_t *f = test_malloc(PACKET_MAX);
            size_t len = packet_build(&p, f);
            struct offload_meta meta = {{true, (uint16_t)p.l4, 16}, true, false, 1, (uint8_t)i};
            if (!offload_merge_add(&m, &meta, f, len, ALL)) {
                test_free(f);
                break;
            }
            added++;
        }
        assert_int_equal(added, 8);
        offload_merge_finish(&m);
        assert_true(gather(&m, joined) <= OFFLOAD_FRAME_MAX);
        uint8_t *ip = joined + 14;
        assert_int_equal(v6 ? ip[4] << 8 | ip[5] : ip[2] << 8 | ip[3], (v6 ? 32 : 52) + 64000);
        test_free(m.iov[1].iov_base);
        for (int i = 2; i < m.count; i++)
            test_free((uint8_t *)m.iov[i].iov_base - m.head_len);
    }
}

/* Every byte of the headers, and every fact of the descriptor, must go with the first segment's. */
static void second_segment_with_any_header_bit_changed_is_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct train t;
        struct packet p = kind & 1 ? udp4(5000) : tcp4(5000);
        p.v6 = kind & 2;
        p.vlans = 1;
        train_make(&t, p, 1000, ROOM);
        for (size_t at = 0; at < t.p.head_len; at++) {
            bool header_sum = !p.v6 && at - t.p.l3 - 10 < 2; /* made anew in any case */
            bool push = !p.udp && at == t.p.l4 + 13;
            for (unsigned bit = 0; bit < 8 && !header_sum; bit++) {
                struct offload_merge m = {.count = 0};
                assert_true(train_add(&m, &t, 0, ALL));
                t.frames[1][at] ^= (uint8_t)(1 << bit);
                if (train_add(&m, &t, 1, ALL) != (push && (bit == 0 || bit == 3)))
                    fail_msg("kind %u: byte %zu, bit %u", kind, at, bit);
                t.frames[1][at] ^= (uint8_t)(1 << bit);
            }
        }
        train_free(&t);
    }
}

static void second_segment_with_another_descriptor_is_refused(void **state)
{
    struct train t;
    (void)state;
    train_make(&t, tcp4(5000), 1000, ROOM);
    for (unsigned k = 0; k < 6; k++) {
        struct offload_merge m = {.count = 0};
        struct offload_meta meta = t.metas[1];
        meta.train = k != 0;
        meta.group ^= k == 1;
        meta.position += k == 2;
        meta.csum.partial = k != 3;
        meta.csum.start += k == 4;
        meta.csum.offset -= k == 5 ? 2 : 0;
        assert_true(train_add(&m, &t, 0, ALL));
        assert_false(offload_merge_add(&m, &meta, t.frames[1], t.lens[1], ALL));
        assert_int_equal(m.count, 2);
    }
    train_free(&t);
}

static void segment_longer_or_empty_is_refused(void **state)
{
    struct train t;
    uint8_t longer[1200];
    (void)state;
    train_make(&t, tcp4(5000), 1000, ROOM);
    struct offload_merge m = {.count = 0};
    assert_true(train_add(&m, &t, 0, ALL));
    struct packet p = t.p;
    p.seq += 1000;
    p.ip_id++;
    p.tcp_flags = ACK;
    p.body_len = 1001;
    size_t len = packet_build(&p, longer);
    assert_false(offload_merge_add(&m, &t.metas[1], longer, len, ALL));
    p.body_len = 0;
    len = packet_build(&p, longer);
    assert_false(offload_merge_add(&m, &t.metas[1], longer, len, ALL));
    train_free(&t);
}

static void first_segment_that_contradicts_itself_passes_alone(void **state)
{
    static const struct {
        size_t at;
        uint8_t flip;
    } lies[] = {{14 + 0, 6}, {14 + 3, 6}, {14 + 7, 6}, {34 + 12, 0xc0}, {34 + 13, SYN}};
    (void)state;
    for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
        struct offload_merge m = {.count = 0};
        struct train t;
        train_make(&t, tcp4(5000), 1000, ROOM);
        for (unsigned i = 0; i < t.count; i++)
            t.frames[i][lies[k].at] ^= lies[k].flip;
        uint8_t *copy = memcpy(expected, t.frames[0], t.lens[0]);
        assert_true(train_add(&m, &t, 0, ALL));
        assert_false(train_add(&m, &t, 1, ALL));
        offload_merge_finish(&m);
        assert_int_equal(m.count, 2);
        assert_memory_equal(m.iov[1].iov_base, copy, t.lens[0]);
        train_free(&t);
    }
}

static void checksum_outside_the_frame_is_not_passed_on(void **state)
{
    uint8_t small[60] = {0};
    (void)state;
    static const struct offload_csum bad[] = {
        {true, 50, 9}, {true, 60, 0}, {true, 65535, 65535}, {true, 13, 0}};
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        for (unsigned offloads = 0; offloads <= ALL; offloads++) {
            struct offload_merge m = {.count = 0};
            struct offload_meta meta = {.csum = bad[k]};
            assert_true(offload_merge_add(&m, &meta, small, sizeof(small), offloads));
            offload_merge_finish(&m);
            assert_int_equal(m.vnet.flags, 0);
        }
    }
}

static void without_offloads_frames_are_completed_and_alone(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct train t;
        struct packet p = kind & 1 ? udp4(4001) : tcp4(4001);
        p.v6 = kind & 2;
        train_make(&t, p, 1000, ROOM);
        for (unsigned i = 0; i < t.count; i++) {
            struct offload_merge m = {.count = 0};
            assert_true(train_add(&m, &t, i, 0));
            if (i + 1 < t.count)
                assert_false(train_add(&m, &t, i + 1, 0));
            offload_merge_finish(&m);
            assert_int_equal(m.vnet.flags, 0);
            size_t len = packet_build_segment(&p, 1000, i, false, expected);
            assert_int_equal(gather(&m, joined), len);
            assert_memory_equal(joined, expected, len);
        }
        train_free(&t);
    }
}

static void each_protocol_merges_only_where_the_tap_takes_it(void **state)
{
    (void)state;
    for (unsigned offloads = 0; offloads <= ALL; offloads++) {
        for (int udp = 0; udp < 2; udp++) {
            struct offload_merge m = {.count = 0};
            struct train t;
            train_make(&t, udp ? udp4(3000) : tcp4(3000), 1000, ROOM);
            unsigned needed = OFFLOAD_CSUM | (udp ? OFFLOAD_USO : OFFLOAD_TSO);
            assert_true(train_add(&m, &t, 0, offloads));
            assert_int_equal(train_add(&m, &t, 1, offloads), (offloads & needed) == needed);
            train_free(&t);
        }
    }
}

static void computed_udp_checksum_is_never_zero(void **state)
{
    struct offload_merge m = {.count = 0};
    uint8_t pad[2] = {0, 0};
    struct packet p = udp4(2);
    (void)state;
    p.body = pad;
    p.partial = false;
    packet_build(&p, frame); /* with zeros the checksum is c; with c as payload it becomes 0 */
    memcpy(pad, frame + p.l4 + 6, 2);
    p.partial = true;
    size_t len = packet_build(&p, frame);
    struct offload_meta meta = {.csum = {true, (uint16_t)p.l4, 6}};
    assert_true(offload_merge_add(&m, &meta, frame, len, 0));
    assert_int_equal(frame[p.l4 + 6] << 8 | frame[p.l4 + 7], 0xffff);
}

/* ---- ECN ---- */

static void congestion_marks_capable_packets_only(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 6; kind++) {
        for (uint8_t ecn = 0; ecn < 4; ecn++) {
            struct packet p = tcp4(10), marked;
            p.v6 = kind & 1;
            p.vlans = kind / 2;
            p.tos = 0xb8 | ecn;
            size_t len = packet_build(&p, frame);
            assert_int_equal(offload_ecn(frame, len), ecn);
            assert_int_equal(offload_ecn_mark(frame, len), ecn != 0);
            marked = p;
            marked.tos = ecn ? 0xbb : 0xb8;
            packet_build(&marked, expected);
            assert_memory_equal(frame, expected, len);
        }
    }
}

static void frames_without_ip_carry_no_mark(void **state)
{
    uint8_t arp[60] = {[12] = 0x08, [13] = 0x06};
    uint8_t lying[60] = {[12] = 0x08, [13] = 0x00, [14] = 0x65, [15] = 3};
    (void)state;
    assert_int_equal(offload_ecn(arp, sizeof(arp)), 0);
    assert_true(offload_ecn_mark(arp, sizeof(arp)));
    assert_int_equal(offload_ecn(lying, sizeof(lying)), 0);
    for (size_t len = 0; len < 34; len++) {
        uint8_t *exact = malloc(len + 1);
        memcpy(exact + 1, (uint8_t[34]){[12] = 0x08, [14] = 0x45, [15] = 3}, len);
        assert_int_equal(offload_ecn(exact + 1, len), 0);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_that_fits_is_whole),
        cmocka_unit_test(frame_without_partial_checksum_is_whole_or_fragmented),
        cmocka_unit_test(super_frames_become_the_segments_built_by_hand),
        cmocka_unit_test(tcp_is_cut_to_room_but_never_above_gso_size),
        cmocka_unit_test(udp_train_keeps_its_datagrams_even_beyond_room),
        cmocka_unit_test(single_tcp_frame_beyond_room_becomes_a_train),
        cmocka_unit_test(what_cannot_be_cut_is_fragmented),
        cmocka_unit_test(trains_may_exceed_one_batch),
        cmocka_unit_test(verified_super_frame_is_given_partial_checksums),
        cmocka_unit_test(frame_that_contradicts_its_header_is_invalid),
        cmocka_unit_test(tcp_header_beyond_the_frame_is_invalid),
        cmocka_unit_test(truncated_super_frames_never_pass),
        cmocka_unit_test(split_and_merged_is_the_same),
        cmocka_unit_test(frame_outside_a_train_passes_alone),
        cmocka_unit_test(merge_is_reusable_after_a_flush),
        cmocka_unit_test(train_may_begin_in_its_middle),
        cmocka_unit_test(short_segment_ends_the_train),
        cmocka_unit_test(push_and_fin_end_the_train),
        cmocka_unit_test(train_holds_at_most_64_segments),
        cmocka_unit_test(merged_packet_never_exceeds_65535_bytes),
        cmocka_unit_test(second_segment_with_any_header_bit_changed_is_refused),
        cmocka_unit_test(second_segment_with_another_descriptor_is_refused),
        cmocka_unit_test(segment_longer_or_empty_is_refused),
        cmocka_unit_test(first_segment_that_contradicts_itself_passes_alone),
        cmocka_unit_test(checksum_outside_the_frame_is_not_passed_on),
        cmocka_unit_test(without_offloads_frames_are_completed_and_alone),
        cmocka_unit_test(each_protocol_merges_only_where_the_tap_takes_it),
        cmocka_unit_test(computed_udp_checksum_is_never_zero),
        cmocka_unit_test(congestion_marks_capable_packets_only),
        cmocka_unit_test(frames_without_ip_carry_no_mark),
    };
    return cmocka_run_group_tests(tests, fill_body, NULL);
}
