/* SPDX-License-Identifier: Apache-2.0 */
/* TAP devices of the real kernel. */

#include "frame/offload.h"
#include "net/tap.h"

#include "net_lab.h"
#include "packet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define GVISOR_KNOWS (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_ONE_QUEUE)

static int
    unknown_flags; /* of TUNSETIFF, to the kernel that the test plays; with others than IFF_TUN_EXCL it has no other request */

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    const struct ifreq *ifr = argument;
    if (request == TUNSETIFF && unknown_flags &&
        (ifr->ifr_flags & unknown_flags || strchr(ifr->ifr_name, '%'))) {
        errno = EINVAL;
        return -1;
    }
    if (request != TUNSETIFF && unknown_flags & IFF_VNET_HDR) {
        errno = ENOTTY;
        return -1;
    }
    return __real_ioctl(fd, request, argument);
}

/* A persistent device, as `ip tuntap add` makes it. */
static void make_persistent(const char *name, int flags)
{
    struct ifreq ifr = {.ifr_flags = (short)flags};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
    assert_int_equal(ioctl(fd, TUNSETPERSIST, 1ul), 0);
    close(fd);
}

static int tso_enabled(const char *name)
{
    struct ethtool_value value = {.cmd = ETHTOOL_GTSO};
    struct ifreq ifr = {.ifr_data = (void *)&value};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
    close(fd);
    return value.data != 0;
}

static void first_free_name_is_taken(void **state)
{
    struct tap a, b;
    (void)state;
    lab_enter();
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 1, &a), 0);
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 1, &b), 0);
    assert_string_equal(a.name, "tap0");
    assert_string_equal(b.name, "tap1");
    assert_int_equal(a.ifindex, if_nametoindex("tap0"));
    assert_false(a.attached);
    assert_true(a.offloads & OFFLOAD_CSUM);
    assert_true(tso_enabled("tap0") == !!(a.offloads & OFFLOAD_TSO));
    assert_true(fcntl(a.queues[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(a.queues[0], F_GETFD) & FD_CLOEXEC);
    tap_close(&a);
    tap_close(&b);
    assert_int_equal(if_nametoindex("tap0"), 0);
}

static void taken_or_impossible_names_are_refused(void **state)
{
    static const char *const bad[] = {"", "a/b", "tap%d", "with space", "longer-than-15-ch", "..", "a:b"};
    struct tap a, b;
    (void)state;
    lab_enter();
    assert_int_equal(tap_create("mine", TAP_ETHERNET, 1, &a), 0);
    assert_int_equal(tap_create("mine", TAP_ETHERNET, 1, &b), ERR_EXISTS);
    assert_int_equal(tap_create("lo", TAP_ETHERNET, 1, &b), ERR_EXISTS);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(tap_create(bad[i], TAP_ETHERNET, 1, &b), ERR_ARGUMENT);
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 0, &b), ERR_ARGUMENT);
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, TAP_QUEUES_MAX + 1, &b), ERR_ARGUMENT);
    tap_close(&a);
}

static void every_queue_has_its_descriptor(void **state)
{
    struct tap t;
    (void)state;
    lab_enter();
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 4, &t), 0);
    assert_int_equal(t.queue_count, 4);
    for (unsigned i = 1; i < 4; i++)
        assert_true(t.queues[i] > t.queues[i - 1]);
    tap_close(&t);
}

static void attaching_never_makes_a_device(void **state)
{
    struct tap t;
    (void)state;
    lab_enter();
    assert_int_equal(tap_attach("chr001", TAP_ETHERNET, 1, &t), ERR_NOT_FOUND);
    assert_int_equal(if_nametoindex("chr001"), 0);
    assert_int_equal(tap_attach("", TAP_ETHERNET, 1, &t), ERR_NOT_FOUND);
    assert_int_equal(tap_attach("../etc", TAP_ETHERNET, 1, &t), ERR_NOT_FOUND);
}

static void only_a_tap_can_be_attached(void **state)
{
    struct tap t;
    (void)state;
    lab_enter();
    make_persistent("tun7", IFF_TUN | IFF_NO_PI);
    assert_int_equal(tap_attach("tun7", TAP_ETHERNET, 1, &t), ERR_UNSUPPORTED);
    assert_int_equal(tap_attach("lo", TAP_ETHERNET, 1, &t), ERR_UNSUPPORTED);
}

