/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a registration, and the Base64 in it. */

#include "backbone/registration.h"

#include "crypto/base64.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void base64_follows_the_rfc(void **state)
{
    (void)state;
    /* RFC 4648 §10 */
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        char text[16];
        uint8_t data[8];
        size_t len, plain = strlen(vectors[i][0]);
        base64_encode((const uint8_t *)vectors[i][0], plain, text);
        assert_string_equal(text, vectors[i][1]);
        assert_int_equal(base64_decode(text, strlen(text), data, sizeof(data), &len), 0);
        assert_int_equal(len, plain);
        assert_memory_equal(data, vectors[i][0], len);
    }
}

static void base64_takes_nothing_but_base64(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Zg",
                                        "Zg=",
                                        "Z===",
                                        "====",
                                        "=g==",
                                        "Zm9v Zg=",
                                        "Zg==Zm9v",
                                        "Zm9-",
                                        "Zm9v\n\n",
                                        "\n\n\n\n",
                                        "Zm 9",
                                        "Zm9_",
                                        " Zm9",
                                        "Zm9 ",
                                        "Zm=v",
                                        "Zm9vZ=g=",
                                        "Zm9v\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        uint8_t data[16];
        size_t len;
        assert_int_equal(base64_decode(wrong[i], strlen(wrong[i]), data, sizeof(data), &len), ERR_FORMAT);
        assert_int_equal(len, 0);
    }
}

static void base64_never_exceeds_its_room(void **state)
{
    (void)state;
    uint8_t data[5] = {0, 0, 0, 0, 0xa5};
    size_t len;
    assert_int_equal(base64_decode("Zm9vYg==", 8, data, 4, &len), 0);
    assert_int_equal(len, 4);
    assert_int_equal(data[4], 0xa5);
    assert_int_equal(base64_decode("Zm9vYmE=", 8, data, 4, &len), ERR_SPACE);
    assert_int_equal(data[4], 0xa5);
}

static char *body_of(size_t record_len, size_t signature_len, const char *format)
{
    static char body[40000];
    static uint8_t bytes[RECORD_MAX + 16];
    static char record[BASE64_LEN(sizeof(bytes)) + 1], signature[BASE64_LEN(sizeof(bytes)) + 1];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    base64_encode(bytes, record_len, record);
    base64_encode(bytes, signature_len, signature);
    snprintf(body, sizeof(body), format, record, signature);
    return body;
}

static int decode(const char *body, struct registration *out)
{
    const char *why = NULL;
    int err = registration_decode(body, strlen(body), out, &why);
    assert_true(err == 0 || (err == ERR_FORMAT && why != NULL));
    return err;
}

#define BODY "{\"record\":\"%s\",\"signature\":\"%s\"}"

static struct registration r;

static void whole_registration_is_decoded(void **state)
{
    (void)state;
    assert_int_equal(decode(body_of(RECORD_MAX, IDENTITY_SIGNATURE_LEN, BODY), &r), 0);
    assert_int_equal(r.record_len, RECORD_MAX);
    assert_int_equal(r.record[3], 21);
    assert_int_equal(r.signature[IDENTITY_SIGNATURE_LEN - 1], (uint8_t)((IDENTITY_SIGNATURE_LEN - 1) * 7));
}

static void other_members_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(decode(body_of(10, IDENTITY_SIGNATURE_LEN,
                                    "{\"x\":[{}],\"record\":\"%s\",\"y\":null,\"signature\":\"%s\"}"),
                            &r),
                     0);
    assert_int_equal(r.record_len, 10);
}

static void wrong_sizes_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode(body_of(0, IDENTITY_SIGNATURE_LEN, BODY), &r), ERR_FORMAT);
    assert_int_equal(decode(body_of(RECORD_MAX + 1, IDENTITY_SIGNATURE_LEN, BODY), &r), ERR_FORMAT);
    assert_int_equal(decode(body_of(10, IDENTITY_SIGNATURE_LEN - 1, BODY), &r), ERR_FORMAT);
    assert_int_equal(decode(body_of(10, IDENTITY_SIGNATURE_LEN + 1, BODY), &r), ERR_FORMAT);
    assert_int_equal(decode(body_of(10, 0, BODY), &r), ERR_FORMAT);
}

static void wrong_json_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "null",
        "\"record\"",
        "{}",
        "{\"record\":1,\"signature\":2}",
        "{\"record\":\"Zg==\"}",
        "{\"signature\":\"Zg==\"}",
        "{\"record\":\"Zg==\",\"signature\":null}",
        "{\"record\":{},\"signature\":[]}",
        "{\"record\":\"Zg==\",\"record\":\"Zg==\"}",
        "{\"record\":\"\xff\xfe\",\"signature\":\"Zg==\"}",
        "{\"record\":\"Zg\\u0000=\",\"signature\":\"Zg==\"}",
        "{\"record\":\"Zg==\",\"signature\":\"Zg==\"}trailing",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(decode(wrong[i], &r), ERR_FORMAT);
}

static void deep_nesting_is_refused_without_harm(void **state)
{
    (void)state;
    static char body[32768];
    memset(body, '[', sizeof(body) - 1);
    assert_int_equal(decode(body, &r), ERR_FORMAT);
}

static void record_sent_twice_is_refused(void **state)
{
    (void)state;
    assert_int_equal(decode(body_of(10, IDENTITY_SIGNATURE_LEN,
                                    "{\"record\":\"%s\",\"signature\":\"%s\",\"record\":\"Zg==\"}"),
                            &r),
                     ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_follows_the_rfc),
        cmocka_unit_test(base64_takes_nothing_but_base64),
        cmocka_unit_test(base64_never_exceeds_its_room),
        cmocka_unit_test(whole_registration_is_decoded),
        cmocka_unit_test(other_members_are_passed_over),
        cmocka_unit_test(wrong_sizes_are_refused),
        cmocka_unit_test(wrong_json_is_refused),
        cmocka_unit_test(deep_nesting_is_refused_without_harm),
        cmocka_unit_test(record_sent_twice_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
