/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path_receipt: what the peer says has arrived, and what follows from it. */

#include "proto/path/path_receipt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000ull
#define START  (1000 * SECOND)

/* After the verdict on 1,000 datagrams a second of which so many of a thousand are lost. */
struct flow {
    struct path_receipts receipts;
    uint64_t token;
    uint64_t now_us, sent, received;
};

static struct flow flow_new(void)
{
    return (struct flow){.now_us = START, .sent = 5000, .received = 777};
}

static enum path_verdict answer(struct flow *f, bool pressed)
{
    const struct path_receipt receipt = {true, f->received, pressed};
    path_receipts_ask(&f->receipts, ++f->token, f->sent);
    return path_receipts_judge(&f->receipts, f->token, &receipt, f->now_us);
}

static enum path_verdict pass(struct flow *f, uint64_t span_us, uint64_t sent, uint64_t received)
{
    f->now_us += span_us;
    f->sent += sent;
    f->received += received;
    return answer(f, false);
}

static void receipt_round_trips_in_fixed_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[PATH_RECEIPT_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 1};
    const struct path_receipt receipt = {true, 0x0102030405060708ull, true};
    uint8_t bytes[PATH_RECEIPT_LEN];
    struct path_receipt out;
    path_receipt_encode(&receipt, bytes);
    assert_memory_equal(bytes, expected, sizeof(expected));
    path_receipt_decode(bytes, sizeof(bytes), &out);
    assert_true(out.there && out.pressed && out.received == receipt.received);
    bytes[8] = 0xfe; /* of later versions */
    path_receipt_decode(bytes, sizeof(bytes), &out);
    assert_true(out.there && !out.pressed);
    for (size_t len = 0; len < sizeof(bytes); len++) {
        path_receipt_decode(bytes, len, &out);
        assert_false(out.there || out.received || out.pressed);
    }
}

static void what_arrives_is_carried(void **state)
{
    (void)state;
    struct flow f = flow_new();
    assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
    assert_int_equal(pass(&f, SECOND / 4, 250, 250), PATH_VERDICT_NONE); /* too soon to tell */
    assert_int_equal(pass(&f, SECOND, 1000, 1003), PATH_VERDICT_CARRIES);
    assert_int_equal(pass(&f, SECOND, 1000, 951), PATH_VERDICT_CARRIES);
    assert_int_equal(pass(&f, SECOND, 1000, 949), PATH_VERDICT_LOSES);
    assert_int_equal(pass(&f, SECOND, 1000, 250), PATH_VERDICT_LOSES);
    assert_int_equal(pass(&f, SECOND, 1000, 249), PATH_VERDICT_SWALLOWS);
    assert_int_equal(pass(&f, SECOND, 1000, 1000), PATH_VERDICT_LOSES); /* of those before, too */
    assert_int_equal(pass(&f, SECOND, 1000, 1000), PATH_VERDICT_CARRIES);
}

/* From when data last passed, whenever a window began. */
static void a_path_that_swallows_is_known_soon(void **state)
{
    (void)state;
    for (unsigned before = 0; before < 10; before++) {
        struct flow f = flow_new();
        assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
        for (unsigned i = 0; i < before; i++)
            assert_int_not_equal(pass(&f, SECOND / 5, 10, 10), PATH_VERDICT_SWALLOWS);
        for (unsigned i = 1; i < 3; i++)
            assert_int_equal(pass(&f, PATH_RECEIPTS_SILENT_US / 3, 10, 0), PATH_VERDICT_SUSPECTS);
        assert_int_equal(pass(&f, PATH_RECEIPTS_SILENT_US / 3, 10, 0), PATH_VERDICT_SWALLOWS);
    }
}

static void few_datagrams_tell_nothing_until_they_are_enough(void **state)
{
    (void)state;
    struct flow f = flow_new();
    assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
    for (unsigned i = 1; i < PATH_RECEIPTS_SWALLOWED; i++)
        assert_int_equal(pass(&f, SECOND, 1, 0), PATH_VERDICT_NONE);
    assert_int_equal(pass(&f, SECOND, 1, 0), PATH_VERDICT_SWALLOWS);
    f = flow_new();
    assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(pass(&f, SECOND, PATH_RECEIPTS_LEAST - 1, 10), PATH_VERDICT_NONE);
}