static void attached_tap_stays_and_loses_its_offloads(void **state)
{
    struct tap t;
    (void)state;
    lab_enter();
    make_persistent("keep", IFF_TAP | IFF_NO_PI);
    assert_int_equal(tap_attach("keep", TAP_ETHERNET, 1, &t), 0);
    assert_true(t.attached);
    assert_true(tso_enabled("keep"));
    tap_close(&t);
    assert_int_not_equal(if_nametoindex("keep"), 0);
    assert_false(tso_enabled("keep"));
    assert_int_equal(tap_attach("keep", TAP_ETHERNET, 1, &t), 0);
    tap_close(&t);
}

static void attached_tap_has_the_queues_it_was_made_for(void **state)
{
    struct tap t;
    (void)state;
    lab_enter();
    make_persistent("one", IFF_TAP | IFF_NO_PI);
    make_persistent("many", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
    assert_int_equal(tap_attach("one", TAP_ETHERNET, 4, &t), 0);
    assert_int_equal(t.queue_count, 1);
    tap_close(&t);
    assert_int_equal(tap_attach("many", TAP_ETHERNET, 4, &t), 0);
    assert_int_equal(t.queue_count, 4);
    tap_close(&t);
    assert_int_equal(tap_attach("many", TAP_ETHERNET, 1, &t), 0);
    assert_int_equal(t.queue_count, 1);
    tap_close(&t);
}

static void device_of_another_process_is_busy_and_its_owner_named(void **state)
{
    struct tap held, t;
    pid_t pid = 0;
    char program[32] = "";
    (void)state;
    lab_enter();
    for (unsigned queues = 1; queues <= 2; queues++) {
        assert_int_equal(tap_create("held", TAP_ETHERNET, queues, &held), 0);
        assert_int_equal(tap_attach("held", TAP_ETHERNET, 1, &t), ERR_BUSY);
        assert_int_equal(tap_attach("held", TAP_ETHERNET, 2, &t), ERR_BUSY);
        assert_int_equal(tap_owner("held", &pid, program, sizeof(program)), 0);
        assert_int_equal(pid, getpid());
        assert_string_equal(program, "test_tap");
        tap_close(&held);
        assert_int_equal(tap_owner("held", &pid, program, sizeof(program)), ERR_NOT_FOUND);
    }
}

static void name_held_in_another_namespace_is_not_busy(void **state)
{
    struct tap elsewhere, t;
    (void)state;
    lab_enter();
    assert_int_equal(tap_create("same", TAP_ETHERNET, 1, &elsewhere), 0);
    pid_t child = fork();
    if (child == 0) {
        unsigned rest = 10;
        while (rest)
            rest = sleep(rest);
        _exit(0);
    }
    for (unsigned i = 0; i < elsewhere.queue_count; i++)
        close(elsewhere.queues[i]);
    lab_enter();
    make_persistent("same", IFF_TAP | IFF_NO_PI);
    int err = tap_attach("same", TAP_ETHERNET, 1, &t);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(err, 0);
    tap_close(&t);
}

/* The kernel's own datagram comes out with a partial checksum; a frame of ours goes in and is received. */
static void frames_pass_both_ways(void **state)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(7)};
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(2000)};
    static uint8_t frame[PACKET_MAX];
    struct virtio_net_hdr vnet;
    struct tap t;
    (void)state;
    lab_enter();
    lab_run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 1, &t), 0);
    assert_int_equal(tap_read(t.queues[0], &vnet, frame, sizeof(frame)), ERR_AGAIN);
    struct iovec iov[2] = {{&vnet, sizeof(vnet)}, {frame, 60}};
    memset(&vnet, 0, sizeof(vnet));
    assert_int_equal(tap_write(t.queues[0], iov, 2), ERR_IO); /* it is down */

    lab_run("ip link set tap0 address 02:00:00:00:00:04 up && ip addr add 10.10.10.4/24 dev tap0");
    lab_run("ip neigh add 10.10.10.3 lladdr 02:00:00:00:00:03 dev tap0");
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&own, sizeof(own)), 0);
    inet_pton(AF_INET, "10.10.10.3", &peer.sin_addr);
    assert_int_equal(sendto(s, "hello", 5, 0, (struct sockaddr *)&peer, sizeof(peer)), 5);
    assert_true(lab_readable(t.queues[0]));
    assert_int_equal(tap_read(t.queues[0], &vnet, frame, sizeof(frame)), 14 + 20 + 8 + 5);
    assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(vnet.csum_start, 34);
    assert_memory_equal(frame + 42, "hello", 5);

    char text[8] = "";
    struct packet p = {.udp = true, .body = (const uint8_t *)"world", .body_len = 5};
    memset(&vnet, 0, sizeof(vnet));
    iov[1].iov_len = packet_build(&p, frame);
    assert_int_equal(tap_write(t.queues[0], iov, 2), 0);
    assert_true(lab_readable(s));
    assert_int_equal(recv(s, text, sizeof(text), 0), 5);
    assert_string_equal(text, "world");
    close(s);
    tap_close(&t);
}

