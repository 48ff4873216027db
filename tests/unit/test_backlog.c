/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/backlog: what may wait is bounded in time, on links of any speed that a worker meets. */

#include "node/data/backlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A link that takes `rate` bytes a second, and a sender that gives it more whenever it may. */
struct link {
    struct backlog b;
    uint64_t now_us, sent, left, rate; /* left: bytes that wait, times 10^6 */
};

static struct link link_of(uint64_t rate)
{
    struct link l = {.now_us = 1000000, .rate = rate};
    backlog_init(&l.b);
    return l;
}

static size_t waits(const struct link *l)
{
    return (size_t)(l->left / 1000000);
}

static void pass(struct link *l, uint64_t us)
{
    uint64_t gone = us * l->rate;
    l->now_us += us;
    l->left = l->left > gone ? l->left - gone : 0;
}

static void give(struct link *l, uint64_t bytes)
{
    l->sent += bytes;
    l->left += bytes * 1000000;
}

/* For so long, a super-frame every 100 microseconds (5 Gbit/s), if it is let. Returns the most that waited in the second
 * half. */
static size_t flood(struct link *l, uint64_t us)
{
    size_t most = 0;
    for (uint64_t at = 0; at < us; at += 100) {
        pass(l, 100);
        backlog_look(&l->b, l->now_us, l->sent, waits(l));
        if (l->b.state == BACKLOG_FREE)
            give(l, 65536);
        if (at > us / 2 && waits(l) > most)
            most = waits(l);
    }
    return most;
}

static size_t of_time(const struct link *l, uint64_t us)
{
    return (size_t)(l->rate * us / 1000000);
}

static void waiting_is_bounded_in_time(void **state)
{
    (void)state;
    static const uint64_t mbit[] = {100, 200, 500, 1000, 2500};
    for (unsigned i = 0; i < sizeof(mbit) / sizeof(mbit[0]); i++) {
        struct link l = link_of(mbit[i] * 125000);
        size_t most = flood(&l, 2000000);
        assert_true(most < of_time(&l, 30000) + 65536);
        assert_true(most > of_time(&l, 10000)); /* and the link never runs dry */
    }
}

static void slow_link_keeps_two_superframes(void **state)
{
    (void)state;
    struct link l = link_of(250000); /* 2 Mbit/s */
    size_t most = flood(&l, 20000000);
    assert_true(most >= BACKLOG_MIN && most <= BACKLOG_MIN + 65536);
}

static void fast_link_is_never_held_back(void **state)
{
    (void)state;
    struct link l = link_of(1250000000);
    (void)flood(&l, 1000000);
    assert_int_equal(l.sent, 10000 * 65536ull);
}

static void limit_follows_the_link(void **state)
{
    (void)state;
    struct link l = link_of(125000000);
    (void)flood(&l, 1000000);
    size_t fast = l.b.limit;
    l.rate /= 10;
    (void)flood(&l, 1000000);
    assert_true(l.b.limit < fast / 5);
    l.rate *= 10;
    (void)flood(&l, 200000);
    assert_true(l.b.limit > fast * 4 / 5);
}

static void bursts_with_pauses_tell_nothing(void **state)
{
    (void)state;
    struct link l = link_of(1250000000);
    for (int i = 0; i < 1000; i++) {
        give(&l, 262144);
        backlog_look(&l.b, l.now_us, l.sent, waits(&l));
        assert_int_equal(l.b.state, BACKLOG_FREE);
        pass(&l, 5000);
        backlog_look(&l.b, l.now_us, l.sent, waits(&l));
    }
    assert_int_equal(l.b.limit, BACKLOG_FIRST);
}

static void marks_that_do_not_help_end_in_drops(void **state)
{
    (void)state;
    struct link l = link_of(12500000);
    (void)flood(&l, 1000000);
    backlog_look(&l.b, l.now_us, l.sent, l.b.limit);
    assert_int_equal(l.b.state, BACKLOG_OVER);
    backlog_look(&l.b, l.now_us, l.sent, BACKLOG_SPARED * l.b.limit);
    assert_int_equal(l.b.state, BACKLOG_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_is_bounded_in_time),
        cmocka_unit_test(slow_link_keeps_two_superframes),
        cmocka_unit_test(fast_link_is_never_held_back),
        cmocka_unit_test(limit_follows_the_link),
        cmocka_unit_test(bursts_with_pauses_tell_nothing),
        cmocka_unit_test(marks_that_do_not_help_end_in_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