static void nothing_sent_is_nothing_lost(void **state)
{
    (void)state;
    struct flow f = flow_new();
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(pass(&f, 7 * SECOND, 0, 0), PATH_VERDICT_NONE);
}

static void a_peer_that_restarted_counts_anew(void **state)
{
    (void)state;
    struct flow f = flow_new();
    assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
    f.received = 0;
    assert_int_equal(pass(&f, SECOND, 1000, 0), PATH_VERDICT_NONE);
    assert_int_equal(pass(&f, SECOND, 1000, 1000), PATH_VERDICT_CARRIES);
}

static void what_the_peer_had_no_time_for_is_not_lost_on_the_way(void **state)
{
    (void)state;
    struct flow f = flow_new();
    assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
    f.now_us += SECOND;
    f.sent += 1000;
    assert_int_equal(answer(&f, true), PATH_VERDICT_CARRIES);
    assert_int_equal(pass(&f, SECOND, 1000, 1000), PATH_VERDICT_CARRIES);
}

static void an_answer_that_was_overtaken_tells_nothing(void **state)
{
    (void)state;
    struct flow f = flow_new();
    assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
    path_receipts_ask(&f.receipts, 99, f.sent);
    assert_int_equal(pass(&f, SECOND / 2, 1000, 1000), PATH_VERDICT_NONE);
    const struct path_receipt older = {true, f.received - 1000, false};
    assert_int_equal(path_receipts_judge(&f.receipts, 99, &older, f.now_us + SECOND), PATH_VERDICT_NONE);
    assert_int_equal(pass(&f, SECOND, 1000, 1000), PATH_VERDICT_CARRIES);
}

static void only_the_first_answer_to_a_probe_of_the_path_counts(void **state)
{
    (void)state;
    struct flow f = flow_new();
    const struct path_receipt receipt = {true, 0, false}, none = {0};
    for (uint64_t token = 0; token < 3; token++)
        assert_int_equal(path_receipts_judge(&f.receipts, token, &receipt, f.now_us), PATH_VERDICT_NONE);
    assert_false(f.receipts.begun);
    path_receipts_ask(&f.receipts, 5, 0);
    (void)path_receipts_judge(&f.receipts, 5, &none, f.now_us);
    assert_false(f.receipts.begun);
    (void)path_receipts_judge(&f.receipts, 5, &receipt, f.now_us);
    assert_true(f.receipts.begun);
    f.receipts.begun = false;
    (void)path_receipts_judge(&f.receipts, 5, &receipt, f.now_us);
    assert_false(f.receipts.begun);
    path_receipts_ask(&f.receipts, 7, 0);
    path_receipts_begin(&f.receipts); /* another path: what was asked by the last one tells nothing of it */
    (void)path_receipts_judge(&f.receipts, 7, &receipt, f.now_us);
    assert_false(f.receipts.begun);
}

static void no_number_of_a_liar_is_too_much(void **state)
{
    (void)state;
    struct flow f = flow_new();
    f.received = UINT64_MAX;
    assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
    f.sent = UINT64_MAX / 2;
    f.now_us += SECOND;
    assert_int_equal(answer(&f, false), PATH_VERDICT_SWALLOWS);
    f.received = 0;
    assert_int_equal(answer(&f, false), PATH_VERDICT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receipt_round_trips_in_fixed_bytes),
        cmocka_unit_test(what_arrives_is_carried),
        cmocka_unit_test(a_path_that_swallows_is_known_soon),
        cmocka_unit_test(few_datagrams_tell_nothing_until_they_are_enough),
        cmocka_unit_test(nothing_sent_is_nothing_lost),
        cmocka_unit_test(a_peer_that_restarted_counts_anew),
        cmocka_unit_test(what_the_peer_had_no_time_for_is_not_lost_on_the_way),
        cmocka_unit_test(an_answer_that_was_overtaken_tells_nothing),
        cmocka_unit_test(only_the_first_answer_to_a_probe_of_the_path_counts),
        cmocka_unit_test(no_number_of_a_liar_is_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
