/* SPDX-License-Identifier: Apache-2.0 */
/* The UDP sockets on the real kernel: loopback, and a TAP that shows what leaves. */

#include "net/udp.h"

#include "net/tap.h"
#include "net_lab.h"
#include "proto/wire/wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BURST   60000
#define SEGMENT 1400

static uint8_t data[65507];
static struct udp_message messages[UDP_BATCH];

static struct addr local(bool v6, uint16_t port)
{
    return v6 ? (struct addr){.family = 6, .port = port, .ip = {[15] = 1}}
              : (struct addr){.family = 4, .port = port, .ip = {127, 0, 0, 1}};
}

static struct udp_remote remote(const struct udp_socket *s, bool v6, uint16_t port)
{
    struct udp_remote r;
    struct addr a = local(v6, port);
    udp_remote_init(s, &(struct addr){0}, &a, &r);
    return r;
}

struct pair {
    struct udp_socket a, b;
    struct udp_batch *batch;
    uint64_t overflow;
};

static void pair_open(struct pair *p)
{
    lab_enter();
    memset(p, 0, sizeof(*p));
    assert_int_equal(udp_open(0, 1, &p->a), 0);
    assert_int_equal(udp_open(0, 1, &p->b), 0);
    assert_int_equal(udp_batch_new(&p->batch), 0);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31 + i / 251);
}

static void pair_close(struct pair *p)
{
    udp_batch_free(p->batch);
    udp_close(&p->a, 1);
    udp_close(&p->b, 1);
}

static int receive(struct pair *p)
{
    assert_true(lab_readable(p->b.fd));
    return udp_receive(&p->b, p->batch, messages, &p->overflow);
}

static void burst_arrives_whole_with_its_segments_and_ecn(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    for (unsigned kind = 0; kind < 8; kind++) {
        bool v6 = kind & 1;
        uint8_t ecn = (uint8_t)(kind / 2);
        struct udp_remote to = remote(&p.a, v6, p.b.port);
        struct addr from = local(v6, p.a.port);
        assert_int_equal(udp_send(&p.a, &to, data, BURST, SEGMENT, ecn), 0);
        size_t at = 0;
        while (at < BURST) {
            int n = receive(&p);
            for (int i = 0; i < n; i++) {
                assert_int_equal(messages[i].ecn, ecn);
                assert_true(addr_equal(&messages[i].from, &from));
                assert_true(messages[i].segment == SEGMENT || messages[i].segment == messages[i].len);
                assert_memory_equal(messages[i].data, data + at, messages[i].len);
                at += messages[i].len;
            }
        }
        assert_int_equal(at, BURST);
    }
    assert_int_equal(p.overflow, 0);
    pair_close(&p);
}

static void segments_are_sent_and_received_together(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    if (!p.a.gso || !p.b.gro)
        skip();
    struct udp_remote to = remote(&p.a, false, p.b.port);
    assert_int_equal(udp_send(&p.a, &to, data, BURST, SEGMENT, 0), 0);
    assert_true(p.a.gso);
    assert_int_equal(receive(&p), 1);
    assert_int_equal(messages[0].len, BURST);
    assert_int_equal(messages[0].segment, SEGMENT);
    assert_int_equal(udp_send(&p.a, &to, data, 1000, SEGMENT, 0), 0);
    assert_int_equal(receive(&p), 1);
    assert_int_equal(messages[0].len, 1000);
    assert_int_equal(messages[0].segment, 1000);
    pair_close(&p);
}

