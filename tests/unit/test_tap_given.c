/* SPDX-License-Identifier: Apache-2.0 */
/* net/tap_given against the real kernel: what is taken for a TUN, what is read back of it, and what is refused. */

#include "frame/offload.h"
#include "net/tap.h"

#include "net_lab.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PLAIN (IFF_TUN | IFF_NO_PI)

/* What a parent does; name NULL: it forgets TUNSETIFF. */
static int open_tun(const char *name, int flags)
{
    struct ifreq ifr = {.ifr_flags = (short)flags};
    int fd = open("/dev/net/tun", O_RDWR);
    assert_true(fd >= 0);
    if (!name)
        return fd;
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
    return fd;
}

static void expect(int fd, enum tap_refusal refusal)
{
    struct tap t;
    int flags = fcntl(fd, F_GETFL);
    assert_int_equal(tap_adopt(fd, &t), refusal);
    assert_int_equal(fcntl(fd, F_GETFL), flags);
    if (fd >= 0)
        close(fd);
}

static int make_lab(void **state)
{
    (void)state;
    if (geteuid() == 0)
        lab_enter();
    return 0;
}

static void need_root(void)
{
    if (geteuid() != 0)
        skip();
}

static void a_plain_tun_is_taken_as_it_is(void **state)
{
    static uint8_t packet[2000];
    struct tap t;
    (void)state;
    need_root();
    lab_run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    int fd = open_tun("tun3", PLAIN);
    assert_int_equal(tap_adopt(fd, &t), TAP_TAKEN);
    assert_string_equal(t.name, "tun3");
    assert_true(t.layer == TAP_IP && t.plain && t.attached && !t.assumed);
    assert_int_equal(t.offloads, 0);
    assert_int_equal(t.given, fd);
    assert_true(t.queue_count == 1 && t.queues[0] == fd);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    lab_run("ip link set tun3 up && ip addr add 10.10.10.4/24 dev tun3 && ping -c1 -W0.01 10.10.10.3 "
            ">/dev/null; true");
    assert_int_equal(tap_read(fd, NULL, packet, sizeof(packet)), 20 + 64);
    assert_int_equal(packet[0], 0x45);
    assert_int_equal(tap_read(fd, NULL, packet, sizeof(packet)), ERR_AGAIN);
    tap_close(&t);
}

static void a_virtio_header_brings_the_offloads(void **state)
{
    struct tap made, t;
    int header = sizeof(struct virtio_net_hdr_mrg_rxbuf), now = 0;
    (void)state;
    need_root();
    assert_int_equal(tap_create("made", TAP_IP, 1, &made), 0);
    int fd = open_tun("tun3", PLAIN | IFF_VNET_HDR);
    assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &header), 0); /* as another program may like it */
    assert_int_equal(tap_adopt(fd, &t), TAP_TAKEN);
    assert_false(t.plain);
    assert_int_equal(t.offloads, made.offloads);
    assert_int_equal(ioctl(fd, TUNGETVNETHDRSZ, &now), 0);
    assert_int_equal(now, sizeof(struct virtio_net_hdr));
    tap_close(&made);
    tap_close(&t);
}

/* On a persistent device the flags are those of who opened it last. */
static void a_queue_of_a_persistent_device_is_taken_with_its_flags(void **state)
{
    struct tap t;
    (void)state;
    need_root();
    lab_run("ip tuntap add dev tun4 mode tun vnet_hdr multi_queue");
    int fd = open_tun("tun4", PLAIN | IFF_VNET_HDR | IFF_MULTI_QUEUE);
    assert_int_equal(tap_adopt(fd, &t), TAP_TAKEN);
    assert_int_equal(t.queue_count, 1);
    assert_false(t.plain);
    tap_close(&t);
    assert_int_not_equal(if_nametoindex("tun4"), 0);
    fd = open_tun("tun4", PLAIN | IFF_MULTI_QUEUE);
    assert_int_equal(tap_adopt(fd, &t), TAP_TAKEN);
    assert_true(t.plain);
    tap_close(&t);
}

static void super_frames_that_somebody_asked_for_are_asked_for_no_longer(void **state)
{
    struct tap t;
    (void)state;
    need_root();
    int fd = open_tun("tun3", PLAIN);
    assert_int_equal(ioctl(fd, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_TSO4)), 0);
    lab_run("ethtool -k tun3 | grep -q 'tcp-segmentation-offload: on'");
    assert_int_equal(tap_adopt(fd, &t), TAP_TAKEN);
    lab_run("ethtool -k tun3 | grep -q 'tcp-segmentation-offload: off'");
    tap_close(&t);
}

