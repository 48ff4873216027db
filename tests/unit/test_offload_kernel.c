/* SPDX-License-Identifier: Apache-2.0 */
/* Trains against the kernel: what we merge, the kernel must be able to cut again with right checksums; what
 * it hands out, we must carry without loss.
 *
 *   written by the test                                 written by TCP in the kernel
 *   super-frame -> [in] --bridge-- [out] -> segments    [tap0] -> split -> merge -> [tap1]
 *                                  (no offloads)        namespace 1                 namespace 2
 */

#include "frame/offload.h"
#include "net/tap.h"

#include "net_lab.h"
#include "packet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define ALL      (OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_USO)
#define ROOM     1428
#define TRANSFER (8u * 1024 * 1024)

static uint8_t body[PACKET_MAX], frame[PACKET_MAX], expected[PACKET_MAX], got[PACKET_MAX];
static uint8_t segments[512][2048];

static int fill_body(void **state)
{
    uint64_t seed = 0x5eed;
    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)packet_random(&seed);
    return 0;
}

/* ---- the kernel cuts what we merged ---- */

static void make_bridge(struct tap *in, struct tap *out)
{
    lab_enter();
    lab_run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    assert_int_equal(tap_create("in", TAP_ETHERNET, 1, in), 0);
    assert_int_equal(tap_create("out", TAP_ETHERNET, 1, out), 0);
    assert_int_equal(ioctl(out->queues[0], TUNSETOFFLOAD, 0ul), 0);
    lab_run("ip link add br0 type bridge forward_delay 0 mcast_snooping 0");
    lab_run("ip link set in master br0 up && ip link set out master br0 up && ip link set br0 up");
}

/* Splits p at mss, merges the segments as they would arrive, and writes the result.
 * Returns the segment size. */
static size_t write_train(const struct tap *in, struct packet *p, uint16_t mss)
{
    struct offload_split s;
    struct offload_segment seg;
    struct offload_merge m = {.count = 0};
    p->partial = true;
    size_t len = packet_build(p, frame);
    struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                  .gso_type = p->udp  ? 5
                                              : p->v6 ? 4
                                                      : 1,
                                  .gso_size = mss,
                                  .csum_start = (uint16_t)p->l4,
                                  .csum_offset = p->udp ? 6 : 16};
    assert_int_equal(offload_split_begin(&s, &vnet, frame, len, ROOM), OFFLOAD_TRAIN);
    for (unsigned i = 0; offload_split_next(&s, &seg); i++) {
        memcpy(segments[i], seg.head, seg.head_len);
        memcpy(segments[i] + seg.head_len, seg.body, seg.body_len);
        struct offload_meta meta = {seg.csum, true, i + 1 == s.segments, 1, (uint8_t)i};
        assert_true(offload_merge_add(&m, &meta, segments[i], seg.head_len + seg.body_len, ALL));
    }
    offload_merge_finish(&m);
    assert_int_equal(m.count, s.segments + 1);
    assert_int_equal(tap_write(in->queues[0], m.iov, m.count), 0);
    return s.segment_len - p->head_len;
}

