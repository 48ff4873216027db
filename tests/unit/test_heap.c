/* SPDX-License-Identifier: Apache-2.0 */
/* base/heap.c against a list that is looked through. */

#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NODES 300
#define STEPS 60000

static uint64_t seed = 1;

static unsigned below(unsigned bound)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % bound;
}

static void add(struct heap *h, struct heap_node *n, uint64_t at_us)
{
    assert_int_equal(heap_reserve(h), 0);
    heap_set(h, n, at_us);
}

static uint64_t earliest(const struct heap_node *nodes, const bool *in)
{
    uint64_t at_us = UINT64_MAX;
    for (unsigned i = 0; i < NODES; i++)
        if (in[i] && nodes[i].at_us < at_us)
            at_us = nodes[i].at_us;
    return at_us;
}

/* Few different times, so that many are equal. */
static void first_is_the_earliest_whatever_is_added_moved_and_removed(void **state)
{
    (void)state;
    static const unsigned spans[] = {8, 1000000};
    for (unsigned round = 0; round < sizeof(spans) / sizeof(spans[0]); round++) {
        struct heap h = {0};
        struct heap_node nodes[NODES] = {0};
        bool in[NODES] = {false};
        size_t count = 0;
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned i = below(NODES);
            if (in[i] && below(3) == 0) {
                heap_remove(&h, &nodes[i]);
                in[i] = false;
                count--;
            } else {
                count += !in[i];
                in[i] = true;
                add(&h, &nodes[i], below(spans[round]));
            }
            assert_int_equal(h.count, count);
            if (count)
                assert_int_equal(heap_first(&h)->at_us, earliest(nodes, in));
            else
                assert_null(heap_first(&h));
        }
        heap_fini(&h);
    }
}

static void nodes_leave_in_the_order_of_their_deadlines(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node nodes[NODES] = {0};
    for (unsigned i = 0; i < NODES; i++)
        add(&h, &nodes[i], below(1000));
    uint64_t last_us = 0;
    for (unsigned i = 0; i < NODES; i++) {
        struct heap_node *n = heap_first(&h);
        assert_true(n->at_us >= last_us);
        last_us = n->at_us;
        heap_remove(&h, n);
        assert_int_equal(n->place, 0);
    }
    assert_null(heap_first(&h));
    heap_fini(&h);
}

static void removing_what_is_in_no_heap_changes_nothing(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node in = {0}, out = {0};
    heap_remove(&h, &out);
    add(&h, &in, 7);
    heap_remove(&h, &out);
    assert_ptr_equal(heap_first(&h), &in);
    heap_remove(&h, &in);
    heap_remove(&h, &in);
    assert_null(heap_first(&h));
    heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_is_the_earliest_whatever_is_added_moved_and_removed),
        cmocka_unit_test(nodes_leave_in_the_order_of_their_deadlines),
        cmocka_unit_test(removing_what_is_in_no_heap_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
