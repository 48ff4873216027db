/* SPDX-License-Identifier: Apache-2.0 */
/* proto/message/stun: the sample messages of RFC 5769, our own, and hostile ones. */

#include "proto/message/stun.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define HEADER_LEN 20

static const uint8_t rfc_transaction[STUN_TRANSACTION_LEN] = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
                                                              0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

/* RFC 5769 §2.1: an ICE check, with USERNAME and PRIORITY. */
static const uint8_t rfc_request[] = {
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};

/* RFC 5769 §2.2 */
static const uint8_t rfc_response4[] = {
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
    0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9,
    0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96};

/* RFC 5769 §2.3 */
static const uint8_t rfc_response6[] = {
    0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
    0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14,
    0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75,
    0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c};

static void rfc_sample_responses_decode(void **state)
{
    (void)state;
    static const struct addr expected4 = {.family = 4, .port = 32853, .ip = {192, 0, 2, 1}};
    static const struct addr expected6 = {.family = 6,
                                          .port = 32853,
                                          .ip = {0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78, 0x00, 0x11,
                                                 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}};
    struct addr mapped;
    assert_int_equal(stun_response_decode(rfc_response4, sizeof(rfc_response4), rfc_transaction, &mapped), 0);
    assert_true(addr_equal(&mapped, &expected4));
    assert_int_equal(stun_response_decode(rfc_response6, sizeof(rfc_response6), rfc_transaction, &mapped), 0);
    assert_true(addr_equal(&mapped, &expected6));
}

static void rfc_sample_request_is_well_formed_but_asks_too_much(void **state)
{
    (void)state;
    uint8_t transaction[STUN_TRANSACTION_LEN], bent[sizeof(rfc_request)];
    assert_int_equal(stun_request_decode(rfc_request, sizeof(rfc_request), transaction), ERR_UNSUPPORTED);
    memcpy(bent, rfc_request, sizeof(bent));
    bent[sizeof(bent) - 1] ^= 1;
    assert_int_equal(stun_request_decode(bent, sizeof(bent), transaction), ERR_FORMAT);
}

/* The attributes in front of XOR-MAPPED-ADDRESS and the checksum differ;
 * the address must be the RFC's bytes. */
static void response_encodes_the_address_as_the_rfc_does(void **state)
{
    (void)state;
    static const struct addr mapped = {.family = 4, .port = 32853, .ip = {192, 0, 2, 1}};
    uint8_t out[STUN_MESSAGE_MAX];
    assert_int_equal(stun_response_encode(rfc_transaction, &mapped, out), 40);
    assert_memory_equal(out + HEADER_LEN, rfc_response4 + HEADER_LEN + 16, 12);
}

static void request_round_trips(void **state)
{
    (void)state;
    uint8_t out[STUN_MESSAGE_MAX], transaction[STUN_TRANSACTION_LEN];
    size_t len = stun_request_encode(rfc_transaction, out);
    assert_int_equal(len, 28);
    assert_int_equal(stun_request_decode(out, len, transaction), 0);
    assert_memory_equal(transaction, rfc_transaction, sizeof(transaction));
}

static void responses_round_trip(void **state)
{
    (void)state;
    static const struct addr mapped[] = {{.family = 4, .port = 1, .ip = {203, 0, 113, 7}},
                                         {.family = 6, .port = 65535, .ip = {0xfe, 0x80, [15] = 1}}};
    for (size_t i = 0; i < 2; i++) {
        uint8_t out[STUN_MESSAGE_MAX];
        struct addr got;
        size_t len = stun_response_encode(rfc_transaction, &mapped[i], out);
        assert_int_equal(len, i ? 52 : 40);
        assert_int_equal(stun_response_decode(out, len, rfc_transaction, &got), 0);
        assert_true(addr_equal(&got, &mapped[i]));
    }
}

static void bare_request_of_another_client_is_served(void **state)
{
    (void)state;
    uint8_t bare[HEADER_LEN] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, transaction[STUN_TRANSACTION_LEN];
    assert_int_equal(stun_request_decode(bare, sizeof(bare), transaction), 0);
}

