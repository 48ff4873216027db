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
    };
    size_t count = sizeof(list) / sizeof(list[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            assert_int_equal(endpoint_same(&list[i], &list[j]), i == j);
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
        cmocka_unit_test(an_endpoint_reads_as_its_way_and_its_addresses),
        cmocka_unit_test(only_a_relay_reaches_a_relayed_candidate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
