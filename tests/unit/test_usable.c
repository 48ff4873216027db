/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses that others name are refused from this machine. */
#include "node/underlay/usable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PORT         9443
#define CONTROL_PORT 8443

static struct addr parse(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, PORT, &a), 0);
    return a;
}

static bool passes_in(bool overlay, const char *text)
{
    const struct rtnl_address machine[] = {
        {.index = 2, .prefix = {parse("192.0.2.7"), 24}},
        {.index = 3, .prefix = {parse("198.51.100.2"), 31}},
        {.index = 4, .prefix = {parse("2001:db8::7"), 64}},
    };
    const struct usable_scope scope = {.machine = machine,
                                       .machine_count = sizeof(machine) / sizeof(*machine),
                                       .overlay = overlay,
                                       .port = PORT,
                                       .control_port = CONTROL_PORT};
    const struct addr a = parse(text);
    return usable(&scope, &a);
}

static bool passes(const char *text)
{
    return passes_in(false, text);
}

static void own_ports_on_this_machine_are_refused(void **state)
{
    (void)state;
    assert_false(passes("192.0.2.7:9443"));
    assert_false(passes("192.0.2.7:8443"));
    assert_false(passes("[2001:db8::7]:9443"));
    assert_false(passes("[2001:db8::7]:8443"));
    assert_true(passes("192.0.2.8:9443"));
    assert_true(passes("[2001:db8::8]:8443"));
}

static void ports_of_the_system_on_this_machine_are_refused(void **state)
{
    (void)state;
    assert_false(passes("192.0.2.7:22"));
    assert_false(passes("192.0.2.7:1023"));
    assert_true(passes("192.0.2.7:1024"));
    assert_true(passes("192.0.2.8:22"));
}

static void another_node_on_this_machine_is_reached(void **state)
{
    (void)state;
    assert_true(passes("192.0.2.7:9444"));
    assert_true(passes("[2001:db8::7]:9444"));
}

static void edges_of_our_subnets_are_refused(void **state)
{
    (void)state;
    assert_false(passes("192.0.2.0"));
    assert_false(passes("192.0.2.255"));
    assert_true(passes("192.0.2.1"));
    assert_true(passes("192.0.2.254"));
    assert_true(passes("192.0.3.255"));
    assert_true(passes("198.51.100.3")); /* a /31 has no edges */
    assert_true(passes("2001:db8::"));   /* nor has IPv6 a broadcast address */
}

static void an_address_of_the_overlay_is_refused(void **state)
{
    (void)state;
    assert_true(passes_in(false, "203.0.113.5"));
    assert_false(passes_in(true, "203.0.113.5"));
}

/* What a peer that names host, and is seen at public (NULL: it does not know), has to do with us, who are seen at seen. */
static bool in_scope(const char *host, const char *public, const char *seen)
{
    const struct rtnl_address machine[] = {{.index = 2, .prefix = {parse("192.168.1.7"), 24}},
                                           {.index = 2, .prefix = {parse("fd12:3456:789a:1::7"), 64}}};
    const struct addr where = parse(seen ? seen : "127.0.0.1"), a = parse(host);
    const struct usable_scope scope = {
        .machine = machine, .machine_count = 2, .seen = &where, .seen_count = seen != NULL};
    const struct candidate list[] = {{CANDIDATE_HOST, a, CONTROL_PORT},
                                     {CANDIDATE_REFLEXIVE, parse(public ? public : host), CONTROL_PORT}};
    return usable_in_scope(&scope, &a, list, 2);
}

static void private_addresses_are_in_scope_behind_one_public_address_or_in_a_network_of_ours(void **state)
{
    (void)state;
    assert_true(in_scope("10.0.0.5", "203.0.113.9:1", "203.0.113.9:2"));
    assert_false(in_scope("10.0.0.5", "203.0.113.8:1", "203.0.113.9:1"));
    assert_false(in_scope("172.31.0.5", "203.0.113.8", "203.0.113.9"));
    assert_false(in_scope("192.168.2.5", "203.0.113.8", "203.0.113.9"));
    assert_false(in_scope("100.64.0.5", "203.0.113.8", "203.0.113.9"));
    assert_true(in_scope("192.168.1.5", "203.0.113.8", "203.0.113.9"));
    assert_false(in_scope("fd12:3456:789b::5", "2001:db8::8", "2001:db8::9"));
    assert_true(in_scope("fd12:3456:789a:2::5", "2001:db8::8", "2001:db8::9"));
}

static void public_addresses_are_always_in_scope(void **state)
{
    (void)state;
    assert_true(in_scope("198.51.100.5", "203.0.113.8", "203.0.113.9"));
    assert_true(in_scope("2001:db8:5::5", "2001:db8::8", "2001:db8::9"));
    assert_true(in_scope("172.32.0.5", "203.0.113.8", "203.0.113.9"));
}

/* Nobody tells where they are; or the servers are inside the company's network, as we all are. */
static void private_addresses_are_in_scope_where_it_cannot_be_told(void **state)
{
    (void)state;
    assert_true(in_scope("10.0.0.5", "203.0.113.8", NULL));
    assert_true(in_scope("10.0.0.5", NULL, "203.0.113.9"));
    assert_true(in_scope("10.0.0.5", "203.0.113.8", "2001:db8::9"));
    assert_true(in_scope("10.0.0.5", "10.0.0.6", "10.9.0.1"));
    assert_true(in_scope("192.168.3.5", "10.0.0.6", "10.9.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_ports_on_this_machine_are_refused),
        cmocka_unit_test(ports_of_the_system_on_this_machine_are_refused),
        cmocka_unit_test(another_node_on_this_machine_is_reached),
        cmocka_unit_test(edges_of_our_subnets_are_refused),
        cmocka_unit_test(an_address_of_the_overlay_is_refused),
        cmocka_unit_test(private_addresses_are_in_scope_behind_one_public_address_or_in_a_network_of_ours),
        cmocka_unit_test(public_addresses_are_always_in_scope),
        cmocka_unit_test(private_addresses_are_in_scope_where_it_cannot_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