static void unknown_optional_attributes_are_skipped(void **state)
{
    (void)state;
    uint8_t request[] = {0, 1, 0, 8,  0x21, 0x12, 0xa4, 0x42, 1, 2, 3,   4, 5, 6,
                         7, 8, 9, 10, 11,   12,   0xff, 0xff, 0, 1, 'x', 0, 0, 0};
    uint8_t transaction[STUN_TRANSACTION_LEN];
    assert_int_equal(stun_request_decode(request, sizeof(request), transaction), 0);
    request[HEADER_LEN] = 0x00; /* 0x00ff must be understood */
    assert_int_equal(stun_request_decode(request, sizeof(request), transaction), ERR_UNSUPPORTED);
    assert_int_equal(transaction[0], 0);
}

/* Flips within types and lengths of attributes are left out: they can make the fingerprint, which is
 * optional, a part of something else. */
static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct addr mapped;
    for (size_t bit = 0; bit < 8 * sizeof(rfc_response4); bit++) {
        uint8_t bent[sizeof(rfc_response4)];
        size_t at = bit / 8;
        if ((at >= 20 && at < 24) || (at >= 36 && at < 40) || (at >= 48 && at < 52) || (at >= 72 && at < 76))
            continue;
        memcpy(bent, rfc_response4, sizeof(bent));
        bent[at] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(stun_response_decode(bent, sizeof(bent), rfc_transaction, &mapped),
                         at >= 8 && at < HEADER_LEN ? ERR_MISMATCH : ERR_FORMAT);
    }
}

/* What a stranger sends costs a comparison: neither the missing attributes nor the wrong checksum is found. */
static void answer_to_another_request_is_refused_before_its_attributes_are_read(void **state)
{
    (void)state;
    static const uint8_t other[STUN_TRANSACTION_LEN] = {1};
    uint8_t bent[sizeof(rfc_response4)];
    struct addr mapped;
    memcpy(bent, rfc_response4, sizeof(bent));
    bent[HEADER_LEN + 3] = 0xff;
    bent[sizeof(bent) - 1] ^= 1;
    assert_int_equal(stun_response_decode(bent, sizeof(bent), other, &mapped), ERR_MISMATCH);
    assert_int_equal(mapped.family, 0);
    assert_int_equal(stun_response_decode(rfc_response4, sizeof(rfc_response4), other, &mapped),
                     ERR_MISMATCH);
}

static void only_success_responses_look_like_one(void **state)
{
    (void)state;
    uint8_t large[STUN_RESPONSE_MAX + 1];
    memset(large, 0, sizeof(large));
    memcpy(large, rfc_response4, sizeof(rfc_response4));
    assert_true(stun_looks_like_response(rfc_response4, sizeof(rfc_response4)));
    assert_true(stun_looks_like_response(large, STUN_RESPONSE_MAX));
    assert_false(stun_looks_like_response(large, sizeof(large)));
    assert_false(stun_looks_like_response(rfc_response4, 7));
    assert_false(stun_looks_like_response(rfc_request, sizeof(rfc_request)));
    large[4] ^= 1;
    assert_false(stun_looks_like_response(large, sizeof(rfc_response4)));
}

static void truncated_and_padded_messages_are_refused(void **state)
{
    (void)state;
    uint8_t longer[sizeof(rfc_response4) + 4] = {0};
    struct addr mapped;
    for (size_t len = 0; len < sizeof(rfc_response4); len++)
        assert_int_equal(stun_response_decode(rfc_response4, len, rfc_transaction, &mapped), ERR_FORMAT);
    memcpy(longer, rfc_response4, sizeof(rfc_response4));
    assert_int_equal(stun_response_decode(longer, sizeof(longer), rfc_transaction, &mapped), ERR_FORMAT);
}

static void response_without_the_xored_address_is_refused(void **state)
{
    (void)state;
    static const uint8_t plain[] = {1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0,   0, 0, 0,
                                    0, 0, 0, 0,  0,    1,    0,    8,    0, 1, 4, 1, 192, 0, 2, 1};
    struct addr mapped;
    static const uint8_t zeros[STUN_TRANSACTION_LEN];
    assert_int_equal(stun_response_decode(plain, sizeof(plain), zeros, &mapped), ERR_FORMAT);
}

