/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/endpoint: what makes two endpoints one, how they read, and what carries to which candidate. */

#include "proto/path/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct addr address(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

static struct endpoint udp(const char *remote, const char *local)
{
    struct addr a = address(remote);
    struct endpoint e = endpoint_udp(&a);
    if (local)
        e.local = address(local);
    return e;
}

static struct endpoint by_uplink(unsigned backbone, uint8_t id)
{
    return endpoint_uplink(backbone, &(struct node_id){{id}});
}

static void endpoints_are_the_same_in_every_part_or_not_at_all(void **state)
{
    (void)state;
    const struct endpoint list[] = {
        udp("192.0.2.1:1", NULL),
        udp("192.0.2.1:2", NULL),
        udp("192.0.2.2:1", NULL),
        udp("[2001:db8::1]:1", NULL),
        udp("[fe80::1%1]:1", "fe80::2%1"),
        udp("[fe80::1%2]:1", "fe80::2%2"),
        udp("192.0.2.1:1", "198.51.100.1"),
        udp("192.0.2.1:1", "198.51.100.2"),
        {.carrier = CARRIER_NONE, .remote = address("192.0.2.1:1")},
        by_uplink(0, 1),
        by_uplink(0, 2),
        by_uplink(1, 1),
    };
    size_t count = sizeof(list) / sizeof(list[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            assert_int_equal(endpoint_same(&list[i], &list[j]), i == j);
}

static void where_it_leaves_from_makes_no_other_way(void **state)
{
    (void)state;
    const struct endpoint list[] = {udp("192.0.2.1:1", NULL), udp("192.0.2.1:1", "198.51.100.1"),
                                    udp("192.0.2.1:2", NULL), by_uplink(0, 1), by_uplink(0, 2)};
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++)
            assert_int_equal(endpoint_same_way(&list[i], &list[j]), i == j || (i < 2 && j < 2));
}

/* Two interfaces may have one address, and lead to different networks. */
static void the_interface_by_which_it_leaves_makes_another_path_and_no_other_way(void **state)
{
    (void)state;
    struct endpoint chosen = udp("192.0.2.1:1", NULL), standby = chosen;
    standby.interface = 3;
    assert_true(endpoint_same_way(&chosen, &standby));
    assert_false(endpoint_same_path(&chosen, &standby) || endpoint_same(&chosen, &standby));
    struct endpoint from_elsewhere = standby;
    from_elsewhere.local = address("198.51.100.1");
    assert_true(endpoint_same_path(&standby, &from_elsewhere));
    assert_false(endpoint_same(&standby, &from_elsewhere));
}

static void a_standby_stands_behind_all_that_the_kernel_chooses(void **state)
{
    (void)state;
    struct endpoint udp_standby = udp("192.0.2.1:1", NULL),
                    relay_standby = endpoint_relay(&udp_standby.remote, 1);
    const struct endpoint uplink = by_uplink(0, 1);
    udp_standby.interface = relay_standby.interface = 3;
    assert_true(endpoint_tier(&uplink) < endpoint_tier(&udp_standby));
    assert_true(endpoint_tier(&udp_standby) < endpoint_tier(&relay_standby));
}

static void an_endpoint_reads_as_its_way_and_its_addresses(void **state)
{
    (void)state;
    char text[ENDPOINT_TEXT_MAX];
    const struct endpoint free = udp("192.0.2.1:9443", NULL), bound = udp("192.0.2.1:9443", "198.51.100.2");
    const struct endpoint long_one =
        udp("[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "2001:db8:1111:2222:3333:4444:5555:6667");
    assert_string_equal(endpoint_format(&free, text), "direct 192.0.2.1:9443");
    assert_string_equal(endpoint_format(&bound, text), "direct 192.0.2.1:9443 from 198.51.100.2");
    assert_string_equal(endpoint_format(&long_one, text),
                        "direct [2001:db8:1111:2222:3333:4444:5555:6666]:65535 from "
                        "2001:db8:1111:2222:3333:4444:5555:6667");
    struct endpoint standby = bound;
    standby.interface = 3;
    assert_string_equal(endpoint_format(&standby, text),
                        "direct 192.0.2.1:9443 from 198.51.100.2 by interface 3");
    const struct endpoint uplink = by_uplink(0, 1), second = by_uplink(1, 1);
    assert_string_equal(endpoint_format(&uplink, text), "tcp by the backbone");
    assert_string_equal(endpoint_format(&second, text), "tcp by backbone 2");
    const struct endpoint trunk = endpoint_tcp(7, &free.remote);
    assert_string_equal(endpoint_format(&trunk, text), "tcp 192.0.2.1:9443");
}

static void a_trunk_is_known_by_its_number_alone(void **state)
{
    (void)state;
    const struct endpoint udp_there = udp("192.0.2.1:8443", NULL), to = endpoint_tcp(7, &udp_there.remote),
                          from = endpoint_tcp(7, &(struct addr){0}),
                          other = endpoint_tcp(8, &udp_there.remote);
    assert_true(endpoint_same_way(&to, &from) && endpoint_same(&to, &from));
    assert_false(endpoint_same_way(&to, &other) || endpoint_same(&to, &other));
    assert_false(endpoint_same_way(&to, &udp_there) || endpoint_same_way(&udp_there, &to));
}

static void a_node_uses_the_carriers_that_it_was_told_to(void **state)
{
    (void)state;
    assert_true(carrier_in(CARRIER_UDP, CARRIERS_AUTO) && carrier_in(CARRIER_UPLINK, CARRIERS_AUTO));
    assert_true(carrier_in(CARRIER_UDP, CARRIERS_UDP) && !carrier_in(CARRIER_UPLINK, CARRIERS_UDP));
    assert_true(!carrier_in(CARRIER_UDP, CARRIERS_TCP) && carrier_in(CARRIER_UPLINK, CARRIERS_TCP));
    for (unsigned which = CARRIERS_AUTO; which <= CARRIERS_TCP; which++)
        assert_false(carrier_in(CARRIER_NONE, (enum carriers)which));
    assert_true(carrier_in(CARRIER_TCP, CARRIERS_AUTO) && carrier_in(CARRIER_TCP, CARRIERS_TCP));
    assert_false(carrier_in(CARRIER_TCP, CARRIERS_UDP));
    assert_true(carrier_tier(CARRIER_UDP) + 1 < carrier_tier(CARRIER_UPLINK)); /* a relay's is between */
    assert_int_equal(carrier_tier(CARRIER_TCP), carrier_tier(CARRIER_UPLINK));
}

static void only_a_relay_reaches_a_relayed_candidate(void **state)
{
    (void)state;
    assert_int_equal(carrier_for(CANDIDATE_HOST), CARRIER_UDP);
    assert_int_equal(carrier_for(CANDIDATE_REFLEXIVE), CARRIER_UDP);
    assert_int_equal(carrier_for(CANDIDATE_MAPPED), CARRIER_UDP);
    assert_int_equal(carrier_for(CANDIDATE_STATIC), CARRIER_UDP);
    assert_int_equal(carrier_for(CANDIDATE_RELAYED), CARRIER_NONE);
    assert_int_equal(carrier_for((enum candidate_kind)77), CARRIER_NONE); /* of a later version */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_the_same_in_every_part_or_not_at_all),
        cmocka_unit_test(where_it_leaves_from_makes_no_other_way),
        cmocka_unit_test(a_node_uses_the_carriers_that_it_was_told_to),
        cmocka_unit_test(the_interface_by_which_it_leaves_makes_another_path_and_no_other_way),
        cmocka_unit_test(a_standby_stands_behind_all_that_the_kernel_chooses),
        cmocka_unit_test(an_endpoint_reads_as_its_way_and_its_addresses),
        cmocka_unit_test(a_trunk_is_known_by_its_number_alone),
        cmocka_unit_test(only_a_relay_reaches_a_relayed_candidate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