/* Long messages fill the cache, short ones do not: one call takes few of the former and many of the latter. */
static void a_call_takes_what_the_cache_holds(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    if (!p.a.gso || !p.b.gro)
        skip();
    struct udp_remote to = remote(&p.a, false, p.b.port);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(udp_send(&p.a, &to, data, 44 * 1400, 1400, 0), 0);
    assert_int_equal(receive(&p), 3);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(udp_send(&p.a, &to, data, 100 + i, 1400, 0), 0);
    assert_int_equal(receive(&p), 4);
    assert_int_equal(receive(&p), 36); /* nothing is left behind, and in its order */
    for (unsigned i = 0; i < 36; i++)
        assert_int_equal(messages[i].len, 104 + i);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(udp_send(&p.a, &to, data, 64 * 60, 60, 0), 0);
    assert_int_equal(receive(&p), 6); /* fewer came than were asked for */
    assert_int_equal(receive(&p), 7); /* many short datagrams take their time, too */
    assert_int_equal(receive(&p), 7);
    assert_int_equal(udp_send(&p.a, &to, data, 44 * 1400, 1400, 0), 0);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(udp_send(&p.a, &to, data, 100, 1400, 0), 0);
    assert_int_equal(receive(&p), 7);
    assert_int_equal(receive(&p), 6); /* among some that are long any may be */
    pair_close(&p);
}

static bool is_resident(const void *at)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uint8_t there = 0;
    assert_int_equal(mincore((void *)(((uintptr_t)at + page - 1) & ~(page - 1)), page, &there), 0);
    return there & 1;
}

/* As few short messages as it asks for make it ask for many; then so many long ones come. Returns where the last of them stood. */
static const void *receive_unexpected(struct pair *p, unsigned few, unsigned count)
{
    struct udp_remote to = remote(&p->a, false, p->b.port);
    for (unsigned i = 0; i < few; i++)
        assert_int_equal(udp_send(&p->a, &to, data, 100 + i, 1400, 0), 0);
    assert_int_equal(receive(p), few);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(udp_send(&p->a, &to, data, 60000, 60000, 0), 0);
    assert_int_equal(receive(p), count);
    assert_true(is_resident(messages[0].data) && is_resident(messages[count - 1].data));
    return messages[count - 1].data;
}

static void memory_of_a_burst_goes_back(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    const void *last = receive_unexpected(&p, 6, 24);
    assert_int_equal(udp_receive(&p.b, p.batch, messages, &p.overflow), 0);
    assert_true(is_resident(messages[0].data) && !is_resident(last));
    pair_close(&p);
}

/* Else what one call after the other leaves would add up to all of it. */
static void memory_of_many_small_bursts_goes_back(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    for (unsigned i = 0; i < 2; i++) {
        const void *last = receive_unexpected(&p, i ? 4 : 6, 10);
        assert_int_equal(udp_receive(&p.b, p.batch, messages, &p.overflow), 0);
        assert_int_equal(is_resident(last), i == 0);
    }
    pair_close(&p);
}

static void how_full_the_queue_is_is_known_when_more_may_wait(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    struct udp_remote to = remote(&p.a, false, p.b.port);
    for (unsigned i = 0; i < 2 * UDP_BATCH; i++)
        assert_int_equal(udp_send(&p.a, &to, data, 60000, 60000, 0), 0);
    assert_int_equal(receive(&p), 6);
    unsigned waits = udp_waiting(&p.b, p.batch);
    assert_in_range(waits, 10, 80);
    while (receive(&p) == 4 && udp_waiting(&p.b, p.batch) > 30)
        continue;
    assert_true(udp_waiting(&p.b, p.batch) < waits);
    while (udp_receive(&p.b, p.batch, messages, &p.overflow) > 0)
        continue;
    assert_int_equal(udp_waiting(&p.b, p.batch), 0);
    pair_close(&p);
}

