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

static void frame4(uint8_t f[LEN4])
{
    memset(f, 0, LEN4);
    f[12] = 0x08;
    f[14] = 0x45;
    f[14 + 9] = 17;
    f[34] = PORT >> 8;
    f[35] = PORT & 0xff;
}

static void a_datagram_from_the_port_has_its_payload_behind_the_headers(void **state)
{
    (void)state;
    uint8_t four[LEN4], six[LEN6] = {[12] = 0x86, [13] = 0xdd, [14] = 0x60, [20] = 17};
    frame4(four);
    assert_int_equal(datagram_payload(four, LEN4, PORT), LEN4);
    six[54] = PORT >> 8;
    six[55] = PORT & 0xff;
    assert_int_equal(datagram_payload(six, LEN6, PORT), LEN6);
}

static void anything_else_has_none(void **state)
{
    (void)state;
    uint8_t f[LEN4];
    frame4(f);
    assert_int_equal(datagram_payload(f, LEN4, PORT + 1), 0);
    for (size_t len = 0; len < LEN4; len++)
        assert_int_equal(datagram_payload(f, len, PORT), 0);
    f[14 + 7] = 1; /* a later fragment */
    assert_int_equal(datagram_payload(f, LEN4, PORT), 0);
    frame4(f);
    f[14 + 9] = 6;
    assert_int_equal(datagram_payload(f, LEN4, PORT), 0);
    frame4(f);
    f[14] = 0x4f; /* options beyond the end */
    assert_int_equal(datagram_payload(f, LEN4, PORT), 0);
}

static void a_header_shorter_than_one_has_no_ports(void **state)
{
    (void)state;
    uint8_t f[LEN4];
    frame4(f);
    f[14] = 0x40; /* of no length: the port would be the header's own first bytes */
    assert_int_equal(datagram_payload(f, LEN4, 0x4000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_from_the_port_has_its_payload_behind_the_headers),
        cmocka_unit_test(anything_else_has_none),
        cmocka_unit_test(a_header_shorter_than_one_has_no_ports),
    };
    return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}
