/* SPDX-License-Identifier: Apache-2.0 */
/* proto/wire/wire: headers byte by byte; what no encoder produces is refused. */

#include "proto/wire/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FRAME_LEN 100

static const struct wire_header data_header = {
    .type = WIRE_DATA, .lane = 3, .receiver = 0x01020304, .counter = 0x05060708090a0b0cull};

static enum drop decode_header(struct wire_header h, size_t len)
{
    uint8_t datagram[WIRE_OVERHEAD] = {0};
    struct wire_header out;

    wire_header_encode(&h, datagram);
    return wire_header_decode(datagram, len, &out);
}

static enum drop decode_inner(struct wire_inner in)
{
    uint8_t plain[WIRE_INNER_LEN + FRAME_LEN] = {0};
    struct wire_inner out;

    wire_inner_encode(&in, plain);
    enum drop drop = wire_inner_decode(plain, sizeof(plain), &out);
    if (!drop)
        assert_memory_equal(&in, &out, sizeof(in));
    return drop;
}

static void header_has_the_documented_bytes(void **state)
{
    (void)state;
    const uint8_t expected[WIRE_HEADER_LEN] = {0x20, 3, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    uint8_t out[WIRE_HEADER_LEN];

    wire_header_encode(&data_header, out);
    assert_memory_equal(out, expected, sizeof(out));
}

static void header_survives_the_wire(void **state)
{
    (void)state;
    uint8_t datagram[WIRE_OVERHEAD] = {0};
    struct wire_header out;

    wire_header_encode(&data_header, datagram);
    assert_int_equal(wire_header_decode(datagram, sizeof(datagram), &out), DROP_NONE);
    assert_int_equal(out.type, data_header.type);
    assert_int_equal(out.lane, data_header.lane);
    assert_int_equal(out.receiver, data_header.receiver);
    assert_true(out.counter == data_header.counter);
}

static void inner_header_has_the_documented_bytes(void **state)
{
    (void)state;
    const struct wire_inner in = {.flags = WIRE_FLAG_CSUM | WIRE_FLAG_TRAIN,
                                  .position = 2,
                                  .group = 0x0304,
                                  .csum_start = 0x0506,
                                  .csum_offset = 0x0708,
                                  .frag_offset = 0x090a,
                                  .frag_total = 0x0b0c};
    const uint8_t expected[WIRE_INNER_LEN] = {0x03, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    uint8_t out[WIRE_INNER_LEN];

    wire_inner_encode(&in, out);
    assert_memory_equal(out, expected, sizeof(out));
}

static void datagram_shorter_than_its_overhead_is_short(void **state)
{
    (void)state;
    for (size_t len = 0; len < WIRE_OVERHEAD; len++)
        assert_int_equal(decode_header(data_header, len), DROP_SHORT);
    assert_int_equal(decode_header(data_header, WIRE_OVERHEAD), DROP_NONE);
}

static void only_session_types_are_decoded(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct wire_header h = {.type = (uint8_t)type, .lane = type == WIRE_DATA ? 0 : WIRE_LANE_CONTROL};
        bool known = type == WIRE_DATA || type == WIRE_CONTROL || type == WIRE_PROBE;
        assert_int_equal(decode_header(h, WIRE_OVERHEAD), known ? DROP_NONE : DROP_TYPE);
    }
}

static void every_reserved_bit_must_be_zero(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 16; bit++) {
        uint8_t datagram[WIRE_OVERHEAD] = {0};
        struct wire_header out;
        wire_header_encode(&data_header, datagram);
        datagram[2 + bit / 8] |= (uint8_t)(1 << bit % 8);
        assert_int_equal(wire_header_decode(datagram, sizeof(datagram), &out), DROP_RESERVED);
    }
}

static void lane_must_belong_to_the_type(void **state)
{
    (void)state;
    for (unsigned lane = 0; lane < 256; lane++) {
        struct wire_header h = {.type = WIRE_DATA, .lane = (uint8_t)lane};
        assert_int_equal(decode_header(h, WIRE_OVERHEAD), lane < WIRE_DATA_LANES ? DROP_NONE : DROP_LANE);
        h.type = WIRE_CONTROL;
        assert_int_equal(decode_header(h, WIRE_OVERHEAD), lane == WIRE_LANE_CONTROL ? DROP_NONE : DROP_LANE);
        h.type = WIRE_PROBE;
        assert_int_equal(decode_header(h, WIRE_OVERHEAD), lane == WIRE_LANE_CONTROL ? DROP_NONE : DROP_LANE);
    }
}