static void a_tun_passes_packets_and_takes_what_a_tap_does(void **state)
{
    static uint8_t frame[2000];
    struct virtio_net_hdr vnet;
    struct tap tun, tap, again;
    (void)state;
    lab_enter();
    lab_run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    assert_int_equal(tap_create(NULL, TAP_IP, 2, &tun), 0);
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 2, &tap), 0);
    assert_string_equal(tun.name, "tun0");
    assert_int_equal(tun.queue_count, 2);
    assert_int_equal(tun.offloads, tap.offloads);
    assert_true(tun.offloads & OFFLOAD_CSUM);
    lab_run("ip link set tun0 up && ip addr add 10.10.10.4/24 dev tun0 && ping -c1 -W0.01 10.10.10.3 "
            ">/dev/null; true");
    ssize_t len = tap_read(tun.queues[0], &vnet, frame, sizeof(frame));
    if (len == ERR_AGAIN)
        len = tap_read(tun.queues[1], &vnet, frame, sizeof(frame));
    assert_int_equal(len, 20 + 64);
    assert_int_equal(frame[0], 0x45);
    tap_close(&tun);
    tap_close(&tap);
    make_persistent("tun7", IFF_TUN | IFF_NO_PI);
    assert_int_equal(tap_attach("tun7", TAP_ETHERNET, 1, &again), ERR_UNSUPPORTED);
    assert_int_equal(tap_attach("tun7", TAP_IP, 1, &again), 0);
    tap_close(&again);
}

static int know_all(void **state)
{
    (void)state;
    unknown_flags = 0;
    return 0;
}

static void a_kernel_that_makes_no_device_exclusively_makes_it_all_the_same(void **state)
{
    struct tap t, again;
    (void)state;
    lab_enter();
    unknown_flags = (short)IFF_TUN_EXCL;
    assert_int_equal(tap_create(NULL, TAP_IP, 2, &t), 0);
    assert_string_equal(t.name, "tun0");
    assert_int_equal(t.queue_count, 2);
    assert_false(t.plain);
    assert_true(t.offloads & OFFLOAD_CSUM);
    assert_int_equal(tap_create("tun0", TAP_IP, 2, &again), ERR_EXISTS); /* not another queue of it */
    tap_close(&t);
}

/* As gVisor's, whose pattern of a name is the name. */
static void a_kernel_without_headers_and_queues_makes_a_plain_device(void **state)
{
    static uint8_t frame[2000];
    struct tap t, next;
    (void)state;
    lab_enter();
    lab_run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    unknown_flags = ~GVISOR_KNOWS;
    assert_int_equal(tap_create(NULL, TAP_IP, 4, &t), 0);
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 4, &next), 0);
    assert_string_equal(next.name, "tap0");
    tap_close(&next);
    assert_int_equal(tap_create(NULL, TAP_IP, 4, &next), 0);
    assert_string_equal(next.name, "tun1");
    tap_close(&next);
    assert_string_equal(t.name, "tun0");
    assert_int_equal(t.queue_count, 1);
    assert_true(t.plain);
    assert_int_equal(t.offloads, 0);
    assert_int_equal(tap_create("tun0", TAP_IP, 4, &next), ERR_EXISTS);
    lab_run("ip link set tun0 up && ip addr add 10.10.10.4/24 dev tun0 && ping -c1 -W0.01 10.10.10.3 "
            ">/dev/null; true");
    assert_int_equal(tap_read(t.queues[0], NULL, frame, sizeof(frame)), 20 + 64);
    assert_int_equal(frame[0], 0x45);
    tap_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_free_name_is_taken),
        cmocka_unit_test(taken_or_impossible_names_are_refused),
        cmocka_unit_test(every_queue_has_its_descriptor),
        cmocka_unit_test(attaching_never_makes_a_device),
        cmocka_unit_test(only_a_tap_can_be_attached),
        cmocka_unit_test(attached_tap_stays_and_loses_its_offloads),
        cmocka_unit_test(attached_tap_has_the_queues_it_was_made_for),
        cmocka_unit_test(device_of_another_process_is_busy_and_its_owner_named),
        cmocka_unit_test(name_held_in_another_namespace_is_not_busy),
        cmocka_unit_test(frames_pass_both_ways),
        cmocka_unit_test(a_tun_passes_packets_and_takes_what_a_tap_does),
        cmocka_unit_test_teardown(a_kernel_that_makes_no_device_exclusively_makes_it_all_the_same, know_all),
        cmocka_unit_test_teardown(a_kernel_without_headers_and_queues_makes_a_plain_device, know_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
