/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink against the real kernel. */

#include "net/rtnl.h"

#include "net/tap.h"
#include "net_lab.h"
#include <string.h>
#include <sys/wait.h>

static struct rtnl *r;
static struct tap tap;

static void enter(void)
{
    lab_enter();
    assert_int_equal(tap_create(NULL, TAP_ETHERNET, 1, &tap), 0);
    assert_int_equal(rtnl_open(&r), 0);
}

static void leave(void)
{
    rtnl_close(r);
    tap_close(&tap);
}

static struct addr_prefix prefix(const char *text, uint8_t bits)
{
    struct addr_prefix p = {.bits = bits};
    assert_int_equal(addr_parse(text, 0, &p.addr), 0);
    return p;
}

static struct rtnl_link link_now(void)
{
    struct rtnl_link l;
    assert_int_equal(rtnl_link_find(r, tap.name, &l), 0);
    return l;
}

static void links_are_found_by_name_and_listed(void **state)
{
    struct rtnl_link l, all[8];
    (void)state;
    enter();
    l = link_now();
    assert_int_equal(l.index, tap.ifindex);
    assert_string_equal(l.name, "tap0");
    assert_int_equal(l.mtu, 1500);
    assert_false(l.up);
    assert_false(l.loopback);
    assert_true(l.carrier);
    lab_run("ip tuntap add dev idle mode tap && ip link set idle up");
    assert_int_equal(rtnl_link_find(r, "idle", &l), 0);
    assert_true(l.up && !l.carrier);
    lab_run("ip link del idle");
    struct tap several;
    assert_int_equal(l.held_queues, 0);
    assert_int_equal(tap_create("several", TAP_ETHERNET, 3, &several), 0);
    assert_int_equal(rtnl_link_find(r, "several", &l), 0);
    assert_int_equal(l.held_queues, 3);
    tap_close(&several);
    lab_run("ip tuntap add dev several mode tap multi_queue");
    assert_int_equal(rtnl_link_find(r, "several", &l), 0);
    assert_int_equal(l.held_queues, 0);
    lab_run("ip link del several");
    assert_int_equal(l.mac[0] & 1, 0);
    assert_int_equal(rtnl_link_find(r, "lo", &l), 0);
    assert_true(l.loopback && l.up);
    assert_int_equal(rtnl_links(r, all, 8), 2);
    assert_string_equal(all[0].name, "lo");
    assert_string_equal(all[1].name, "tap0");
    assert_int_equal(rtnl_links(r, all, 1), 2);
    assert_int_equal(rtnl_links(r, NULL, 0), 2);
    leave();
}

static void missing_links_are_not_found(void **state)
{
    struct rtnl_link l;
    struct rtnl_link_change up = {.up = true};
    struct addr_prefix p = prefix("10.9.0.1", 24);
    (void)state;
    enter();
    assert_int_equal(rtnl_link_find(r, "nope", &l), ERR_NOT_FOUND);
    assert_int_equal(rtnl_link_find(r, "", &l), ERR_NOT_FOUND);
    assert_int_equal(rtnl_link_find(r, "a-name-beyond-the-limit", &l), ERR_NOT_FOUND);
    assert_int_equal(rtnl_link_set(r, 999, &up), ERR_NOT_FOUND);
    assert_int_equal(rtnl_address_add(r, 999, &p), ERR_NOT_FOUND);
    assert_int_equal(rtnl_route_add(r, 999, &p.addr, NULL), ERR_NOT_FOUND);
    leave();
}

static void link_changes_only_what_is_named(void **state)
{
    struct rtnl_link_change up = {.up = true, .mtu = 1400}, nothing = {.up = false}, down = {.down = true};
    struct rtnl_link_change queue = {.txqueuelen = 77, .gso_max = 60000}, absurd = {.gso_max = 0xffffffff};
    (void)state;
    enter();
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &up), 0);
    assert_true(link_now().up);
    assert_int_equal(link_now().mtu, 1400);
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &nothing), 0);
    assert_true(link_now().up);
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &queue), 0);
    assert_int_equal(link_now().mtu, 1400);
    lab_run("ip -d link show tap0 | grep -q 'qlen 77'");
    lab_run("ip -d link show tap0 | grep -q 'gso_max_size 60000'");
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &absurd), 0);
    lab_run("ip -d link show tap0 | grep -q 'gso_max_size 60000'");
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &down), 0);
    assert_false(link_now().up);
    leave();
}

