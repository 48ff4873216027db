/* SPDX-License-Identifier: Apache-2.0 */
/* A device that another program opened, against the real kernel: which interface it is, and that nothing of it is changed.
 * tun9 is another program's with a queue of its own. */

#include "node/device/device.h"

#include "base/clock.h"
#include "net_lab.h"
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define OWN  "10.10.10.3"
#define PEER "10.10.10.4"

static int log_fd, stderr_fd;
static uint64_t now_us = 1000 * USEC_PER_SEC;
static struct config config;
static struct tap given;
static struct device *device;

static struct addr_prefix prefix(const char *text)
{
    struct addr_prefix p = {.bits = 24};
    assert_int_equal(addr_parse(text, 0, &p.addr), 0);
    return p;
}

/* What the program says goes to a file that said() reads. */
static int listen_in(void **state)
{
    (void)state;
    log_fd = memfd_create("log", MFD_CLOEXEC);
    stderr_fd = dup(STDERR_FILENO);
    return log_fd < 0 || stderr_fd < 0 || dup2(log_fd, STDERR_FILENO) < 0 ? -1 : 0;
}

static int listen_no_more(void **state)
{
    (void)state;
    device_close(device);
    device = NULL;
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    return close(log_fd);
}

static bool said(const char *text)
{
    static char all[16384];
    ssize_t n = pread(log_fd, all, sizeof(all) - 1, 0);
    all[n > 0 ? n : 0] = '\0';
    return strstr(all, text) != NULL;
}

static int open_tun(const char *name, int flags)
{
    struct ifreq ifr = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags)};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
    return fd;
}

static void machine(void)
{
    lab_enter();
    lab_run("ip link add eth0 type veth peer name cable");
    lab_run("ip addr add 192.0.2.7/24 dev eth0 && ip link set eth0 up && ip link set cable up");
    (void)open_tun("tun9", IFF_VNET_HDR); /* until the process ends */
    config = (struct config){.tap_mtu = 1280, .tap_address = prefix(OWN), .run_dir = "/nowhere"};
}

static void take(int fd)
{
    config.tun_fd = (unsigned)fd;
    assert_int_equal(device_take(&config, &given), 0);
}

static void open_given(void)
{
    static const struct node_id id = {{0xff, 0x11, 0x22, 0x33, 0x44, 0x55}};
    assert_int_equal(device_open_given(&config, &id, &given, &device), 0);
}

static void addresses_are(const char *first)
{
    struct addr_prefix list[4];
    unsigned count = device_addresses(device, list, 4);
    assert_int_equal(count, first ? 1 : 0);
    if (first) {
        const struct addr_prefix wanted = prefix(first);
        assert_true(addr_same_host(&list[0].addr, &wanted.addr));
    }
}

static void its_interface_is_found_followed_and_left_as_it_is(void **state)
{
    size_t count;
    (void)state;
    machine();
    take(open_tun("tun3", IFF_VNET_HDR));
    lab_run("ip link set tun3 mtu 1350 up && ip addr add " OWN "/24 dev tun3");
    lab_run("ip -d link show tun3 >/dev/shm/given-$PPID && ip addr show tun3 >>/dev/shm/given-$PPID");
    open_given();
    assert_int_equal(device_tap(device)->ifindex, if_nametoindex("tun3"));
    assert_int_equal(device_mtu(device), 1350);
    addresses_are(OWN);
    assert_false(said("warn"));
    lab_run("ip route add 10.99.0.0/16 via 10.10.10.9 dev tun3 && ip addr add 10.20.0.1/24 dev tun3");
    (void)device_on_change(device, now_us += USEC_PER_SEC);
    assert_non_null(device_routes(device, &count));
    assert_true(count >= 2);
    assert_true(device_is_overlay(device, &(struct addr){.family = 4, .ip = {10, 20, 0, 9}}));
    lab_run("ip addr del 10.20.0.1/24 dev tun3");
    lab_run("{ ip -d link show tun3 && ip addr show tun3; } | diff - /dev/shm/given-$PPID; e=$?; "
            "rm /dev/shm/given-$PPID; exit $e");
}

