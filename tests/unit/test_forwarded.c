/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/forwarded: who asks through a reverse proxy, and who only says so. */

#include "backbone/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static struct forwarded_proxies proxies;

static int trust(void **state)
{
    (void)state;
    proxies = (struct forwarded_proxies){0};
    assert_null(forwarded_add(&proxies, "127.0.0.1"));
    assert_null(forwarded_add(&proxies, "10.0.0.0/8"));
    assert_null(forwarded_add(&proxies, "2001:db8::/32"));
    return 0;
}

/* The source of a request from `from` with these fields. */
static void source_is(const char *from, const char *first, const char *second, const char *source)
{
    struct forwarded_text text = {.len = 0};
    struct addr a, found;
    char said[ADDR_TEXT_MAX];
    assert_int_equal(addr_parse(from, 0, &a), 0);
    if (first)
        forwarded_append(&text, first, strlen(first));
    if (second)
        forwarded_append(&text, second, strlen(second));
    found = forwarded_source(&proxies, &a, &text);
    assert_string_equal(addr_format(&found, said), source);
}

static void trusted_proxy_tells_who_asks(void **state)
{
    (void)state;
    source_is("127.0.0.1:4711", "192.0.2.7", NULL, "192.0.2.7");
    source_is("127.0.0.1:4711", "192.0.2.7:99", NULL, "192.0.2.7");
    source_is("[2001:db8::1]:4711", "2001:678::7", NULL, "2001:678::7");
    source_is("127.0.0.1:4711", "[2001:678::7]:99", NULL, "2001:678::7");
    source_is("127.0.0.1:4711", " 192.0.2.7 ,\t10.1.1.1 ", NULL, "192.0.2.7");
}

static void others_may_write_what_they_like(void **state)
{
    (void)state;
    source_is("198.51.100.1:4711", "192.0.2.7", NULL, "198.51.100.1:4711");
    source_is("127.0.0.1:4711", "1.1.1.1, 192.0.2.7", NULL, "192.0.2.7"); /* appended by the proxy */
    source_is("127.0.0.1:4711", "1.1.1.1", "192.0.2.7", "192.0.2.7");     /* in a field of its own */
    source_is("127.0.0.1:4711", "1.1.1.1, 198.51.100.1, 10.1.1.1", NULL, "198.51.100.1");
}

static void header_that_says_nothing_leaves_the_last_that_is_known(void **state)
{
    (void)state;
    source_is("127.0.0.1:4711", NULL, NULL, "127.0.0.1:4711");
    source_is("127.0.0.1:4711", "unknown", NULL, "127.0.0.1:4711");
    source_is("127.0.0.1:4711", "1.1.1.1, unknown, 10.1.1.1", NULL, "10.1.1.1");
    source_is("127.0.0.1:4711", "10.2.2.2, 10.1.1.1", NULL, "10.2.2.2"); /* all are trusted: the farthest */
    source_is("127.0.0.1:4711", "", "", "127.0.0.1:4711");
    source_is("127.0.0.1:4711", ",,,", NULL, "127.0.0.1:4711");
}

static void only_the_end_of_a_long_header_is_kept(void **state)
{
    (void)state;
    static char padding[3 * FORWARDED_TEXT_MAX];
    memset(padding, 'a', sizeof(padding) - 1);
    source_is("127.0.0.1:4711", padding, "192.0.2.7", "192.0.2.7");
    memcpy(padding + sizeof(padding) - 12, ", 192.0.2.7", 12);
    source_is("127.0.0.1:4711", "1.1.1.1", padding, "192.0.2.7");
    source_is("127.0.0.1:4711", padding, padding, "192.0.2.7");
}

static void proxy_is_an_address_or_a_network(void **state)
{
    static const char *const wrong[] = {"",          "proxy.example", "10.0.0.0/33",
                                        "10.0.0.0/", "10.0.0.0/a",    "10.0.0.0/8x",
                                        "::1/129",   "127.0.0.1:80",  "10.0.0.0/-1"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(forwarded_add(&proxies, wrong[i]));
    assert_int_equal(proxies.count, 3);
    while (proxies.count < FORWARDED_PROXIES_MAX)
        assert_null(forwarded_add(&proxies, "::1/128"));
    assert_non_null(forwarded_add(&proxies, "::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(trusted_proxy_tells_who_asks, trust),
        cmocka_unit_test_setup(others_may_write_what_they_like, trust),
        cmocka_unit_test_setup(header_that_says_nothing_leaves_the_last_that_is_known, trust),
        cmocka_unit_test_setup(only_the_end_of_a_long_header_is_kept, trust),
        cmocka_unit_test_setup(proxy_is_an_address_or_a_network, trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