static int count_addresses(const struct addr_prefix *p)
{
    struct rtnl_address all[16];
    int n = rtnl_addresses(r, all, 16), found = 0;
    assert_in_range(n, 0, 16);
    for (int i = 0; i < n; i++)
        found += all[i].index == tap.ifindex && addr_equal(&all[i].prefix.addr, &p->addr) &&
                 all[i].prefix.bits == p->bits;
    return found;
}

static void addresses_are_added_and_listed(void **state)
{
    struct addr_prefix list[] = {prefix("10.9.0.1", 24), prefix("10.9.1.1", 32), prefix("fd09::1", 64),
                                 prefix("fe80::77", 64)};
    struct rtnl_link_change up = {.up = true};
    (void)state;
    enter();
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &up), 0);
    list[3].addr.scope = tap.ifindex;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rtnl_address_add(r, tap.ifindex, &list[i]), 0);
        assert_int_equal(rtnl_address_add(r, tap.ifindex, &list[i]), ERR_EXISTS);
        assert_int_equal(count_addresses(&list[i]), 1);
    }
    lab_run("ip addr show tap0 | grep -q '10.9.0.1/24 brd 10.9.0.255'");
    lab_run("ip addr del 10.9.0.1/24 dev tap0");
    assert_int_equal(count_addresses(&list[0]), 0);
    leave();
}

static void impossible_addresses_are_refused(void **state)
{
    struct addr_prefix none = {.bits = 24}, wide = prefix("10.9.0.1", 33), wide6 = prefix("fd09::1", 129);
    (void)state;
    enter();
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &none), ERR_ARGUMENT);
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &wide), ERR_ARGUMENT);
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &wide6), ERR_ARGUMENT);
    assert_int_equal(rtnl_route_add(r, tap.ifindex, &none.addr, NULL), ERR_ARGUMENT);
    leave();
}

/* Beside an interface that already holds the subnet, as in docs/ARCHITECTURE.md. */
static void host_route_wins_over_another_interfaces_subnet(void **state)
{
    struct addr_prefix own = prefix("10.10.10.3", 24), own6 = prefix("fd09::3", 64);
    struct addr_prefix peer = prefix("10.10.10.4", 32), peer6 = prefix("fd09::4", 128);
    struct rtnl_link_change up = {.up = true};
    (void)state;
    enter();
    struct tap other;
    assert_int_equal(tap_create("chr001", TAP_ETHERNET, 1, &other), 0);
    lab_run("ip link set chr001 up && ip addr add 10.10.10.3/24 dev chr001");
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &up), 0);
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &own), 0);
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &own6), 0);
    lab_run("ip route get 10.10.10.4 | grep -q 'dev chr001'");
    assert_int_equal(rtnl_route_add(r, tap.ifindex, &peer.addr, &own.addr), 0);
    assert_int_equal(rtnl_route_add(r, tap.ifindex, &peer.addr, &own.addr), ERR_EXISTS);
    assert_int_equal(rtnl_route_add(r, tap.ifindex, &peer6.addr, &own6.addr), 0);
    lab_run("ip route get 10.10.10.4 | grep -q 'dev tap0 src 10.10.10.3'");
    lab_run("ip -6 route get fd09::4 | grep -q 'dev tap0.* src fd09::3'");
    assert_int_equal(rtnl_route_del(r, tap.ifindex, &peer.addr), 0);
    assert_int_equal(rtnl_route_del(r, tap.ifindex, &peer.addr), ERR_NOT_FOUND);
    assert_int_equal(rtnl_route_del(r, tap.ifindex, &peer6.addr), 0);
    lab_run("ip route get 10.10.10.4 | grep -q 'dev chr001'");
    tap_close(&other);
    leave();
}

