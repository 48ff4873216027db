/* SPDX-License-Identifier: Apache-2.0 */
/* A node says something to everybody, and the paths to all of them sleep: which wake, and when. Times are virtual. */

#include "base/clock.h"
#include "proto/peer/flood_watch.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SECOND   USEC_PER_SEC
#define SLEEPERS 220
#define A_SECOND ((unsigned)(SECOND / FLOOD_WAKE_US)) /* so many are woken in one */
#define SEEN_US  10000                                /* how late a test sees it */

/* One node and many others, all with uplinks. */
struct crowd {
    struct sim *sim;
    struct sim_node *node, *others[SLEEPERS];
    uint64_t woke_us[SLEEPERS]; /* in their order */
    unsigned awake, listening;  /* at the node's end, and at theirs */
};

static unsigned awake(const struct sim_node *n)
{
    unsigned count = 0;
    for (size_t i = 0; i < n->out_count; i++)
        count += n->out[i].has_path && !n->out[i].sleeps;
    return count;
}

static struct sim_node *add(struct sim *sim, bool is_public)
{
    struct sim_node *n = sim_add(sim, is_public, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    n->quiet_us = 5 * SECOND;
    sim_start_anew(n);
    sim_uplink(n, true);
    return n;
}

static int setup(void **state)
{
    static const struct sim_weather weather = {.delay_us = 5000, .uplink_us = 30000};
    static struct crowd c;
    c = (struct crowd){.sim = sim_new(1, &weather)};
    c.node = add(c.sim, true);
    for (unsigned i = 0; i < SLEEPERS; i++) {
        c.others[i] = add(c.sim, false);
        sim_connect(c.others[i], c.node, NULL);
        sim_run(c.sim, SECOND / 100, NULL, NULL);
    }
    sim_run(c.sim, 20 * SECOND, NULL, NULL);
    assert_int_equal(c.node->out_count, SLEEPERS);
    assert_int_equal(awake(c.node), 0);
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    sim_free(((struct crowd *)*state)->sim);
    return 0;
}

/* Those who listen have been woken by what came, and so after the node woke its own end. */
static void look(void *context)
{
    struct crowd *c = context;
    unsigned now = awake(c->node), listening = 0;
    for (unsigned i = 0; i < SLEEPERS; i++)
        listening += awake(c->others[i]) > 0;
    while (c->awake < now && c->awake < SLEEPERS)
        c->woke_us[c->awake++] = sim_now(c->sim);
    c->listening = listening;
    assert_true(listening <= now);
}

static void flood_for(struct crowd *c, uint64_t every_us, uint64_t for_us)
{
    for (uint64_t end = sim_now(c->sim) + for_us; sim_now(c->sim) < end;) {
        sim_flood(c->node);
        sim_run(c->sim, every_us, look, c);
    }
}

static void a_burst_of_a_few_wakes_nobody_and_reaches_all(void **state)
{
    struct crowd *c = *state;
    for (unsigned i = 0; i < FLOODS_FEW_SENT; i++)
        sim_flood(c->node);
    sim_run(c->sim, SECOND, look, c);
    for (unsigned i = 0; i < SLEEPERS; i++)
        assert_int_equal(c->others[i]->frames_received, FLOODS_FEW_SENT);
    flood_for(c, FLOODS_FEW_US, 10 * SECOND);
    assert_int_equal(c->awake + c->listening, 0);
    assert_int_equal(c->node->drops[DROP_ASLEEP], 0);
    sim_run(c->sim, FLOODS_FEW_BURST * FLOODS_FEW_US, NULL, NULL);
}

/* Behind the one above. */
static void a_flood_wakes_one_after_the_other(void **state)
{
    struct crowd *c = *state;
    uint64_t begin = sim_now(c->sim), sent = c->node->frames_sent;
    for (unsigned i = 0; i < 2 * FLOODS_FEW_SENT; i++)
        sim_flood(c->node);
    assert_int_equal(c->node->frames_sent - sent, (uint64_t)FLOODS_FEW_SENT * SLEEPERS);
    assert_int_equal(c->node->drops[DROP_ASLEEP], (uint64_t)FLOODS_FEW_SENT * SLEEPERS);
    for (unsigned s = 1; c->awake < SLEEPERS; s++) {
        assert_in_range(s, 1, SLEEPERS / A_SECOND + 1);
        sent = c->node->frames_sent;
        flood_for(c, SECOND / 10, SECOND);
        uint64_t few = SLEEPERS * SECOND / FLOODS_FEW_US;
        assert_in_range(c->node->frames_sent - sent, 1, few + (uint64_t)10 * c->awake);
    }
    for (unsigned i = A_SECOND; i < SLEEPERS; i++)
        assert_true(c->woke_us[i] - c->woke_us[i - A_SECOND] >= SECOND - 2 * SEEN_US);
    assert_true(c->woke_us[SLEEPERS - 1] - begin <= SLEEPERS * FLOOD_WAKE_US + SECOND);
}

/* Behind the one above. */
static void all_who_listen_wake_too_and_nothing_is_withheld_then(void **state)
{
    struct crowd *c = *state;
    flood_for(c, SECOND / 10, 12 * SECOND);
    assert_int_equal(c->listening, SLEEPERS);
    uint64_t lost = c->node->drops[DROP_ASLEEP];
    flood_for(c, SECOND / 10, SECOND);
    assert_int_equal(c->node->drops[DROP_ASLEEP], lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_a_few_wakes_nobody_and_reaches_all),
        cmocka_unit_test(a_flood_wakes_one_after_the_other),
        cmocka_unit_test(all_who_listen_wake_too_and_nothing_is_withheld_then),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
