/* SPDX-License-Identifier: Apache-2.0 */
/* proto/relay/relay_desk: what several pairs get of a node's rate, and what messages cost at most. */

#include "proto/relay/relay_desk.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "proto/admission/byte_rates.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define T0       (1000 * USEC_PER_SEC)
#define LEN      1250 /* 10,000 bits */
#define DATAGRAM (ENVELOPE_LEN + LEN)
#define STEP_US  1000

struct lab {
    struct byte_rates *rates;
    struct relay_desk *desk;
    uint64_t now_us;
};

/* Between two ends, at addresses of their own. */
struct pair {
    struct addr from;
    uint32_t channel;
    uint64_t sent, passed;
};

static struct lab lab_open(unsigned mbit, unsigned source_mbit)
{
    struct lab lab = {.now_us = T0};
    assert_int_equal(byte_rates_new(mbit, source_mbit, &secret_source, &lab.rates), 0);
    const struct relay_desk_config config = {{mbit * 125000ull, 16, secret_source}, lab.rates};
    assert_int_equal(relay_desk_new(&config, &lab.desk), 0);
    return lab;
}

static void lab_close(struct lab *lab)
{
    relay_desk_free(lab->desk);
    byte_rates_free(lab->rates);
}

static enum relay_verdict say(const struct lab *lab, const struct relay_grant *g, unsigned end,
                              const struct addr *at, uint64_t number, uint8_t cookie[RELAY_COOKIE_LEN])
{
    struct relay_message m = {.kind = RELAY_MESSAGE_BIND, .channel = g->channel, .number = number}, back;
    const struct relay_hop from = {.remote = *at};
    uint8_t bytes[RELAY_MESSAGE_LEN], answer[RELAY_MESSAGE_LEN];
    struct relay_binding bound;
    memcpy(m.cookie, cookie, sizeof(m.cookie));
    assert_int_equal(relay_message_encode(&m, g->tokens[end], bytes), 0);
    enum relay_verdict verdict =
        relay_desk_bind(lab->desk, &from, bytes, sizeof(bytes), lab->now_us, answer, &bound);
    if (verdict == RELAY_ANSWER && relay_message_decode(answer, sizeof(answer), &back) == 0)
        memcpy(cookie, back.cookie, sizeof(back.cookie));
    return verdict;
}

static struct pair pair_open(const struct lab *lab, uint8_t number)
{
    const struct node_id ends[2] = {{{number}}, {{(uint8_t)(number + 1)}}};
    struct relay_grant g;
    struct pair p = {.from = {.family = 4, .port = 9443, .ip = {10, number, 0, 1}}};
    assert_int_equal(relay_desk_open(lab->desk, ends, lab->now_us, &g), 0);
    for (unsigned end = 0; end < 2; end++) {
        struct addr at = p.from;
        uint8_t cookie[RELAY_COOKIE_LEN] = {0};
        at.ip[2] = (uint8_t)end;
        assert_int_equal(say(lab, &g, end, &at, 1, cookie), RELAY_ANSWER);
        assert_int_equal(say(lab, &g, end, &at, 2, cookie), RELAY_ANSWER);
    }
    p.channel = g.channel;
    return p;
}

static void offer(struct lab *lab, struct pair *p, unsigned count)
{
    static uint8_t train[40 * DATAGRAM];
    struct relay_train out;
    for (unsigned i = 0; i < count; i++) {
        envelope_encode(&(struct envelope){ENVELOPE_DATAGRAM, p->channel}, train + (size_t)i * DATAGRAM);
        train[(size_t)i * DATAGRAM + ENVELOPE_LEN] = WIRE_DATA;
    }
    p->sent += count;
    if (relay_desk_pass(lab->desk, &p->from, train, (size_t)count * DATAGRAM, DATAGRAM, lab->now_us, &out) ==
        RELAY_PASS)
        p->passed += out.len / DATAGRAM;
}

/* 100 Mbit/s, of which one asks for 400, and another for 10. */
static void a_pair_that_floods_leaves_another_nine_tenths(void **state)
{
    (void)state;
    struct lab lab = lab_open(100, 50);
    struct pair flooding = pair_open(&lab, 1), modest = pair_open(&lab, 3);
    for (unsigned i = 0; i < 5000; i++, lab.now_us += STEP_US) {
        offer(&lab, &flooding, 40);
        offer(&lab, &modest, 1);
    }
    assert_true(modest.passed * 10 >= modest.sent * 9);
    assert_in_range(flooding.passed * LEN * 8 / 5, 30000000, 60000000); /* half of all is one source's */
    lab_close(&lab);
}

