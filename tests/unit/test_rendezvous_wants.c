/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked up at the backbone, and that what was seen of an id outlives the want, within a limit. */
#include "node/rendezvous/rendezvous_wants.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START (1000 * USEC_PER_SEC)

static struct node_id id_of(unsigned number)
{
    return (struct node_id){.bytes = {(uint8_t)(number >> 8), (uint8_t)number}};
}

static void add(struct wants *w, unsigned number, uint64_t now_us)
{
    struct node_id id = id_of(number);
    wants_add(w, &id, now_us);
}

static void forget(struct wants *w, unsigned number, uint64_t now_us)
{
    struct node_id id = id_of(number);
    wants_forget(w, &id, now_us);
}

static struct want *find(const struct wants *w, unsigned number)
{
    struct node_id id = id_of(number);
    return wants_find(w, &id);
}

static void wanted_id_is_due_at_once_and_a_forgotten_one_never(void **state)
{
    (void)state;
    struct wants w = {0};
    assert_int_equal(wants_next(&w), TIME_NEVER);
    add(&w, 1, START);
    assert_int_equal(wants_next(&w), START);
    struct want *due = wants_due(&w, NULL, START);
    assert_ptr_equal(due, find(&w, 1));
    assert_null(wants_due(&w, due, START));
    forget(&w, 1, START);
    assert_null(find(&w, 1));
    assert_null(wants_due(&w, NULL, START));
    wants_hurry(&w, START);
    assert_null(wants_due(&w, NULL, START));
    assert_int_equal(wants_next(&w), TIME_NEVER);
    assert_int_equal(w.wanted, 0);
    forget(&w, 1, START); /* again */
    assert_int_equal(w.wanted, 0);
    wants_fini(&w);
}

static void wanting_again_starts_anew_within_a_second(void **state)
{
    (void)state;
    struct wants w = {0};
    add(&w, 1, START);
    find(&w, 1)->next_us = START + 60 * USEC_PER_SEC;
    add(&w, 1, START + 5);
    assert_int_equal(find(&w, 1)->since_us, START + 5);
    assert_int_equal(wants_next(&w), START + 5 + USEC_PER_SEC);
    assert_int_equal(w.wanted, 1);
    wants_fini(&w);
}

static void seq_outlives_the_want(void **state)
{
    (void)state;
    struct wants w = {0};
    add(&w, 1, START);
    find(&w, 1)->seq = 7;
    forget(&w, 1, START);
    for (unsigned i = 2; i < 3000; i++) {
        add(&w, i, START + i);
        forget(&w, i, START + i);
    }
    add(&w, 1, START);
    assert_int_equal(find(&w, 1)->seq, 7);
    wants_fini(&w);
}

static void ids_beyond_the_limit_are_not_wanted(void **state)
{
    (void)state;
    struct wants w = {0};
    for (unsigned i = 0; i < WANTS_WANTED_MAX + 10; i++)
        add(&w, i, START);
    assert_int_equal(w.wanted, WANTS_WANTED_MAX);
    assert_non_null(find(&w, WANTS_WANTED_MAX - 1));
    assert_null(find(&w, WANTS_WANTED_MAX));
    forget(&w, 0, START);
    add(&w, WANTS_WANTED_MAX, START);
    assert_non_null(find(&w, WANTS_WANTED_MAX));
    wants_fini(&w);
}

static void longest_forgotten_id_makes_room(void **state)
{
    (void)state;
    struct wants w = {0};
    for (unsigned i = 0; i < WANTS_KNOWN_MAX; i++) {
        add(&w, i, START);
        find(&w, i)->seq = 9;
        if (i > 0)
            forget(&w, i, START + i);
    }
    assert_int_equal(w.count, WANTS_KNOWN_MAX);
    add(&w, WANTS_KNOWN_MAX, 2 * START);
    assert_int_equal(find(&w, WANTS_KNOWN_MAX)->seq, 0);
    assert_int_equal(w.count, WANTS_KNOWN_MAX);
    assert_int_equal(find(&w, 0)->seq, 9); /* wanted all the time */
    add(&w, 2, 2 * START);
    assert_int_equal(find(&w, 2)->seq, 9);
    add(&w, 1, 2 * START);
    assert_int_equal(find(&w, 1)->seq, 0); /* the one that made room */
    wants_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wanted_id_is_due_at_once_and_a_forgotten_one_never),
        cmocka_unit_test(wanting_again_starts_anew_within_a_second),
        cmocka_unit_test(seq_outlives_the_want),
        cmocka_unit_test(ids_beyond_the_limit_are_not_wanted),
        cmocka_unit_test(longest_forgotten_id_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
