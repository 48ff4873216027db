/* SPDX-License-Identifier: Apache-2.0 */
/* What clients of SOCKS say, and what they are answered. */
#include "proto/doors/socks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})

static void greeting_takes_the_one_method_that_is_wanted(void **state)
{
    enum socks_method method;
    (void)state;
    assert_int_equal(socks_read_greeting(BYTES("\5\2\2\0+"), false, &method), 4);
    assert_int_equal(method, SOCKS_METHOD_NONE);
    assert_int_equal(socks_read_greeting(BYTES("\5\2\0\2"), true, &method), 4);
    assert_int_equal(method, SOCKS_METHOD_WORDS);
    assert_int_equal(socks_read_greeting(BYTES("\5\1\0"), true, &method), 3);
    assert_int_equal(method, SOCKS_METHOD_UNACCEPTABLE);
    assert_int_equal(socks_read_greeting(BYTES("\5\1\2"), false, &method), 3);
    assert_int_equal(method, SOCKS_METHOD_UNACCEPTABLE);
    assert_int_equal(socks_read_greeting(BYTES("\5\0"), false, &method), ERR_FORMAT);
    assert_int_equal(socks_read_greeting(BYTES("\4\1\0P"), false, &method), ERR_FORMAT);
    assert_int_equal(socks_read_greeting(BYTES("GET / HTTP/1.1"), false, &method), ERR_FORMAT);
}

static void words_are_read_to_their_end(void **state)
{
    struct slice user, password;
    (void)state;
    assert_int_equal(socks_read_words(BYTES("\1\4user\6secret+"), &user, &password), 13);
    assert_int_equal(user.len, 4);
    assert_memory_equal(user.data, "user", 4);
    assert_int_equal(password.len, 6);
    assert_memory_equal(password.data, "secret", 6);
    assert_int_equal(socks_read_words(BYTES("\1\4user\0"), &user, &password), ERR_FORMAT);
    assert_int_equal(socks_read_words(BYTES("\1\0\6secret"), &user, &password), ERR_FORMAT);
    assert_int_equal(socks_read_words(BYTES("\5\4user\6secret"), &user, &password), ERR_FORMAT);
}

static void requests_name_addresses_and_names(void **state)
{
    struct socks_request r;
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_int_equal(socks_read_request(BYTES("\5\1\0\1\x0a\x0a\x0a\4\0\x50+"), &r), 10);
    assert_int_equal(r.command, SOCKS_CONNECT);
    assert_string_equal(addr_format(&r.to.address, text), "10.10.10.4:80");
    assert_int_equal(socks_read_request(BYTES("\5\3\0\4\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\1\xbb"), &r), 22);
    assert_int_equal(r.command, SOCKS_ASSOCIATE);
    assert_string_equal(addr_format(&r.to.address, text), "[fd00::2]:443");
    assert_int_equal(socks_read_request(BYTES("\5\1\0\3\x10"
                                              "DB.lab.internal.\0\x50"),
                                        &r),
                     23);
    assert_int_equal(r.to.address.family, 0);
    assert_string_equal(r.to.name, "db.lab.internal");
    assert_int_equal(r.to.port, 80);
}

/* Else a filter of addresses would not see what the kernel does. */
static void an_address_is_one_however_it_is_written(void **state)
{
    struct socks_request r;
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_int_equal(socks_read_request(BYTES("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1\0\x50"), &r),
                     22);
    assert_string_equal(addr_format(&r.to.address, text), "127.0.0.1:80");
    assert_int_equal(socks_read_request(BYTES("\5\1\0\3\x09"
                                              "127.0.0.1\0\x50"),
                                        &r),
                     16);
    assert_string_equal(addr_format(&r.to.address, text), "127.0.0.1:80");
    assert_int_equal(socks_read_request(BYTES("\5\1\0\3\x07"
                                              "fd00::2\0\x50"),
                                        &r),
                     14);
    assert_string_equal(addr_format(&r.to.address, text), "[fd00::2]:80");
}

static void malformed_requests_are_refused(void **state)
{
    struct socks_request r;
    (void)state;
    assert_int_equal(socks_read_request(BYTES("\4\1\0\1"), &r), ERR_FORMAT);
    assert_int_equal(socks_read_request(BYTES("\5\1\1\1"), &r), ERR_FORMAT);
    static const char *const names[] = {"",     ".",   ".a",   "a..",        "a..b",  "a b",
                                        "a\nb", "a/b", "a:80", "1.2.3.4:80", "[::1]", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct destination d;
        assert_int_equal(destination_from_text(names[i], strlen(names[i]), 80, &d), ERR_FORMAT);
    }
    struct destination d;
    assert_int_equal(destination_from_text("a\0b", 3, 80, &d), ERR_FORMAT);
    assert_int_equal(socks_read_request(BYTES("\5\1\0\3\3a\0b\0\x50"), &r), ERR_FORMAT);
    assert_true(socks_read_request(BYTES("\5\1\0\2"), &r) == 4 && r.unknown);
}

static void cut_messages_want_more(void **state)
{
    static const struct slice request = BYTES("\5\1\0\3\x02"
                                              "db\0\x50"),
                              words = BYTES("\1\4user\6secret");
    struct socks_request r;
    struct slice user, password;
    enum socks_method method;
    (void)state;
    for (size_t len = 0; len < request.len; len++)
        assert_int_equal(socks_read_request((struct slice){request.data, len}, &r), 0);
    for (size_t len = 0; len < words.len; len++)
        assert_int_equal(socks_read_words((struct slice){words.data, len}, &user, &password), 0);
    for (size_t len = 0; len < 3; len++)
        assert_int_equal(socks_read_greeting((struct slice){(const uint8_t *)"\5\1\0", len}, false, &method),
                         0);
}

static void replies_tell_what_came_of_it(void **state)
{
    uint8_t out[SOCKS_REPLY_MAX];
    struct addr bound;
    (void)state;
    assert_int_equal(addr_parse("[fd00::1]:1024", 0, &bound), 0);
    assert_int_equal(socks_write_reply(OUTCOME_OPEN, &bound, out), 22);
    assert_memory_equal(out, "\5\0\0\4\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\4\0", 22);
    assert_int_equal(socks_write_reply(OUTCOME_REFUSED, NULL, out), 10);
    assert_memory_equal(out, "\5\5\0\1\0\0\0\0\0\0", 10);
    static const uint8_t codes[] = {
        [OUTCOME_UNREACHABLE] = 3, [OUTCOME_SILENT] = 4,      [OUTCOME_NO_NAME] = 4,
        [OUTCOME_FORBIDDEN] = 2,   [OUTCOME_UNSUPPORTED] = 7, [OUTCOME_FAILED] = 1};
    for (enum outcome o = OUTCOME_UNREACHABLE; o <= OUTCOME_FAILED; o++) {
        assert_int_equal(socks_write_reply(o, NULL, out), 10);
        assert_int_equal(out[1], codes[o]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greeting_takes_the_one_method_that_is_wanted),
        cmocka_unit_test(words_are_read_to_their_end),
        cmocka_unit_test(requests_name_addresses_and_names),
        cmocka_unit_test(an_address_is_one_however_it_is_written),
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(cut_messages_want_more),
        cmocka_unit_test(replies_tell_what_came_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
