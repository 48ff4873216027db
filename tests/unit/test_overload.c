/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/overload: who loses datagrams while more arrive than a worker opens. The worker here opens so many in a
 * millisecond and sheds twenty times as many; its queue is the kernel's, which drops whatever comes when it is full. */

#include "node/data/overload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define PEERS    12
#define CAPACITY 400   /* datagrams opened in a millisecond */
#define SHED_AT  20    /* are shed in the time that opening one takes */
#define QUEUE    20000 /* datagrams */
#define BATCH    200

struct worker {
    struct overload *overload;
    enum overload_state state;
    bool company;
    uint64_t now_us;
    uint8_t queue[QUEUE];
    unsigned waiting;
    unsigned arrived[PEERS], opened[PEERS], shed[PEERS];
};

static struct worker *worker_new(void)
{
    struct worker *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    assert_int_equal(overload_new(&w->overload), 0);
    w->now_us = 1000000;
    return w;
}

static void worker_free(struct worker *w)
{
    overload_free(w->overload);
    free(w);
}

static void arrive(struct worker *w, uint8_t slot, unsigned count)
{
    w->arrived[slot] += count;
    for (; count && w->waiting < QUEUE; count--)
        w->queue[w->waiting++] = slot;
}

/* One datagram; what it costs, in parts of an opening. */
static unsigned take(struct worker *w, uint8_t slot)
{
    if (w->state == OVERLOAD_SHEDS && overload_sheds(w->overload, slot)) {
        w->shed[slot]++;
        return 1;
    }
    w->opened[slot]++;
    if (w->state != OVERLOAD_NONE)
        overload_opened(w->overload, slot);
    return SHED_AT;
}

/* In batches, as long as the time lasts. */
static void work_a_millisecond(struct worker *w)
{
    unsigned spent = 0, done = 0;
    while (spent < CAPACITY * SHED_AT && done < w->waiting) {
        unsigned end = w->waiting - done < BATCH ? w->waiting : done + BATCH;
        while (done < end && spent < CAPACITY * SHED_AT)
            spent += take(w, w->queue[done++]);
        w->state = overload_round(w->overload, (w->waiting - done) * 100 / QUEUE, w->company, w->now_us);
    }
    w->waiting -= done;
    memmove(w->queue, w->queue + done, w->waiting);
    w->now_us += 1000;
}

static void run(struct worker *w, unsigned milliseconds, const unsigned rates[PEERS])
{
    memset(w->arrived, 0, sizeof(w->arrived));
    memset(w->opened, 0, sizeof(w->opened));
    memset(w->shed, 0, sizeof(w->shed));
    for (unsigned i = 0; i < milliseconds; i++) {
        for (uint8_t slot = 0; slot < PEERS; slot++)
            arrive(w, slot, rates[slot]);
        work_a_millisecond(w);
    }
}

static unsigned opened_in_all(const struct worker *w)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < PEERS; i++)
        sum += w->opened[i];
    return sum;
}

/* It is dropped what cannot be opened, and of whom it should be. */
static void a_flooder_loses_what_is_too_much_and_nobody_else_a_thing(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned rates[PEERS] = {1600, 2, 40};
    run(w, 100, rates);
    run(w, 1000, rates);
    assert_int_equal(w->shed[1] + w->shed[2], 0);
    assert_in_range(w->opened[1], 2 * 990, 2 * 1010);
    assert_in_range(w->opened[2], 40 * 990, 40 * 1010);
    assert_true(w->shed[0] > 1000 * 1000);
    assert_true(opened_in_all(w) > 1000 * CAPACITY * 4 / 5); /* the rest of the time is what shedding takes */
    worker_free(w);
}

static void flooders_share_what_others_leave(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned rates[PEERS] = {300, 300, 300, 10, 300};
    run(w, 100, rates);
    run(w, 1000, rates);
    unsigned least = w->opened[0];
    for (unsigned slot = 0; slot < 5; slot++)
        if (slot != 3 && w->opened[slot] < least)
            least = w->opened[slot];
    assert_true(least > (opened_in_all(w) - w->opened[3]) / 4 * 7 / 10); /* the last quarter is by chance */
    assert_int_equal(w->shed[3], 0);
    worker_free(w);
}

