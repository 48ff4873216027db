/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/ring: records come out as they went in, across the end of the buffer, and a full ring refuses. */

#include "node/data/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool put(struct ring *r, unsigned number, size_t len)
{
    uint8_t *p = ring_reserve(r, len);
    if (!p)
        return false;
    memset(p, (int)number, len);
    ring_commit(r);
    return true;
}

static void take(struct ring *r, unsigned number, size_t expected)
{
    size_t len;
    const uint8_t *p = ring_peek(r, &len);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    assert_int_equal(len, expected);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(p[i], (uint8_t)number);
    ring_release(r);
}

static void records_of_any_size_cross_the_end(void **state)
{
    (void)state;
    struct ring *r;
    size_t len;
    assert_int_equal(ring_new(1024, &r), 0);
    for (unsigned i = 0; i < 2000; i++) {
        assert_true(put(r, i, i % 300));
        assert_true(put(r, i + 1, i % 177));
        take(r, i, i % 300);
        take(r, i + 1, i % 177);
        assert_int_equal(ring_used(r), 0);
    }
    assert_null(ring_peek(r, &len));
    ring_free(r);
}

static void a_full_ring_refuses_and_loses_nothing(void **state)
{
    (void)state;
    struct ring *r;
    unsigned in = 0, out = 0;
    assert_int_equal(ring_new(4096, &r), 0);
    assert_null(ring_reserve(r, 4096));
    assert_null(ring_reserve(r, SIZE_MAX));
    for (unsigned round = 0; round < 50; round++) {
        while (put(r, in, 100))
            in++;
        assert_true(in > out + 20);
        for (unsigned i = 0; i < 7; i++)
            take(r, out++, 100);
    }
    while (out < in)
        take(r, out++, 100);
    ring_free(r);
}

static void an_uncommitted_record_is_not_seen(void **state)
{
    (void)state;
    struct ring *r;
    size_t len;
    assert_int_equal(ring_new(1024, &r), 0);
    assert_non_null(ring_reserve(r, 100));
    assert_null(ring_peek(r, &len));
    assert_true(put(r, 5, 10));
    take(r, 5, 10);
    ring_free(r);
}

static void *produce(void *arg)
{
    for (unsigned i = 0; i < 100000;)
        if (put(arg, i, i % 90))
            i++;
        else
            sched_yield();
    return NULL;
}

static void two_threads_share_it(void **state)
{
    (void)state;
    struct ring *r;
    pthread_t thread;
    size_t len;
    assert_int_equal(ring_new(2048, &r), 0);
    assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
    for (unsigned i = 0; i < 100000;)
        if (ring_peek(r, &len)) {
            take(r, i, i % 90);
            i++;
        } else {
            sched_yield();
        }
    pthread_join(thread, NULL);
    ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_any_size_cross_the_end),
        cmocka_unit_test(a_full_ring_refuses_and_loses_nothing),
        cmocka_unit_test(an_uncommitted_record_is_not_seen),
        cmocka_unit_test(two_threads_share_it),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
