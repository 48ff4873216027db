/* SPDX-License-Identifier: Apache-2.0 */
/* node/device against the real kernel: what is made, refused, put beside an overlapping interface and undone.
 * chr001 stands for another VPN's device. */

#include "node/device.h"

#include "net_lab.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static int log_fd, stderr_fd;

static void machine(void)
{
    lab_enter();
    lab_run("ip link add eth0 type veth peer name cable");
    lab_run("ip addr add 192.0.2.7/24 dev eth0 && ip link set eth0 up && ip link set cable up");
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

static struct addr address(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

static struct config flags(const char *name, const char *ip)
{
    struct config c = {.tap_mtu = 1500};
    if (name)
        snprintf(c.tap_name, sizeof(c.tap_name), "%s", name);
    if (ip)
        c.tap_address = (struct addr_prefix){.addr = address(ip), .bits = strchr(ip, ':') ? 64 : 24};
    return c;
}

static const struct node_id id = {{0xff, 0x11, 0x22, 0x33, 0x44, 0x55}};

static struct device *open_device(const char *name, const char *ip)
{
    struct config c = flags(name, ip);
    struct device *d = NULL;
    assert_int_equal(device_open(&c, &id, 1, &d), 0);
    return d;
}

static void refused(const char *name, const char *ip, int err, const char *line)
{
    struct config c = flags(name, ip);
    struct device *d = NULL;
    assert_int_equal(device_open(&c, &id, 1, &d), err);
    assert_null(d);
    assert_true(said(line));
}

static void peer_has(struct device *d, uint32_t slot, const char *ip)
{
    struct addr_prefix p = {.bits = 24};
    if (ip)
        p.addr = address(ip);
    device_peer_addresses(d, slot, &p, ip ? 1 : 0);
}

static void make_chr001(const char *ip)
{
    lab_run("ip link add chr001 type veth peer name chr001-far");
    lab_run("ip link set chr001-far up && ip link set chr001 up && ip addr add %s dev chr001", ip);
}

static void a_created_device_has_what_was_asked_and_vanishes(void **state)
{
    (void)state;
    machine();
    struct device *d = open_device(NULL, "10.10.10.3");
    struct addr_prefix list[4];
    lab_run("ip -o link show tap0 | grep -q 'mtu 1500.*,UP\\|UP,.*mtu 1500'");
    lab_run("ip -o addr show tap0 | grep -q 'inet 10.10.10.3/24'");
    assert_int_equal(device_mtu(d), 1500);
    assert_int_equal(device_addresses(d, list, 4), 1);
    assert_int_equal(list[0].bits, 24);
    assert_true(device_is_overlay(d, &(struct addr){.family = 4, .ip = {10, 10, 10, 99}}));
    assert_false(device_is_overlay(d, &(struct addr){.family = 4, .ip = {10, 10, 11, 99}}));
    assert_true(device_mac(d)[0] & 2);
    device_close(d);
    assert_int_equal(if_nametoindex("tap0"), 0);
}

static void a_created_device_may_be_named_and_have_ipv6(void **state)
{
    (void)state;
    machine();
    struct device *d = open_device("mesh0", "fd00:1::3");
    assert_string_equal(device_tap(d)->name, "mesh0");
    lab_run("ip -o -6 addr show mesh0 | grep -q fd00:1::3/64");
    assert_false(device_is_overlay(d, &(struct addr){.family = 6, .ip = {0xfe, 0x80, [15] = 1}}));
    device_close(d);
}

static void refusals_name_cause_and_remedy(void **state)
{
    (void)state;
    machine();
    refused(NULL, NULL, ERR_ARGUMENT, "give -tap-ip ADDR to create one, or -tap NAME to attach to one");
    refused("nope", NULL, ERR_NOT_FOUND, "there is no device nope");
    refused("eth0", NULL, ERR_UNSUPPORTED, "eth0 is no TAP device");
    refused("eth0", "10.10.10.3", ERR_EXISTS, "device eth0 exists already");
    refused("a/b", "10.10.10.3", ERR_ARGUMENT, "'a/b' cannot be the name of a device");
}

static void a_busy_device_names_its_owner(void **state)
{
    (void)state;
    machine();
    char line[128];
    struct tap held;
    assert_int_equal(tap_create("chr001", 1, &held), 0);
    snprintf(line, sizeof(line),
             "device chr001 is held by process %d (test_device): stop it, or use -tap-ip to create",
             getpid());
    refused("chr001", NULL, ERR_BUSY, line);
    tap_close(&held);
}

static void an_attached_device_is_left_as_it_was(void **state)
{
    (void)state;
    machine();
    lab_run(
        "ip tuntap add dev tap7 mode tap && ip link set tap7 mtu 1400 && ip addr add 10.10.10.3/24 dev tap7");
    struct device *d = open_device("tap7", NULL);
    assert_int_equal(device_mtu(d), 1400);
    lab_run("ip -o link show tap7 | grep -q '[<,]UP[,>]'");
    device_close(d);
    lab_run("ip -o link show tap7 | grep -vq '[<,]UP[,>]'");
    lab_run("ip -o addr show tap7 | grep -q 10.10.10.3/24");
}

static void peers_are_routed_only_beside_an_overlap(void **state)
{
    (void)state;
    machine();
    struct device *d = open_device(NULL, "10.10.10.3");
    peer_has(d, 1, "10.10.10.4");
    lab_run("! ip route show | grep -q '^10.10.10.4'");
    assert_false(said("overlaps"));
    device_close(d);
}

static void beside_an_overlap_peers_are_reached_through_the_device(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.3/24");
    lab_run("sysctl -qw net.ipv4.conf.all.rp_filter=1");
    struct device *d = open_device(NULL, "10.10.10.3");
    assert_true(said("chr001 holds 10.10.10.3/24, which overlaps 10.10.10.3/24 of tap0"));
    peer_has(d, 1, "10.10.10.4");
    lab_run("ip route get 10.10.10.4 | grep -q 'dev tap0 src 10.10.10.3'");
    lab_run("ip route get 10.10.10.77 | grep -q 'dev chr001'");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/tap0/rp_filter) = 2");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/tap0/arp_ignore) = 1");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/chr001/rp_filter) != 2");
    peer_has(d, 1, "10.10.10.5");
    lab_run("ip route get 10.10.10.4 | grep -q 'dev chr001'");
    lab_run("ip route get 10.10.10.5 | grep -q 'dev tap0'");
    peer_has(d, 1, NULL);
    lab_run("ip route get 10.10.10.5 | grep -q 'dev chr001'");
    device_close(d);
}

