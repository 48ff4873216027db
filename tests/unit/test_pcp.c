/* SPDX-License-Identifier: Apache-2.0 */
/* proto/portmap/pcp: a request and answers byte for byte, as RFC 6887 §7 and §11.1 draw them, and hostile ones. */

#include "proto/portmap/pcp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define OPTION_LEN 8

static const uint8_t request[PCP_MAP_LEN] = {
    2,  1, 0, 0, 0,    0,    0x04, 0xb0,                                    /* MAP, 1200 s */
    0,  0, 0, 0, 0,    0,    0,    0,    0, 0,  0xff, 0xff, 192, 168, 1, 2, /* client */
    1,  2, 3, 4, 5,    6,    7,    8,    9, 10, 11,   12,                   /* nonce */
    17, 0, 0, 0, 0x24, 0xe3, 0x24, 0xe3,                                    /* UDP, 9443, 9443 */
    0,  0, 0, 0, 0,    0,    0,    0,    0, 0,  0xff, 0xff, 0,   0,   0, 0, /* any */
};

static const uint8_t
    answer[PCP_MAP_LEN + OPTION_LEN] =
        {
            2,    0x81, 0,   0,  0,    0,    0x0e, 0x10, 0, 1, 0, 5, 0, 0, 0, 0,  0,  0,
            0,    0,    0,   0,  0,    0,    1,    2,    3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
            17,   0,    0,   0,  0x24, 0xe3, 0xc3, 0x50, 0, 0, 0, 0, 0, 0, 0, 0,  0,  0,
            0xff, 0xff, 198, 51, 100,  7,    99,   0,    0, 4, 1, 2, 3, 4, /* an option that we know nothing of */
};

static const struct addr client = {.family = 4, .ip = {192, 168, 1, 2}};

static void request_is_as_the_rfc_draws_it(void **state)
{
    (void)state;
    const struct pcp_map map = {.nonce = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                                .protocol = PCP_UDP,
                                .internal_port = 9443,
                                .external.port = 9443};
    uint8_t out[PCP_MAP_LEN];
    pcp_map_encode(&client, 1200, &map, out);
    assert_memory_equal(out, request, sizeof(request));
}

static void ipv6_request_names_its_client_and_any_address(void **state)
{
    (void)state;
    const struct addr client6 = {.family = 6, .ip = {0x20, 1, 0x0d, 0xb8, [15] = 9}};
    const struct pcp_map map = {.protocol = PCP_TCP, .internal_port = 8443};
    static const uint8_t any[16];
    uint8_t out[PCP_MAP_LEN];
    pcp_map_encode(&client6, 0, &map, out);
    assert_memory_equal(out + 8, client6.ip, 16);
    assert_memory_equal(out + 44, any, sizeof(any));
}

static void answer_is_read_and_its_options_are_passed_over(void **state)
{
    (void)state;
    const struct addr external = {.family = 4, .port = 50000, .ip = {198, 51, 100, 7}};
    struct pcp_answer a;
    assert_int_equal(pcp_answer_decode(answer, sizeof(answer), &a), 0);
    assert_int_equal(a.opcode, PCP_MAP);
    assert_int_equal(a.result, PCP_SUCCESS);
    assert_int_equal(a.lifetime_s, 3600);
    assert_int_equal(a.epoch_s, 0x10005);
    assert_memory_equal(a.map.nonce, answer + 24, PCP_NONCE_LEN);
    assert_int_equal(a.map.protocol, PCP_UDP);
    assert_int_equal(a.map.internal_port, 9443);
    assert_true(addr_equal(&a.map.external, &external));
}

static void announcement_has_a_header_alone(void **state)
{
    (void)state;
    static const uint8_t bytes[24] = {2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
    struct pcp_answer a;
    assert_int_equal(pcp_answer_decode(bytes, sizeof(bytes), &a), 0);
    assert_int_equal(a.opcode, PCP_ANNOUNCE);
    assert_int_equal(a.epoch_s, 7);
}

static void what_is_cut_or_too_long_is_no_answer(void **state)
{
    (void)state;
    static uint8_t large[PCP_MESSAGE_MAX + 4];
    struct pcp_answer a;
    for (size_t len = 0; len < PCP_MAP_LEN; len++)
        assert_int_equal(pcp_answer_decode(answer, len, &a), ERR_FORMAT);
    assert_int_equal(pcp_answer_decode(answer, PCP_MAP_LEN + 1, &a), ERR_FORMAT);
    memcpy(large, answer, sizeof(answer));
    assert_int_equal(pcp_answer_decode(large, PCP_MESSAGE_MAX, &a), 0);
    assert_int_equal(pcp_answer_decode(large, sizeof(large), &a), ERR_FORMAT);
}

static void other_versions_opcodes_and_requests_are_not_taken(void **state)
{
    (void)state;
    uint8_t bent[PCP_MAP_LEN];
    struct pcp_answer a;
    static const struct {
        unsigned at;
        uint8_t value;
    } bends[] = {{0, 1}, {0, 3}, {1, 1}, {1, 0x82}, {1, 0xff}};
    for (size_t i = 0; i < sizeof(bends) / sizeof(bends[0]); i++) {
        memcpy(bent, answer, sizeof(bent));
        bent[bends[i].at] = bends[i].value;
        assert_int_equal(pcp_answer_decode(bent, sizeof(bent), &a), ERR_UNSUPPORTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_as_the_rfc_draws_it),
        cmocka_unit_test(ipv6_request_names_its_client_and_any_address),
        cmocka_unit_test(answer_is_read_and_its_options_are_passed_over),
        cmocka_unit_test(announcement_has_a_header_alone),
        cmocka_unit_test(what_is_cut_or_too_long_is_no_answer),
        cmocka_unit_test(other_versions_opcodes_and_requests_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
