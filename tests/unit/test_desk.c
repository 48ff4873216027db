/* SPDX-License-Identifier: Apache-2.0 */
/* The directory's thread: order, bounds, its end, and a store that it waits for. */

#include "backbone/desk.h"

#include "backbone/store.h"
#include "base/clock.h"
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#define DEADLINE_US (30 * USEC_PER_SEC)

static struct desk *desk;
static _Atomic unsigned done, turns, held;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

struct numbered {
    struct errand errand;
    unsigned number;
    bool in_order;
};

static void run(void *context)
{
    struct numbered *n = context;
    n->in_order = atomic_load(&done) == n->number;
    atomic_fetch_add(&done, 1);
}

static void hold(void *context)
{
    (void)context;
    atomic_fetch_add(&held, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void await(_Atomic unsigned *counter, unsigned least)
{
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    while (atomic_load(counter) < least) {
        assert_true(clock_monotonic_us() < until_us);
        poll(NULL, 0, 1);
    }
}

/* ---- a store with something to wait for ---- */

static struct {
    struct store store;
    int fd;
    _Atomic unsigned turns;
    _Atomic uint64_t at_us;
} fake;

static struct store_watch fake_watch(struct store *s)
{
    (void)s;
    return (struct store_watch){fake.fd, POLLIN, atomic_load(&fake.at_us)};
}

static void fake_turn(struct store *s, uint64_t now_us)
{
    eventfd_t count;
    (void)s;
    if (eventfd_read(fake.fd, &count) == 0)
        atomic_fetch_add(&fake.turns, 1);
    if (now_us >= atomic_load(&fake.at_us)) {
        atomic_store(&fake.at_us, UINT64_MAX);
        atomic_fetch_add(&fake.turns, 1);
    }
}

static const struct store_ops ops = {.watch = fake_watch, .turn = fake_turn};

static uint64_t on_turn(void *context, uint64_t now_us, uint64_t now_s)
{
    (void)context, (void)now_us, (void)now_s;
    atomic_fetch_add(&turns, 1);
    return UINT64_MAX;
}

static int setup(void **state)
{
    (void)state;
    fake.store.ops = &ops;
    fake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fake.turns = 0;
    fake.at_us = UINT64_MAX;
    done = turns = held = 0;
    const struct desk_config config = {.store = &fake.store, .turn = on_turn};
    return desk_start(&config, &desk);
}

static int teardown(void **state)
{
    (void)state;
    desk_free(desk);
    close(fake.fd);
    return 0;
}

static void errands_are_done_in_their_order(void **state)
{
    (void)state;
    static struct numbered all[100];
    for (unsigned i = 0; i < 100; i++) {
        all[i] = (struct numbered){.errand = {.run = run, .context = &all[i]}, .number = i};
        assert_true(desk_give(desk, &all[i].errand));
    }
    await(&done, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_true(all[i].in_order);
}

static void more_than_may_wait_are_not_taken(void **state)
{
    (void)state;
    static struct numbered all[DESK_ERRANDS_MAX + 1];
    struct errand holder = {.run = hold};
    unsigned taken = 0;
    pthread_mutex_lock(&gate);
    assert_true(desk_give(desk, &holder));
    await(&held, 1);
    for (unsigned i = 0; i <= DESK_ERRANDS_MAX; i++) {
        all[i] = (struct numbered){.errand = {.run = run, .context = &all[i]}, .number = i};
        taken += desk_give(desk, &all[i].errand);
    }
    pthread_mutex_unlock(&gate);
    assert_true(taken == DESK_ERRANDS_MAX ||
                taken == DESK_ERRANDS_MAX - 1); /* whether the holder was begun */
    await(&done, taken);
}

static void what_was_given_is_done_before_the_end_and_nothing_is_taken_after(void **state)
{
    (void)state;
    static struct numbered all[10];
    struct errand holder = {.run = hold}, late = {.run = run};
    pthread_mutex_lock(&gate);
    assert_true(desk_give(desk, &holder));
    for (unsigned i = 0; i < 10; i++) {
        all[i] = (struct numbered){.errand = {.run = run, .context = &all[i]}, .number = i};
        assert_true(desk_give(desk, &all[i].errand));
    }
    pthread_mutex_unlock(&gate);
    desk_close(desk);
    assert_int_equal(done, 10);
    assert_false(desk_give(desk, &late));
    desk_wake(desk);
    desk_close(desk); /* once more does nothing */
}

static void store_has_its_turn_when_its_socket_or_its_time_says_so(void **state)
{
    (void)state;
    await(&turns, 1);
    assert_int_equal(eventfd_write(fake.fd, 1), 0);
    await(&fake.turns, 1);
    atomic_store(&fake.at_us, clock_monotonic_us() + 1000);
    desk_wake(desk);
    await(&fake.turns, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(errands_are_done_in_their_order),
        TEST(more_than_may_wait_are_not_taken),
        TEST(what_was_given_is_done_before_the_end_and_nothing_is_taken_after),
        TEST(store_has_its_turn_when_its_socket_or_its_time_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