/* SO_NO_CHECK makes the kernel refuse UDP_SEGMENT with EINVAL, as older ones do for some devices. */
static void refused_segmentation_falls_back_for_good(void **state)
{
    struct pair p;
    int on = 1;
    (void)state;
    pair_open(&p);
    assert_int_equal(setsockopt(p.a.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
    struct udp_remote to = remote(&p.a, false, p.b.port);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(udp_send(&p.a, &to, data, 3 * SEGMENT + 5, SEGMENT, 2), 0);
        assert_false(p.a.gso);
        size_t at = 0;
        while (at < 3 * SEGMENT + 5) {
            int n = receive(&p);
            for (int i = 0; i < n; i++) {
                assert_int_equal(messages[i].ecn, 2);
                assert_memory_equal(messages[i].data, data + at, messages[i].len);
                at += messages[i].len;
            }
        }
        assert_int_equal(at, 3 * SEGMENT + 5);
    }
    pair_close(&p);
}

/* A blackhole route answers EINVAL to everything; that says nothing about UDP_SEGMENT. */
static void unreachable_peer_does_not_end_segmentation(void **state)
{
    struct pair p;
    struct addr a;
    struct udp_remote to;
    (void)state;
    pair_open(&p);
    lab_run("ip route add blackhole 10.66.0.0/16");
    assert_int_equal(addr_parse("10.66.0.1", 9443, &a), 0);
    udp_remote_init(&p.a, &(struct addr){0}, &a, &to);
    bool before = p.a.gso;
    assert_int_equal(udp_send(&p.a, &to, data, BURST, SEGMENT, 0), ERR_IO);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(p.a.gso, before);
    pair_close(&p);
}

static struct addr address(const char *text, uint16_t port)
{
    struct addr a;
    assert_int_equal(addr_parse(text, port, &a), 0);
    return a;
}

/* Where what a sends there, whole bursts and single datagrams, comes from, and to, as b is told. */
static void assert_seen(struct pair *p, const struct udp_remote *to, const struct addr *from,
                        const struct addr *at)
{
    static const size_t lengths[] = {SEGMENT, BURST};
    for (unsigned i = 0; i < 4; i++) {
        size_t len = lengths[i / 2], got = 0;
        assert_int_equal(udp_send(&p->a, to, data, len, SEGMENT, i % 2 ? 1 : 0), 0);
        while (got < len) {
            int n = receive(p);
            for (int j = 0; j < n; j++) {
                assert_true(addr_equal(&messages[j].from, from));
                assert_true(addr_equal(&messages[j].local, at));
                assert_int_equal(messages[j].ecn, i % 2);
                got += messages[j].len;
            }
        }
    }
}

static void assert_local_addresses_both_ways(struct pair *p, const char *const list[], unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < count; j++) {
            struct addr from = address(list[i], p->a.port), to = address(list[j], p->b.port), at = to;
            struct udp_remote r;
            udp_remote_init(&p->a, &from, &to, &r);
            at.port = 0;
            assert_seen(p, &r, &from, &at);
        }
}

static const char *const locals4[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
static const char *const locals6[] = {"::1", "fd07::1", "fd07::2"};

static void datagrams_leave_from_the_address_given_and_tell_where_they_arrived(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    lab_add_address6("fd07::1", 128, "lo");
    lab_add_address6("fd07::2", 128, "lo");
    assert_true(p.a.v6);
    assert_local_addresses_both_ways(&p, locals4, 3);
    assert_local_addresses_both_ways(&p, locals6, 3);
    pair_close(&p);
}

static bool without_ipv6;

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    if (!without_ipv6 || family != AF_INET6)
        return __real_socket(family, type, protocol);
    errno = EAFNOSUPPORT;
    return -1;
}

static void a_machine_without_ipv6_keeps_local_addresses_apart_too(void **state)
{
    struct pair p;
    (void)state;
    without_ipv6 = true;
    pair_open(&p);
    without_ipv6 = false;
    assert_false(p.a.v6);
    assert_local_addresses_both_ways(&p, locals4, 3);
    pair_close(&p);
}

/* Every interface has such addresses, and may have the same: its interface is part of one. */
static void link_local_address_keeps_its_interface(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    lab_run("sysctl -qw net.ipv6.conf.default.accept_dad=0");
    lab_run("ip link add left type veth peer name right");
    lab_run("ip link set left up");
    lab_run("ip link set right up");
    lab_add_address6("fe80::7", 64, "left");
    lab_add_address6("fe80::8", 64, "right");
    /* The kernel may take a second to notice that both ends are there, and drops what is sent before. */
    lab_wait("[ $(ip link show left | grep -c 'state UP')$(ip link show right | grep -c 'state UP') = 11 ]");
    struct addr from = address("fe80::7%left", p.a.port), to = address("fe80::8%left", p.b.port);
    struct addr seen = address("fe80::7%right", p.a.port), at = address("fe80::8%right", 0);
    struct udp_remote r;
    udp_remote_init(&p.a, &from, &to, &r);
    assert_seen(&p, &r, &seen, &at);
    pair_close(&p);
}