/* Two are over their halves together, but one of them is not over its own. */
static void a_peer_within_its_share_loses_nothing_beside_a_heavier_one(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned rates[PEERS] = {900, 100};
    run(w, 100, rates);
    run(w, 1000, rates);
    assert_int_equal(w->shed[1], 0);
    assert_in_range(w->opened[1], 100 * 990, 100 * 1010);
    worker_free(w);
}

static void a_peer_that_is_alone_is_never_cut(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned rates[PEERS] = {1600};
    run(w, 1000, rates);
    assert_int_equal(w->shed[0], 0);
    assert_in_range(w->opened[0], 1000 * CAPACITY - BATCH, 1000 * CAPACITY + 1000);
    worker_free(w);
}

/* Who is there without frames, such as by probes, is company; for a while. */
static void it_is_alone_until_another_is_there_and_again_when_that_was_silent_for_long(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned rates[PEERS] = {1600};
    run(w, 100, rates);
    assert_int_equal(w->shed[0], 0);
    overload_present(w->overload, 1);
    run(w, 100, rates);
    assert_true(w->shed[0] > 0);
    run(w, OVERLOAD_MEMORY_US / 1000, rates);
    run(w, 100, rates);
    assert_int_equal(w->shed[0], 0);
    worker_free(w);
}

static void nothing_is_shed_while_the_worker_keeps_up_and_counting_ends(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned flood[PEERS] = {1600, 10}, calm[PEERS] = {CAPACITY - 20, 10};
    run(w, 100, flood);
    assert_true(w->shed[0] > 0);
    run(w, 200, calm); /* the queue drains */
    run(w, OVERLOAD_MEMORY_US / 1000 + 1000, calm);
    assert_int_equal(w->shed[0] + w->shed[1], 0);
    assert_int_equal(w->state, OVERLOAD_NONE);
    worker_free(w);
}

/* What does not open is never charged, whatever index it bears: its peer stays within its share. */
static void forgeries_cost_the_peer_that_they_name_nothing(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned rates[PEERS] = {1600, 40};
    run(w, 100, rates);
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned forged = 0; forged < 500; forged++)
            assert_false(w->state == OVERLOAD_SHEDS && overload_sheds(w->overload, 1));
        arrive(w, 0, 1600);
        arrive(w, 1, 40);
        work_a_millisecond(w);
    }
    assert_int_equal(w->shed[1], 0);
    worker_free(w);
}

/* The flood may keep the others' datagrams out. */
static void with_others_connected_a_flooder_counts_as_alone_only_after_a_while(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned rates[PEERS] = {1600};
    w->company = true;
    run(w, 100, rates);
    assert_true(w->shed[0] > 0);
    run(w, OVERLOAD_MEMORY_US / 1000, rates);
    run(w, 100, rates);
    assert_int_equal(w->shed[0], 0);
    worker_free(w);
}

static void a_slot_that_no_peer_has_is_let_by(void **state)
{
    (void)state;
    struct worker *w = worker_new();
    const unsigned rates[PEERS] = {1600, 40};
    run(w, 100, rates);
    overload_opened(w->overload, OVERLOAD_PEERS);
    assert_false(overload_sheds(w->overload, OVERLOAD_PEERS));
    worker_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flooder_loses_what_is_too_much_and_nobody_else_a_thing),
        cmocka_unit_test(flooders_share_what_others_leave),
        cmocka_unit_test(a_peer_within_its_share_loses_nothing_beside_a_heavier_one),
        cmocka_unit_test(a_peer_that_is_alone_is_never_cut),
        cmocka_unit_test(it_is_alone_until_another_is_there_and_again_when_that_was_silent_for_long),
        cmocka_unit_test(nothing_is_shed_while_the_worker_keeps_up_and_counting_ends),
        cmocka_unit_test(forgeries_cost_the_peer_that_they_name_nothing),
        cmocka_unit_test(with_others_connected_a_flooder_counts_as_alone_only_after_a_while),
        cmocka_unit_test(a_slot_that_no_peer_has_is_let_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