#define HEAD(body) 1, 1, 0, body, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define XOR4(last) 0x00, 0x20, 0, 8, 0, 1, 0x21, 0x13, 0x21, 0x12, 0xa4, (0x42 ^ (last))
#define DECODE(...)                                                                                          \
    stun_response_decode((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}),             \
                         (const uint8_t[STUN_TRANSACTION_LEN]){0}, &mapped)

static void of_several_addresses_the_first_counts(void **state)
{
    (void)state;
    struct addr mapped;
    assert_int_equal(DECODE(HEAD(24), XOR4(5), XOR4(6)), 0);
    assert_int_equal(mapped.ip[3], 5);
    assert_int_equal(mapped.port, 1);
}

static void malformed_responses_are_refused(void **state)
{
    (void)state;
    struct addr mapped;
    assert_int_equal(DECODE(HEAD(12), XOR4(5)), 0);
    /* A length that is no multiple of four, with as many bytes. */
    assert_int_equal(DECODE(HEAD(13), XOR4(5), 0), ERR_FORMAT);
    /* An unknown attribute that must be understood. */
    assert_int_equal(DECODE(HEAD(16), XOR4(5), 0x00, 0x99, 0, 0), ERR_UNSUPPORTED);
    /* An address of no known family, and one that is too short or long for its family. */
    assert_int_equal(DECODE(HEAD(12), 0, 0x20, 0, 8, 0, 3, 0, 1, 1, 2, 3, 4), ERR_FORMAT);
    assert_int_equal(DECODE(HEAD(12), 0, 0x20, 0, 8, 0, 2, 0, 1, 1, 2, 3, 4), ERR_FORMAT);
    assert_int_equal(DECODE(HEAD(16), 0, 0x20, 0, 12, 0, 1, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8), ERR_FORMAT);
    /* An attribute that is longer than the message. */
    assert_int_equal(DECODE(HEAD(16), XOR4(5), 0x80, 0x22, 0, 1), ERR_FORMAT);
}

static void wrong_cookie_is_refused(void **state)
{
    (void)state;
    uint8_t transaction[STUN_TRANSACTION_LEN];
    uint8_t bare[HEADER_LEN] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x43};
    assert_int_equal(stun_request_decode(bare, sizeof(bare), transaction), ERR_FORMAT);
}

static void nothing_follows_a_fingerprint(void **state)
{
    (void)state;
    /* A right one (the length in the header counts up to the end), then an empty SOFTWARE. */
    static const uint8_t longer[] = {0x00, 0x01, 0x00, 0x0c, 0x21, 0x12, 0xa4, 0x42, 0, 0,    0,
                                     0,    0,    0,    0,    0,    0,    0,    0,    0, 0x80, 0x28,
                                     0x00, 0x04, 0xc1, 0xa2, 0xde, 0x39, 0x80, 0x22, 0, 0};
    uint8_t transaction[STUN_TRANSACTION_LEN];
    assert_int_equal(stun_request_decode(longer, sizeof(longer), transaction), ERR_FORMAT);
}

static void requests_and_responses_are_told_apart(void **state)
{
    (void)state;
    uint8_t out[STUN_MESSAGE_MAX], transaction[STUN_TRANSACTION_LEN];
    struct addr mapped;
    size_t len = stun_request_encode(rfc_transaction, out);
    assert_int_equal(stun_response_decode(out, len, rfc_transaction, &mapped), ERR_FORMAT);
    assert_int_equal(stun_request_decode(rfc_response4, sizeof(rfc_response4), transaction), ERR_FORMAT);
}

static void mapped_ipv4_becomes_ipv4(void **state)
{
    (void)state;
    static const struct addr in = {.family = 6, .port = 7, .ip = {[10] = 0xff, 0xff, 192, 0, 2, 1}};
    static const struct addr expected = {.family = 4, .port = 7, .ip = {192, 0, 2, 1}};
    uint8_t out[STUN_MESSAGE_MAX];
    struct addr mapped;
    size_t len = stun_response_encode(rfc_transaction, &in, out);
    assert_int_equal(stun_response_decode(out, len, rfc_transaction, &mapped), 0);
    assert_true(addr_equal(&mapped, &expected));
    assert_memory_equal(mapped.ip, expected.ip, sizeof(mapped.ip));
}

