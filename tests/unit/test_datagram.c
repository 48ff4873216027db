/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frame/datagram.h"
#include <string.h>

#define PORT 9443
#define LEN4 (14 + 20 + 8)
#define LEN6 (14 + 40 + 8)

static uint16_t port;

static size_t payload(const uint8_t *frame, size_t len)
{
    port = 0;
    return datagram_payload(frame, len, &port);
}

static void frame4(uint8_t f[LEN4])
{
    memset(f, 0, LEN4);
    f[12] = 0x08;
    f[14] = 0x45;
    f[14 + 9] = 17;
    f[34] = PORT >> 8;
    f[35] = PORT & 0xff;
}

static void a_datagram_has_its_payload_behind_the_headers_and_its_source_port(void **state)
{
    (void)state;
    uint8_t four[LEN4], six[LEN6] = {[12] = 0x86, [13] = 0xdd, [14] = 0x60, [20] = 17};
    frame4(four);
    assert_int_equal(payload(four, LEN4), LEN4);
    assert_int_equal(port, PORT);
    six[54] = PORT >> 8;
    six[55] = PORT & 0xff;
    assert_int_equal(payload(six, LEN6), LEN6);
    assert_int_equal(port, PORT);
}

static void anything_else_has_none(void **state)
{
    (void)state;
    uint8_t f[LEN4];
    frame4(f);
    for (size_t len = 0; len < LEN4; len++)
        assert_int_equal(payload(f, len), 0);
    f[14 + 7] = 1; /* a later fragment */
    assert_int_equal(payload(f, LEN4), 0);
    frame4(f);
    f[14 + 9] = 6;
    assert_int_equal(payload(f, LEN4), 0);
    frame4(f);
    f[14] = 0x4f; /* options beyond the end */
    assert_int_equal(payload(f, LEN4), 0);
}

static void a_header_shorter_than_one_has_no_ports(void **state)
{
    (void)state;
    uint8_t f[LEN4];
    frame4(f);
    f[14] = 0x40; /* of no length: the port would be the header's own first bytes */
    assert_int_equal(payload(f, LEN4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_has_its_payload_behind_the_headers_and_its_source_port),
        cmocka_unit_test(anything_else_has_none),
        cmocka_unit_test(a_header_shorter_than_one_has_no_ports),
    };
    return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}
