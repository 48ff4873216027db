/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/uplink_pairs: datagrams pass between two that both want them, and nowhere else. */

#include "backbone/uplink_pairs.h"

#include "uplink_lab.h"

static uint8_t payload[UPLINK_BATCH_MAX];

static void say_pair(struct node *n, const struct node_id *id, bool on)
{
    const struct uplink_message m = {.kind = UPLINK_PAIR, .id = *id, .on = on};
    say(n, &m);
}

static void say_datagrams(struct node *n, const struct node_id *to, uint8_t type, size_t len)
{
    payload[0] = type;
    const struct uplink_message m = {
        .kind = UPLINK_DATAGRAMS, .id = *to, .ecn = 1, .segment = 1200, .data = {payload, len}};
    say(n, &m);
}

static void hears_paired(struct node *n, const struct node *other, bool on)
{
    struct uplink_message m = hears(n, UPLINK_PAIRED);
    assert_int_equal(id_compare(&m.id, &other->id), 0);
    assert_int_equal(m.on, on);
}

static void datagrams_pass_once_both_have_said_pair(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1");
    say_datagrams(a, &b->id, 0x20, 2000);
    hears_nothing(b);
    say_pair(a, &b->id, true);
    hears_nothing(a);
    hears_nothing(b);
    say_datagrams(a, &b->id, 0x20, 2000);
    hears_nothing(b);
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_UNPAIRED], 2 * 2);
    say_pair(b, &a->id, true);
    hears_paired(a, b, true);
    hears_paired(b, a, true);
    say_datagrams(a, &b->id, 0x20, 2000);
    struct uplink_message m = hears(b, UPLINK_DATAGRAMS);
    assert_int_equal(id_compare(&m.id, &a->id), 0);
    assert_true(m.ecn == 1 && m.segment == 1200 && m.data.len == 2000 && m.data.data[0] == 0x20);
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_RELAYED], 2);
    assert_int_equal(metrics.datagram_bytes, UPLINK_BATCH_HEAD_LEN + 2000);
}

static void either_side_can_take_its_consent_back(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1");
    lab_pair(a, b);
    say_pair(b, &a->id, false);
    hears_paired(a, b, false);
    hears_paired(b, a, false);
    say_datagrams(a, &b->id, 0x20, 100);
    hears_nothing(b);
    say_pair(b, &a->id, true);
    hears_paired(a, b, true);
    hears_paired(b, a, true);
}

static void lost_uplink_is_told_to_its_pairs_and_a_new_one_says_pair_again(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1");
    lab_pair(a, b);
    uplink_lose(b->uplink);
    hears_paired(a, b, false);
    struct node *again = lab_connect("198.51.100.1");
    prove_with(again, b->me, LAB_HOST);
    hears(again, UPLINK_WELCOME);
    hears_nothing(a);
    say_pair(again, &a->id, true);
    hears_paired(a, again, true);
    hears_paired(again, a, true);
}

static void pair_with_oneself_or_an_absent_one_is_none(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1");
    const struct node_id nobody = {{1}};
    say_pair(a, &a->id, true);
    say_pair(a, &nobody, true);
    say_pair(a, &nobody, true);
    say_pair(a, &nobody, false);
    say_pair(a, &nobody, false);
    hears_nothing(a);
    assert_int_equal(a->uplink->pair_count, 1);
}

static void pairs_of_an_uplink_are_bounded(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1");
    for (unsigned i = 0; i < UPLINK_PAIRS; i++) {
        const struct node_id id = {{1, (uint8_t)(i >> 8), (uint8_t)i}};
        say_pair(a, &id, true);
    }
    hears_nothing(a);
    const struct node_id one_more = {{2}};
    say_pair(a, &one_more, true);
    struct uplink_message m = hears(a, UPLINK_PAIRED);
    assert_true(!m.on && id_compare(&m.id, &one_more) == 0);
    assert_int_equal(a->uplink->pair_count, UPLINK_PAIRS);
}

static void ids_that_collide_are_in_nobodys_way(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1");
    struct node_id like_b = b->id;
    like_b.bytes[ID_LEN - 1] ^= 1; /* the same key in a table */
    say_pair(a, &like_b, true);
    say_pair(a, &b->id, true); /* a's own fault */
    assert_false(hears(a, UPLINK_PAIRED).on);
    struct node *c = lab_join("203.0.113.1");
    lab_pair(b, c);
    say_datagrams(a, &like_b, 0x20, 100);
    hears_nothing(b);
}