static void changes_wake_the_monitor(void **state)
{
    struct rtnl_link_change up = {.up = true};
    struct addr_prefix p = prefix("10.9.0.1", 24);
    int fd;
    (void)state;
    enter();
    assert_int_equal(rtnl_monitor_open(&fd), 0);
    assert_false(rtnl_monitor_drain(fd, tap.ifindex).machine);
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &up), 0);
    assert_true(lab_readable(fd));
    assert_true(rtnl_monitor_drain(fd, tap.ifindex).machine);
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &p), 0);
    assert_true(rtnl_monitor_drain(fd, tap.ifindex).machine);
    assert_false(rtnl_monitor_drain(fd, tap.ifindex).machine);
    close(fd);
    leave();
}

static void monitor_that_overflows_tells_of_a_change(void **state)
{
    int fd, tiny = 1;
    (void)state;
    enter();
    assert_int_equal(rtnl_monitor_open(&fd), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
    for (int i = 0; i < 100; i++) {
        const struct rtnl_link_change change = {.up = i % 2 == 0, .down = i % 2 == 1};
        assert_int_equal(rtnl_link_set(r, tap.ifindex, &change), 0);
    }
    assert_true(rtnl_monitor_drain(fd, tap.ifindex).machine);
    assert_false(rtnl_monitor_drain(fd, tap.ifindex).machine);
    close(fd);
    leave();
}

static void sysctls_are_read_and_written(void **state)
{
    char value[8], tiny[1];
    (void)state;
    enter();
    assert_int_equal(rtnl_sysctl_set("ipv4", tap.name, "rp_filter", "2"), 0);
    assert_int_equal(rtnl_sysctl_get("ipv4", tap.name, "rp_filter", value, sizeof(value)), 0);
    assert_string_equal(value, "2");
    assert_int_equal(rtnl_sysctl_get("ipv4", tap.name, "rp_filter", tiny, sizeof(tiny)), ERR_SPACE);
    assert_int_equal(rtnl_sysctl_set("ipv4", "nope", "rp_filter", "2"), ERR_NOT_FOUND);
    assert_int_equal(rtnl_sysctl_set("ipv4", "../all", "rp_filter", "2"), ERR_ARGUMENT);
    assert_int_equal(rtnl_sysctl_set("ipv4", "", "rp_filter", "2"), ERR_ARGUMENT);
    assert_int_equal(rtnl_sysctl_set("ipv4", tap.name, "rp_filter", "many"), ERR_IO);
    leave();
}

/* In a process of its own, since what is given up does not come back. */
static int without_rights(void)
{
    struct rtnl_link_change up = {.up = true};
    struct addr_prefix p = prefix("10.9.0.1", 24);
    struct tap t;
    if (setgid(65534) || setuid(65534))
        return 1;
    if (rtnl_link_set(r, tap.ifindex, &up) != ERR_PERMISSION)
        return 2;
    if (rtnl_address_add(r, tap.ifindex, &p) != ERR_PERMISSION)
        return 3;
    if (rtnl_sysctl_set("ipv4", tap.name, "rp_filter", "2") != ERR_PERMISSION)
        return 4;
    return tap_create(NULL, TAP_ETHERNET, 1, &t) == ERR_PERMISSION ? 0 : 5;
}

static void without_rights_everything_is_refused_as_such(void **state)
{
    int status = -1;
    (void)state;
    enter();
    pid_t child = fork();
    if (child == 0)
        _exit(without_rights());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    leave();
}

static void flushing_removes_our_host_routes_and_no_others(void **state)
{
    struct addr_prefix own = prefix("10.10.10.3", 24);
    (void)state;
    enter();
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &own), 0);
    lab_run(
        "ip link set tap0 up && ip link add chr001 type veth peer name chr001-far && ip link set chr001 up");
    for (uint8_t i = 10; i < 210; i++) {
        struct addr to = {.family = 4, .ip = {10, 10, 10, i}};
        assert_int_equal(rtnl_route_add(r, tap.ifindex, &to, &own.addr), 0);
    }
    lab_run("ip -6 route add fd09::4 dev tap0 proto 83");
    lab_run("ip route add 10.10.10.5 dev tap0 scope link proto static");
    lab_run("ip route add 10.10.10.6 dev chr001 scope link proto 83");
    lab_run("ip route add 10.11.0.0/16 dev tap0 scope link proto 83");
    lab_run("ip route add 10.10.10.7 dev tap0 scope link proto 83 table 9");
    assert_int_equal(rtnl_routes_flush(r, tap.ifindex), 201);
    assert_int_equal(rtnl_routes_flush(r, tap.ifindex), 0);
    lab_run("test $(ip route show dev tap0 | grep -c '10.10.10.5 \\|10.11.0.0/16\\|10.10.10.0/24') = 3");
    lab_run("test $(ip route show dev tap0 | wc -l) = 3 && ip route show dev chr001 | grep -q 10.10.10.6");
    lab_run("ip route show table 9 | grep -q 10.10.10.7");
    leave();
}

