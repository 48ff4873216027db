/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker_out: whom a question for an address reaches, whatever peers claim, and whom what is for everybody. Node 0
 * has two peers. */

#include "worker_lab.h"

#define NODES 3

struct trio {
    struct lab_node n[NODES];
};

static struct lab_frame question, other, got;

static int setup(void **state)
{
    static struct trio t;
    for (unsigned i = 0; i < NODES; i++)
        lab_node_open(&t.n[i]);
    for (unsigned i = 1; i < NODES; i++)
        lab_connect(&t.n[0], i, &t.n[i], 0, LAB_SIZE);
    for (unsigned i = 0; i < NODES; i++) {
        lab_publish(&t.n[i]);
        lab_node_start(&t.n[i], 0, false);
    }
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    for (unsigned i = 0; i < NODES; i++)
        lab_node_close(&((struct trio *)*state)->n[i]);
    return 0;
}

/* Host 9 at node 0 asks for 10.0.0.host. */
static void ask(struct trio *t, uint8_t host)
{
    lab_frame_make(&question, 0xff, 9, 42, 0);
    memcpy(question.data + 12, (uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 10);
    memcpy(question.data + 28, (uint8_t[]){10, 0, 0, 9}, 4);
    memcpy(question.data + 38, (uint8_t[]){10, 0, 0, host}, 4);
    lab_put(&t->n[0], &question);
}

static void claim(struct trio *t, uint32_t slot, uint8_t host)
{
    struct addr_prefix a = {.addr = {.family = 4, .ip = {10, 0, 0, host}}, .bits = 24};
    switch_claim(t->n[0].sw, slot, &a, 1, NULL, 0);
}

static void reaches(struct trio *t, unsigned node, const struct lab_frame *f)
{
    lab_get(&t->n[node], &got);
    lab_assert_same(f, &got);
}

/* What is for everybody comes next at a node that nothing else was sent to. */
static void nothing_else_reaches(struct trio *t, unsigned node)
{
    lab_frame_make(&other, 0xff, 9, 100, (uint8_t)(node + 1));
    lab_put(&t->n[0], &other);
    for (unsigned i = 1; i < NODES; i++)
        reaches(t, i, &other);
}

static void question_reaches_all(struct trio *t)
{
    for (unsigned i = 1; i < NODES; i++)
        reaches(t, i, &question);
}

static void a_question_goes_to_the_owner_alone_and_is_no_flood(void **state)
{
    struct trio *t = *state;
    claim(t, 2, 7);
    ask(t, 7);
    reaches(t, 2, &question);
    nothing_else_reaches(t, 1);
    assert_int_equal(lab_drops(&t->n[0]), 0);
    lab_await(&worker_counters(t->n[0].worker[0])->udp_tx_datagrams, 3);
    assert_int_equal(switch_floods(t->n[0].sw, 1).sent, 1); /* of the other frame */
    assert_int_equal(switch_floods(t->n[0].sw, 2).sent, 1);
}

static void a_question_for_an_address_of_nobody_or_of_two_reaches_all(void **state)
{
    struct trio *t = *state;
    ask(t, 8);
    question_reaches_all(t);
    claim(t, 1, 7);
    claim(t, 2, 7);
    ask(t, 7);
    question_reaches_all(t);
}

static void a_peer_that_claims_a_host_behind_another_costs_one_question(void **state)
{
    struct trio *t = *state;
    claim(t, 1, 7);
    ask(t, 7);
    reaches(t, 1, &question); /* which says nothing */
    ask(t, 7);
    question_reaches_all(t);
    lab_frame_make(&other, 9, 7, 60, 3);
    lab_put(&t->n[2], &other); /* the host answers … */
    reaches(t, 0, &other);
    lab_frame_make(&other, 7, 9, 60, 4);
    lab_put(&t->n[0], &other); /* … and is reached */
    reaches(t, 2, &other);
    nothing_else_reaches(t, 1);
}

static void a_question_for_an_owner_without_a_way_reaches_all(void **state)
{
    struct trio *t = *state;
    claim(t, 3, 7);
    ask(t, 7);
    question_reaches_all(t);
}

static void count_sought(void *context, const struct worker_event *e)
{
    if (e->kind == WORKER_EVENT_SOUGHT)
        ((unsigned *)context)[e->slot]++;
}

static unsigned sought(struct trio *t, uint32_t slot)
{
    unsigned counts[LAB_PEERS] = {0};
    lab_take_events(t->n[0].worker[0], count_sought, counts);
    return counts[slot];
}

/* Once for many frames. The frames go to all, as they would if nobody were known to be absent. */
static void control_is_told_whom_frames_seek_that_has_no_session(void **state)
{
    struct trio *t = *state;
    claim(t, 3, 7);
    ask(t, 7);
    question_reaches_all(t);
    assert_int_equal(sought(t, 3), 0);
    uint64_t from_us = clock_monotonic_us();
    switch_claim_absent(t->n[0].sw, 3);
    for (unsigned i = 0; i < 20; i++) {
        ask(t, 7);
        question_reaches_all(t);
    }
    uint64_t tenths = (clock_monotonic_us() - from_us) / (100 * USEC_PER_MSEC);
    assert_in_range(sought(t, 3), 1, tenths + 1);
}

static void control_is_told_whose_mac_frames_are_for(void **state)
{
    struct trio *t = *state;
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 5};
    switch_expect(t->n[0].sw, 2, mac);
    lab_frame_make(&other, 6, 9, 60, 1);
    lab_put(&t->n[0], &other);
    reaches(t, 1, &other);
    assert_int_equal(sought(t, 2), 0);
    lab_frame_make(&other, 5, 9, 60, 2);
    lab_put(&t->n[0], &other);
    reaches(t, 1, &other);
    assert_int_equal(sought(t, 2), 1);
}

/* Few reach one whose paths sleep, each of which fits one datagram; it is told what it did not get. */
static void what_is_for_everybody_reaches_all_that_are_awake(void **state)
{
    struct trio *t = *state;
    const unsigned count = FLOODS_FEW_SENT + 20;
    t->n[0].sleeps[1] = true;
    lab_publish(&t->n[0]);
    lab_frame_make(&other, 0xff, 9, LAB_SIZE, 0);
    lab_put(&t->n[0], &other);
    reaches(t, 2, &other);
    for (unsigned i = 1; i < count; i++) {
        lab_frame_make(&other, 0xff, 9, 100, (uint8_t)i);
        lab_put(&t->n[0], &other);
        reaches(t, 2, &other);
        if (i < FLOODS_FEW_SENT)
            reaches(t, 1, &other);
    }
    const struct flood_counts counts = switch_floods(t->n[0].sw, 1);
    assert_in_range(counts.withheld, 2, 1 + 20);
    assert_int_equal(counts.withheld, lab_count(&t->n[0], DROP_ASLEEP));
    assert_int_equal(counts.sent + counts.withheld, count);
    assert_int_equal(switch_floods(t->n[0].sw, 2).sent, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_question_goes_to_the_owner_alone_and_is_no_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(a_question_for_an_address_of_nobody_or_of_two_reaches_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_claims_a_host_behind_another_costs_one_question, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_question_for_an_owner_without_a_way_reaches_all, setup, teardown),
        cmocka_unit_test_setup_teardown(control_is_told_whom_frames_seek_that_has_no_session, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(control_is_told_whose_mac_frames_are_for, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_for_everybody_reaches_all_that_are_awake, setup, teardown),
    };
    return cmocka_run_group_tests_name("worker_ask", tests, NULL, NULL);
}
