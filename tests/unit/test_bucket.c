/* SPDX-License-Identifier: Apache-2.0 */
/* base/bucket.h: waiting, debts, and a bucket that several threads share. */

#include "base/bucket.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define NOW     1000000ull
#define THREADS 4

static const struct bucket_rate rate = {100, 5}; /* a token each 100 us, at most 5 */

static void the_wait_is_how_long_the_missing_tokens_need(void **state)
{
    (void)state;
    struct bucket b = {0};
    assert_int_equal(bucket_wait(&b, &rate, 5, NOW), 0);
    assert_true(bucket_take(&b, &rate, 4, NOW));
    assert_int_equal(bucket_wait(&b, &rate, 1, NOW), 0);
    assert_int_equal(bucket_wait(&b, &rate, 2, NOW), 100);
    assert_int_equal(bucket_wait(&b, &rate, 5, NOW + 30), 370);
    assert_false(bucket_take(&b, &rate, 2, NOW + 99));
    assert_true(bucket_take(&b, &rate, 2, NOW + 100));
}

static void what_is_spent_without_asking_is_owed(void **state)
{
    (void)state;
    struct bucket b = {0};
    for (unsigned i = 0; i < 3; i++)
        bucket_spend(&b, &rate, 5, NOW);
    assert_int_equal(bucket_debt(&b, NOW), 1500);
    assert_int_equal(bucket_wait(&b, &rate, 1, NOW), 1100);
    assert_false(bucket_take(&b, &rate, 1, NOW + 1099));
    assert_true(bucket_take(&b, &rate, 1, NOW + 1100));
}

static void more_than_the_burst_is_never_there(void **state)
{
    (void)state;
    struct bucket b = {0};
    assert_false(bucket_take(&b, &rate, 6, NOW));
    assert_true(bucket_take(&b, &rate, 5, NOW));
}

struct taker {
    struct bucket_shared *bucket;
    unsigned taken;
};

static void *take_all(void *context)
{
    struct taker *t = context;
    const struct bucket_rate wide = {1, 100000};
    while (bucket_take_shared(t->bucket, &wide, 1, NOW))
        t->taken++;
    return NULL;
}

static void threads_that_share_one_take_what_is_there_and_no_more(void **state)
{
    (void)state;
    struct bucket_shared b = {0};
    struct taker takers[THREADS];
    pthread_t threads[THREADS];
    unsigned taken = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.bucket = &b};
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &takers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        taken += takers[i].taken;
    }
    assert_int_equal(taken, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_is_how_long_the_missing_tokens_need),
        cmocka_unit_test(what_is_spent_without_asking_is_owed),
        cmocka_unit_test(more_than_the_burst_is_never_there),
        cmocka_unit_test(threads_that_share_one_take_what_is_there_and_no_more),
    };
    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