/* An address that another machine has now, or nobody, is refused by the kernel as a bad argument. */
static void vanished_local_address_does_not_end_segmentation(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    for (int v6 = 0; v6 < 2; v6++) {
        struct addr from = address(v6 ? "fd07::9" : "192.0.2.9", 0), to = local(v6, p.b.port);
        struct udp_remote r;
        udp_remote_init(&p.a, &from, &to, &r);
        bool before = p.a.gso;
        assert_int_equal(udp_send(&p.a, &r, data, BURST, SEGMENT, 0), ERR_IO);
        assert_int_equal(udp_send(&p.a, &r, data, 10, 10, 0), ERR_IO);
        assert_int_equal(p.a.gso, before);
    }
    pair_close(&p);
}

/* As libc reads it: sysfs may show another namespace's devices. */
static unsigned sent_by(const char *device)
{
    char line[512], name[32] = "";
    unsigned count = 0;
    FILE *f = fopen("/proc/net/dev", "r");
    assert_non_null(f);
    while (strcmp(name, device) != 0 && fgets(line, sizeof(line), f))
        if (sscanf(line, " %31[^:]: %*u %*u %*u %*u %*u %*u %*u %*u %*u %u", name, &count) != 2)
            name[0] = '\0';
    fclose(f);
    assert_string_equal(name, device);
    return count;
}

/* The default route by the first interface is better than that by the other. */
static void make_two_ways(void)
{
    lab_run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0");
    for (unsigned i = 1; i <= 2; i++) {
        lab_run("ip link add way%u type veth peer name far%u", i, i);
        lab_run("ip link set way%u up && ip link set far%u up", i, i);
        lab_run("ip addr add 10.9.%u.1/24 dev way%u", i, i);
        lab_add_address6(i == 1 ? "fd09:1::1" : "fd09:2::1", 64, i == 1 ? "way1" : "way2");
        lab_run("ip neigh add 10.9.%u.2 lladdr 02:00:00:00:00:02 dev way%u", i, i);
        lab_run("ip neigh add fd09:%u::2 lladdr 02:00:00:00:00:02 dev way%u", i, i);
        lab_run("ip route add default via 10.9.%u.2 metric %u", i, i);
        lab_run("ip -6 route add default via fd09:%u::2 metric %u", i, i);
    }
    lab_wait("[ $(ip link | grep -c 'way.*state UP') = 4 ]"); /* what is sent before is dropped */
}

/* A train to far away leaves by the interface named; through: 0, or its index. */
static void assert_leaves_by(struct pair *p, const char *to, const char *from, unsigned through,
                             const char *device)
{
    struct addr remote = address(to, 9443), local = {0};
    struct udp_remote r;
    if (from)
        local = address(from, 0);
    udp_remote_init(&p->a, &local, &remote, &r);
    if (through)
        udp_remote_leave_by(&p->a, through, &r);
    unsigned before = sent_by(device);
    assert_int_equal(udp_send(&p->a, &r, data, BURST, SEGMENT, 0), 0);
    assert_true(sent_by(device) > before);
}

static void datagrams_leave_by_the_interface_given(void **state)
{
    (void)state;
    for (int v4_alone = 0; v4_alone < 2; v4_alone++) {
        struct pair p;
        without_ipv6 = v4_alone;
        pair_open(&p);
        without_ipv6 = false;
        make_two_ways();
        unsigned second = if_nametoindex("way2");
        assert_leaves_by(&p, "203.0.113.9", NULL, 0, "way1");
        assert_leaves_by(&p, "203.0.113.9", NULL, second, "way2");
        assert_leaves_by(&p, "203.0.113.9", "10.9.2.1", second, "way2");
        for (unsigned i = 0; i < 3 && !v4_alone; i++)
            assert_leaves_by(&p, "2001:db8::9", i == 2 ? "fd09:2::1" : NULL, i ? second : 0,
                             i ? "way2" : "way1");
        pair_close(&p);
    }
}

