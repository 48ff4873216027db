/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path: the bytes of a probe. */

#include "proto/path/path.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void probe_round_trips(void **state)
{
    (void)state;
    struct path_probe probes[] = {
        {.kind = PATH_PROBE_REQUEST, .size = 1472, .token = 0x0123456789abcdefull},
        {.kind = PATH_PROBE_ANSWER,
         .size = 1200,
         .token = 1,
         .observed = {.family = 4, .port = 9443, .ip = {192, 0, 2, 1}}},
        {.kind = PATH_PROBE_ANSWER,
         .size = 1200,
         .token = 1,
         .observed = {.family = 6, .port = 1, .ip = {0x20, 1, [15] = 1}}},
        {.kind = PATH_PROBE_ANSWER, .size = 1200, .token = 1}, /* by an uplink */
    };
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        uint8_t bytes[PATH_PROBE_LEN];
        struct path_probe out;
        path_probe_encode(&probes[i], bytes);
        assert_int_equal(path_probe_decode(bytes, sizeof(bytes), &out), 0);
        assert_int_equal(out.kind, probes[i].kind);
        assert_int_equal(out.size, probes[i].size);
        assert_true(out.token == probes[i].token);
        assert_true(addr_equal(&out.observed, &probes[i].observed));
    }
}

static void probe_bytes_are_fixed(void **state)
{
    (void)state;
    static const uint8_t expected[PATH_PROBE_LEN] = {2, 0, 0x05, 0xc0, 1,    2,   3, 4, 5, 6,
                                                     7, 8, 4,    0x24, 0xe3, 192, 0, 2, 1};
    struct path_probe p = {.kind = PATH_PROBE_ANSWER,
                           .size = 1472,
                           .token = 0x0102030405060708ull,
                           .observed = {.family = 4, .port = 9443, .ip = {192, 0, 2, 1}}};
    uint8_t bytes[PATH_PROBE_LEN];
    path_probe_encode(&p, bytes);
    assert_memory_equal(bytes, expected, sizeof(expected));
}

static void malformed_probes_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t at, value;
    } edits[] = {{0, 0}, {0, 3}, {1, 1}, {12, 0}, {12, 5}, {19, 1}, {30, 1}, {31, 1}, {0, 1}};
    struct path_probe p = {.kind = PATH_PROBE_ANSWER,
                           .observed = {.family = 4, .port = 1, .ip = {192, 0, 2, 1}}};
    struct path_probe out;
    uint8_t bytes[PATH_PROBE_LEN];
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        path_probe_encode(&p, bytes);
        bytes[edits[i].at] = edits[i].value;
        assert_int_equal(path_probe_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
    }
    path_probe_encode(&p, bytes);
    for (size_t len = 0; len < sizeof(bytes); len++)
        assert_int_equal(path_probe_decode(bytes, len, &out), ERR_FORMAT);
    p.observed = (struct addr){.family = 6, .port = 1, .ip = {[10] = 0xff, 0xff, 192, 0, 2, 1}};
    path_probe_encode(&p, bytes);
    assert_int_equal(path_probe_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_round_trips),
        cmocka_unit_test(probe_bytes_are_fixed),
        cmocka_unit_test(malformed_probes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
