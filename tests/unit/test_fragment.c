/* SPDX-License-Identifier: Apache-2.0 */
/* proto/session/fragment: frames come back whole from parts in any order; contradictions, gaps and floods cost
 * bounded memory and no frame of anybody else. */

#include "proto/session/fragment.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define RECEIVER 0x11223344u
#define LEN      3000

struct fixture {
    struct fragment_table *table;
    uint8_t frame[WIRE_FRAME_MAX];
    uint64_t now;
    uint8_t *whole;
    size_t whole_len;
    struct fragment_lost lost;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    unsigned seed = 1;

    assert_non_null(x);
    for (size_t i = 0; i < sizeof(x->frame); i++)
        x->frame[i] = (uint8_t)rand_r(&seed);
    x->now = 1000;
    assert_int_equal(fragment_table_new(4, &x->table), 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    fragment_table_free(x->table);
    free(x);
    return 0;
}

static enum drop add_from(struct fixture *x, uint32_t receiver, uint16_t group, size_t offset, size_t len,
                          size_t total)
{
    const struct wire_inner in = {.flags = WIRE_FLAG_FRAGMENT,
                                  .group = group,
                                  .frag_offset = (uint16_t)offset,
                                  .frag_total = (uint16_t)total};
    return fragment_add(x->table, receiver, 0, &in, x->frame + offset, len, x->now, &x->whole, &x->whole_len,
                        &x->lost);
}

static enum drop add(struct fixture *x, uint16_t group, size_t offset, size_t len, size_t total)
{
    return add_from(x, RECEIVER, group, offset, len, total);
}

static void assert_incomplete(struct fixture *x, enum drop drop)
{
    assert_int_equal(drop, DROP_NONE);
    assert_null(x->whole);
}

static void assert_whole(struct fixture *x, enum drop drop, size_t total)
{
    assert_int_equal(drop, DROP_NONE);
    assert_non_null(x->whole);
    assert_int_equal(x->whole_len, total);
    assert_memory_equal(x->whole, x->frame, total);
}

static void plan_cuts_equal_parts_that_fit(void **state)
{
    (void)state;
    for (size_t len = 1; len <= WIRE_FRAME_MAX; len++) {
        for (size_t room = 142; room < 1500; room += 97) {
            size_t part;
            unsigned parts = fragment_plan(len, room, &part);
            assert_true(part <= room);
            assert_true((parts - 1) * part < len && len <= parts * part);
            assert_true((size_t)(parts - 1) * room < len); /* no more than needed */
        }
    }
}

static void plan_refuses_what_cannot_be_cut(void **state)
{
    (void)state;
    size_t part;

    assert_int_equal(fragment_plan(0, 1000, &part), 0);
    assert_int_equal(fragment_plan(100, 0, &part), 0);
    assert_int_equal(fragment_plan(WIRE_FRAME_MAX + 1, 1000, &part), 0);
    assert_int_equal(fragment_plan(65, 1, &part), 0);
    assert_int_equal(fragment_plan(64, 1, &part), 64);
}

static void parts_in_order_make_the_frame(void **state)
{
    struct fixture *x = *state;

    assert_incomplete(x, add(x, 1, 0, 1000, LEN));
    assert_incomplete(x, add(x, 1, 1000, 1000, LEN));
    assert_whole(x, add(x, 1, 2000, 1000, LEN), LEN);
}

static void parts_in_any_order_make_the_frame(void **state)
{
    struct fixture *x = *state;
    const size_t order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const size_t part = 1100, total = 2500;

    for (uint16_t i = 0; i < 6; i++) {
        for (int k = 0; k < 3; k++) {
            size_t offset = order[i][k] * part, len = order[i][k] == 2 ? total - 2 * part : part;
            enum drop drop = add(x, i, offset, len, total);
            if (k < 2)
                assert_incomplete(x, drop);
            else
                assert_whole(x, drop, total);
        }
    }
}

static void every_planned_cut_is_rebuilt(void **state)
{
    struct fixture *x = *state;
    unsigned seed = 3;

    for (int i = 0; i < 20000; i++) {
        size_t part, len = 1 + (size_t)rand_r(&seed) % WIRE_FRAME_MAX,
                     room = 142 + (size_t)rand_r(&seed) % 9000;
        unsigned parts = fragment_plan(len, room, &part);
        unsigned first = (unsigned)rand_r(&seed) % parts;
        for (unsigned k = 0; k < parts; k++) {
            size_t offset = (first + k) % parts * part;
            enum drop drop = add(x, (uint16_t)i, offset, len - offset < part ? len - offset : part, len);
            if (k + 1 < parts)
                assert_incomplete(x, drop);
            else
                assert_whole(x, drop, len);
        }
    }
}

static void repeated_part_is_ignored(void **state)
{
    struct fixture *x = *state;

    assert_incomplete(x, add(x, 1, 2000, 1000, LEN));
    assert_incomplete(x, add(x, 1, 2000, 1000, LEN));
    assert_incomplete(x, add(x, 1, 0, 1000, LEN));
    assert_incomplete(x, add(x, 1, 0, 1000, LEN));
    assert_whole(x, add(x, 1, 1000, 1000, LEN), LEN);
}

static void frames_of_other_lanes_sessions_and_groups_do_not_mix(void **state)
{
    struct fixture *x = *state;

    assert_incomplete(x, add(x, 1, 0, 1500, LEN));
    assert_incomplete(x, add(x, 2, 1500, 1500, LEN));
    assert_incomplete(x, add_from(x, RECEIVER + 1, 1, 1500, 1500, LEN));
    const struct wire_inner in = {
        .flags = WIRE_FLAG_FRAGMENT, .group = 1, .frag_offset = 1500, .frag_total = LEN};
    assert_incomplete(x, fragment_add(x->table, RECEIVER, 1, &in, x->frame + 1500, 1500, x->now, &x->whole,
                                      &x->whole_len, &x->lost));
    assert_whole(x, add(x, 1, 1500, 1500, LEN), LEN);
}

/* Begins a frame of 1000-byte parts, adds one hostile part, then all others: nothing may come out. */
static void assert_spoils(struct fixture *x, size_t offset, size_t len, size_t total)
{
    assert_incomplete(x, add(x, 1, 0, 1000, LEN));
    assert_int_equal(add(x, 1, offset, len, total), DROP_FRAGMENT);
    assert_null(x->whole);
    for (size_t at = 0; at < LEN; at += 1000) {
        assert_int_equal(add(x, 1, at, 1000, LEN), DROP_FRAGMENT);
        assert_null(x->whole);
    }
    x->now += FRAGMENT_TIMEOUT_US;
}

static void contradicting_part_spoils_its_frame(void **state)
{
    struct fixture *x = *state;

    assert_spoils(x, 1000, 1000, LEN + 1); /* another length of the frame */
    assert_spoils(x, 500, 1000, LEN);      /* overlap */
    assert_spoils(x, 1000, 999, LEN);      /* another part size */
    assert_spoils(x, 1001, 1000, LEN);     /* off the grid */
    assert_spoils(x, 1500, 1500, LEN);     /* a last part that overlaps the one before */
    assert_spoils(x, 2999, 1, LEN);        /* a last part that leaves a gap */
    assert_spoils(x, 0, LEN, LEN);         /* the whole frame, though it was cut */
}

static void repeated_part_with_other_bytes_spoils_its_frame(void **state)
{
    struct fixture *x = *state;

    assert_incomplete(x, add(x, 1, 0, 1000, LEN));
    x->frame[999] ^= 1;
    assert_int_equal(add(x, 1, 0, 1000, LEN), DROP_FRAGMENT);
    assert_int_equal(add(x, 1, 1000, 1000, LEN), DROP_FRAGMENT);
}

static void last_part_first_must_agree_with_the_rest(void **state)
{
    struct fixture *x = *state;

    for (uint16_t g = 10; g < 14; g++)
        assert_incomplete(x, add(x, g, 0, 1500, LEN));
    for (uint16_t g = 10; g < 14;
         g++) /* leaves the frame's bytes in every slot: they must not stand in for it */
        assert_whole(x, add(x, g, 1500, 1500, LEN), LEN);
    assert_incomplete(x, add(x, 1, 2900, 100, LEN));
    assert_int_equal(add(x, 1, 0, 1000, LEN), DROP_FRAGMENT);
    assert_incomplete(x, add(x, 2, 2900, 100, LEN));
    assert_int_equal(add(x, 2, 2500, 500, LEN), DROP_FRAGMENT);
    assert_incomplete(x, add(x, 3, 2900, 100, LEN));
    assert_int_equal(add(x, 3, 0, LEN, LEN), DROP_FRAGMENT);
}

static void parts_outside_a_frame_are_refused(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(add(x, 1, 0, 0, LEN), DROP_FRAGMENT);
    assert_int_equal(add(x, 1, LEN, 1, LEN), DROP_FRAGMENT);
    assert_int_equal(add(x, 1, 2500, 501, LEN), DROP_FRAGMENT);
    assert_int_equal(add(x, 1, 0, 100, 0), DROP_FRAGMENT);
    assert_int_equal(add(x, 1, 0, 1000, WIRE_FRAME_MAX + 1), DROP_FRAGMENT);
}

static void crumbs_are_refused(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(add(x, 1, 0, 1, LEN), DROP_FRAGMENT);
    assert_incomplete(x, add(x, 2, 0, 47, LEN)); /* 64 parts */
    assert_int_equal(add(x, 3, 0, 46, LEN), DROP_FRAGMENT);
}

static void incomplete_frame_times_out(void **state)
{
    struct fixture *x = *state;

    assert_incomplete(x, add(x, 1, 0, 1500, LEN));
    x->now += FRAGMENT_TIMEOUT_US - 1;
    assert_incomplete(x, add(x, 2, 0, 1500, LEN));
    assert_int_equal(x->lost.timeout, 0);
    x->now += 1;
    assert_incomplete(x, add(x, 1, 1500, 1500, LEN)); /* too late: begins anew */
    assert_int_equal(x->lost.timeout, 1);
    assert_int_equal(x->lost.space, 0);
    assert_whole(x, add(x, 2, 1500, 1500, LEN), LEN);
}

static void full_table_gives_up_the_oldest_frame(void **state)
{
    struct fixture *x = *state;

    for (uint16_t g = 0; g < 4; g++)
        assert_incomplete(x, add_from(x, RECEIVER + g, g, 0, 1500, LEN));
    assert_int_equal(x->lost.space, 0);
    assert_incomplete(x, add_from(x, RECEIVER + 4, 4, 0, 1500, LEN));
    assert_int_equal(x->lost.space, 1);
    assert_int_equal(x->lost.timeout, 0);
    for (uint16_t g = 1; g < 5; g++)
        assert_whole(x, add_from(x, RECEIVER + g, g, 1500, 1500, LEN), LEN);
}

static void flood_of_one_receiver_leaves_the_others_their_slots(void **state)
{
    struct fixture *x = *state;

    assert_incomplete(x, add_from(x, RECEIVER, 1, 0, 1500, LEN));
    for (uint16_t g = 0; g < 1000; g++)
        assert_incomplete(x, add_from(x, RECEIVER + 1, g, 0, 1500, LEN));
    assert_whole(x, add_from(x, RECEIVER, 1, 1500, 1500, LEN), LEN);
}

static void group_that_came_round_meets_no_old_part(void **state)
{
    struct fixture *x = *state;

    assert_incomplete(x, add(x, 7, 0, 1500, LEN));
    for (uint32_t g = 8; g < 8 + 65535; g++) { /* faster than the timeout */
        assert_incomplete(x, add(x, (uint16_t)g, 0, 1500, LEN));
        assert_whole(x, add(x, (uint16_t)g, 1500, 1500, LEN), LEN);
    }
    assert_incomplete(x, add(x, 7, 1500, 1500, LEN));
}

static void new_table_wants_slots(void **state)
{
    (void)state;
    struct fragment_table *t;

    assert_int_equal(fragment_table_new(0, &t), ERR_ARGUMENT);
    assert_null(t);
    fragment_table_free(NULL);
}

#define fragment_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_cuts_equal_parts_that_fit),
        cmocka_unit_test(plan_refuses_what_cannot_be_cut),
        cmocka_unit_test(new_table_wants_slots),
        fragment_test(parts_in_order_make_the_frame),
        fragment_test(parts_in_any_order_make_the_frame),
        fragment_test(every_planned_cut_is_rebuilt),
        fragment_test(repeated_part_is_ignored),
        fragment_test(frames_of_other_lanes_sessions_and_groups_do_not_mix),
        fragment_test(contradicting_part_spoils_its_frame),
        fragment_test(repeated_part_with_other_bytes_spoils_its_frame),
        fragment_test(last_part_first_must_agree_with_the_rest),
        fragment_test(parts_outside_a_frame_are_refused),
        fragment_test(crumbs_are_refused),
        fragment_test(incomplete_frame_times_out),
        fragment_test(full_table_gives_up_the_oldest_frame),
        fragment_test(flood_of_one_receiver_leaves_the_others_their_slots),
        fragment_test(group_that_came_round_meets_no_old_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