/* Many routes by few next hops, and many by many; what does not fit is counted. */
static void next_hops_are_listed_once_and_neighbours_with_their_interface(void **state)
{
    enum { MANY = 600 };
    static struct rtnl_address list[2 * MANY];
    (void)state;
    enter();
    lab_run("ip addr add 10.0.0.1/8 dev tap0 && ip link set tap0 up");
    lab_run("for i in $(seq 600); do h=$((i / 250)).$((i %% 250)); echo route add 198.18.$h via 10.1.$h; "
            "echo route add 198.19.$h via 10.2.0.$((i %% 3 + 1)); "
            "echo neigh add 10.3.$h lladdr 02:00:00:00:00:01 dev tap0 nud permanent; done | ip -batch -");
    assert_int_equal(rtnl_next_hops(r, list, 2 * MANY), MANY + 3);
    for (unsigned i = 0; i < MANY + 3; i++)
        for (unsigned j = 0; j < i; j++)
            assert_false(addr_same_host(&list[i].prefix.addr, &list[j].prefix.addr));
    assert_true(rtnl_next_hops(r, list, 10) > 10);
    assert_int_equal(rtnl_next_hops(r, list, MANY + 3), MANY + 3);
    assert_int_equal(rtnl_neighbours(r, list, 2 * MANY), MANY);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(list[i].index, tap.ifindex);
    lab_run("ip addr flush dev tap0");
    leave();
}

static void the_way_to_an_address_is_its_next_hop_or_itself(void **state)
{
    (void)state;
    enter();
    struct rtnl_way way;
    const struct addr beyond = prefix("10.9.0.5", 32).addr, next = prefix("192.0.2.9", 32).addr,
                      gate = prefix("192.0.2.1", 32).addr, nowhere = prefix("198.51.100.1", 32).addr;
    lab_run("ip link set tap0 up; ip addr add 192.0.2.7/24 dev tap0; ip route add 10.9.0.0/16 via 192.0.2.1");
    assert_int_equal(rtnl_way(r, &beyond, &way), 0);
    assert_true(addr_same_host(&way.gateway, &gate));
    assert_int_equal(way.index, tap.ifindex);
    assert_int_equal(rtnl_way(r, &next, &way), 0);
    assert_int_equal(way.gateway.family, 0);
    assert_true(rtnl_way(r, &nowhere, &way) < 0);
    lab_run("ip route add unreachable 10.8.0.0/16");
    const struct addr refused = prefix("10.8.0.1", 32).addr;
    assert_true(rtnl_way(r, &refused, &way) < 0);
    leave();
}

static void way_to_an_address_has_its_router_and_our_source(void **state)
{
    const struct addr to = prefix("198.41.0.4", 32).addr, to6 = prefix("2001:503:ba3e::2:30", 128).addr,
                      router = prefix("10.10.10.1", 32).addr;
    struct addr_prefix own = prefix("10.10.10.3", 24), own6 = prefix("fd09::3", 64);
    struct rtnl_link_change up = {.up = true};
    struct rtnl_way way;
    (void)state;
    enter();
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &up), 0);
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &own), 0);
    assert_int_equal(rtnl_address_add(r, tap.ifindex, &own6), 0);
    assert_int_not_equal(rtnl_way(r, &to, &way), 0);
    lab_run("ip route add default via 10.10.10.1 && ip -6 route add default via fe80::9 dev tap0");
    assert_int_equal(rtnl_way(r, &to, &way), 0);
    assert_true(way.index == tap.ifindex && addr_same_host(&way.source, &own.addr));
    assert_true(addr_equal(&way.gateway, &router));
    assert_int_equal(rtnl_way(r, &to6, &way), 0);
    assert_true(addr_same_host(&way.source, &own6.addr) && way.gateway.scope == tap.ifindex);
    assert_true(addr_is_link_local(&way.gateway) && way.gateway.ip[15] == 9);
    assert_int_equal(rtnl_way(r, &(struct addr){0}, &way), ERR_ARGUMENT);
    leave();
}

