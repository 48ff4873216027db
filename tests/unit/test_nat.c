/* SPDX-License-Identifier: Apache-2.0 */
/* How a NAT behaves, as far as observations of it tell. */
#include "proto/nat/nat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PORT 9443

static struct addr parse(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

static bool is_host(const void *context, const struct addr *a)
{
    (void)context;
    const struct addr ours = parse("192.0.2.7");
    return addr_same_host(a, &ours);
}

/* "SERVER MAPPED" each. */
static struct nat judged(unsigned count, const char *const (*seen)[2])
{
    struct nat n = {.observed_count = count};
    for (unsigned i = 0; i < count; i++)
        n.observed[i] = (struct nat_observation){parse(seen[i][0]), parse(seen[i][1]), i};
    nat_judge(&n, is_host, NULL, PORT);
    return n;
}

static void one_server_tells_no_mapping(void **state)
{
    (void)state;
    const struct nat none = judged(0, NULL);
    assert_int_equal(none.mapping, NAT_MAPPING_UNKNOWN);
    assert_int_equal(none.ports, NAT_PORTS_UNKNOWN);
    const struct nat one = judged(1, (const char *const[][2]){{"203.0.113.2:3478", "198.51.100.2:9443"}});
    assert_int_equal(one.mapping, NAT_MAPPING_UNKNOWN);
    assert_int_equal(one.ports, NAT_PORTS_KEPT);
    const struct nat moved = judged(1, (const char *const[][2]){{"203.0.113.2:3478", "198.51.100.2:30000"}});
    assert_int_equal(moved.ports, NAT_PORTS_UNKNOWN);
}

static void two_ports_of_one_host_tell_no_mapping_where_they_agree(void **state)
{
    (void)state;
    const struct nat n = judged(2, (const char *const[][2]){{"203.0.113.2:3478", "198.51.100.2:9443"},
                                                            {"203.0.113.2:3479", "198.51.100.2:9443"}});
    assert_int_equal(n.mapping, NAT_MAPPING_UNKNOWN);
}

static void our_own_address_is_not_translated(void **state)
{
    (void)state;
    const struct nat n = judged(1, (const char *const[][2]){{"203.0.113.2:3478", "192.0.2.7:9443"}});
    assert_int_equal(n.mapping, NAT_MAPPING_NONE);
    const struct nat other = judged(2, (const char *const[][2]){{"203.0.113.2:3478", "192.0.2.7:9443"},
                                                                {"203.0.113.3:3478", "192.0.2.7:40000"}});
    assert_int_equal(other.mapping, NAT_MAPPING_DEPENDENT);
}

static void hosts_that_see_the_same_make_it_endpoint_independent(void **state)
{
    (void)state;
    const struct nat n = judged(2, (const char *const[][2]){{"203.0.113.2:3478", "198.51.100.2:1234"},
                                                            {"203.0.113.3:3478", "198.51.100.2:1234"}});
    assert_int_equal(n.mapping, NAT_MAPPING_ENDPOINT_INDEPENDENT);
    assert_int_equal(n.ports, NAT_PORTS_UNKNOWN);
}

static void what_hosts_see_differently_depends_on_the_address(void **state)
{
    (void)state;
    const char *const seen[][2] = {{"203.0.113.2:3478", "198.51.100.2:1234"},
                                   {"203.0.113.3:3478", "198.51.100.2:40000"},
                                   {"203.0.113.3:3479", "198.51.100.2:40000"}};
    assert_int_equal(judged(2, seen).mapping, NAT_MAPPING_DEPENDENT);
    assert_int_equal(judged(3, seen).mapping, NAT_MAPPING_ADDRESS_DEPENDENT);
    assert_int_equal(judged(3, seen).ports, NAT_PORTS_RANDOM);
}

static void what_ports_of_one_host_see_differently_depends_on_the_port(void **state)
{
    (void)state;
    const struct nat n = judged(2, (const char *const[][2]){{"203.0.113.2:3478", "198.51.100.2:1234"},
                                                            {"203.0.113.2:3479", "198.51.100.2:1235"}});
    assert_int_equal(n.mapping, NAT_MAPPING_ADDRESS_PORT_DEPENDENT);
}

static void ports_near_each_other_are_sequential_and_one_further_is_not(void **state)
{
    (void)state;
    const char *const near[][2] = {{"203.0.113.2:3478", "198.51.100.2:65520"},
                                   {"203.0.113.3:3478", "198.51.100.2:65535"}};
    const char *const far[][2] = {{"203.0.113.2:3478", "198.51.100.2:65519"},
                                  {"203.0.113.3:3478", "198.51.100.2:65535"}};
    const char *const elsewhere[][2] = {{"203.0.113.2:3478", "198.51.100.2:1000"},
                                        {"203.0.113.3:3478", "198.51.100.3:1001"}};
    assert_int_equal(judged(2, near).ports, NAT_PORTS_SEQUENTIAL);
    assert_int_equal(judged(2, far).ports, NAT_PORTS_RANDOM);
    assert_int_equal(judged(2, elsewhere).ports, NAT_PORTS_RANDOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_server_tells_no_mapping),
        cmocka_unit_test(two_ports_of_one_host_tell_no_mapping_where_they_agree),
        cmocka_unit_test(our_own_address_is_not_translated),
        cmocka_unit_test(hosts_that_see_the_same_make_it_endpoint_independent),
        cmocka_unit_test(what_hosts_see_differently_depends_on_the_address),
        cmocka_unit_test(what_ports_of_one_host_see_differently_depends_on_the_port),
        cmocka_unit_test(ports_near_each_other_are_sequential_and_one_further_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
