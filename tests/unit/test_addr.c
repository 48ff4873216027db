/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: text, comparison, prefixes, kinds, and the kernel's form. */

#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct addr parse(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse(text, 0, &a), 0);
    return a;
}

static struct addr_prefix prefix(const char *text, uint8_t bits)
{
    return (struct addr_prefix){parse(text), bits};
}

static void text_survives_the_round_trip(void **state)
{
    static const char *const same[] = {
        "1.2.3.4",
        "1.2.3.4:80",
        "255.255.255.255:65535",
        "::1",
        "[::1]:80",
        "2001:db8::1",
        "[2001:db8::1]:1",
        "fe80::1%7",
        "[fe80::1%7]:53",
        "[2001:db8:1:2:3:4:5:6]:65535",
        "[fe80:1234:1234:1234:1234:1234:1234:1234%4294967295]:65535",
    };
    char out[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        struct addr a = parse(same[i]);

        assert_ptr_equal(addr_format(&a, out), out);
        assert_string_equal(out, same[i]);
    }
}

static void missing_port_becomes_the_default(void **state)
{
    struct addr a;

    (void)state;
    assert_int_equal(addr_parse("1.2.3.4", 9443, &a), 0);
    assert_int_equal(a.port, 9443);
    assert_int_equal(addr_parse("::1", 9443, &a), 0);
    assert_int_equal(a.port, 9443);
    assert_int_equal(addr_parse("[::1]", 9443, &a), 0);
    assert_int_equal(a.port, 9443);
    assert_int_equal(addr_parse("[::1]:7", 9443, &a), 0);
    assert_int_equal(a.port, 7);
}

static void malformed_text_is_refused_and_changes_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "host",
        "host:80",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.4:",
        "1.2.3.4:0",
        "1.2.3.4:65536",
        "1.2.3.4:99999999999999999999",
        "1.2.3.4:+5",
        "1.2.3.4: 5",
        "1.2.3.4:5x",
        " 1.2.3.4",
        "1.2.3.4/24",
        ":80",
        "[::1",
        "[::1]80",
        "[::1]:",
        "[::1]:0",
        "[]:80",
        "[1.2.3.4]:80",
        "::1]:80",
        ":::",
        "1:2:3:4:5:6:7:8:9",
        "fe80::1%",
        "fe80::1%4294967296",
        "fe80::1%no-such-link",
        "[fe80:1234:1234:1234:1234:1234:1234:1234%4294967295]:65535    ",
        "1111111111111111111111111111111111111111111111111111111111111111111111"};
    struct addr a = {.family = 9}, before = a;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(addr_parse(bad[i], 1, &a), ERR_ARGUMENT);
        assert_memory_equal(&a, &before, sizeof(a));
    }
}

static void scope_may_be_the_name_of_an_interface(void **state)
{
    struct addr a;

    (void)state;
    assert_int_equal(addr_parse("[fe80::1%lo]:80", 0, &a), 0);
    assert_int_equal(a.scope, 1);
}

static void mapped_ipv4_is_ipv4(void **state)
{
    struct addr mapped = parse("[::ffff:1.2.3.4]:80"), plain = parse("1.2.3.4:80");

    (void)state;
    assert_int_equal(mapped.family, 4);
    assert_true(addr_equal(&mapped, &plain));
}

static void equality_counts_port_and_scope(void **state)
{
    struct addr a = parse("1.2.3.4:80"), b = parse("1.2.3.4:81"), c = parse("fe80::1%1"),
                d = parse("fe80::1%2"), e = parse("2001:db8::1%5"), f = parse("2001:db8::1");

    (void)state;
    assert_false(addr_equal(&a, &b));
    assert_true(addr_same_host(&a, &b));
    assert_false(addr_equal(&c, &d));
    assert_false(addr_same_host(&c, &d));
    assert_true(addr_equal(&e, &f)); /* a scope says something about link-local addresses only */
}