static void routes_through_an_interface_have_their_gateways(void **state)
{
    struct rtnl_route list[16];
    const struct addr gate = prefix("10.10.10.1", 32).addr, six = prefix("fd09::1", 128).addr;
    const struct rtnl_link_change up = {.up = true};
    unsigned by_gate = 0, direct = 0, by_six = 0;
    int fd;
    (void)state;
    enter();
    assert_int_equal(rtnl_link_set(r, tap.ifindex, &up), 0);
    lab_run("ip addr add 10.10.10.3/24 dev tap0 && ip addr add fd09::3/64 dev tap0 nodad");
    assert_int_equal(rtnl_monitor_open(&fd), 0);
    lab_run("ip tuntap add dev other mode tap && ip link set other up && ip addr add 10.7.0.1/24 dev other");
    lab_run("ip route add 10.6.0.0/16 via 10.7.0.9 && ip route add unreachable 10.5.0.0/16");
    assert_false(rtnl_monitor_drain(fd, tap.ifindex).routes);
    lab_run("ip route add 10.9.0.0/16 via 10.10.10.1");
    assert_true(rtnl_monitor_drain(fd, tap.ifindex).routes);
    lab_run("ip route add 10.8.0.0/16 nexthop via 10.7.0.9 nexthop via 10.10.10.1");
    lab_run("ip route add 10.4.0.0/16 via inet6 fd09::1 dev tap0");
    int count = rtnl_routes(r, tap.ifindex, list, 16);
    assert_in_range(count, 4, 16);
    for (int i = 0; i < count; i++) {
        bool is_ten = list[i].to.addr.family == 4 && list[i].to.addr.ip[0] == 10;
        by_gate += is_ten && addr_same_host(&list[i].gateway, &gate) && list[i].to.bits == 16;
        by_six += is_ten && addr_same_host(&list[i].gateway, &six) && list[i].to.addr.ip[1] == 4;
        direct +=
            is_ten && list[i].gateway.family == 0 && list[i].to.bits == 24 && list[i].to.addr.ip[1] == 10;
        assert_false(is_ten && list[i].to.addr.ip[1] == 6);
    }
    assert_int_equal(by_gate, 2);
    assert_int_equal(by_six, 1);
    assert_int_equal(direct, 1);
    assert_int_equal(rtnl_routes(r, tap.ifindex, list, 1), count); /* as many as there are */
    lab_run("ip route del 10.9.0.0/16");
    assert_true(rtnl_monitor_drain(fd, tap.ifindex).routes);
    close(fd);
    leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_found_by_name_and_listed),
        cmocka_unit_test(missing_links_are_not_found),
        cmocka_unit_test(link_changes_only_what_is_named),
        cmocka_unit_test(addresses_are_added_and_listed),
        cmocka_unit_test(impossible_addresses_are_refused),
        cmocka_unit_test(host_route_wins_over_another_interfaces_subnet),
        cmocka_unit_test(flushing_removes_our_host_routes_and_no_others),
        cmocka_unit_test(changes_wake_the_monitor),
        cmocka_unit_test(monitor_that_overflows_tells_of_a_change),
        cmocka_unit_test(sysctls_are_read_and_written),
        cmocka_unit_test(without_rights_everything_is_refused_as_such),
        cmocka_unit_test(way_to_an_address_has_its_router_and_our_source),
        cmocka_unit_test(next_hops_are_listed_once_and_neighbours_with_their_interface),
        cmocka_unit_test(the_way_to_an_address_is_its_next_hop_or_itself),
        cmocka_unit_test(routes_through_an_interface_have_their_gateways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
