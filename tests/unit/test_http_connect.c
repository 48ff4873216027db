/* SPDX-License-Identifier: Apache-2.0 */
/* What clients of a proxy of HTTP ask, and what they are answered. */
#include "proto/doors/http_connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})
#define CONNECT    "CONNECT db.lab.internal:443 HTTP/1.1\r\n"

static void request_names_a_host_and_a_port(void **state)
{
    static const char head[] = CONNECT "Host: db.lab.internal:443\r\nUser-Agent: curl/8\r\n\r\n";
    struct http_connect r;
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_int_equal(
        http_connect_read(TEXT(CONNECT "Host: db.lab.internal:443\r\nUser-Agent: curl/8\r\n\r\nmore"), &r),
        sizeof(head) - 1);
    assert_string_equal(r.to.name, "db.lab.internal");
    assert_int_equal(r.to.port, 443);
    assert_int_equal(r.credentials.len, 0);
    assert_true(http_connect_read(TEXT("CONNECT 10.10.10.4:80 HTTP/1.0\r\n\r\n"), &r) > 0);
    assert_string_equal(addr_format(&r.to.address, text), "10.10.10.4:80");
    assert_true(http_connect_read(TEXT("CONNECT [fd00::2]:80 HTTP/1.1\r\n\r\n"), &r) > 0);
    assert_string_equal(addr_format(&r.to.address, text), "[fd00::2]:80");
    assert_true(http_connect_read(TEXT("CONNECT [::ffff:127.0.0.1]:80 HTTP/1.1\r\n\r\n"), &r) > 0);
    assert_string_equal(addr_format(&r.to.address, text), "127.0.0.1:80");
}

static void credentials_are_those_of_the_basic_scheme(void **state)
{
    struct http_connect r;
    (void)state;
    assert_true(http_connect_read(TEXT(CONNECT "proxy-AUTHORIZATION:  basic YW5uOnMzY3JldA== \r\n\r\n"), &r) >
                0);
    assert_int_equal(r.credentials.len, 16);
    assert_memory_equal(r.credentials.data, "YW5uOnMzY3JldA==", 16);
    assert_true(http_connect_read(TEXT(CONNECT "Proxy-Authorization: Digest abc\r\n\r\n"), &r) > 0);
    assert_int_equal(r.credentials.len, 0);
    assert_true(http_connect_read(TEXT(CONNECT "Authorization: Basic YW5u\r\n\r\n"), &r) > 0);
    assert_int_equal(r.credentials.len, 0);
    assert_int_equal(http_connect_read(TEXT(CONNECT "Proxy-Authorization: Basic YQ==\r\n"
                                                    "Proxy-Authorization: Basic YW5u\r\n\r\n"),
                                       &r),
                     ERR_FORMAT);
}

static void other_methods_are_known_to_be_others(void **state)
{
    struct http_connect r;
    (void)state;
    assert_true(http_connect_read(TEXT("GET http://10.10.10.4/ HTTP/1.1\r\n\r\n"), &r) > 0 && r.unknown);
    assert_true(http_connect_read(TEXT("connect a:1 HTTP/1.1\r\n\r\n"), &r) > 0 && r.unknown);
    assert_true(http_connect_read(TEXT("CONNECT a:1 HTTP/1.1\r\n\r\n"), &r) > 0 && !r.unknown);
}

static void malformed_requests_are_refused(void **state)
{
    static const struct slice bad[] = {TEXT("CONNECT a HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT a: HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT :1 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT a:0 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT a:65536 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT a:+1 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT a:000001 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT fd00::2:80 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT [a]:80 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT [10.0.0.1]:80 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT [fd00::2:80 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT user@a:80 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT http://a:80 HTTP/1.1\r\n\r\n"),
                                       TEXT("CONNECT a:80\r\n\r\n"),
                                       TEXT("CONNECT a:80 HTTP/2\r\n\r\n"),
                                       TEXT("CONNECT a:80 HTTP/1.1 \r\n\r\n"),
                                       TEXT("CONNECT  a:80 HTTP/1.1\r\n\r\n"),
                                       TEXT("\r\n\r\n"),
                                       TEXT("CONNECT a:80 HTTP/1.1\r\nHost a\r\n\r\n"),
                                       TEXT("CONNECT a:80 HTTP/1.1\r\n Host: a\r\n\r\n"),
                                       TEXT("CONNECT a:80 HTTP/1.1\r\nHost : a\r\n\r\n"),
                                       TEXT("CONNECT a:80 HTTP/1.1\r\nHost: a\nb: c\r\n\r\n"),
                                       TEXT("CONNECT a\0b:80 HTTP/1.1\r\n\r\n"),
                                       TEXT("C\0NNECT a:80 HTTP/1.1\r\n\r\n")};
    struct http_connect r;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(http_connect_read(bad[i], &r), ERR_FORMAT);
}

static void head_without_an_end_is_waited_for_up_to_a_bound(void **state)
{
    static const struct slice whole = TEXT(CONNECT "Host: a\r\n\r\n");
    static uint8_t endless[HTTP_CONNECT_MAX];
    struct http_connect r;
    (void)state;
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(http_connect_read((struct slice){whole.data, len}, &r), 0);
    memset(endless, 'a', sizeof(endless));
    assert_int_equal(http_connect_read((struct slice){endless, sizeof(endless) - 1}, &r), 0);
    assert_int_equal(http_connect_read((struct slice){endless, sizeof(endless)}, &r), ERR_FORMAT);
}

static void answers_say_what_came_of_it(void **state)
{
    static const char *const statuses[] = {
        [OUTCOME_OPEN] = "200",        [OUTCOME_REFUSED] = "502", [OUTCOME_UNREACHABLE] = "502",
        [OUTCOME_SILENT] = "504",      [OUTCOME_NO_NAME] = "502", [OUTCOME_FORBIDDEN] = "403",
        [OUTCOME_UNSUPPORTED] = "405", [OUTCOME_FAILED] = "503"};
    char out[HTTP_CONNECT_REPLY_MAX];
    (void)state;
    for (enum outcome o = OUTCOME_OPEN; o <= OUTCOME_FAILED; o++) {
        assert_true(http_connect_reply(o, out) < sizeof(out));
        assert_memory_equal(out, "HTTP/1.1 ", 9);
        assert_memory_equal(out + 9, statuses[o], 3);
        assert_non_null(strstr(out, "\r\n\r\n"));
        assert_int_equal(strstr(out, "Connection: close") != NULL, o != OUTCOME_OPEN);
    }
    assert_true(http_connect_refuse_words(out) < sizeof(out));
    assert_non_null(strstr(out, "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="));
    assert_true(http_connect_refuse_malformed(out) < sizeof(out));
    assert_memory_equal(out + 9, "400", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_names_a_host_and_a_port),
        cmocka_unit_test(credentials_are_those_of_the_basic_scheme),
        cmocka_unit_test(other_methods_are_known_to_be_others),
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(head_without_an_end_is_waited_for_up_to_a_bound),
        cmocka_unit_test(answers_say_what_came_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
