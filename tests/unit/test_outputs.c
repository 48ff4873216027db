/* SPDX-License-Identifier: Apache-2.0 */
/* proto/mesh/outputs: in order, the tables first, and what was promised room gets it when there is no memory. */

#include "proto/mesh/outputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool no_memory;

void *__real_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size);

void *__wrap_realloc(void *at, size_t size)
{
    return no_memory ? NULL : __real_realloc(at, size);
}

static int put(struct outputs *q, uint64_t conn, const char *text)
{
    const struct mesh_output o = {.kind = MESH_OUTPUT_STREAM_SEND, .conn = conn};
    return outputs_put(q, &o, text, strlen(text));
}

static void expect(struct outputs *q, enum mesh_output_kind kind, uint64_t conn)
{
    const struct mesh_output *o = outputs_take(q);
    assert_non_null(o);
    assert_int_equal(o->kind, kind);
    assert_int_equal(o->conn, conn);
}

static void outputs_come_in_order_with_bytes_of_their_own(void **state)
{
    (void)state;
    struct outputs q = {0};
    char text[] = "first";
    assert_int_equal(put(&q, 1, text), 0);
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(put(&q, 2, "second"), 0);
    const struct mesh_output *o = outputs_take(&q);
    assert_int_equal(o->conn, 1);
    assert_int_equal(o->len, 5);
    assert_memory_equal(o->payload, "first", 5);
    expect(&q, MESH_OUTPUT_STREAM_SEND, 2);
    assert_null(outputs_take(&q));
    outputs_fini(&q);
}

static void expect_publish(struct outputs *q, uint32_t slot)
{
    const struct mesh_output *o = outputs_take(q);
    assert_non_null(o);
    assert_int_equal(o->kind, MESH_OUTPUT_PUBLISH);
    assert_int_equal(o->slot, slot);
}

static void peers_that_changed_come_before_all_that_waits_and_once(void **state)
{
    (void)state;
    struct outputs q = {0};
    assert_int_equal(put(&q, 1, "a"), 0);
    outputs_publish(&q, 7);
    outputs_publish(&q, 0);
    outputs_publish(&q, 7);
    expect_publish(&q, 7);
    expect_publish(&q, 0);
    assert_int_equal(put(&q, 2, "b"), 0);
    expect(&q, MESH_OUTPUT_STREAM_SEND, 1);
    outputs_publish(&q, 7);
    expect_publish(&q, 7);
    expect(&q, MESH_OUTPUT_STREAM_SEND, 2);
    assert_null(outputs_take(&q));
    outputs_fini(&q);
}

static void promise_is_kept_without_memory(void **state)
{
    (void)state;
    struct outputs q = {0};
    const unsigned promises = 100;
    uint64_t waiting = 0;
    assert_int_equal(outputs_promise(&q, promises), 0);
    no_memory = true;
    while (put(&q, ++waiting, "fills what is left") == 0)
        assert_true(waiting < 10000);
    assert_int_not_equal(outputs_promise(&q, 1), 0);
    for (unsigned i = 0; i < promises; i++)
        outputs_keep(&q, &(struct mesh_output){.kind = MESH_OUTPUT_STREAM_CLOSE, .conn = i});
    no_memory = false;
    for (uint64_t i = 1; i < waiting; i++)
        expect(&q, MESH_OUTPUT_STREAM_SEND, i);
    for (unsigned i = 0; i < promises; i++)
        expect(&q, MESH_OUTPUT_STREAM_CLOSE, i);
    assert_null(outputs_take(&q));
    outputs_fini(&q);
}

static void room_is_used_again(void **state)
{
    (void)state;
    struct outputs q = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(put(&q, 2 * i, "x"), 0);
        assert_int_equal(put(&q, 2 * i + 1, "y"), 0);
        if (i)
            expect(&q, MESH_OUTPUT_STREAM_SEND, 2 * i - 1);
        expect(&q, MESH_OUTPUT_STREAM_SEND, 2 * i);
    }
    assert_true(q.cap <= 64);
    outputs_fini(&q);
}

static void what_still_waits_is_freed_at_the_end(void **state)
{
    (void)state;
    struct outputs q = {0};
    outputs_fini(&q);
    assert_int_equal(put(&q, 1, "never taken"), 0);
    assert_int_equal(put(&q, 2, "nor this"), 0);
    expect(&q, MESH_OUTPUT_STREAM_SEND, 1);
    outputs_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_come_in_order_with_bytes_of_their_own),
        cmocka_unit_test(peers_that_changed_come_before_all_that_waits_and_once),
        cmocka_unit_test(promise_is_kept_without_memory),
        cmocka_unit_test(room_is_used_again),
        cmocka_unit_test(what_still_waits_is_freed_at_the_end),
    };
    return cmocka_run_group_tests_name("outputs", tests, NULL, NULL);
}