static void first_byte_tells_the_class(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t byte = (uint8_t)first;
        enum wire_class expected = first <= 3                       ? WIRE_CLASS_STUN
                                   : first >= 0x20 && first <= 0x22 ? WIRE_CLASS_SESSION
                                   : first == 0x23                  ? WIRE_CLASS_RELAY
                                                                    : WIRE_CLASS_OTHER;
        assert_int_equal(wire_classify(&byte, 1), expected);
    }
    assert_int_equal(wire_classify(NULL, 0), WIRE_CLASS_OTHER);
}

static void inner_headers_that_we_send_are_accepted(void **state)
{
    (void)state;
    const struct wire_inner sent[] = {
        {.flags = 0},
        {.flags = WIRE_FLAG_CSUM, .csum_start = 34, .csum_offset = 16},
        {.flags = WIRE_FLAG_CSUM, .csum_start = 14, .csum_offset = FRAME_LEN - 14 - 2},
        {.flags = WIRE_FLAG_TRAIN, .group = 65535, .position = 63},
        {.flags = WIRE_FLAG_TRAIN | WIRE_FLAG_LAST, .position = 255},
        {.flags = WIRE_FLAG_FRAGMENT, .group = 9, .frag_total = 9022, .frag_offset = 9022 - FRAME_LEN},
        {.flags = WIRE_FLAG_FRAGMENT | WIRE_FLAG_CSUM,
         .csum_start = 1000,
         .csum_offset = 6,
         .frag_total = 1008},
    };
    for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++)
        assert_int_equal(decode_inner(sent[i]), DROP_NONE);
}

static void inner_headers_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    const struct wire_inner hostile[] = {
        {.flags = 0x10},
        {.flags = 0x80},
        {.flags = WIRE_FLAG_LAST},
        {.flags = WIRE_FLAG_TRAIN | WIRE_FLAG_FRAGMENT, .frag_total = FRAME_LEN},
        {.position = 1},
        {.group = 1},
        {.csum_start = 14},
        {.csum_offset = 1},
        {.frag_offset = 1},
        {.frag_total = 1},
        {.flags = WIRE_FLAG_TRAIN, .frag_total = 1},
        {.flags = WIRE_FLAG_FRAGMENT, .position = 1, .frag_total = FRAME_LEN},
        {.flags = WIRE_FLAG_CSUM, .csum_start = 13, .csum_offset = 2},
        {.flags = WIRE_FLAG_CSUM, .csum_start = 14, .csum_offset = FRAME_LEN - 14 - 1},
        {.flags = WIRE_FLAG_CSUM, .csum_start = 65535, .csum_offset = 65535},
        {.flags = WIRE_FLAG_FRAGMENT},
        {.flags = WIRE_FLAG_FRAGMENT, .frag_total = FRAME_LEN - 1},
        {.flags = WIRE_FLAG_FRAGMENT, .frag_total = 1000, .frag_offset = 1000 - FRAME_LEN + 1},
        {.flags = WIRE_FLAG_FRAGMENT, .frag_total = 1000, .frag_offset = 65535},
        {.flags = WIRE_FLAG_FRAGMENT, .frag_total = WIRE_FRAME_MAX + 1},
        {.flags = WIRE_FLAG_FRAGMENT | WIRE_FLAG_CSUM,
         .csum_start = 1000,
         .csum_offset = 7,
         .frag_total = 1008},
    };
    for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++)
        assert_int_equal(decode_inner(hostile[i]), DROP_INNER);
}

static void truncated_inner_header_is_refused(void **state)
{
    (void)state;
    const uint8_t plain[WIRE_INNER_LEN] = {0};
    struct wire_inner out;

    for (size_t len = 0; len < sizeof(plain); len++)
        assert_int_equal(wire_inner_decode(plain, len, &out), DROP_INNER);
    assert_int_equal(wire_inner_decode(plain, sizeof(plain), &out), DROP_NONE);
}

static void empty_fragment_is_refused(void **state)
{
    (void)state;
    const struct wire_inner in = {.flags = WIRE_FLAG_FRAGMENT, .frag_total = 1000};
    uint8_t plain[WIRE_INNER_LEN];
    struct wire_inner out;

    wire_inner_encode(&in, plain);
    assert_int_equal(wire_inner_decode(plain, sizeof(plain), &out), DROP_INNER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_has_the_documented_bytes),
        cmocka_unit_test(header_survives_the_wire),
        cmocka_unit_test(inner_header_has_the_documented_bytes),
        cmocka_unit_test(datagram_shorter_than_its_overhead_is_short),
        cmocka_unit_test(only_session_types_are_decoded),
        cmocka_unit_test(every_reserved_bit_must_be_zero),
        cmocka_unit_test(lane_must_belong_to_the_type),
        cmocka_unit_test(first_byte_tells_the_class),
        cmocka_unit_test(inner_headers_that_we_send_are_accepted),
        cmocka_unit_test(inner_headers_that_contradict_themselves_are_refused),
        cmocka_unit_test(truncated_inner_header_is_refused),
        cmocka_unit_test(empty_fragment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
