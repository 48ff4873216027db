/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/device against the real kernel: what is made, refused, put beside an overlapping interface and undone.
 * chr001 stands for another VPN's device. */

#include "node/device/device.h"

#include "base/clock.h"
#include "net_lab.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int log_fd, stderr_fd;
static char run_dir[64];
static uint64_t now_us = 1000 * USEC_PER_SEC;
static unsigned looks; /* at the kernel's routes */

int __real_rtnl_next_hops(struct rtnl *r, struct rtnl_address *out, size_t cap);
int __wrap_rtnl_next_hops(struct rtnl *r, struct rtnl_address *out, size_t cap);

int __wrap_rtnl_next_hops(struct rtnl *r, struct rtnl_address *out, size_t cap)
{
    looks++;
    return __real_rtnl_next_hops(r, out, cap);
}

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
    snprintf(run_dir, sizeof(run_dir), "/tmp/test_device-XXXXXX");
    if (!mkdtemp(run_dir))
        return -1;
    log_fd = memfd_create("log", MFD_CLOEXEC);
    stderr_fd = dup(STDERR_FILENO);
    return log_fd < 0 || stderr_fd < 0 || dup2(log_fd, STDERR_FILENO) < 0 ? -1 : 0;
}

static int listen_no_more(void **state)
{
    (void)state;
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    return rmdir(run_dir) != 0 || close(log_fd) != 0; /* a record left behind would keep the folder */
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
    snprintf(c.run_dir, sizeof(c.run_dir), "%s", run_dir);
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

/* Seconds lie between what happens, unless a test says otherwise. */
static void peer_has(struct device *d, uint32_t slot, const char *ip)
{
    struct addr_prefix p = {.bits = 24};
    if (ip)
        p.addr = address(ip);
    device_peer_addresses(d, slot, &p, ip ? 1 : 0, now_us += USEC_PER_SEC);
}

static bool on_change(struct device *d)
{
    return device_on_change(d, now_us += USEC_PER_SEC);
}

static bool a_second_later(struct device *d)
{
    return device_tick(d, now_us += USEC_PER_SEC);
}

static void some_seconds(struct device *d)
{
    for (unsigned i = 0; i < 5; i++)
        (void)a_second_later(d);
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
    assert_int_equal(tap_create("chr001", TAP_ETHERNET, 1, &held), 0);
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
    lab_run("! ip route show | grep 'proto 83' | grep -q tap0");
    device_close(d);
}

static int holder(const struct device *d, uint32_t slot, const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return device_holder(d, slot, &a);
}

static void who_else_has_an_address_is_found(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.9/24");
    struct device *d = open_device(NULL, "10.10.10.3");
    peer_has(d, 7, "10.10.10.4");
    assert_int_equal(holder(d, 1, "10.10.10.3"), DEVICE_HOLDER_US);
    assert_int_equal(holder(d, 1, "10.10.10.9"), DEVICE_HOLDER_US);
    assert_int_equal(holder(d, 1, "198.51.100.1"), DEVICE_HOLDER_NOBODY);
    assert_int_equal(holder(d, 1, "10.10.10.4"), 7);
    assert_int_equal(holder(d, 7, "10.10.10.4"), DEVICE_HOLDER_NOBODY);
    device_close(d);
}

static void device_that_a_person_takes_down_is_not_up(void **state)
{
    (void)state;
    machine();
    struct device *d = open_device(NULL, "10.10.10.3");
    assert_true(device_up(d));
    lab_run("ip link set tap0 down");
    (void)on_change(d);
    assert_false(device_up(d));
    assert_true(said("device tap0 was taken down: no frame passes until `ip link set tap0 up`"));
    lab_run("ip link set tap0 up");
    (void)on_change(d);
    assert_true(device_up(d));
    assert_true(said("device tap0 is up again"));
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
    return on_change(d);
}

/* The only host route of ours, or none. */
static void assert_only_routed(const char *ip)
{
    lab_run("test \"$(ip route | grep 'dev tap0 proto 83' | cut -d' ' -f1)\" = '%s'", ip);
}

/* chr001 is a LAN with a gateway, a host that answers, and hosts that nobody knows. */
static void a_lans_gateway_and_neighbours_are_not_drawn_into_the_tunnel(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.3/24");
    lab_run("ip route add 203.0.113.0/24 via 10.10.10.1 dev chr001");
    lab_run(
        "ip route add 198.51.100.0/24 table 77 nexthop via 10.10.10.2 dev chr001 nexthop via 10.10.10.6 dev "
        "chr001");
    lab_run("ip neigh add 10.10.10.9 lladdr 02:00:00:00:00:09 dev chr001 nud permanent");
    struct device *d = open_device(NULL, "10.10.10.3");
    peer_has(d, 1, "10.10.10.1");
    peer_has(d, 2, "10.10.10.2");
    peer_has(d, 3, "10.10.10.6");
    peer_has(d, 4, "10.10.10.9");
    peer_has(d, 5, "10.10.10.4");
    assert_only_routed("10.10.10.4");
    assert_true(
        said("announces 10.10.10.1 and gets no host route: a gateway of this machine; if the peer is to "
             "have it, give -host-route 10.10.10.1"));
    assert_true(said("10.10.10.9 and gets no host route: a host that answers on another interface"));
    device_close(d);
}

static void a_name_servers_address_is_not_drawn_into_the_tunnel(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.3/24");
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    lab_run("mount --make-rprivate / && mount -t tmpfs none /mnt");
    lab_run("printf '# nameserver 10.10.10.4\nnameserver 10.10.10.7\n' > /mnt/resolv.conf");
    lab_run("mount --bind /mnt/resolv.conf /etc/resolv.conf");
    struct device *d = open_device(NULL, "10.10.10.3");
    peer_has(d, 1, "10.10.10.7");
    peer_has(d, 2, "10.10.10.4");
    assert_only_routed("10.10.10.4");
    assert_true(said("10.10.10.7 and gets no host route: a name server of this machine"));
    device_close(d);
    lab_run("umount /etc/resolv.conf /mnt");
}

static void a_person_allows_addresses_or_turns_host_routes_off(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.3/24");
    lab_run("ip route add 203.0.113.0/24 via 10.10.10.1 dev chr001");
    struct config c = flags(NULL, "10.10.10.3");
    c.host_routes_off = true;
    c.host_route_count = 1;
    c.host_routes[0] = address("10.10.10.1");
    struct device *d = NULL;
    assert_int_equal(device_open(&c, &id, 1, &d), 0);
    peer_has(d, 1, "10.10.10.1");
    peer_has(d, 2, "10.10.10.4");
    assert_only_routed("10.10.10.1");
    assert_true(said("10.10.10.4 and gets no host route: -host-route off"));
    device_close(d);
}

/* What answers on the LAN later may be forged there: the route stays. A gateway is the person's own word. */
static void a_route_goes_when_its_address_becomes_a_gateway_and_comes_back(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.3/24");
    struct device *d = open_device(NULL, "10.10.10.3");
    peer_has(d, 1, "10.10.10.4");
    lab_run("ip neigh add 10.10.10.4 lladdr 02:00:00:00:00:09 dev chr001 nud permanent");
    some_seconds(d);
    assert_only_routed("10.10.10.4");
    lab_run("ip neigh del 10.10.10.4 dev chr001");
    lab_run("ip route add 203.0.113.0/24 via 10.10.10.4 dev chr001 onlink");
    some_seconds(d);
    assert_only_routed("");
    lab_run("ip route del 203.0.113.0/24");
    some_seconds(d);
    assert_only_routed("10.10.10.4");
    lab_run(
        "ip route add 203.0.113.0/24 via 10.10.10.4 dev tap0"); /* through the tunnel: the peer is a gateway */
    some_seconds(d);
    assert_only_routed("10.10.10.4");
    device_close(d);
}

static void an_overlap_that_comes_later_is_noticed_and_its_end_too(void **state)
{
    (void)state;
    machine();
    struct device *d = open_device(NULL, "10.10.10.3");
    (void)on_change(d);
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

static enum way_role role_of(const struct device *d, const char *name, unsigned family)
{
    return ways_role(device_ways(d), if_nametoindex(name), family);
}

/* eth0 has the route that the kernel prefers, eth1 another one, eth2 none. */
static struct device *with_two_ways_out(void)
{
    machine();
    lab_run("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
    for (unsigned i = 1; i <= 2; i++) {
        lab_run("ip link add eth%u type veth peer name cable%u", i, i);
        lab_run("ip link set cable%u up && ip link set eth%u up", i, i);
        lab_run("ip addr add 198.51.%u.7/24 dev eth%u", 100 + i, i);
    }
    lab_run("ip route add default via 192.0.2.1 metric 100");
    lab_run("ip route add default via 198.51.101.1 metric 200");
    lab_add_address6("2001:db8:1::7", 64, "eth1");
    lab_run("ip -6 route add default dev eth1 metric 50");
    return open_device(NULL, "10.10.10.3");
}

static void the_ways_out_are_interfaces_with_default_routes(void **state)
{
    (void)state;
    struct device *d = with_two_ways_out();
    assert_int_equal(role_of(d, "eth0", 4), WAY_CHOSEN);
    assert_int_equal(role_of(d, "eth1", 4), WAY_STANDBY);
    assert_int_equal(role_of(d, "eth2", 4), WAY_NONE);
    assert_int_equal(role_of(d, "eth0", 6), WAY_NONE);
    assert_int_equal(role_of(d, "eth1", 6), WAY_CHOSEN);
    lab_run("ip route del default via 192.0.2.1"); /* that alone is a change of the underlay */
    assert_true(on_change(d));
    assert_int_equal(role_of(d, "eth0", 4), WAY_NONE);
    assert_int_equal(role_of(d, "eth1", 4), WAY_CHOSEN);
    lab_run("ip route add 203.0.113.0/24 via 192.0.2.1"); /* no way out */
    assert_false(on_change(d));
    lab_run("ip route add default via 192.0.2.1 metric 300");
    assert_true(on_change(d));
    assert_int_equal(role_of(d, "eth0", 4), WAY_STANDBY);
    device_close(d);
}

/* As VPN clients that take all traffic set them up. */
static void nothing_goes_around_a_tunnel_for_all_traffic(void **state)
{
    (void)state;
    struct device *d = with_two_ways_out();
    lab_run("ip route add 0.0.0.0/1 dev eth2 && ip route add 128.0.0.0/1 dev eth2");
    lab_run("ip link set cable mtu 1400");
    (void)on_change(d);
    assert_int_equal(role_of(d, "eth1", 4), WAY_NONE);
    lab_run("ip route del 0.0.0.0/1 dev eth2 && ip link set cable mtu 1500");
    (void)on_change(d);
    assert_int_equal(role_of(d, "eth1", 4), WAY_STANDBY);
    lab_run("ip route add default dev eth2 table 51820 && ip rule add pref 100 table 51820");
    lab_run("ip link set cable mtu 1400");
    (void)on_change(d);
    assert_int_equal(role_of(d, "eth1", 4), WAY_NONE);
    device_close(d);
}

/* Interfaces change every 10 ms for a second, and addresses at its end. */
static void a_storm_of_changes_has_few_looks_and_its_last_state_is_known_within_a_second(void **state)
{
    (void)state;
    struct candidate list[8];
    machine();
    make_chr001("10.10.10.3/24");
    struct device *d = open_device(NULL, "10.10.10.3");
    peer_has(d, 1, "10.10.10.4");
    (void)on_change(d);
    unsigned before = device_host_candidates(d, 9443, 8443, list, 8);
    looks = 0;
    for (unsigned i = 0; i < 100; i++) {
        lab_run("ip link set cable mtu %u", i % 2 ? 1500 : 1400);
        assert_false(device_on_change(d, now_us += 10 * USEC_PER_MSEC));
    }
    assert_in_range(looks, 4, 8);
    lab_run("ip addr add 192.0.2.8/24 dev eth0 && ip route add 203.0.113.0/24 via 10.10.10.4 dev chr001");
    bool known = device_on_change(d, now_us);
    assert_true(a_second_later(d) || known);
    assert_int_equal(device_host_candidates(d, 9443, 8443, list, 8), before + 1);
    assert_only_routed("");
    assert_false(a_second_later(d));
    device_close(d);
}

/* Whoever comes while there are no looks left is judged by the next one, and not by what was known before. */
static void many_peers_that_come_at_once_have_few_looks_and_their_routes_within_a_second(void **state)
{
    (void)state;
    machine();
    make_chr001("10.10.10.3/24");
    struct device *d = open_device(NULL, "10.10.10.3");
    now_us += USEC_PER_SEC;
    looks = 0;
    for (unsigned i = 0; i < 100; i++) {
        struct addr_prefix p = {.addr = address("10.10.10.0"), .bits = 24};
        p.addr.ip[3] = (uint8_t)(100 + i);
        if (i == 50)
            lab_run("ip route add 203.0.113.0/24 via 10.10.10.199 dev chr001");
        device_peer_addresses(d, i, &p, 1, now_us);
    }
    assert_in_range(looks, 1, 4);
    lab_run("! ip route show | grep -q '^10.10.10.199 '");
    (void)a_second_later(d);
    lab_run("test $(ip route show | grep -c 'dev tap0 proto 83') = 99");
    lab_run("! ip route show | grep -q '^10.10.10.199 '");
    assert_in_range(looks, 2, 5);
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

/* ---- after SIGKILL ---- */

#define CONF "/proc/sys/net/ipv4/conf/tap7"

static const char *record(void)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/ff11223344550000000000000000000000000000.undo", run_dir);
    return path;
}

/* A persistent TAP, down, beside an interface with its subnet,
 * and with a setting that is not the usual one. */
static void persistent_tap(void)
{
    lab_run("ip tuntap add dev tap7 mode tap && ip addr add 10.10.10.3/24 dev tap7");
    lab_run("echo 1 >" CONF "/rp_filter");
}

static void beside_chr001(void)
{
    machine();
    make_chr001("10.10.10.9/24");
    persistent_tap();
}

static void assert_changed(void)
{
    lab_run("test \"$(cat " CONF "/rp_filter " CONF "/arp_ignore " CONF "/arp_announce | xargs)\" = '2 1 2'");
    lab_run("ip -o link show tap7 | grep -q '[<,]UP[,>]'");
}

static void assert_as_before(void)
{
    lab_run("test \"$(cat " CONF "/rp_filter " CONF "/arp_ignore " CONF "/arp_announce | xargs)\" = '1 0 0'");
    lab_run("! ip -o link show tap7 | grep -q '[<,]UP[,>]'");
    lab_run("test -z \"$(ip route show dev tap7)\"");
    assert_int_equal(access(record(), F_OK), -1);
}

/* A run that attached to tap7 and was killed. */
static void killed_run(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct config c = flags("tap7", NULL);
        struct device *d = NULL;
        if (device_open(&c, &id, 1, &d))
            _exit(1);
        peer_has(d, 1, "10.10.10.4");
        peer_has(d, 2, "10.10.10.5");
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_changed();
    lab_run("ip route get 10.10.10.5 | grep -q 'dev tap7'");
}

static void what_a_killed_run_left_is_undone_by_the_next(void **state)
{
    (void)state;
    beside_chr001();
    killed_run();
    struct device *d = open_device("tap7", NULL);
    assert_true(said("tap7: put back as it was before a run that was killed"));
    lab_run("! ip route show dev tap7 | grep -q 10.10.10.5"); /* nobody has announced it to this run */
    peer_has(d, 1, "10.10.10.4");
    assert_changed();
    device_close(d);
    assert_as_before();
}

static void a_killed_run_is_undone_also_by_one_with_another_device(void **state)
{
    (void)state;
    beside_chr001();
    killed_run();
    struct device *d = open_device("mesh0", "10.99.0.3");
    assert_as_before();
    device_close(d);
}

static void two_killed_runs_are_undone_by_the_third(void **state)
{
    (void)state;
    beside_chr001();
    killed_run();
    killed_run();
    device_close(open_device("tap7", NULL));
    assert_as_before();
}

static void another_device_of_that_name_is_not_touched(void **state)
{
    (void)state;
    beside_chr001();
    killed_run();
    lab_run("ip tuntap del dev tap7 mode tap");
    persistent_tap();
    lab_run("ip link set tap7 up && echo 2 >" CONF "/rp_filter && echo 1 >" CONF "/arp_ignore");
    struct device *d = open_device("mesh0", "10.99.0.3");
    lab_run("test $(cat " CONF "/rp_filter) = 2 && test $(cat " CONF "/arp_ignore) = 1");
    lab_run("ip -o link show tap7 | grep -q '[<,]UP[,>]'");
    device_close(d);
    assert_int_equal(access(record(), F_OK), -1);
}

static void what_a_person_changed_since_stays(void **state)
{
    (void)state;
    beside_chr001();
    killed_run();
    lab_run("echo 0 >" CONF "/rp_filter && ip route add 10.10.10.77 dev tap7 proto static");
    struct device *d = open_device("tap7", NULL);
    device_close(d);
    lab_run("test $(cat " CONF "/rp_filter) = 0 && test $(cat " CONF "/arp_ignore) = 0");
}

static void routes_of_others_through_the_device_stay(void **state)
{
    (void)state;
    beside_chr001();
    lab_run(
        "ip link set tap7 up && ip route add 10.10.10.77 dev tap7 proto static scope link src 10.10.10.3");
    killed_run();
    struct device *d = open_device("tap7", NULL);
    device_close(d);
    lab_run("ip route show dev tap7 | grep -q 10.10.10.77");
    lab_run("! ip route show dev tap7 | grep -q '10.10.10.[45]'");
}

static void a_device_that_another_program_took_is_left_to_it(void **state)
{
    struct tap held;
    (void)state;
    beside_chr001();
    killed_run();
    assert_int_equal(tap_attach("tap7", TAP_ETHERNET, 1, &held), 0);
    struct device *d = open_device("mesh0", "10.99.0.3");
    assert_changed();
    device_close(d);
    tap_close(&held);
    device_close(open_device("tap7", NULL));
    assert_as_before();
}

static void the_record_is_private_and_goes_with_the_change(void **state)
{
    struct stat st;
    (void)state;
    beside_chr001();
    lab_run("ip link set tap7 up && ip link set chr001 down");
    struct device *d = open_device("tap7", NULL);
    assert_int_equal(stat(record(), &st), -1); /* nothing was changed */
    lab_run("ip link set chr001 up");
    (void)on_change(d);
    assert_int_equal(stat(record(), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    lab_run("ip link del chr001");
    (void)on_change(d);
    assert_int_equal(stat(record(), &st), -1);
    device_close(d);
}

static void put_record(const char *text, mode_t mode)
{
    int fd = open(record(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
    close(fd);
}

static void a_record_that_is_damaged_or_not_ours_changes_nothing(void **state)
{
    char text[256];
    (void)state;
    beside_chr001();
    killed_run();
    put_record("shadowmesh-undo 1\nplace p\ndevice tap7", 0600);
    device_close(open_device("mesh0", "10.99.0.3"));
    assert_true(said("is damaged"));
    killed_run();
    assert_int_equal(chmod(record(), 0666), 0);
    device_close(open_device("mesh0", "10.99.0.3"));
    snprintf(text, sizeof(text),
             "shadowmesh-undo 1\nplace elsewhere/1\ndevice tap7 %u\ndown\nrp_filter 0\nend\n",
             if_nametoindex("tap7"));
    put_record(text, 0600);
    device_close(open_device("mesh0", "10.99.0.3"));
    assert_changed();
    assert_int_equal(access(record(), F_OK), -1);
}

static void without_a_folder_to_write_in_it_says_so_and_goes_on(void **state)
{
    (void)state;
    beside_chr001();
    struct config c = flags("tap7", NULL);
    struct device *d = NULL;
    snprintf(c.run_dir, sizeof(c.run_dir), "/proc/nobody-has-this");
    assert_int_equal(device_open(&c, &id, 1, &d), 0);
    assert_true(said("cannot be remembered"));
    peer_has(d, 1, "10.10.10.4");
    assert_changed();
    device_close(d);
    assert_as_before();
}

/* Without a record, too, a route of ours through a device that was nobody's is known by its protocol. */
static void a_route_left_behind_is_removed(void **state)
{
    (void)state;
    beside_chr001();
    lab_run("ip link set tap7 up && ip route add 10.10.10.4/32 dev tap7 src 10.10.10.3 proto 83 scope link");
    struct device *d = open_device("tap7", NULL);
    lab_run("ip route get 10.10.10.4 | grep -q 'dev chr001'");
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

static void link_local_addresses_are_candidates_where_there_is_nothing_else(void **state)
{
    (void)state;
    struct candidate list[8];
    machine();
    lab_run("ip link set eth0 up");
    lab_add_address6("fe80::7", 64, "eth0");
    struct device *d = open_device(NULL, "10.10.10.3");
    assert_int_equal(device_host_candidates(d, 9443, 8443, list, 8), 1);
    assert_int_equal(list[0].addr.family, 4);
    lab_run("ip -4 address flush dev eth0");
    assert_true(on_change(d));
    unsigned count = device_host_candidates(d, 9443, 8443, list, 8);
    assert_in_range(count, 1, 3); /* of both ends of the cable, beside what the kernel makes */
    for (unsigned i = 0; i < count; i++) {
        assert_true(list[i].addr.family == 6 && addr_is_link_local(&list[i].addr));
        assert_int_equal(list[i].addr.port, 9443);
    }
    assert_int_equal(device_underlay_max(d), 1472);
    device_close(d);
}

static void a_new_underlay_address_or_size_is_a_change(void **state)
{
    (void)state;
    machine();
    struct device *d = open_device(NULL, "10.10.10.3");
    (void)on_change(d);
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
        cmocka_unit_test_setup_teardown(who_else_has_an_address_is_found, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(device_that_a_person_takes_down_is_not_up, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(the_first_of_two_peers_with_one_address_keeps_its_route, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(a_lans_gateway_and_neighbours_are_not_drawn_into_the_tunnel,
                                        listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(a_name_servers_address_is_not_drawn_into_the_tunnel, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(a_person_allows_addresses_or_turns_host_routes_off, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(a_route_goes_when_its_address_becomes_a_gateway_and_comes_back,
                                        listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(an_overlap_that_comes_later_is_noticed_and_its_end_too, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(the_ways_out_are_interfaces_with_default_routes, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(nothing_goes_around_a_tunnel_for_all_traffic, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(
            a_storm_of_changes_has_few_looks_and_its_last_state_is_known_within_a_second, listen_in,
            listen_no_more),
        cmocka_unit_test_setup_teardown(
            many_peers_that_come_at_once_have_few_looks_and_their_routes_within_a_second, listen_in,
            listen_no_more),
        cmocka_unit_test_setup_teardown(an_attached_device_beside_an_overlap_is_cleaned, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(what_a_killed_run_left_is_undone_by_the_next, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(a_killed_run_is_undone_also_by_one_with_another_device, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(two_killed_runs_are_undone_by_the_third, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(another_device_of_that_name_is_not_touched, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(what_a_person_changed_since_stays, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(routes_of_others_through_the_device_stay, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(a_device_that_another_program_took_is_left_to_it, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(the_record_is_private_and_goes_with_the_change, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(a_record_that_is_damaged_or_not_ours_changes_nothing, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(without_a_folder_to_write_in_it_says_so_and_goes_on, listen_in,
                                        listen_no_more),
        cmocka_unit_test_setup_teardown(a_route_left_behind_is_removed, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(candidates_are_underlay_addresses_only, listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(link_local_addresses_are_candidates_where_there_is_nothing_else,
                                        listen_in, listen_no_more),
        cmocka_unit_test_setup_teardown(a_new_underlay_address_or_size_is_a_change, listen_in,
                                        listen_no_more),
    };
    return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