static void what_is_no_such_device_is_refused(void **state)
{
    int pipes[2], stream[2];
    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
    expect(pipes[0], TAP_NOT_OPEN); /* for reading alone */
    close(pipes[1]);
    expect(pipes[1], TAP_NOT_OPEN);
    expect(-1, TAP_NOT_OPEN);
    expect(stream[0], TAP_NO_PACKETS);
    expect(open("/dev/null", O_RDWR), TAP_NO_PACKETS);
    expect(open("/dev/ptmx", O_RDWR | O_NOCTTY), TAP_NO_PACKETS);
    expect(open("/tmp", O_RDWR | O_TMPFILE, 0600), TAP_NO_PACKETS);
    expect(socket(AF_INET, SOCK_DGRAM, 0), TAP_NO_PACKETS); /* packets would leave the machine as they are */
    close(stream[1]);
}

static void what_has_a_device_of_another_kind_is_refused(void **state)
{
    struct ifreq detach = {.ifr_flags = IFF_DETACH_QUEUE};
    (void)state;
    need_root();
    expect(open_tun(NULL, 0), TAP_NO_DEVICE);
    expect(open_tun("tap3", IFF_TAP | IFF_NO_PI), TAP_IS_ETHERNET);
    expect(open_tun("tap3", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), TAP_IS_ETHERNET);
    for (int up = 0; up < 2; up++) {
        for (int header = 0; header < 2; header++) {
            int fd = open_tun("tun3", IFF_TUN | (header ? IFF_VNET_HDR : 0));
            if (up)
                lab_run("ip link set tun3 up");
            expect(fd, TAP_PACKET_INFO);
        }
    }
    int fd = open_tun("tun5", PLAIN | IFF_MULTI_QUEUE);
    assert_int_equal(ioctl(fd, TUNSETQUEUE, &detach), 0);
    expect(fd, TAP_NO_DEVICE);
}

/* As Android's policy may have it. In a child, since a filter stays. */
static void flags_that_must_not_be_read_are_assumed(void **state)
{
    struct tap t;
    int status = -1;
    (void)state;
    need_root();
    int fd = open_tun("tun3", PLAIN);
    pid_t pid = fork();
    if (pid == 0) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        bool filtered = filter && !seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 0) &&
                        !seccomp_load(filter);
        bool taken = filtered && tap_adopt(fd, &t) == TAP_TAKEN;
        _exit(taken && t.plain && t.assumed && !t.name[0] && t.queue_count == 1 && tap_knock(&t) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fd);
}

static void a_socket_of_packets_stands_for_a_device(void **state)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    uint8_t packet[100] = {0};
    int pair[2];
    struct tap t;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, types[i], 0, pair), 0);
        assert_int_equal(tap_adopt(pair[0], &t), TAP_TAKEN);
        assert_true(t.plain && t.assumed && !t.name[0]);
        assert_false(tap_knock(&t)); /* its other end would take them */
        const struct iovec iov = {packet, 40};
        assert_int_equal(tap_write(pair[0], &iov, 1), 0);
        assert_int_equal(recv(pair[1], packet, sizeof(packet), MSG_DONTWAIT), 40);
        assert_int_equal(recv(pair[1], packet, sizeof(packet), MSG_DONTWAIT), -1);
        assert_int_equal(send(pair[1], packet, 60, 0), 60);
        assert_int_equal(tap_read(pair[0], NULL, packet, sizeof(packet)), 60);
        tap_close(&t);
        close(pair[1]);
    }
}

static uint64_t dropped(const char *name)
{
    char path[64];
    unsigned long long count = 0;
    snprintf(path, sizeof(path), "grep '%s:' /proc/net/dev", name);
    FILE *f = popen(path, "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*s %*u %*u %*u %llu", &count), 1);
    pclose(f);
    return count;
}

static void its_interface_counts_the_knocks(void **state)
{
    struct tap t;
    (void)state;
    need_root();
    for (int header = 0; header < 2; header++) {
        assert_int_equal(tap_adopt(open_tun("tun3", PLAIN | (header ? IFF_VNET_HDR : 0)), &t), TAP_TAKEN);
        uint64_t before = dropped("tun3");
        assert_true(tap_knock(&t));
        assert_int_equal(dropped("tun3"), before + TAP_KNOCKS);
        tap_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_tun_is_taken_as_it_is),
        cmocka_unit_test(a_virtio_header_brings_the_offloads),
        cmocka_unit_test(a_queue_of_a_persistent_device_is_taken_with_its_flags),
        cmocka_unit_test(super_frames_that_somebody_asked_for_are_asked_for_no_longer),
        cmocka_unit_test(what_is_no_such_device_is_refused),
        cmocka_unit_test(what_has_a_device_of_another_kind_is_refused),
        cmocka_unit_test(flags_that_must_not_be_read_are_assumed),
        cmocka_unit_test(a_socket_of_packets_stands_for_a_device),
        cmocka_unit_test(its_interface_counts_the_knocks),
    };
    return cmocka_run_group_tests(tests, make_lab, NULL);
}