static void source_over_its_rate_is_told_once_and_others_pass(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1"), *c = lab_join("203.0.113.1");
    unsigned told = 0;
    lab_pair(a, b);
    lab_pair(c, b);
    for (unsigned i = 0; i < 100; i++)
        say_datagrams(a, &b->id, 0x20, 60000); /* 6 MB of the 2.5 MB that are there at once */
    for (struct uplink_message m; hear(a, &m);)
        told += m.kind == UPLINK_LIMITED && m.code == UPLINK_LIMITED_DATAGRAMS;
    assert_int_equal(told, 1);
    assert_in_range(metrics.datagrams[UPLINK_DATAGRAMS_RELAYED], 40 * 50, 42 * 50);
    assert_in_range(metrics.datagrams[UPLINK_DATAGRAMS_SOURCE_RATE], 58 * 50, 60 * 50);
    uint64_t over = metrics.datagrams[UPLINK_DATAGRAMS_SOURCE_RATE];
    for (unsigned i = 0; i < 100; i++)
        say_datagrams(a, &b->id, 0x22, 1200); /* its paths can be probed all the same … */
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_SOURCE_RATE], over);
    for (unsigned i = 0; i < 20; i++)
        say_datagrams(a, &b->id, 0x22, 60000); /* … within bounds, too */
    assert_true(metrics.datagrams[UPLINK_DATAGRAMS_SOURCE_RATE] > over);
    over = metrics.datagrams[UPLINK_DATAGRAMS_SOURCE_RATE];
    say_datagrams(c, &b->id, 0x20, 1000);
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_SOURCE_RATE], over);
    lab_pass(USEC_PER_SEC);
    uint64_t relayed = metrics.datagrams[UPLINK_DATAGRAMS_RELAYED];
    say_datagrams(a, &b->id, 0x20, 60000);
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_RELAYED], relayed + 50);
}

static void all_together_have_a_rate(void **state)
{
    (void)state;
    uplink_rates_free(hub.rates);
    assert_int_equal(uplink_rates_new(8, 200, &secret_source, &hub.rates),
                     0); /* 1 MB a second, 0.1 at once */
    struct node *a = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1"), *c = lab_join("203.0.113.1");
    lab_pair(a, b);
    lab_pair(c, b);
    say_datagrams(a, &b->id, 0x20, 60000);
    say_datagrams(c, &b->id, 0x20, 60000);
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_RELAY_RATE], 50);
    hears(c, UPLINK_LIMITED);
}

static void smallest_rate_lets_the_largest_message_pass_now_and_then(void **state)
{
    (void)state;
    uplink_rates_free(hub.rates);
    assert_int_equal(uplink_rates_new(1, 1, &secret_source, &hub.rates), 0);
    struct node *a = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1");
    lab_pair(a, b);
    say_datagrams(a, &b->id, 0x20, UPLINK_BATCH_MAX);
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_RELAYED], 55);
    say_datagrams(a, &b->id, 0x20, 1000);
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_RELAYED], 55);
    lab_pass(USEC_PER_SEC);
    say_datagrams(a, &b->id, 0x20, UPLINK_BATCH_MAX);
    assert_int_equal(metrics.datagrams[UPLINK_DATAGRAMS_RELAYED], 2 * 55);
}

static void who_does_not_read_loses_data_by_age_and_keeps_probes(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1");
    lab_pair(a, b);
    for (unsigned i = 0; i < 20; i++)
        say_datagrams(a, &b->id, 0x20, 60000);
    say_datagrams(a, &b->id, 0x22, 100);
    assert_true(b->uplink->out.blocked);
    lab_pass(2 * BATCH_QUEUE_AGE_US);
    assert_int_equal(b->uplink->out.queue.data.count, 0);
    assert_int_equal(b->uplink->out.queue.urgent.count, 1);
    assert_true(metrics.datagrams[UPLINK_DATAGRAMS_QUEUE] > 10 * 50);
    struct uplink_message m;
    uint8_t last = 0;
    while (hear(b, &m))
        last = m.kind == UPLINK_DATAGRAMS ? m.data.data[0] : last;
    assert_int_equal(last, 0x22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_lab(datagrams_pass_once_both_have_said_pair),
        with_lab(either_side_can_take_its_consent_back),
        with_lab(lost_uplink_is_told_to_its_pairs_and_a_new_one_says_pair_again),
        with_lab(pair_with_oneself_or_an_absent_one_is_none),
        with_lab(pairs_of_an_uplink_are_bounded),
        with_lab(ids_that_collide_are_in_nobodys_way),
        with_lab(source_over_its_rate_is_told_once_and_others_pass),
        with_lab(all_together_have_a_rate),
        with_lab(smallest_rate_lets_the_largest_message_pass_now_and_then),
        with_lab(who_does_not_read_loses_data_by_age_and_keeps_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
