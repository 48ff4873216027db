/* SPDX-License-Identifier: Apache-2.0 */
/* proto/wire/envelope: one spelling each, and nothing in an envelope twice. */

#include "proto/wire/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void envelope_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t bytes[ENVELOPE_LEN + 1] = {0};
    for (unsigned kind = ENVELOPE_DATAGRAM; kind <= ENVELOPE_MESSAGE; kind++) {
        const struct envelope e = {(enum envelope_kind)kind, 0x01020304};
        struct envelope out;
        envelope_encode(&e, bytes);
        assert_memory_equal(bytes + 4, "\1\2\3\4", 4);
        assert_int_equal(envelope_decode(bytes, sizeof(bytes), &out), DROP_NONE);
        assert_int_equal(out.kind, kind);
        assert_int_equal(out.channel, e.channel);
    }
}

static enum drop judge(size_t at, uint8_t value, size_t len)
{
    uint8_t bytes[ENVELOPE_LEN + 1] = {WIRE_RELAY, 0, 0, 0, 0, 0, 0, 9, WIRE_DATA};
    struct envelope out;
    bytes[at] = value;
    return envelope_decode(bytes, len, &out);
}

static void anything_else_is_dropped_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(judge(8, WIRE_DATA, ENVELOPE_LEN + 1), DROP_NONE);
    for (size_t len = 0; len <= ENVELOPE_LEN; len++)
        assert_int_equal(judge(8, WIRE_DATA, len), DROP_SHORT);
    assert_int_equal(judge(0, WIRE_DATA, ENVELOPE_LEN + 1), DROP_TYPE);
    assert_int_equal(judge(1, 2, ENVELOPE_LEN + 1), DROP_RESERVED);
    assert_int_equal(judge(2, 1, ENVELOPE_LEN + 1), DROP_RESERVED);
    assert_int_equal(judge(3, 1, ENVELOPE_LEN + 1), DROP_RESERVED);
    assert_int_equal(judge(7, 0, ENVELOPE_LEN + 1), DROP_RESERVED); /* channel 0 */
}

static void envelope_in_an_envelope_is_dropped(void **state)
{
    (void)state;
    assert_int_equal(judge(8, WIRE_RELAY, ENVELOPE_LEN + 1), DROP_RELAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelope_comes_back_as_it_was),
        cmocka_unit_test(anything_else_is_dropped_with_its_reason),
        cmocka_unit_test(envelope_in_an_envelope_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