static void one_of_that_name_elsewhere_is_none_of_this_machine(void **state)
{
    size_t count = 1;
    (void)state;
    lab_enter();
    int fd = open_tun("tun9", 0);
    machine();
    lab_run("ip link set tun9 up && ip addr add 10.77.0.1/24 dev tun9");
    take(fd);
    open_given();
    assert_int_equal(device_tap(device)->ifindex, 0);
    assert_int_equal(device_mtu(device), 1280);
    assert_true(device_up(device));
    addresses_are(OWN);
    (void)device_routes(device, &count);
    assert_int_equal(count, 0);
    lab_run("ip addr add 10.78.0.1/24 dev tun9");
    (void)device_on_change(device, now_us += USEC_PER_SEC);
    addresses_are(OWN);
    assert_true(said("device tun9 is no interface to be seen here"));
}

static void beside_an_overlap_it_warns_and_changes_nothing(void **state)
{
    (void)state;
    machine();
    lab_run("ip addr add 10.10.10.99/24 dev eth0");
    take(open_tun("tun3", 0));
    lab_run("ip link set tun3 up && ip addr add " OWN
            "/24 dev tun3 && echo 1 >/proc/sys/net/ipv4/conf/tun3/rp_filter");
    open_given();
    assert_true(
        said("eth0 holds 10.10.10.99/24, which overlaps 10.10.10.3/24 of tun3: peers are sought there"));
    const struct addr_prefix peer = prefix(PEER);
    device_peer_addresses(device, 1, &peer, 1, now_us += USEC_PER_SEC);
    lab_run("! ip route show " PEER " | grep -q .");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/tun3/rp_filter) = 1");
}

static void what_keeps_packets_away_is_told(void **state)
{
    (void)state;
    machine();
    take(open_tun("tun3", IFF_MULTI_QUEUE));
    int other = open_tun("tun3", IFF_MULTI_QUEUE);
    open_given();
    assert_true(said("device tun3 is down: whoever opened it brings it up (`ip link set tun3 up`)"));
    assert_true(said("device tun3 has no address 10.10.10.3/24, by which peers are to reach it"));
    assert_true(said("device tun3 has 2 queues, and the node has one of them"));
    assert_false(device_up(device));
    addresses_are(NULL);
    close(other);
}

static void addresses_of_a_certificate_are_its_where_it_is_not_seen(void **state)
{
    const struct addr_prefix later = prefix("10.10.10.77");
    int pair[2];
    (void)state;
    machine();
    config.tap_address = (struct addr_prefix){.bits = 0};
    snprintf(config.network, sizeof(config.network), "office");
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    take(pair[0]);
    open_given();
    addresses_are(NULL);
    assert_int_equal(device_give(device, &later, 1), 0);
    addresses_are("10.10.10.77");
    assert_false(said("has no address"));
    device_close(device);
    take(open_tun("tun3", 0));
    open_given();
    assert_int_equal(device_give(device, &later, 1), 0);
    assert_true(said("device tun3 has no address 10.10.10.77/24"));
    addresses_are(NULL);
    close(pair[1]);
}

static void doors_need_an_interface(void **state)
{
    static const struct node_id id;
    int pair[2];
    (void)state;
    machine();
    config.forward_count = 1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    take(pair[0]);
    assert_int_equal(device_open_given(&config, &id, &given, &device), ERR_UNSUPPORTED);
    assert_true(said("-forward, -listen, -socks and -http-proxy make sockets at it: start the node in its "
                     "network namespace"));
    close(pair[1]);
    take(open_tun("tun3", 0));
    open_given();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, listen_in, listen_no_more)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_interface_is_found_followed_and_left_as_it_is),
        TEST(one_of_that_name_elsewhere_is_none_of_this_machine),
        TEST(beside_an_overlap_it_warns_and_changes_nothing),
        TEST(what_keeps_packets_away_is_told),
        TEST(addresses_of_a_certificate_are_its_where_it_is_not_seen),
        TEST(doors_need_an_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