static void prefix_contains_by_its_leading_bits(void **state)
{
    struct addr in = parse("10.10.10.4:9"), out = parse("10.10.11.4"), six = parse("2001:db8::1");
    struct addr_prefix p = prefix("10.10.10.3", 24), odd = prefix("10.10.10.0", 23),
                       all = prefix("0.0.0.0", 0), one = prefix("10.10.10.4", 32),
                       wrong = prefix("10.10.10.4", 33);

    (void)state;
    assert_true(addr_in_prefix(&in, &p));
    assert_false(addr_in_prefix(&out, &p));
    assert_true(addr_in_prefix(&out, &odd));
    assert_true(addr_in_prefix(&in, &all));
    assert_false(addr_in_prefix(&six, &all));
    assert_true(addr_in_prefix(&in, &one));
    assert_false(addr_in_prefix(&out, &one));
    assert_false(addr_in_prefix(&in, &wrong));
    p = prefix("2001:db8::", 127);
    assert_true(addr_in_prefix(&six, &p));
    six.ip[15] = 2;
    assert_false(addr_in_prefix(&six, &p));
}

static void prefixes_overlap_when_one_holds_the_other(void **state)
{
    struct addr_prefix a = prefix("10.10.10.3", 24), b = prefix("10.10.10.200", 24),
                       c = prefix("10.0.0.0", 8), d = prefix("10.10.11.3", 24), six = prefix("::", 0),
                       none = {{0}, 0};

    (void)state;
    assert_true(addr_prefix_overlap(&a, &b));
    assert_true(addr_prefix_overlap(&a, &c));
    assert_true(addr_prefix_overlap(&c, &a));
    assert_false(addr_prefix_overlap(&a, &d));
    assert_false(addr_prefix_overlap(&a, &six));
    assert_false(addr_prefix_overlap(&none, &none));
}

static void prefix_is_written_with_its_bits_and_no_port(void **state)
{
    struct addr_prefix p = prefix("10.10.10.3:80", 24), q = prefix("2001:db8::1", 64);
    char out[ADDR_TEXT_MAX];

    (void)state;
    assert_string_equal(addr_prefix_format(&p, out), "10.10.10.3/24");
    assert_string_equal(addr_prefix_format(&q, out), "2001:db8::1/64");
}

/* Edges of each range: the last outside, the first and last inside. */
static void kinds_of_addresses_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool (*is)(const struct addr *);
        bool expected;
    } cases[] = {
        {"126.255.255.255", addr_is_loopback, false},
        {"127.0.0.0", addr_is_loopback, true},
        {"127.255.255.255", addr_is_loopback, true},
        {"::1", addr_is_loopback, true},
        {"::2", addr_is_loopback, false},
        {"169.253.255.255", addr_is_link_local, false},
        {"169.254.0.0", addr_is_link_local, true},
        {"169.255.0.0", addr_is_link_local, false},
        {"fe80::", addr_is_link_local, true},
        {"febf::", addr_is_link_local, true},
        {"fec0::", addr_is_link_local, false},
        {"0.0.0.0", addr_is_unspecified, true},
        {"::", addr_is_unspecified, true},
        {"0.0.0.1", addr_is_unspecified, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr a = parse(cases[i].text);

        assert_int_equal(cases[i].is(&a), cases[i].expected);
    }
}

static void kernel_form_survives_the_round_trip(void **state)
{
    static const char *const texts[] = {"1.2.3.4:80", "[2001:db8::1]:443", "[fe80::1%7]:53"};
    struct sockaddr_storage ss;
    struct addr back;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        for (int mapped = 0; mapped <= 1; mapped++) {
            struct addr a = parse(texts[i]);
            bool six = mapped || a.family == 6;

            assert_int_equal(addr_to_sockaddr(&a, mapped, &ss),
                             six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
            assert_int_equal(ss.ss_family, six ? AF_INET6 : AF_INET);
            assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, &back), 0);
            assert_true(addr_equal(&a, &back));
        }
}

static void kernel_form_of_another_family_is_refused(void **state)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNIX};
    struct addr a = {0};

    (void)state;
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, &a), ERR_UNSUPPORTED);
    assert_int_equal(addr_to_sockaddr(&a, true, &ss), 0);
}