static void make_wire(struct tap *t)
{
    lab_run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0");
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 1, t), 0);
    lab_run("ip link set tap0 up mtu 1500");
    lab_run("ip addr add 10.9.0.1/24 dev tap0");
    lab_add_address6("fd09::1", 64, "tap0");
    lab_run("ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev tap0");
    lab_run("ip neigh add fd09::2 lladdr 02:00:00:00:00:02 dev tap0");
}

static struct udp_remote wire_remote(const struct udp_socket *s, bool v6)
{
    struct addr a;
    struct udp_remote r;
    assert_int_equal(addr_parse(v6 ? "fd09::2" : "10.9.0.2", 9443, &a), 0);
    udp_remote_init(s, &(struct addr){0}, &a, &r);
    return r;
}

static void datagram_beyond_the_interface_is_refused_and_segmentation_kept(void **state)
{
    struct pair p;
    struct tap t;
    (void)state;
    pair_open(&p);
    make_wire(&t);
    for (int v6 = 0; v6 < 2; v6++) {
        struct udp_remote to = wire_remote(&p.a, v6);
        size_t fits = v6 ? 1452 : 1472;
        bool before = p.a.gso;
        assert_int_equal(udp_send(&p.a, &to, data, fits, fits, 0), 0);
        assert_int_equal(udp_send(&p.a, &to, data, fits + 1, fits + 1, 0), ERR_SPACE);
        assert_int_equal(udp_send(&p.a, &to, data, 3000, fits + 1, 0), ERR_SPACE);
        assert_int_equal(udp_send(&p.a, &to, data, 3000, fits, 0), 0);
        assert_int_equal(p.a.gso, before);
    }
    tap_close(&t);
    pair_close(&p);
}

/* The next UDP packet to port 9443 that leaves through the TAP. */
static const uint8_t *next_datagram(const struct tap *t, uint8_t *frame, size_t size)
{
    struct virtio_net_hdr vnet;
    while (lab_readable(t->queues[0])) {
        ssize_t n = tap_read(t->queues[0], &vnet, frame, size);
        const uint8_t *ip = frame + 14;
        if (n > 54 && (ip[0] >> 4 == 4 ? ip[9] : ip[6]) == 17)
            return ip;
    }
    fail_msg("nothing left");
    return NULL;
}

/* The option of either family must act on the one dual-stack socket, also when the kernel believes in a
 * smaller path: only our own probing decides. */
static void dont_fragment_and_ecn_leave_on_the_wire(void **state)
{
    static uint8_t frame[66000];
    struct pair p;
    struct tap t;
    (void)state;
    pair_open(&p);
    make_wire(&t);
    lab_run("ip route add 10.9.0.2/32 dev tap0 mtu 1200");
    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        struct udp_remote to = wire_remote(&p.a, false);
        assert_int_equal(udp_send(&p.a, &to, data, 1472, 1472, ecn), 0);
        const uint8_t *ip = next_datagram(&t, frame, sizeof(frame));
        assert_int_equal(ip[0] >> 4, 4);
        assert_int_equal(ip[1], ecn);
        assert_int_equal(ip[6] << 8 | ip[7], 0x4000);
        to = wire_remote(&p.a, true);
        assert_int_equal(udp_send(&p.a, &to, data, 1452, 1452, ecn), 0);
        ip = next_datagram(&t, frame, sizeof(frame));
        assert_int_equal(ip[0] >> 4, 6);
        assert_int_equal(ip[6], 17);
        assert_int_equal(ip[1] >> 4, ecn);
    }
    tap_close(&t);
    pair_close(&p);
}

