/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/proxy_header: who a PROXY header names, and which ones are refused. */

#include "backbone/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4      "\xc0\x00\x02\x07\xcb\x00\x71\x02\x9c\x40\x00\x50" /* 192.0.2.7:40000 to 203.0.113.2:80 */
#define IPV6_FROM "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define IPV6_TO   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"

static struct addr source;
static size_t len;

static int decode(const char *bytes, size_t have)
{
    return proxy_header_decode((const uint8_t *)bytes, have, &source, &len);
}
#define DECODE(text) decode(text, sizeof(text) - 1)

static void assert_named(const char *wanted)
{
    char text[ADDR_TEXT_MAX];
    assert_string_equal(addr_format(&source, text), wanted);
}

static void source_is_who_the_header_names(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SIGNATURE "\x21\x11\x00\x0c" IPV4 "GET /"), 0);
    assert_int_equal(len, 28);
    assert_named("192.0.2.7:40000");
    assert_int_equal(DECODE(SIGNATURE "\x21\x21\x00\x24" IPV6_FROM IPV6_TO "\x9c\x40\x00\x50"), 0);
    assert_int_equal(len, 52);
    assert_named("[2001:db8::7]:40000");
    assert_int_equal(DECODE(SIGNATURE "\x21\x21\x00\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x07" IPV6_TO
                                      "\x9c\x40\x00\x50"),
                     0);
    assert_named("192.0.2.7:40000");
}

static void extensions_are_skipped(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SIGNATURE "\x21\x11\x00\x11" IPV4 "\x04\x00\x02xxGET /"), 0);
    assert_int_equal(len, 33);
    assert_named("192.0.2.7:40000");
}

static void proxys_own_check_and_other_families_name_nobody(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SIGNATURE "\x20\x00\x00\x00"), 0);
    assert_true(source.family == 0 && len == 16);
    assert_int_equal(DECODE(SIGNATURE "\x20\x11\x00\x0c" IPV4), 0);
    assert_true(source.family == 0 && len == 28);
    assert_int_equal(DECODE(SIGNATURE "\x21\x00\x00\x02xx"), 0);
    assert_true(source.family == 0 && len == 18);
}

static void every_beginning_of_a_header_asks_for_more(void **state)
{
    static const char whole[] = SIGNATURE "\x21\x11\x00\x0c" IPV4;
    (void)state;
    for (size_t have = 1; have < sizeof(whole) - 1; have++) {
        assert_int_equal(decode(whole, have), ERR_AGAIN);
        assert_int_equal(len, have < 16 ? 16 : 28);
        assert_int_equal(source.family, 0);
    }
}

static void what_is_no_header_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(DECODE("G"), ERR_UNSUPPORTED);
    assert_int_equal(DECODE("\r\nGET /health HTTP/1.1\r\n"), ERR_UNSUPPORTED);
    assert_int_equal(DECODE("PROXY TCP4 192.0.2.7 203.0.113.2 40000 80\r\n"), ERR_UNSUPPORTED);
}

static void malformed_header_is_refused_as_soon_as_it_is_seen(void **state)
{
    static const char *const wrong[] = {"\x11\x11\x00\x0c", "\x22\x11\x00\x0c", "\x2f\x11\x00\x0c",
                                        "\x21\x41\x00\x0c", "\x21\x13\x00\x0c", "\x21\x11\x07\xf1"};
    char bytes[16] = SIGNATURE;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        memcpy(bytes + 12, wrong[i], 4);
        assert_int_equal(decode(bytes, sizeof(bytes)), ERR_FORMAT);
    }
    assert_int_equal(DECODE(SIGNATURE "\x21\x11\x00\x0b" IPV4), ERR_FORMAT);
    assert_int_equal(DECODE(SIGNATURE "\x21\x21\x00\x0c" IPV4), ERR_FORMAT);
    assert_int_equal(DECODE(SIGNATURE "\x21\x11\x07\xf0" IPV4), ERR_AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_is_who_the_header_names),
        cmocka_unit_test(extensions_are_skipped),
        cmocka_unit_test(proxys_own_check_and_other_families_name_nobody),
        cmocka_unit_test(every_beginning_of_a_header_asks_for_more),
        cmocka_unit_test(what_is_no_header_is_left_alone),
        cmocka_unit_test(malformed_header_is_refused_as_soon_as_it_is_seen),
    };
    return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