static void question_asks_for_another_address_and_is_as_long_as_said(void **state)
{
    (void)state;
    static const size_t sizes[] = {36, 40, 548, 1200, STUN_REQUEST_MAX};
    static const uint8_t change[] = {0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x00, 0x06}; /* RFC 5780 §7.2 */
    uint8_t out[STUN_REQUEST_MAX], transaction[STUN_TRANSACTION_LEN];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        assert_int_equal(stun_question_encode(rfc_transaction, 0, sizes[i], out), sizes[i]);
        assert_int_equal(stun_request_decode(out, sizes[i], transaction), 0);
    }
    assert_int_equal(stun_question_encode(rfc_transaction, 0, 0, out), 28);
    assert_int_equal(stun_question_encode(rfc_transaction, STUN_CHANGE_IP | STUN_CHANGE_PORT, 0, out), 36);
    assert_memory_equal(out + HEADER_LEN, change, sizeof(change));
    assert_int_equal(stun_request_decode(out, 36, transaction), ERR_UNSUPPORTED);
}

/* Appends OTHER-ADDRESS (RFC 5780 §7.4), where FINGERPRINT was. */
static size_t with_other(uint8_t *response, size_t len, const uint8_t *value, uint8_t value_len)
{
    const uint8_t head[] = {0x80, 0x2c, 0, value_len};
    len -= 8;
    memcpy(response + len, head, sizeof(head));
    memcpy(response + len + sizeof(head), value, value_len);
    len += sizeof(head) + value_len;
    response[2] = 0;
    response[3] = (uint8_t)(len - HEADER_LEN);
    return len;
}

static void other_address_of_a_server_is_read(void **state)
{
    (void)state;
    static const struct addr mapped = {.family = 4, .port = 1, .ip = {203, 0, 113, 7}},
                             other = {.family = 4, .port = 3479, .ip = {203, 0, 113, 3}};
    static const uint8_t value[] = {0, 1, 3479 >> 8, 3479 & 0xff, 203, 0, 113, 3};
    static const uint8_t family[] = {0, 3, 0, 1, 203, 0, 113, 3};
    uint8_t out[STUN_RESPONSE_MAX];
    struct addr got;
    size_t len = stun_response_encode(rfc_transaction, &mapped, out);
    assert_int_equal(stun_response_other(out, len).family, 0);
    len = with_other(out, len, value, sizeof(value));
    assert_int_equal(stun_response_decode(out, len, rfc_transaction, &got), 0);
    got = stun_response_other(out, len);
    assert_true(addr_equal(&got, &other));
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(stun_response_other(out, cut).family, 0);
    len = with_other(out, stun_response_encode(rfc_transaction, &mapped, out), family, sizeof(family));
    assert_int_equal(stun_response_other(out, len).family, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_sample_responses_decode),
        cmocka_unit_test(rfc_sample_request_is_well_formed_but_asks_too_much),
        cmocka_unit_test(response_encodes_the_address_as_the_rfc_does),
        cmocka_unit_test(request_round_trips),
        cmocka_unit_test(responses_round_trip),
        cmocka_unit_test(bare_request_of_another_client_is_served),
        cmocka_unit_test(unknown_optional_attributes_are_skipped),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(answer_to_another_request_is_refused_before_its_attributes_are_read),
        cmocka_unit_test(only_success_responses_look_like_one),
        cmocka_unit_test(truncated_and_padded_messages_are_refused),
        cmocka_unit_test(response_without_the_xored_address_is_refused),
        cmocka_unit_test(of_several_addresses_the_first_counts),
        cmocka_unit_test(malformed_responses_are_refused),
        cmocka_unit_test(wrong_cookie_is_refused),
        cmocka_unit_test(nothing_follows_a_fingerprint),
        cmocka_unit_test(requests_and_responses_are_told_apart),
        cmocka_unit_test(mapped_ipv4_becomes_ipv4),
        cmocka_unit_test(question_asks_for_another_address_and_is_as_long_as_said),
        cmocka_unit_test(other_address_of_a_server_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