static void what_is_to_stay_near_leaves_with_so_many_hops(void **state)
{
    static uint8_t frame[66000];
    struct pair p;
    struct tap t;
    (void)state;
    pair_open(&p);
    make_wire(&t);
    for (uint8_t hops = 2; hops < 6; hops++) {
        struct udp_remote to = wire_remote(&p.a, false);
        assert_int_equal(udp_send_near(&p.a, &to, data, 76, hops), 0);
        assert_int_equal(next_datagram(&t, frame, sizeof(frame))[8], hops);
        to = wire_remote(&p.a, true);
        assert_int_equal(udp_send_near(&p.a, &to, data, 76, hops), 0);
        assert_int_equal(next_datagram(&t, frame, sizeof(frame))[7], hops);
    }
    struct udp_remote to = wire_remote(&p.a, false);
    assert_int_equal(udp_send(&p.a, &to, data, 76, 76, 0), 0);
    assert_int_equal(next_datagram(&t, frame, sizeof(frame))[8], 64);
    tap_close(&t);
    pair_close(&p);
}

static void unreachable_port_does_not_break_receiving(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    for (int v6 = 0; v6 < 2; v6++) {
        struct udp_remote nobody = remote(&p.b, v6, 1), to = remote(&p.a, v6, p.b.port);
        for (int i = 0; i < 20; i++)
            assert_int_equal(udp_send(&p.b, &nobody, data, 10, 10, 0), 0);
        assert_int_equal(udp_receive(&p.b, p.batch, messages, &p.overflow), 0);
        assert_int_equal(udp_send(&p.a, &to, data, 10, 10, 0), 0);
        assert_int_equal(receive(&p), 1);
    }
    pair_close(&p);
}

static void nothing_to_read_is_no_error(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    assert_int_equal(udp_receive(&p.b, p.batch, messages, &p.overflow), 0);
    pair_close(&p);
}

static void empty_datagrams_are_passed_over(void **state)
{
    struct pair p;
    (void)state;
    pair_open(&p);
    struct udp_remote to = remote(&p.a, false, p.b.port);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sendto(p.a.fd, "", 0, 0, (struct sockaddr *)&to.sa, to.len), 0);
    assert_int_equal(udp_send(&p.a, &to, data, 7, 7, 0), 0);
    assert_int_equal(receive(&p), 1);
    assert_int_equal(messages[0].len, 7);
    pair_close(&p);
}

static void what_the_socket_dropped_is_counted(void **state)
{
    struct pair p;
    int tiny = 1, sent = 0, taken = 0;
    (void)state;
    pair_open(&p);
    assert_int_equal(setsockopt(p.b.fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
    struct udp_remote to = remote(&p.a, false, p.b.port);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++, sent++)
            assert_int_equal(udp_send(&p.a, &to, data, 1000, 1000, 0), 0);
        for (int n; (n = udp_receive(&p.b, p.batch, messages, &p.overflow)) > 0;)
            taken += n;
        assert_int_equal(udp_send(&p.a, &to, data, 10, 10, 0), 0);
        sent++;
        taken += receive(&p);
        assert_int_equal(taken + (int)p.overflow, sent);
    }
    assert_true(p.overflow > 50);
    pair_close(&p);
}

