/* SPDX-License-Identifier: Apache-2.0 */
/* node/helper/uplink_upgrade: what is asked of a backbone, and which answers open an uplink. */

#include "node/helper/uplink_upgrade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define GOOD_LINES                                                                                           \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: "      \
    "shadowmesh.link.v1\r\n\r\n"

static struct uplink_upgrade upgrade;

static int setup(void **state)
{
    static const uint8_t nonce[16] = "the sample nonce";
    (void)state;
    return uplink_upgrade_init(nonce, &upgrade);
}

static int answer(const char *format, char why[UPLINK_WHY_MAX])
{
    char text[1024];
    int len = snprintf(text, sizeof(text), format, upgrade.accept);
    return uplink_upgrade_answer(&upgrade, text, (size_t)len, why);
}

static void assert_refused(const char *format, const char *wanted)
{
    char why[UPLINK_WHY_MAX] = "";
    assert_int_equal(answer(format, why), ERR_FORMAT);
    assert_string_equal(why, wanted);
}

static void request_names_host_and_path_as_the_url_does(void **state)
{
    struct http_url url;
    char request[UPLINK_REQUEST_MAX];
    (void)state;
    assert_true(http_url_parse("https://BB.example:8443/prefix", &url));
    int len = uplink_upgrade_request(&upgrade, &url, false, request);
    assert_int_equal(len, (int)strlen(request));
    assert_memory_equal(request, "GET /prefix/v1/link HTTP/1.1\r\nHost: bb.example:8443\r\n", 53);
    assert_non_null(strstr(request, "\r\nSec-WebSocket-Protocol: shadowmesh.link.v1\r\n"));
    assert_non_null(strstr(request, upgrade.key));
    assert_string_equal(request + len - 4, "\r\n\r\n");
}

static void visit_is_asked_for_by_an_argument(void **state)
{
    static const char line[] = "GET /v1/link?visit=1 HTTP/1.1\r\nHost: bb.example\r\n";
    struct http_url url;
    char request[UPLINK_REQUEST_MAX];
    (void)state;
    assert_true(http_url_parse("http://bb.example", &url));
    assert_true(uplink_upgrade_request(&upgrade, &url, true, request) > 0);
    assert_memory_equal(request, line, sizeof(line) - 1);
}

static void path_that_does_not_fit_is_refused(void **state)
{
    struct http_url url;
    char request[UPLINK_REQUEST_MAX], longer[UPLINK_REQUEST_MAX + 16] = "http://bb.example/";
    (void)state;
    memset(longer + 18, 'a', UPLINK_REQUEST_MAX - 18);
    assert_true(http_url_parse(longer, &url));
    assert_int_equal(uplink_upgrade_request(&upgrade, &url, false, request), ERR_SPACE);
}

static void answer_to_our_key_opens_the_uplink(void **state)
{
    char why[UPLINK_WHY_MAX], text[1024];
    (void)state;
    int head = snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols\r\n" GOOD_LINES "\x82\x01",
                        upgrade.accept) -
               2;
    assert_int_equal(uplink_upgrade_answer(&upgrade, text, (size_t)head + 2, why), head);
    for (size_t len = 0; len < (size_t)head; len++)
        assert_int_equal(uplink_upgrade_answer(&upgrade, text, len, why), ERR_AGAIN);
}

static void names_of_headers_have_no_case(void **state)
{
    char why[UPLINK_WHY_MAX];
    (void)state;
    assert_true(answer("HTTP/1.1 101 x\r\nsec-websocket-ACCEPT:%s "
                       "\r\nsec-websocket-protocol:\tshadowmesh.link.v1\r\n\r\n",
                       why) > 0);
}

static void answer_to_another_key_is_refused(void **state)
{
    static const char wanted[] = "what answers there speaks another protocol than a backbone's";
    (void)state;
    assert_refused("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\n"
                   "Sec-WebSocket-Protocol: shadowmesh.link.v1\r\nX: %s\r\n\r\n",
                   wanted);
    assert_refused("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: %s\r\n\r\n", wanted);
    assert_refused("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
                   wanted);
}

static void refusals_say_what_is_the_matter(void **state)
{
    (void)state;
    assert_refused("HTTP/1.1 404 Not Found\r\n\r\n",
                   "it keeps no uplinks: its version is older, or there is no backbone at this URL");
    assert_refused("HTTP/1.1 503 Busy\r\n\r\n", "it has no room for another uplink");
    assert_refused("HTTP/1.1 200 OK\r\n" GOOD_LINES, "HTTP status 200 instead of an uplink");
    assert_refused("HTTP/1.0 101 OK\r\n" GOOD_LINES, "its answer is not HTTP/1.1");
    assert_refused("SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer is not HTTP/1.1");
}

static void answer_without_end_is_refused(void **state)
{
    char text[UPLINK_ANSWER_MAX], why[UPLINK_WHY_MAX];
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(uplink_upgrade_answer(&upgrade, text, sizeof(text) - 1, why), ERR_AGAIN);
    assert_int_equal(uplink_upgrade_answer(&upgrade, text, sizeof(text), why), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_names_host_and_path_as_the_url_does),
        cmocka_unit_test(visit_is_asked_for_by_an_argument),
        cmocka_unit_test(path_that_does_not_fit_is_refused),
        cmocka_unit_test(answer_to_our_key_opens_the_uplink),
        cmocka_unit_test(names_of_headers_have_no_case),
        cmocka_unit_test(answer_to_another_key_is_refused),
        cmocka_unit_test(refusals_say_what_is_the_matter),
        cmocka_unit_test(answer_without_end_is_refused),
    };
    return cmocka_run_group_tests_name("uplink_upgrade", tests, setup, NULL);
}
