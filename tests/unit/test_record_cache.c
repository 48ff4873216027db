/* SPDX-License-Identifier: Apache-2.0 */
/* node/records/record_cache: when records are written to disk, and that the last change is. The timer is the test's. */

#include "node/records/record_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static uv_timer_t *timer;
static uv_timer_cb fire; /* NULL: it is not armed */
static uint64_t now_ms, wait_ms;
static bool pool_refuses;

uint64_t __wrap_uv_now(const uv_loop_t *of);
int __wrap_uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout_ms, uint64_t repeat_ms);
int __real_uv_queue_work(uv_loop_t *on, uv_work_t *work, uv_work_cb cb, uv_after_work_cb after);
int __wrap_uv_queue_work(uv_loop_t *on, uv_work_t *work, uv_work_cb cb, uv_after_work_cb after);

uint64_t __wrap_uv_now(const uv_loop_t *of)
{
    (void)of;
    return now_ms;
}

int __wrap_uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout_ms, uint64_t repeat_ms)
{
    assert_int_equal(repeat_ms, 0);
    timer = handle;
    fire = cb;
    wait_ms = timeout_ms;
    return 0;
}

int __wrap_uv_queue_work(uv_loop_t *on, uv_work_t *work, uv_work_cb cb, uv_after_work_cb after)
{
    return pool_refuses ? UV_EINVAL : __real_uv_queue_work(on, work, cb, after);
}

static uv_loop_t loop;
static struct record_cache *cache;
static char folder[64];
static const char *record; /* the only one of the list */

static void on_list(void *context,
                    void (*visit)(void *to, uint64_t expiry_s, const struct record_bytes *bytes), void *to)
{
    static const uint8_t signature[IDENTITY_SIGNATURE_LEN];
    const struct record_bytes bytes = {{(const uint8_t *)record, strlen(record)},
                                       {signature, sizeof(signature)}};
    (void)context;
    visit(to, UINT64_MAX / 2, &bytes);
}

static int setup(void **state)
{
    const struct record_cache_config config = {.loop = &loop, .folder = folder, .list = on_list};
    (void)state;
    fire = NULL;
    pool_refuses = false;
    strcpy(folder, "/tmp/record-cache.XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(record_cache_new(&config, &cache), 0);
    return 0;
}

static int teardown(void **state)
{
    char path[80];
    (void)state;
    assert_int_equal(uv_loop_close(&loop), 0);
    snprintf(path, sizeof(path), "%s/records", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void change(const char *to)
{
    record = to;
    record_cache_changed(cache);
}

/* The time has come. What the pool does is not heard of before run(). */
static void pass(void)
{
    const uv_timer_cb cb = fire;
    assert_non_null(cb);
    fire = NULL;
    now_ms += wait_ms;
    cb(timer);
}

static void run(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void on_found(void *context, const struct record_bytes *bytes)
{
    unsigned *count = context;
    assert_int_equal(bytes->data.len, strlen(record));
    assert_memory_equal(bytes->data.data, record, strlen(record));
    (*count)++;
}

static bool is_on_disk(const char *what)
{
    unsigned count = 0;
    record = what;
    record_cache_read(folder, on_found, &count);
    return count == 1;
}

static void close_all(void)
{
    record_cache_close(cache);
    record = "nobody is asked any more";
    run();
}

static void change_is_written_soon_and_once(void **state)
{
    (void)state;
    change("first");
    assert_int_equal(wait_ms, 2000);
    pass();
    run();
    assert_true(is_on_disk("first"));
    assert_null(fire);
    close_all();
}

static void records_that_change_all_the_time_are_written_once_a_minute(void **state)
{
    (void)state;
    uint64_t begin_ms = now_ms;
    for (unsigned i = 0; i < 10; i++) {
        change(i % 2 ? "odd" : "even");
        pass();
        run();
        assert_true(is_on_disk(i % 2 ? "odd" : "even"));
        assert_int_equal(now_ms - begin_ms, 2000 + 60000ull * i);
    }
    now_ms += 3600000;
    change("after a long time");
    assert_int_equal(wait_ms, 2000);
    close_all();
}

static void change_before_the_end_is_written(void **state)
{
    (void)state;
    change("last");
    close_all();
    assert_true(is_on_disk("last"));
}

static void change_while_the_pool_writes_is_written_at_the_end(void **state)
{
    (void)state;
    change("first");
    pass();
    change("last");
    assert_null(fire);
    close_all();
    assert_true(is_on_disk("last"));
}

static void change_while_the_pool_writes_is_written_afterwards(void **state)
{
    (void)state;
    change("first");
    pass();
    change("second");
    run();
    pass();
    run();
    assert_true(is_on_disk("second"));
    close_all();
}

static void change_that_the_pool_did_not_take_is_tried_again(void **state)
{
    (void)state;
    pool_refuses = true;
    change("first");
    pass();
    pool_refuses = false;
    pass();
    run();
    assert_true(is_on_disk("first"));
    close_all();
}

static void change_that_the_pool_did_not_take_is_written_at_the_end(void **state)
{
    (void)state;
    pool_refuses = true;
    change("first");
    pass();
    pool_refuses = false;
    close_all();
    assert_true(is_on_disk("first"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(change_is_written_soon_and_once),
        TEST(records_that_change_all_the_time_are_written_once_a_minute),
        TEST(change_before_the_end_is_written),
        TEST(change_while_the_pool_writes_is_written_at_the_end),
        TEST(change_while_the_pool_writes_is_written_afterwards),
        TEST(change_that_the_pool_did_not_take_is_tried_again),
        TEST(change_that_the_pool_did_not_take_is_written_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
