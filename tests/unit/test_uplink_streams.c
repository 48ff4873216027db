/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/uplink_streams: streams between two nodes' uplinks, and what a node that breaks their rules gets. */

#include "backbone/uplink_streams.h"

#include "uplink_lab.h"

static uint8_t bytes[UPLINK_DATA_MAX];

static void say_open(struct node *n, uint32_t stream, const struct node_id *target)
{
    const struct uplink_message m = {.kind = UPLINK_OPEN, .stream = stream, .id = *target};
    say(n, &m);
}

static void say_data(struct node *n, uint32_t stream, size_t len)
{
    const struct uplink_message m = {.kind = UPLINK_DATA, .stream = stream, .data = {bytes, len}};
    say(n, &m);
}

static void say_credit(struct node *n, uint32_t stream, uint32_t credit)
{
    const struct uplink_message m = {.kind = UPLINK_CREDIT, .stream = stream, .credit = credit};
    say(n, &m);
}

static void say_close(struct node *n, uint32_t stream, uint8_t code)
{
    const struct uplink_message m = {.kind = UPLINK_CLOSE, .stream = stream, .code = code};
    say(n, &m);
}

static void hears_close(struct node *n, uint32_t stream, uint8_t code)
{
    struct uplink_message m = hears(n, UPLINK_CLOSE);
    assert_int_equal(m.stream, stream);
    assert_int_equal(m.code, code);
}

/* Stream 1 of a is stream 2 of b. */
static void connect_two(struct node **a, struct node **b)
{
    *a = lab_join("192.0.2.1");
    *b = lab_join("198.51.100.1");
    say_open(*a, 1, &(*b)->id);
    struct uplink_message m = hears(*b, UPLINK_OPEN);
    assert_int_equal(m.stream, 2);
    assert_int_equal(id_compare(&m.id, &(*a)->id), 0);
}

static void stream_carries_bytes_both_ways_until_both_closed(void **state)
{
    struct node *a, *b;
    (void)state;
    connect_two(&a, &b);
    memset(bytes, 7, sizeof(bytes));
    say_data(a, 1, 100);
    struct uplink_message m = hears(b, UPLINK_DATA);
    assert_true(m.stream == 2 && m.data.len == 100 && m.data.data[99] == 7);
    say_data(b, 2, 50);
    m = hears(a, UPLINK_DATA);
    assert_true(m.stream == 1 && m.data.len == 50);
    say_close(a, 1, UPLINK_END_DONE);
    hears_close(a, 1, UPLINK_END_DONE);
    hears_close(b, 2, UPLINK_END_DONE);
    say_data(b, 2, 50); /* crossed with it */
    hears_nothing(a);
    assert_int_equal(hub.leg_count, 1);
    say_close(b, 2, UPLINK_END_DONE);
    hears_nothing(b);
    assert_int_equal(hub.leg_count, 0);
    say_open(a, 1, &b->id); /* the number is free again */
    assert_int_equal(hears(b, UPLINK_OPEN).stream, 4);
}

static void who_has_no_uplink_is_absent_and_so_is_oneself(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1");
    const struct node_id nobody = {{1}};
    say_open(a, 1, &nobody);
    hears_close(a, 1, UPLINK_END_ABSENT);
    say_close(a, 1, UPLINK_END_DONE);
    say_open(a, 3, &a->id);
    hears_close(a, 3, UPLINK_END_ABSENT);
    assert_int_equal(metrics.opens[UPLINK_END_ABSENT], 2);
}

static void refusal_reaches_the_opener_but_no_claim_about_the_opener_does(void **state)
{
    struct node *a, *b;
    (void)state;
    connect_two(&a, &b);
    say_close(b, 2, UPLINK_END_REFUSED);
    hears_close(a, 1, UPLINK_END_REFUSED);
    hears_close(b, 2, UPLINK_END_DONE);
    say_close(a, 1, UPLINK_END_DONE);
    say_open(a, 3, &b->id);
    assert_int_equal(hears(b, UPLINK_OPEN).stream, 4);
    say_close(b, 4, UPLINK_END_ABSENT); /* it is there */
    hears_close(a, 3, UPLINK_END_REFUSED);
}

static void more_than_the_credit_closes_the_stream(void **state)
{
    struct node *a, *b;
    (void)state;
    connect_two(&a, &b);
    say_data(a, 1, UPLINK_WINDOW);
    hears(b, UPLINK_DATA);
    say_data(a, 1, 1);
    hears_close(a, 1, UPLINK_END_RULES);
    hears_close(b, 2, UPLINK_END_RULES);
    hears_nothing(b);
}

static void credit_passes_through_and_is_bounded(void **state)
{
    struct node *a, *b;
    (void)state;
    connect_two(&a, &b);
    say_data(a, 1, UPLINK_WINDOW);
    hears(b, UPLINK_DATA);
    say_credit(b, 2, 1000);
    assert_int_equal(hears(a, UPLINK_CREDIT).credit, 1000);
    say_data(a, 1, 1000);
    assert_int_equal(hears(b, UPLINK_DATA).data.len, 1000);
    say_credit(b, 2, UPLINK_GRANT_MAX);
    assert_int_equal(hears(a, UPLINK_CREDIT).credit, UPLINK_GRANT_MAX);
    say_credit(b, 2, 1);
    hears_close(a, 1, UPLINK_END_RULES);
    hears_close(b, 2, UPLINK_END_RULES);
}

