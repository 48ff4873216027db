/* SPDX-License-Identifier: Apache-2.0 */
/* proto/portmap/natpmp: requests and answers byte for byte, as RFC 6886 §3 draws them, and hostile ones. */

#include "proto/portmap/natpmp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void requests_are_as_the_rfc_draws_them(void **state)
{
    (void)state;
    static const uint8_t address[] = {0, 0};
    static const uint8_t tcp[] = {0, 2, 0, 0, 0x20, 0xfb, 0x20, 0xfc, 0, 0, 0x04, 0xb0};
    const struct natpmp_map map = {8443, 8444, 1200};
    uint8_t out[NATPMP_ASK_MAX];
    assert_int_equal(natpmp_encode(NATPMP_ADDRESS, NULL, out), sizeof(address));
    assert_memory_equal(out, address, sizeof(address));
    assert_int_equal(natpmp_encode(NATPMP_TCP, &map, out), sizeof(tcp));
    assert_memory_equal(out, tcp, sizeof(tcp));
}

static const uint8_t address_answer[] = {0, 128, 0, 0, 0, 0, 1, 0, 198, 51, 100, 7};
static const uint8_t map_answer[] = {0, 129, 0, 0, 0, 0, 1, 0, 0x24, 0xe3, 0xc3, 0x50, 0, 0, 0x0e, 0x10};

static void answers_are_read(void **state)
{
    (void)state;
    const struct addr outer = {.family = 4, .ip = {198, 51, 100, 7}};
    struct natpmp_answer a;
    assert_int_equal(natpmp_answer_decode(address_answer, sizeof(address_answer), &a), 0);
    assert_true(a.opcode == NATPMP_ADDRESS && a.epoch_s == 256 && addr_equal(&a.address, &outer));
    assert_int_equal(natpmp_answer_decode(map_answer, sizeof(map_answer), &a), 0);
    assert_true(a.opcode == NATPMP_UDP && a.map.internal_port == 9443 && a.map.external_port == 50000 &&
                a.map.lifetime_s == 3600);
}

/* It may be as short as its header. */
static void refusal_needs_no_more_than_its_header(void **state)
{
    (void)state;
    static const uint8_t no[] = {0, 130, 0, 2, 0, 0, 0, 9}, no_version[] = {0, 1, 0, 1, 0, 0, 0, 9};
    struct natpmp_answer a;
    assert_int_equal(natpmp_answer_decode(no, sizeof(no), &a), 0);
    assert_true(a.opcode == NATPMP_TCP && a.result == NATPMP_NOT_AUTHORIZED && a.epoch_s == 9);
    assert_int_equal(natpmp_answer_decode(no_version, sizeof(no_version), &a), 0);
    assert_int_equal(a.result, NATPMP_UNSUPP_VERSION);
}

static void what_is_cut_is_no_answer(void **state)
{
    (void)state;
    struct natpmp_answer a;
    for (size_t len = 0; len < sizeof(address_answer); len++)
        assert_int_equal(natpmp_answer_decode(address_answer, len, &a), ERR_FORMAT);
    for (size_t len = 0; len < sizeof(map_answer); len++)
        assert_int_equal(natpmp_answer_decode(map_answer, len, &a), ERR_FORMAT);
}

static void other_versions_opcodes_and_requests_are_not_taken(void **state)
{
    (void)state;
    static const uint8_t bends[][2] = {{1, 129}, {2, 129}, {0, 1}, {0, 127}, {0, 131}, {0, 255}};
    struct natpmp_answer a;
    for (size_t i = 0; i < sizeof(bends) / sizeof(bends[0]); i++) {
        uint8_t bent[sizeof(map_answer)];
        memcpy(bent, map_answer, sizeof(bent));
        memcpy(bent, bends[i], 2);
        assert_int_equal(natpmp_answer_decode(bent, sizeof(bent), &a), ERR_UNSUPPORTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_as_the_rfc_draws_them),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(refusal_needs_no_more_than_its_header),
        cmocka_unit_test(what_is_cut_is_no_answer),
        cmocka_unit_test(other_versions_opcodes_and_requests_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