static void pairs_that_all_want_more_share_evenly(void **state)
{
    (void)state;
    struct lab lab = lab_open(100, 100);
    struct pair pairs[4];
    for (uint8_t i = 0; i < 4; i++)
        pairs[i] = pair_open(&lab, (uint8_t)(1 + 2 * i));
    for (unsigned i = 0; i < 5000; i++, lab.now_us += STEP_US)
        for (unsigned j = 0; j < 4; j++)
            offer(&lab, &pairs[j], 4 + 8 * j);
    for (unsigned j = 0; j < 4; j++)
        assert_in_range(pairs[j].passed * LEN * 8 / 5, 17000000, 30000000);
    lab_close(&lab);
}

/* Each worker tells the time at which its batch came. */
static void threads_whose_times_differ_share_the_books(void **state)
{
    (void)state;
    enum { BEHIND_US = 50 };
    struct lab lab = lab_open(100, 100);
    struct pair flooding = pair_open(&lab, 1), modest = pair_open(&lab, 3);
    for (unsigned i = 0; i < 5000; i++, lab.now_us += STEP_US) {
        offer(&lab, &flooding, 40);
        lab.now_us -= BEHIND_US;
        offer(&lab, &modest, 1);
        lab.now_us += BEHIND_US;
        assert_true(i || modest.passed == 1); /* its other end was heard later than that */
    }
    assert_true(modest.passed * 10 >= modest.sent * 9);
    lab_close(&lab);
}

/* UDP over IPv6 carries 20 bytes more than one call to the kernel sends. */
static void a_datagram_that_is_larger_than_one_call_sends_is_dropped(void **state)
{
    (void)state;
    enum { LARGEST = 65527 };
    static uint8_t data[LARGEST];
    struct lab lab = lab_open(100, 100);
    const struct pair p = pair_open(&lab, 1);
    struct relay_train out;
    envelope_encode(&(struct envelope){ENVELOPE_DATAGRAM, p.channel}, data);
    data[ENVELOPE_LEN] = WIRE_DATA;
    for (size_t len = RELAY_TRAIN_BYTES; len <= LARGEST; len += LARGEST - RELAY_TRAIN_BYTES) {
        enum relay_verdict verdict = relay_desk_pass(lab.desk, &p.from, data, len, len, lab.now_us, &out);
        assert_int_equal(verdict, len == LARGEST ? RELAY_MALFORMED : RELAY_PASS);
        assert_int_equal(out.len, len);
    }
    lab_close(&lab);
}

/* On channels that there are none of, too. */
static void messages_of_one_source_are_bounded(void **state)
{
    (void)state;
    struct lab lab = lab_open(100, 50);
    const struct addr from = {.family = 4, .port = 9443, .ip = {10, 1, 0, 1}};
    const struct relay_grant none = {.channel = 77};
    uint8_t cookie[RELAY_COOKIE_LEN] = {0};
    unsigned looked_at = 0;
    for (unsigned i = 0; i < 20000; i++)
        looked_at += say(&lab, &none, 0, &from, i, cookie) == RELAY_UNKNOWN;
    assert_in_range(looked_at, 1000, 8192);
    lab_close(&lab);
}

/* Whoever knows a channel's number could want many HMACs, from everywhere. */
static void messages_on_one_channel_leave_those_on_others(void **state)
{
    (void)state;
    struct lab lab = lab_open(100, 50);
    const struct pair p = pair_open(&lab, 1);
    const struct relay_grant forged = {.channel = p.channel};
    uint8_t cookie[RELAY_COOKIE_LEN] = {0};
    unsigned looked_at = 0;
    for (unsigned i = 0; i < 20000; i++) {
        const struct addr from = {
            .family = 4, .port = 1, .ip = {(uint8_t)(20 + i % 100), (uint8_t)(i / 100), 0, 1}};
        looked_at += say(&lab, &forged, 0, &from, i, cookie) == RELAY_FORGED;
    }
    assert_in_range(looked_at, 1, RELAY_BINDS_BURST);
    struct pair other = pair_open(&lab, 3);
    offer(&lab, &other, 1);
    assert_int_equal(other.passed, 1);
    lab.now_us += USEC_PER_SEC;
    assert_int_equal(say(&lab, &forged, 0, &p.from, 1, cookie), RELAY_FORGED);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_that_floods_leaves_another_nine_tenths),
        cmocka_unit_test(pairs_that_all_want_more_share_evenly),
        cmocka_unit_test(threads_whose_times_differ_share_the_books),
        cmocka_unit_test(a_datagram_that_is_larger_than_one_call_sends_is_dropped),
        cmocka_unit_test(messages_of_one_source_are_bounded),
        cmocka_unit_test(messages_on_one_channel_leave_those_on_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
