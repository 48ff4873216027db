/* SPDX-License-Identifier: Apache-2.0 */
/* frame/arp: requests and replies of IPv4 on Ethernet, byte for byte. */

#include "frame/arp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

/* 2:0:0:0:0:1 at 10.0.0.1 asks everybody for 10.0.0.2. */
static const uint8_t request[ARP_FRAME_LEN] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0,  1, 8, 6,
                                               0,   1,   8,   0,   6,   4,   0, 1, 2, 0, 0,  0, 0, 1,
                                               10,  0,   0,   1,   0,   0,   0, 0, 0, 0, 10, 0, 0, 2};

static bool decodes_with(size_t at, uint8_t value)
{
    struct arp a;
    uint8_t frame[ARP_FRAME_LEN];
    memcpy(frame, request, sizeof(frame));
    assert_int_not_equal(frame[at], value);
    frame[at] = value;
    return arp_decode(frame, sizeof(frame), &a);
}

static void a_request_is_read_and_written(void **state)
{
    (void)state;
    struct arp a;
    uint8_t again[ARP_FRAME_LEN];
    assert_true(arp_decode(request, sizeof(request), &a));
    assert_int_equal(a.operation, ARP_REQUEST);
    assert_memory_equal(a.sender_mac, ((uint8_t[]){2, 0, 0, 0, 0, 1}), 6);
    assert_memory_equal(a.sender.ip, ((uint8_t[16]){10, 0, 0, 1}), 16);
    assert_memory_equal(a.target.ip, ((uint8_t[16]){10, 0, 0, 2}), 16);
    arp_encode(&a, request, again);
    assert_memory_equal(again, request, sizeof(request));
    for (size_t len = 0; len < sizeof(request); len++)
        assert_false(arp_decode(request, len, &a));
}

static void other_types_sizes_and_operations_are_none(void **state)
{
    (void)state;
    for (size_t at = 12; at < 22; at++)
        assert_false(decodes_with(at, 99));
    assert_true(decodes_with(21, ARP_REPLY));
}

static void who_speaks_for_another_mac_is_not_believed(void **state)
{
    (void)state;
    assert_false(decodes_with(11, 2));
    assert_false(decodes_with(27, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_and_written),
        cmocka_unit_test(other_types_sizes_and_operations_are_none),
        cmocka_unit_test(who_speaks_for_another_mac_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