static void ipv6_overlaps_are_treated_alike(void **state)
{
    (void)state;
    machine();
    make_chr001("fd00:1::3/64");
    struct device *d = open_device(NULL, "fd00:1::3");
    peer_has(d, 1, "fd00:1::4");
    lab_run("ip -6 route get fd00:1::4 | grep -q 'dev tap0'");
    device_close(d);
}

static void addresses_that_must_not_be_routed_are_not(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.9/24");
    struct device *d = open_device(NULL, "10.10.10.3");
    const char *const never[] = {"10.10.10.3",   "10.10.10.9", "10.10.10.0",
                                 "10.10.10.255", "192.0.2.1",  "198.51.100.1"};
    for (uint32_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        peer_has(d, i, never[i]);
    lab_run("! ip route show | grep 'proto static' | grep -q tap0");
    assert_true(said("10.10.10.9, which is this machine's own address"));
    device_close(d);
}

static void the_first_of_two_peers_with_one_address_keeps_its_route(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.9/24");
    struct device *d = open_device(NULL, "10.10.10.3");
    peer_has(d, 1, "10.10.10.4");
    peer_has(d, 2, "10.10.10.4");
    peer_has(d, 1, NULL);
    lab_run("ip route get 10.10.10.4 | grep -q 'dev tap0'");
    peer_has(d, 2, NULL);
    lab_run("ip route get 10.10.10.4 | grep -q 'dev chr001'");
    device_close(d);
}

static bool changed(struct device *d)
{
    assert_true(lab_readable(device_monitor_fd(d)));
    return device_on_change(d);
}

static void an_overlap_that_comes_later_is_noticed_and_its_end_too(void **state)
{
    (void)state;
    machine();
    struct device *d = open_device(NULL, "10.10.10.3");
    (void)device_on_change(d);
    peer_has(d, 1, "10.10.10.4");
    make_chr001("10.10.10.3/24");
    assert_false(changed(d)); /* no underlay address came or went */
    assert_true(said("chr001 holds 10.10.10.3/24"));
    lab_run("ip route get 10.10.10.4 | grep -q 'dev tap0 src'");
    lab_run("ip link del chr001");
    (void)changed(d);
    assert_true(said("no other interface overlaps"));
    lab_run("! ip route show | grep -q '^10.10.10.4 '");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/tap0/arp_ignore) = 0");
    device_close(d);
}