static void expect_segments(const struct tap *out, const struct packet *p, size_t mss)
{
    struct virtio_net_hdr vnet;
    for (unsigned i = 0; i * mss < p->body_len; i++) {
        assert_true(lab_readable(out->queues[0]));
        ssize_t n = tap_read(out->queues[0], &vnet, got, sizeof(got));
        size_t len = packet_build_segment(p, mss, i, false, expected);
        assert_int_equal(vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
        assert_int_equal(n, len);
        assert_memory_equal(got, expected, len);
    }
    assert_int_equal(tap_read(out->queues[0], &vnet, got, sizeof(got)), ERR_AGAIN);
}

static void kernel_cuts_merged_trains_into_the_original_segments(void **state)
{
    struct tap in, out;
    unsigned kinds = 0;
    (void)state;
    make_bridge(&in, &out);
    for (unsigned kind = 0; kind < 12; kind++) {
        for (size_t len = 2000; len <= 62000; len += 20000) {
            struct packet p = {.v6 = kind & 1,
                               .udp = kind & 2,
                               .vlans = kind / 4,
                               .tcp_options = 12,
                               .tcp_flags = 0x18,
                               .window = 512,
                               .seq = 0xfffff000,
                               .ip_id = 0xfff0,
                               .body = body,
                               .body_len = len};
            if (!(in.offloads & (p.udp ? OFFLOAD_USO : OFFLOAD_TSO)))
                continue;
            size_t mss = write_train(&in, &p, 1300);
            expect_segments(&out, &p, mss);
            kinds++;
        }
    }
    print_message("%u super-frames\n", kinds);
    tap_close(&in);
    tap_close(&out);
}

/* ---- we carry what the kernel's TCP hands out ---- */

struct wire {
    struct tap from, to;
    unsigned offloads; /* for merging */
    unsigned super_frames, merged, frames;
    uint16_t group;
};

static void write_merged(struct wire *w, const struct tap *to, struct offload_merge *m)
{
    offload_merge_finish(m);
    w->merged += m->count > 2;
    w->frames++;
    assert_int_equal(tap_write(to->queues[0], m->iov, m->count), 0);
    m->count = 0;
}

static void carry_one(struct wire *w, const struct tap *to, struct offload_merge *m,
                      const struct offload_meta *meta, uint8_t *data, size_t len)
{
    if (!offload_merge_add(m, meta, data, len, w->offloads)) {
        write_merged(w, to, m);
        assert_true(offload_merge_add(m, meta, data, len, w->offloads));
    }
}

static void carry_train(struct wire *w, const struct tap *to, struct offload_split *s)
{
    struct offload_merge m = {.count = 0};
    struct offload_segment seg;
    for (unsigned i = 0; offload_split_next(s, &seg); i++) {
        size_t len = seg.head_len + seg.body_len;
        assert_true(i < sizeof(segments) / sizeof(segments[0]) && len <= ROOM);
        memcpy(segments[i], seg.head, seg.head_len);
        memcpy(segments[i] + seg.head_len, seg.body, seg.body_len);
        struct offload_meta meta = {seg.csum, true, i + 1 == s->segments || i % 64 == 63,
                                    (uint16_t)(w->group + i / 64), (uint8_t)(i % 64)};
        carry_one(w, to, &m, &meta, segments[i], len);
    }
    write_merged(w, to, &m);
    w->group += 16;
    w->super_frames++;
}

static bool carry(struct wire *w, const struct tap *from, const struct tap *to)
{
    struct virtio_net_hdr vnet;
    struct offload_split s;
    ssize_t n = tap_read(from->queues[0], &vnet, frame, sizeof(frame));
    if (n < 0) {
        assert_int_equal(n, ERR_AGAIN);
        return false;
    }
    enum offload_verdict v = offload_split_begin(&s, &vnet, frame, (size_t)n, ROOM);
    assert_int_not_equal(v, OFFLOAD_INVALID);
    if (v == OFFLOAD_TRAIN) {
        carry_train(w, to, &s);
    } else {
        struct offload_merge m = {.count = 0};
        struct offload_meta meta = {.csum = s.csum};
        assert_true(offload_merge_add(&m, &meta, frame, (size_t)n, w->offloads));
        write_merged(w, to, &m);
    }
    return true;
}

static void address(unsigned host)
{
    char own[16];
    lab_run("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
    lab_run("ip link set tap0 up && ip addr add 10.9.0.%u/24 dev tap0", host);
    snprintf(own, sizeof(own), "fd09::%u", host);
    lab_add_address6(own, 64, "tap0");
}

static int tcp_socket(bool v6)
{
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static void peer_address(bool v6, struct sockaddr_storage *sa, socklen_t *len)
{
    memset(sa, 0, sizeof(*sa));
    sa->ss_family = v6 ? AF_INET6 : AF_INET;
    *len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    ((struct sockaddr_in *)sa)->sin_port = htons(5201);
    if (v6)
        inet_pton(AF_INET6, "fd09::2", &((struct sockaddr_in6 *)sa)->sin6_addr);
    else
        inet_pton(AF_INET, "10.9.0.2", &((struct sockaddr_in *)sa)->sin_addr);
}

static time_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static size_t send_some(int fd, size_t sent)
{
    size_t at = sent % 60000, n = 60000 - at;
    ssize_t done = send(fd, body + at, n < TRANSFER - sent ? n : TRANSFER - sent, MSG_NOSIGNAL);
    return done > 0 ? (size_t)done : 0;
}

static size_t receive_some(int fd, size_t received)
{
    size_t at = received % 60000;
    ssize_t n = recv(fd, got, 60000 - at, 0);
    if (n <= 0)
        return 0;
    assert_memory_equal(got, body + at, (size_t)n);
    return (size_t)n;
}

static void transfer(struct wire *w, int client, int listener)
{
    size_t sent = 0, received = 0;
    int server = -1;
    time_t deadline = now() + 60;
    while (received < TRANSFER && now() < deadline) {
        bool busy = carry(w, &w->from, &w->to);
        busy |= carry(w, &w->to, &w->from);
        if (server < 0)
            server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (sent < TRANSFER)
            sent += send_some(client, sent);
        if (server >= 0)
            received += receive_some(server, received);
        struct pollfd p[2] = {{w->from.queues[0], POLLIN, 0}, {w->to.queues[0], POLLIN, 0}};
        if (!busy)
            (void)poll(p, 2, 10);
    }
    assert_int_equal(received, TRANSFER);
    close(server);
}

static void carry_tcp(bool v6, unsigned offloads)
{
    struct wire w = {.offloads = offloads};
    struct sockaddr_storage sa;
    socklen_t len;
    peer_address(v6, &sa, &len);
    lab_enter();
    assert_int_equal(tap_create("tap0", TAP_ETHERNET, 1, &w.from), 0);
    address(1);
    int client = tcp_socket(v6);
    lab_enter();
    assert_int_equal(tap_create("tap0", TAP_ETHERNET, 1, &w.to), 0);
    address(2);
    int listener = tcp_socket(v6);
    assert_int_equal(bind(listener, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    (void)connect(client, (struct sockaddr *)&sa, len);
    transfer(&w, client, listener);
    print_message("%u super-frames, %u frames written, %u of them merged\n", w.super_frames, w.frames,
                  w.merged);
    if (w.from.offloads & OFFLOAD_TSO)
        assert_true(w.super_frames > 0);
    assert_int_equal(w.merged > 0, offloads != 0 && w.super_frames > 0);
    close(client);
    close(listener);
    tap_close(&w.from);
    tap_close(&w.to);
}

static void tcp_passes_split_and_merged(void **state)
{
    (void)state;
    carry_tcp(false, ALL);
    carry_tcp(true, ALL);
}

/* Checksums completed by us: a wrong one would be discarded by the kernel, and nothing arrive. */
static void tcp_passes_with_checksums_of_our_own(void **state)
{
    (void)state;
    carry_tcp(false, 0);
    carry_tcp(true, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_cuts_merged_trains_into_the_original_segments),
        cmocka_unit_test(tcp_passes_split_and_merged),
        cmocka_unit_test(tcp_passes_with_checksums_of_our_own),
    };
    return cmocka_run_group_tests(tests, fill_body, NULL);
}
