/* SPDX-License-Identifier: Apache-2.0 */
/* proto/session/replay: each counter passes once, in any order within the window; compared with a plain model. */

#include "proto/session/replay.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

static enum drop offer(struct replay *r, uint64_t counter)
{
    enum drop drop = replay_check(r, counter);

    if (!drop)
        replay_accept(r, counter);
    return drop;
}

static void counter_zero_passes_once(void **state)
{
    (void)state;
    struct replay r = {0};

    assert_int_equal(offer(&r, 0), DROP_NONE);
    assert_int_equal(offer(&r, 0), DROP_REPLAY);
    assert_int_equal(r.highest, 1);
}

static void checking_changes_nothing(void **state)
{
    (void)state;
    struct replay r = {0};

    assert_int_equal(replay_check(&r, 100000), DROP_NONE);
    assert_int_equal(replay_check(&r, 100000), DROP_NONE);
    assert_int_equal(offer(&r, 0), DROP_NONE);
}

static void reordered_counters_within_the_window_pass_once(void **state)
{
    (void)state;
    struct replay r = {0};
    const uint64_t top = 50000;

    assert_int_equal(offer(&r, top), DROP_NONE);
    for (uint64_t back = 1; back < REPLAY_WINDOW; back++)
        assert_int_equal(offer(&r, top - back), DROP_NONE);
    for (uint64_t back = 0; back < REPLAY_WINDOW; back++)
        assert_int_equal(offer(&r, top - back), DROP_REPLAY);
    assert_int_equal(r.received, REPLAY_WINDOW);
}

static void counter_below_the_window_is_old(void **state)
{
    (void)state;
    struct replay r = {0};

    assert_int_equal(offer(&r, 20000), DROP_NONE);
    assert_int_equal(offer(&r, 20001 - REPLAY_WINDOW), DROP_NONE);
    assert_int_equal(offer(&r, 20000 - REPLAY_WINDOW), DROP_OLD);
    assert_int_equal(offer(&r, 0), DROP_OLD);
}

static void a_leap_far_ahead_forgets_no_replay(void **state)
{
    (void)state;
    struct replay r = {0};

    for (uint64_t c = 0; c < 3 * REPLAY_WINDOW; c++)
        assert_int_equal(offer(&r, c), DROP_NONE);
    const uint64_t far = 1ull << 40;
    assert_int_equal(offer(&r, far), DROP_NONE);
    for (uint64_t back = 1; back < REPLAY_WINDOW; back++)
        assert_int_equal(replay_check(&r, far - back), DROP_NONE);
    assert_int_equal(offer(&r, 3 * REPLAY_WINDOW - 1), DROP_OLD);
}

static void the_last_counters_do_not_wrap(void **state)
{
    (void)state;
    struct replay r = {0};

    assert_int_equal(offer(&r, UINT64_MAX - 1), DROP_NONE);
    assert_int_equal(offer(&r, UINT64_MAX), DROP_OLD);
    assert_int_equal(offer(&r, 0), DROP_OLD);
    assert_int_equal(offer(&r, UINT64_MAX - 1), DROP_REPLAY);
}

/* The window's meaning, spelled out. */
struct model {
    uint64_t highest;
    bool *seen;
};

static enum drop model_offer(struct model *m, uint64_t counter)
{
    if (counter + REPLAY_WINDOW < m->highest)
        return DROP_OLD;
    if (m->seen[counter])
        return DROP_REPLAY;
    m->seen[counter] = true;
    if (counter >= m->highest)
        m->highest = counter + 1;
    return DROP_NONE;
}

static void random_walks_agree_with_the_model(void **state)
{
    (void)state;
    enum { COUNTERS = 1 << 20 };
    struct replay r = {0};
    struct model m = {.seen = calloc(COUNTERS, 1)};
    unsigned seed = 7;

    assert_non_null(m.seen);
    for (uint64_t at = 0; at < COUNTERS;) {
        uint64_t back = (uint64_t)rand_r(&seed) % (2 * REPLAY_WINDOW);
        uint64_t counter = back < at && back % 4 ? at - back : at;
        assert_int_equal(offer(&r, counter), model_offer(&m, counter));
        assert_true(r.highest == m.highest);
        at +=
            rand_r(&seed) % 100 ? (unsigned)rand_r(&seed) % 3 : (unsigned)rand_r(&seed) % (2 * REPLAY_WINDOW);
    }
    free(m.seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counter_zero_passes_once),
        cmocka_unit_test(checking_changes_nothing),
        cmocka_unit_test(reordered_counters_within_the_window_pass_once),
        cmocka_unit_test(counter_below_the_window_is_old),
        cmocka_unit_test(a_leap_far_ahead_forgets_no_replay),
        cmocka_unit_test(the_last_counters_do_not_wrap),
        cmocka_unit_test(random_walks_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