static void addresses_that_lead_to_no_other_machine_are_told_apart(void **state)
{
    static const char *good[] = {"203.0.113.1",      "10.0.0.1",    "172.16.0.1",  "192.168.1.1",
                                 "100.64.0.1",       "169.253.1.1", "169.255.1.1", "126.1.1.1",
                                 "223.255.1.1",      "2001:db8::1", "fd00::1",     "64:ff9b::cb00:7101",
                                 "2002:cb00:7101::1"};
    static const char *bad[] = {"0.0.0.0",
                                "0.1.2.3",
                                "127.0.0.1",
                                "127.255.0.1",
                                "169.254.169.254",
                                "224.0.0.1",
                                "239.1.1.1",
                                "240.0.0.1",
                                "255.255.255.255",
                                "::",
                                "::1",
                                "::7f00:1",
                                "::ffff:127.0.0.1",
                                "::ffff:169.254.1.1",
                                "fe80::1",
                                "febf::1",
                                "fec0::1",
                                "ff02::1",
                                "64:ff9b::7f00:1",
                                "2002:7f00:1::1",
                                "2002:a9fe:101::1"};
    struct addr a;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(addr_parse(good[i], 1, &a), 0);
        assert_true(addr_is_routable(&a));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(addr_parse(bad[i], 1, &a), 0);
        assert_false(addr_is_routable(&a));
    }
    const struct addr raw = {.family = 6, .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    assert_false(addr_is_routable(&raw));
    assert_false(addr_is_routable(&(struct addr){0}));
}

static void first_and_last_of_a_subnet_are_its_edges(void **state)
{
    const struct addr_prefix odd = prefix("10.1.2.77", 22);
    struct addr a;
    (void)state;
    a = parse("10.1.0.0");
    assert_true(addr_is_subnet_edge(&a, &odd));
    a = parse("10.1.3.255");
    assert_true(addr_is_subnet_edge(&a, &odd));
    a = parse("10.1.1.255");
    assert_false(addr_is_subnet_edge(&a, &odd));
    a = parse("10.1.4.0");
    assert_false(addr_is_subnet_edge(&a, &odd));
    a = parse("10.1.0.1");
    const struct addr_prefix pair = {a, 31}, host = {a, 32}, lan = {parse("fd00::"), 64};
    assert_false(addr_is_subnet_edge(&a, &pair));
    assert_false(addr_is_subnet_edge(&a, &host));
    assert_false(addr_is_subnet_edge(&lan.addr, &lan));
}

static void private_addresses_are_told_by_their_block(void **state)
{
    (void)state;
    static const char *const blocks[][3] = {{"10.0.0.0", "10.255.255.255", "11.0.0.0"},
                                            {"172.16.0.0", "172.31.255.255", "172.32.0.0"},
                                            {"192.168.0.0", "192.168.255.255", "192.169.0.0"},
                                            {"100.64.0.0", "100.127.255.255", "100.128.0.0"},
                                            {"fc00::", "fdff::1", "fe00::"}};
    for (size_t i = 0; i < 5; i++) {
        const struct addr first = parse(blocks[i][0]), last = parse(blocks[i][1]),
                          beyond = parse(blocks[i][2]);
        assert_true(addr_is_private(&first) && addr_is_private(&last) && !addr_is_private(&beyond));
        assert_true(addr_same_private_block(&first, &last));
        assert_false(addr_same_private_block(&first, &beyond) || addr_same_private_block(&beyond, &beyond));
        const struct addr other = parse(blocks[(i + 1) % 5][0]);
        assert_false(addr_same_private_block(&first, &other));
    }
    assert_false(addr_is_private(&(struct addr){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives_the_round_trip),
        cmocka_unit_test(missing_port_becomes_the_default),
        cmocka_unit_test(malformed_text_is_refused_and_changes_nothing),
        cmocka_unit_test(scope_may_be_the_name_of_an_interface),
        cmocka_unit_test(mapped_ipv4_is_ipv4),
        cmocka_unit_test(equality_counts_port_and_scope),
        cmocka_unit_test(prefix_contains_by_its_leading_bits),
        cmocka_unit_test(prefixes_overlap_when_one_holds_the_other),
        cmocka_unit_test(prefix_is_written_with_its_bits_and_no_port),
        cmocka_unit_test(kinds_of_addresses_are_told_apart),
        cmocka_unit_test(kernel_form_survives_the_round_trip),
        cmocka_unit_test(kernel_form_of_another_family_is_refused),
        cmocka_unit_test(first_and_last_of_a_subnet_are_its_edges),
        cmocka_unit_test(addresses_that_lead_to_no_other_machine_are_told_apart),
        cmocka_unit_test(private_addresses_are_told_by_their_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