static void an_attached_device_beside_an_overlap_is_cleaned(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.3/24");
    lab_run("ip tuntap add dev tap7 mode tap && ip link set tap7 up && ip addr add 10.10.10.3/24 dev tap7");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/tap7/rp_filter) != 2");
    struct device *d = open_device("tap7", NULL);
    peer_has(d, 1, "10.10.10.4");
    lab_run("ip route get 10.10.10.4 | grep -q 'dev tap7'");
    device_close(d);
    lab_run("ip route get 10.10.10.4 | grep -q 'dev chr001'");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/tap7/rp_filter) != 2");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/tap7/arp_ignore) = 0");
    lab_run("test $(cat /proc/sys/net/ipv4/conf/tap7/arp_announce) = 0");
}

/* As after SIGKILL: the route of the last run is still there. */
static void a_route_left_behind_is_taken_over_and_removed(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.3/24");
    lab_run("ip tuntap add dev tap7 mode tap && ip link set tap7 up && ip addr add 10.10.10.3/24 dev tap7");
    lab_run("ip route add 10.10.10.4/32 dev tap7 src 10.10.10.3 proto static scope link");
    struct device *d = open_device("tap7", NULL);
    peer_has(d, 1, "10.10.10.4");
    lab_run("ip route get 10.10.10.4 | grep -q 'dev tap7'");
    device_close(d);
    lab_run("ip route get 10.10.10.4 | grep -q 'dev chr001'");
}

static void candidates_are_underlay_addresses_only(void **state)
{
    (void)state;
    machine();
    struct candidate list[8];
    make_chr001("10.10.10.9/24");
    struct device *d = open_device(NULL, "10.10.10.3");
    assert_int_equal(device_host_candidates(d, 9443, 8443, list, 8), 1);
    assert_int_equal(list[0].addr.ip[0], 192);
    assert_int_equal(list[0].addr.port, 9443);
    assert_int_equal(list[0].control_port, 8443);
    assert_int_equal(list[0].kind, CANDIDATE_HOST);
    assert_int_equal(device_underlay_max(d), 1472);
    device_close(d);
}

static void a_new_underlay_address_or_size_is_a_change(void **state)
{
    (void)state;
    machine();
    struct device *d = open_device(NULL, "10.10.10.3");
    (void)device_on_change(d);
    lab_run("ip addr add 192.0.2.8/24 dev eth0");
    assert_true(changed(d));
    lab_run("ip link set eth0 mtu 9000");
    assert_true(changed(d));
    assert_int_equal(device_underlay_max(d), 8972);
    lab_run("ip addr add 10.10.10.77/32 dev tap0");
    assert_false(changed(d));
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_created_device_has_what_was_asked_and_vanishes, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(a_created_device_may_be_named_and_have_ipv6, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(refusals_name_cause_and_remedy, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(a_busy_device_names_its_owner, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(an_attached_device_is_left_as_it_was, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(peers_are_routed_only_beside_an_overlap, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(beside_an_overlap_peers_are_reached_through_the_device, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(ipv6_overlaps_are_treated_alike, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(addresses_that_must_not_be_routed_are_not, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(the_first_of_two_peers_with_one_address_keeps_its_route, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(an_overlap_that_comes_later_is_noticed_and_its_end_too, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(an_attached_device_beside_an_overlap_is_cleaned, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(a_route_left_behind_is_taken_over_and_removed, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(candidates_are_underlay_addresses_only, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(a_new_underlay_address_or_size_is_a_change, listen_in,
                                        listen_no_more),
    };
    return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