static void sockets_share_a_port_among_themselves_only(void **state)
{
    struct udp_socket s[4], other[2];
    (void)state;
    lab_enter();
    assert_int_equal(udp_open(0, 4, s), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(s[i].port, s[0].port);
    assert_int_not_equal(s[0].port, 0);
    assert_int_equal(udp_open(s[0].port, 1, other), ERR_BUSY);
    assert_int_equal(udp_open(s[0].port, 2, other), ERR_BUSY);
    udp_close(s, 4);
    assert_int_equal(udp_open(s[0].port, 2, other), 0);
    udp_close(other, 2);
}

static unsigned received(struct pair *p, struct udp_socket *s)
{
    unsigned count = 0;
    for (int n; (n = udp_receive(s, p->batch, messages, &p->overflow)) > 0;)
        count += (unsigned)n;
    return count;
}

/* A datagram of these first bytes, over IPv4 and IPv6, from one port and from others, meets this socket. */
static void assert_steered(struct pair *p, struct udp_socket *s, unsigned count, const uint8_t *bytes,
                           size_t len, unsigned expected)
{
    struct udp_socket one;
    assert_int_equal(udp_open(0, 1, &one), 0);
    struct udp_socket *from[] = {&p->a, &one};
    for (unsigned i = 0; i < 4; i++) {
        struct udp_remote to = remote(from[i / 2], i & 1, s[0].port);
        assert_int_equal(udp_send(from[i / 2], &to, bytes, len, len, 0), 0);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(received(p, &s[i]), i == expected ? 4 : 0);
    udp_close(&one, 1);
}

static void data_goes_to_the_socket_of_its_lane_and_index_and_the_rest_to_the_first(void **state)
{
    struct pair p;
    struct udp_socket s[3];
    uint8_t bytes[100] = {0x20};
    (void)state;
    pair_open(&p);
    assert_int_equal(udp_open(0, 3, s), 0);
    for (unsigned lane = 0; lane < 256; lane += lane < 16 ? 1 : 60) {
        bytes[1] = (uint8_t)lane;
        assert_steered(&p, s, 3, bytes, sizeof(bytes), wire_worker(lane, 0, 3));
    }
    for (unsigned shift = 0; shift < 256; shift += 50) {
        bytes[7] = (uint8_t)shift;
        assert_steered(&p, s, 3, bytes, sizeof(bytes), wire_worker(bytes[1], 0x01020300 | shift, 3));
    }
    memset(bytes, 0, sizeof(bytes));
    bytes[1] = 1;
    for (unsigned type = 0; type < 256; type += type < 0x24 ? 1 : 50) {
        bytes[0] = (uint8_t)type;
        assert_steered(&p, s, 3, bytes, sizeof(bytes), type == 0x20 ? 1 : 0);
    }
    bytes[0] = 0x20;
    assert_steered(&p, s, 3, bytes, 1, 0);
    assert_steered(&p, s, 3, bytes, 7, 0);
    assert_int_equal(udp_reduce(s, 3, 2), 0);
    bytes[1] = 1;
    assert_steered(&p, s, 2, bytes, sizeof(bytes), 0);
    bytes[1] = WIRE_LANE_SPARSE;
    assert_steered(&p, s, 2, bytes, sizeof(bytes), 1);
    assert_int_equal(udp_reduce(s, 2, 1), 0);
    assert_steered(&p, s, 1, bytes, sizeof(bytes), 0);
    udp_close(s, 1);
    pair_close(&p);
}

/* What a relay passes on is steered by what is in its envelope. */
static void enveloped_data_goes_to_the_socket_of_its_lane_and_index(void **state)
{
    struct pair p;
    struct udp_socket s[3];
    uint8_t bytes[8 + 60] = {0x23, 0, 0, 0, 1, 2, 3, 4, 0x20};
    (void)state;
    pair_open(&p);
    assert_int_equal(udp_open(0, 3, s), 0);
    for (unsigned lane = 0; lane < 5; lane++) {
        bytes[8 + 1] = (uint8_t)lane;
        bytes[8 + 7] = (uint8_t)(40 * lane);
        assert_steered(&p, s, 3, bytes, sizeof(bytes), (lane + 40 * lane) % 2);
    }
    bytes[8 + 1] = WIRE_LANE_SPARSE;
    assert_steered(&p, s, 3, bytes, sizeof(bytes), 2);
    bytes[8 + 1] = 1;
    bytes[8 + 7] = 0;
    assert_steered(&p, s, 3, bytes, sizeof(bytes), 1);
    bytes[8] = 0x21; /* CONTROL, and a message of the relay */
    assert_steered(&p, s, 3, bytes, sizeof(bytes), 0);
    bytes[8] = 0x23; /* nested */
    assert_steered(&p, s, 3, bytes, sizeof(bytes), 0);
    bytes[8] = 0x20;
    assert_steered(&p, s, 3, bytes, 9, 0);
    assert_steered(&p, s, 3, bytes, 15, 0);
    udp_close(s, 3);
    pair_close(&p);
}

static void a_socket_beside_another_gets_what_is_in_envelopes(void **state)
{
    struct pair p;
    struct udp_socket s[2];
    uint8_t bytes[60] = {0};
    (void)state;
    pair_open(&p);
    assert_int_equal(udp_open(0, 1, &s[0]), 0);
    const struct addr at = {.family = 6, .port = s[0].port};
    assert_int_equal(udp_open_at(&at, s[0].fd, &s[1]), 0);
    assert_int_equal(s[1].port, s[0].port);
    for (unsigned type = 0; type < 256; type += type < 0x28 ? 1 : 50) {
        bytes[0] = (uint8_t)type;
        assert_steered(&p, s, 2, bytes, sizeof(bytes), type == 0x23);
    }
    udp_close(s, 2);
    pair_close(&p);
}

static void a_socket_at_an_address_is_reached_there_alone(void **state)
{
    struct pair p;
    struct udp_socket s, other;
    (void)state;
    pair_open(&p);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct addr at = local(v6, 0);
        assert_int_equal(udp_open_at(&at, -1, &s), 0);
        at.port = s.port;
        assert_int_equal(udp_open_at(&at, -1, &other), ERR_BUSY);
        struct udp_remote to = remote(&p.a, v6, s.port), elsewhere = remote(&p.a, !v6, s.port);
        assert_int_equal(udp_send(&p.a, &to, data, 100, 100, 0), 0);
        (void)!udp_send(&p.a, &elsewhere, data, 100, 100, 0);
        assert_int_equal(received(&p, &s), 1);
        udp_close(&s, 1);
    }
    pair_close(&p);
}

static void buffers_are_forced_to_eight_megabytes(void **state)
{
    struct udp_socket s;
    int size = 0;
    socklen_t len = sizeof(size);
    (void)state;
    lab_enter();
    assert_int_equal(udp_open(0, 1, &s), 0);
    assert_int_equal(getsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &size, &len), 0);
    assert_true(size >= 8 * 1024 * 1024);
    assert_int_equal(udp_queue(&s), UDP_QUEUE);
    size = 100000;
    assert_int_equal(setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    assert_int_equal(udp_queue(&s), 100000);
    udp_close(&s, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_arrives_whole_with_its_segments_and_ecn),
        cmocka_unit_test(segments_are_sent_and_received_together),
        cmocka_unit_test(a_call_takes_what_the_cache_holds),
        cmocka_unit_test(memory_of_a_burst_goes_back),
        cmocka_unit_test(memory_of_many_small_bursts_goes_back),
        cmocka_unit_test(how_full_the_queue_is_is_known_when_more_may_wait),
        cmocka_unit_test(refused_segmentation_falls_back_for_good),
        cmocka_unit_test(unreachable_peer_does_not_end_segmentation),
        cmocka_unit_test(datagrams_leave_from_the_address_given_and_tell_where_they_arrived),
        cmocka_unit_test(a_machine_without_ipv6_keeps_local_addresses_apart_too),
        cmocka_unit_test(link_local_address_keeps_its_interface),
        cmocka_unit_test(datagrams_leave_by_the_interface_given),
        cmocka_unit_test(vanished_local_address_does_not_end_segmentation),
        cmocka_unit_test(datagram_beyond_the_interface_is_refused_and_segmentation_kept),
        cmocka_unit_test(dont_fragment_and_ecn_leave_on_the_wire),
        cmocka_unit_test(what_is_to_stay_near_leaves_with_so_many_hops),
        cmocka_unit_test(unreachable_port_does_not_break_receiving),
        cmocka_unit_test(nothing_to_read_is_no_error),
        cmocka_unit_test(empty_datagrams_are_passed_over),
        cmocka_unit_test(what_the_socket_dropped_is_counted),
        cmocka_unit_test(sockets_share_a_port_among_themselves_only),
        cmocka_unit_test(data_goes_to_the_socket_of_its_lane_and_index_and_the_rest_to_the_first),
        cmocka_unit_test(enveloped_data_goes_to_the_socket_of_its_lane_and_index),
        cmocka_unit_test(a_socket_beside_another_gets_what_is_in_envelopes),
        cmocka_unit_test(a_socket_at_an_address_is_reached_there_alone),
        cmocka_unit_test(buffers_are_forced_to_eight_megabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
