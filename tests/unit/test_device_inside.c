/* SPDX-License-Identifier: Apache-2.0 */
/* A device in a namespace of its own, against the real kernel: this machine's interfaces are told apart from it, although
 * they have the same numbers, and addresses of its subnet. */

#include "node/device/device.h"

#include "base/clock.h"
#include "net/broker.h"
#include "net/sandbox.h"
#include "net_lab.h"
#include <string.h>

#define OWN   "10.10.10.3"
#define PEER  "10.10.10.4"
#define HERE  "192.0.2.7"
#define OTHER "10.10.10.99"

static struct broker broker;
static struct device *device;
static uint64_t now_us = 1000 * USEC_PER_SEC;

static struct addr address(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

/* The device inside is number 2 behind the loopback, too. */
static void opened(void)
{
    const struct broker_config inside = {NULL, 2, SANDBOX_DEFAULT, "test: broker"};
    struct config config = {
        .tap_mtu = 1400, .rootless = true, .tap_address = {.addr = address(OWN), .bits = 24}};
    static const struct node_id id = {{0xff, 0x11, 0x22, 0x33, 0x44, 0x55}};
    struct broker_trouble trouble;
    lab_enter();
    lab_run("ip link add eth0 index 2 type bridge && ip addr add " HERE
            "/24 dev eth0 && ip link set eth0 up");
    lab_run("ip link add vpn0 type bridge && ip addr add " OTHER "/24 dev vpn0 && ip link set vpn0 up");
    assert_int_equal(broker_start(&inside, &broker, &trouble), 0);
    assert_int_equal(device_open_inside(&config, &id, &broker, &device), 0);
    assert_int_equal(device_tap(device)->ifindex, 2);
}

static int closed(void **state)
{
    (void)state;
    device_close(device);
    broker_close(&broker);
    device = NULL;
    return 0;
}

static bool has_host_route(const char *to)
{
    char command[128];
    snprintf(command, sizeof(command), "ip route show %s | grep -q .", to);
    return system(command) == 0;
}

static void it_is_set_up_and_nothing_here_is(void **state)
{
    struct addr_prefix list[4];
    uint8_t mac[6];
    (void)state;
    opened();
    id_mac(&(struct node_id){{0xff, 0x11, 0x22, 0x33, 0x44, 0x55}}, mac);
    assert_int_equal(device_mtu(device), 1400);
    assert_memory_equal(device_mac(device), mac, sizeof(mac));
    assert_true(device_up(device));
    assert_int_equal(device_tap(device)->queue_count, 2);
    assert_int_equal(device_addresses(device, list, 4), 1);
    assert_true(addr_same_host(&list[0].addr, &(struct addr){.family = 4, .ip = {10, 10, 10, 3}}));
    assert_int_equal(if_nametoindex(device_tap(device)->name), 0);
}

static void interface_of_its_number_here_is_the_underlay(void **state)
{
    struct candidate list[4];
    struct addr here;
    (void)state;
    opened();
    here = address(HERE);
    assert_int_equal(device_host_candidates(device, 9443, 8443, list, 4), 1);
    assert_true(addr_same_host(&list[0].addr, &here));
    assert_int_equal(device_interface_of(device, &here), 2);
    assert_string_equal(device_interface_name(device, 2), "eth0");
}

/* No packet of the device's asks this machine's routes. */
static void same_subnet_here_is_nothing_to_it(void **state)
{
    const struct addr_prefix peer = {.addr = address(PEER), .bits = 24};
    (void)state;
    opened();
    device_peer_addresses(device, 5, &peer, 1, now_us += USEC_PER_SEC);
    assert_false(device_tick(device, now_us += USEC_PER_SEC));
    assert_false(has_host_route(PEER));
}

/* Who has an address of the mesh here has it in another network. */
static void addresses_here_are_not_ours_in_the_mesh(void **state)
{
    struct addr own, other;
    (void)state;
    opened();
    own = address(OWN);
    other = address(OTHER);
    assert_int_equal(device_holder(device, 5, &own), DEVICE_HOLDER_US);
    assert_int_equal(device_holder(device, 5, &other), DEVICE_HOLDER_NOBODY);
}

static void changes_of_both_are_noticed(void **state)
{
    struct addr_prefix more = {.addr = address("10.10.10.33"), .bits = 24}, list[4];
    (void)state;
    opened();
    struct pollfd ready = {.fd = device_monitor_fd(device), .events = POLLIN};
    while (poll(&ready, 1, 0) == 1) /* what came of opening */
        (void)device_on_change(device, now_us += USEC_PER_SEC);
    assert_int_equal(device_give(device, &more, 1), 0);
    assert_true(lab_readable(device_monitor_fd(device)));
    (void)device_on_change(device, now_us += USEC_PER_SEC);
    assert_int_equal(device_addresses(device, list, 4), 2);
    lab_run("ip addr add 192.0.2.8/24 dev eth0");
    assert_true(lab_readable(device_monitor_fd(device)));
    assert_true(device_on_change(device, now_us += USEC_PER_SEC));
}

#define TEST(f) cmocka_unit_test_teardown(f, closed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_set_up_and_nothing_here_is),  TEST(interface_of_its_number_here_is_the_underlay),
        TEST(same_subnet_here_is_nothing_to_it), TEST(addresses_here_are_not_ours_in_the_mesh),
        TEST(changes_of_both_are_noticed),
    };
    broker = BROKER_NONE;
#ifdef __SANITIZE_THREAD__
    return 0; /* its own thread keeps a process from a user namespace */
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
