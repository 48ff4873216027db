/* SPDX-License-Identifier: Apache-2.0 */
/* node/carrier/handshake_pool: who is next, and what happens at the end. The works are this test's own: they run until
 * the test opens their gate. */

#include "node/carrier/handshake_pool.h"

#include "proto/link/link_work.h"
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORKS 8

struct link_work {
    struct link_work *next;
    bool unwanted;
    sem_t begun, gate;
    bool ran, back;
    pthread_t thread;
};

void link_work_run(struct link_work *w)
{
    w->thread = pthread_self();
    sem_post(&w->begun);
    sem_wait(&w->gate);
    w->ran = true;
}

bool link_work_is_wanted(const struct link_work *w)
{
    return !w->unwanted;
}

struct link_work **link_work_next(struct link_work *w)
{
    return &w->next;
}

static uv_loop_t loop;
static struct handshake_pool *pool;
static struct link_work works[WORKS];
static unsigned back; /* so many */

static void on_done(void *context, struct link_work *work)
{
    assert_ptr_equal(context, works);
    assert_false(work->back);
    work->back = true;
    back++;
}

static int setup(void **state)
{
    (void)state;
    back = 0;
    for (unsigned i = 0; i < WORKS; i++) {
        works[i] = (struct link_work){0};
        sem_init(&works[i].begun, 0, 0);
        sem_init(&works[i].gate, 0, 0);
    }
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(handshake_pool_new(&loop, on_done, works, &pool), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void add(unsigned from, unsigned to, bool stranger)
{
    for (unsigned i = from; i < to; i++)
        handshake_pool_add(pool, &works[i], stranger);
}

static void wait_begun(unsigned i)
{
    sem_wait(&works[i].begun);
}

static bool has_begun(unsigned i)
{
    return sem_trywait(&works[i].begun) == 0;
}

/* Until so many are back. */
static void let_end(unsigned i, unsigned count)
{
    sem_post(&works[i].gate);
    while (back < count)
        uv_run(&loop, UV_RUN_ONCE);
}

static void work_is_done_by_another_thread_and_comes_back_by_the_loop(void **state)
{
    (void)state;
    add(0, 1, false);
    wait_begun(0);
    assert_false(works[0].back);
    let_end(0, 1);
    assert_true(works[0].ran);
    assert_false(pthread_equal(works[0].thread, pthread_self()));
    handshake_pool_close(pool);
}

static void strangers_come_last_and_each_in_turn(void **state)
{
    (void)state;
    const unsigned order[] = {0, 1, 5, 6, 2, 3, 4};
    add(0, 5, true);
    add(5, 7, false);
    wait_begun(0);
    wait_begun(1);
    for (unsigned i = 0; i < 7; i++) {
        let_end(order[i], i + 1);
        if (i + HANDSHAKE_POOL_THREADS < 7)
            wait_begun(order[i + HANDSHAKE_POOL_THREADS]);
        for (unsigned later = i + HANDSHAKE_POOL_THREADS + 1; later < 7; later++)
            assert_false(has_begun(order[later]));
    }
    handshake_pool_close(pool);
}

static void what_nobody_waits_for_is_not_done(void **state)
{
    (void)state;
    add(0, 5, true);
    works[2].unwanted = works[3].unwanted = true;
    wait_begun(0);
    wait_begun(1);
    let_end(0, 3); /* 2 and 3 with it */
    assert_true(works[2].back && works[3].back);
    assert_false(works[2].ran || works[3].ran);
    let_end(1, 4);
    let_end(4, 5);
    assert_true(works[4].ran);
    handshake_pool_close(pool);
}

static void the_end_waits_for_what_runs_alone(void **state)
{
    (void)state;
    add(0, 4, true);
    add(4, 6, false);
    wait_begun(0);
    wait_begun(1);
    handshake_pool_close(pool);
    assert_int_equal(back, 4);
    for (unsigned i = 2; i < 6; i++)
        assert_true(works[i].back && !works[i].ran);
    let_end(0, 5);
    let_end(1, 6);
    assert_true(works[0].ran && works[1].ran);
}

static sem_t others_gate;

static void occupy(uv_work_t *request)
{
    sem_post(request->data);
    sem_wait(&others_gate);
}

static void on_occupied(uv_work_t *request, int status)
{
    (void)request;
    assert_int_equal(status, 0);
}

/* Records are signed and verified there, too. */
static void what_others_keep_from_beginning_is_cancelled_at_the_end(void **state)
{
    (void)state;
    uv_work_t others[HANDSHAKE_POOL_THREADS];
    sem_t occupied;
    sem_init(&occupied, 0, 0);
    sem_init(&others_gate, 0, 0);
    for (unsigned i = 0; i < HANDSHAKE_POOL_THREADS; i++) {
        others[i].data = &occupied;
        assert_int_equal(uv_queue_work(&loop, &others[i], occupy, on_occupied), 0);
        sem_wait(&occupied);
    }
    add(0, 1, false);
    handshake_pool_close(pool);
    while (back < 1)
        uv_run(&loop, UV_RUN_ONCE);
    assert_false(works[0].ran);
    for (unsigned i = 0; i < HANDSHAKE_POOL_THREADS; i++)
        sem_post(&others_gate);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(work_is_done_by_another_thread_and_comes_back_by_the_loop, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(strangers_come_last_and_each_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_waits_for_is_not_done, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_waits_for_what_runs_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_others_keep_from_beginning_is_cancelled_at_the_end, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
