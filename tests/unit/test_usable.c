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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_ports_on_this_machine_are_refused),
        cmocka_unit_test(ports_of_the_system_on_this_machine_are_refused),
        cmocka_unit_test(another_node_on_this_machine_is_reached),
        cmocka_unit_test(edges_of_our_subnets_are_refused),
        cmocka_unit_test(an_address_of_the_overlay_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