static void lost_uplink_closes_the_other_ends(void **state)
{
    struct node *a, *b;
    (void)state;
    connect_two(&a, &b);
    uplink_lose(a->uplink);
    hears_close(b, 2, UPLINK_END_LOST);
    say_close(b, 2, UPLINK_END_DONE);
    assert_int_equal(hub.leg_count, 0);
}

static void opener_and_its_source_have_a_rate(void **state)
{
    (void)state;
    struct node *a = lab_join("192.0.2.1"), *same = lab_join("192.0.2.1"), *b = lab_join("198.51.100.1");
    unsigned opened = 0;
    for (uint32_t i = 1; i < 2 * 20; i += 2)
        say_open(a, i, &b->id);
    for (struct uplink_message m; hear(b, &m);)
        opened += m.kind == UPLINK_OPEN;
    assert_int_equal(opened, 16);
    unsigned refused = 0, told = 0;
    for (struct uplink_message m; hear(a, &m);) {
        refused += m.kind == UPLINK_CLOSE && m.code == UPLINK_END_TOO_MANY;
        told += m.kind == UPLINK_LIMITED && m.code == UPLINK_LIMITED_STREAMS;
    }
    assert_int_equal(refused, 4);
    assert_int_equal(told, 1);
    say_open(same, 1, &b->id); /* an id costs nothing: the source counts */
    hears(same, UPLINK_LIMITED);
    hears_close(same, 1, UPLINK_END_TOO_MANY);
    lab_pass(USEC_PER_SEC);
    say_open(same, 3, &b->id);
    hears(b, UPLINK_OPEN);
}

static void target_has_a_rate_over_all_openers(void **state)
{
    (void)state;
    struct node *b = lab_join("198.51.100.1");
    unsigned opened = 0;
    for (unsigned i = 0; i < 66; i++) {
        char from[32];
        snprintf(from, sizeof(from), "10.%u.0.1", i);
        struct node *a = lab_join(from);
        for (uint32_t stream = 1; stream < 2 * 16; stream += 2)
            say_open(a, stream, &b->id);
    }
    for (struct uplink_message m; hear(b, &m);)
        opened += m.kind == UPLINK_OPEN;
    assert_int_equal(opened, 1024);
}

static void node_that_starts_anew_reaches_at_once_all_that_await_it(void **state)
{
    (void)state;
    struct node *hub_node = lab_join("192.0.2.1"), *peers[40];
    for (unsigned i = 0; i < 40; i++) {
        const struct uplink_message pair = {.kind = UPLINK_PAIR, .id = hub_node->id, .on = true};
        peers[i] = lab_join("198.51.100.1");
        say(peers[i], &pair);
    }
    for (unsigned i = 0; i < 40; i++)
        say_open(hub_node, 2 * i + 1, &peers[i]->id);
    for (unsigned i = 0; i < 40; i++)
        hears(peers[i], UPLINK_OPEN);
    struct node *stranger = lab_join("203.0.113.1");
    for (uint32_t i = 0; i < 17; i++)
        say_open(hub_node, 2 * i + 101, &stranger->id);
    hears(hub_node, UPLINK_LIMITED); /* what strangers may was left, and no more */
    hears_close(hub_node, 2 * 16 + 101, UPLINK_END_TOO_MANY);
}

static void number_that_is_not_free_ends_the_uplink(void **state)
{
    struct node *a, *b;
    (void)state;
    connect_two(&a, &b);
    struct node *c = lab_join("203.0.113.1");
    say_open(a, 1, &b->id);
    hears_end(a, UPLINK_CLOSE_MALFORMED);
    say_open(c, 2, &b->id); /* ours to number */
    hears_end(c, UPLINK_CLOSE_MALFORMED);
    hears_close(b, 2, UPLINK_END_LOST);
}

static void bytes_of_streams_have_a_rate(void **state)
{
    struct node *a, *b;
    (void)state;
    connect_two(&a, &b);
    say_credit(b, 2, UPLINK_GRANT_MAX - UPLINK_WINDOW);
    hears(a, UPLINK_CREDIT);
    size_t passed = 0;
    bool ended = false;
    for (unsigned i = 0; i < 64 && !ended; i++) {
        say_data(a, 1, UPLINK_DATA_MAX);
        struct uplink_message m;
        assert_true(hear(b, &m));
        ended = m.kind == UPLINK_CLOSE;
        passed += ended ? 0 : m.data.len;
    }
    assert_true(ended);
    assert_in_range(passed, 900000, 1000000);
    hears(a, UPLINK_LIMITED);
    hears_close(a, 1, UPLINK_END_RULES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_lab(stream_carries_bytes_both_ways_until_both_closed),
        with_lab(who_has_no_uplink_is_absent_and_so_is_oneself),
        with_lab(refusal_reaches_the_opener_but_no_claim_about_the_opener_does),
        with_lab(more_than_the_credit_closes_the_stream),
        with_lab(credit_passes_through_and_is_bounded),
        with_lab(lost_uplink_closes_the_other_ends),
        with_lab(opener_and_its_source_have_a_rate),
        with_lab(target_has_a_rate_over_all_openers),
        with_lab(node_that_starts_anew_reaches_at_once_all_that_await_it),
        with_lab(number_that_is_not_free_ends_the_uplink),
        with_lab(bytes_of_streams_have_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
