/* SPDX-License-Identifier: Apache-2.0 */
/* proto/uplink/batch_queue: what waits for a TCP connection, and who has to make room. */

#include "proto/uplink/batch_queue.h"

#include "proto/uplink/uplink_message.h"
#include "proto/wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define T0 1000000

static struct batch_queue queue;

/* Of sender; tag tells messages apart. */
static void put(uint8_t sender, uint8_t type, uint8_t tag, size_t datagrams_len, uint64_t now_us)
{
    struct batch *b = batch_new(UPLINK_BATCH_HEAD_LEN + datagrams_len);
    assert_non_null(b);
    memset(b->bytes, 0, b->len);
    b->bytes[0] = UPLINK_DATAGRAMS;
    b->bytes[1] = sender;
    b->bytes[UPLINK_BATCH_HEAD_LEN] = type;
    b->bytes[UPLINK_BATCH_HEAD_LEN + 1] = tag;
    batch_queue_put(&queue, b, now_us);
}

static void comes(uint8_t sender, uint8_t tag, uint64_t now_us)
{
    struct batch *b = batch_queue_take(&queue, now_us);
    assert_non_null(b);
    assert_int_equal(b->bytes[1], sender);
    assert_int_equal(b->bytes[UPLINK_BATCH_HEAD_LEN + 1], tag);
    batch_free(b);
}

static int empty(void **state)
{
    (void)state;
    batch_queue_clear(&queue);
    assert_true(batch_queue_empty(&queue) && queue.urgent.bytes + queue.data.bytes == 0);
    queue = (struct batch_queue){0};
    return 0;
}

static void messages_of_one_sender_keep_their_order(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 10; i++)
        put(1, WIRE_DATA, i, 100, T0);
    assert_int_equal(queue.urgent.bytes + queue.data.bytes, 10 * (UPLINK_BATCH_HEAD_LEN + 100));
    for (uint8_t i = 0; i < 10; i++)
        comes(1, i, T0);
    assert_null(batch_queue_take(&queue, T0));
}

static void probes_and_control_go_before_data(void **state)
{
    (void)state;
    put(1, WIRE_DATA, 1, 100, T0);
    put(1, WIRE_PROBE, 2, 100, T0);
    put(2, WIRE_CONTROL, 3, 100, T0);
    comes(1, 2, T0);
    comes(2, 3, T0);
    comes(1, 1, T0);
}

static void flood_of_probes_does_not_hold_up_data_for_ever(void **state)
{
    (void)state;
    unsigned urgent = 0;
    bool data = false;
    put(2, WIRE_DATA, 7, 100, T0);
    while (!data && urgent < 20) {
        put(1, WIRE_PROBE, 0, 9000, T0);
        struct batch *b = batch_queue_take(&queue, T0);
        assert_non_null(b);
        data = b->bytes[1] == 2;
        urgent += !data;
        batch_free(b);
    }
    assert_in_range(urgent, 5, 9); /* 64 KiB of them */
}

static void senders_take_turns_by_bytes(void **state)
{
    (void)state;
    size_t sent[3] = {0};
    for (uint8_t i = 0; i < 31; i++)
        put(1, WIRE_DATA, i, 60000, T0); /* one with large trains … */
    for (uint8_t i = 0; i < 30; i++)
        put(2, WIRE_DATA, i, 6000, T0); /* … and one with small ones */
    while (sent[2] < 120000) {
        struct batch *b = batch_queue_take(&queue, T0);
        assert_non_null(b);
        sent[b->bytes[1]] += b->len;
        batch_free(b);
    }
    assert_true(sent[1] < sent[2] + 2 * UPLINK_MESSAGE_MAX);
    assert_true(sent[1] + 2 * UPLINK_MESSAGE_MAX > sent[2]);
}

static void one_message_of_a_quiet_sender_outlives_a_flood(void **state)
{
    (void)state;
    put(2, WIRE_DATA, 7, 100, T0);
    for (unsigned i = 0; i < 1000; i++)
        put(1, WIRE_DATA, (uint8_t)i, 1000, T0);
    assert_int_equal(queue.data.count, BATCH_QUEUE_COUNT);
    assert_int_equal(queue.dropped, 1001 - BATCH_QUEUE_COUNT);
    comes(2, 7, T0);
    comes(1, (uint8_t)(1000 - (BATCH_QUEUE_COUNT - 1)), T0); /* the oldest went */
}

static void urgent_messages_are_bounded_by_bytes_and_number(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        put(1, WIRE_PROBE, (uint8_t)i, 9000, T0);
    assert_true(queue.urgent.bytes <= BATCH_QUEUE_URGENT_BYTES);
    unsigned held = queue.urgent.count;
    put(2, WIRE_PROBE, 9, UPLINK_BATCH_MAX, T0); /* over the bound by itself: it has most, and goes */
    assert_int_equal(queue.urgent.count, held);
    batch_queue_clear(&queue);
    put(2, WIRE_PROBE, 9, UPLINK_BATCH_MAX, T0); /* nothing else waits: it may pass */
    comes(2, 9, T0);
    for (unsigned i = 0; i < 2000; i++)
        put(1, WIRE_CONTROL, (uint8_t)i, 20, T0);
    assert_int_equal(queue.urgent.count, BATCH_QUEUE_URGENT_COUNT);
}

static void what_waited_too_long_is_not_sent(void **state)
{
    (void)state;
    put(1, WIRE_DATA, 1, 100, T0);
    put(1, WIRE_DATA, 2, 100, T0 + BATCH_QUEUE_AGE_US);
    put(2, WIRE_DATA, 3, 100, T0);
    comes(1, 2, T0 + BATCH_QUEUE_AGE_US + 1);
    assert_null(batch_queue_take(&queue, T0 + BATCH_QUEUE_AGE_US + 1));
    assert_int_equal(queue.dropped, 2);
}

static void queue_of_who_cannot_send_is_emptied_by_age(void **state)
{
    (void)state;
    for (uint8_t sender = 1; sender < 30; sender++)
        for (uint8_t i = 0; i < 2; i++)
            put(sender, WIRE_DATA, i, 100, i ? T0 + BATCH_QUEUE_AGE_US : T0);
    put(1, WIRE_PROBE, 9, 100, T0);
    batch_queue_expire(&queue, T0 + BATCH_QUEUE_AGE_US);
    assert_int_equal(queue.dropped, 0);
    batch_queue_expire(&queue, T0 + BATCH_QUEUE_AGE_US + 1);
    assert_int_equal(queue.dropped, 29);
    assert_int_equal(queue.data.count, 29);
    batch_queue_expire(&queue, T0 + 3 * BATCH_QUEUE_AGE_US);
    assert_int_equal(queue.data.count, 0);
    comes(1, 9, T0); /* probes wait as long as it takes */
}

int main(void)
{
#define with_queue(name) cmocka_unit_test_setup_teardown(name, empty, empty)
    const struct CMUnitTest tests[] = {
        with_queue(messages_of_one_sender_keep_their_order),
        with_queue(probes_and_control_go_before_data),
        with_queue(flood_of_probes_does_not_hold_up_data_for_ever),
        with_queue(senders_take_turns_by_bytes),
        with_queue(one_message_of_a_quiet_sender_outlives_a_flood),
        with_queue(urgent_messages_are_bounded_by_bytes_and_number),
        with_queue(what_waited_too_long_is_not_sent),
        with_queue(queue_of_who_cannot_send_is_emptied_by_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
