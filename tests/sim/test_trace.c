/* SPDX-License-Identifier: Apache-2.0 */
/* A simulation is a function of its seed: keys, handshakes, weather, every byte. sim_trace SEED prints what that one comes
 * to: the same on every architecture (tools/check.py). */

#include "base/clock.h"
#include "sim.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC

static const struct sim_weather stormy = {
    .delay_us = 20000, .jitter_us = 15000, .loss = 0.2, .duplicate = 0.05, .uplink_us = 40000};

static void exchange(void *context)
{
    struct sim_node **nodes = context;
    sim_send_frame(nodes[0], nodes[1], 100);
    sim_send_frame(nodes[1], nodes[0], 100);
}

/* With AES whatever the CPU has: what is sent is not the machine's matter. */
static struct sim_node *add_node(struct sim *sim)
{
    struct sim_node *n = sim_add(sim, true, 2 * SECOND, 9 * SECOND);
    n->aead = AEAD_AES_ALONE;
    sim_start_anew(n);
    return n;
}

/* Both dial; keys change, streams break, one moves, one is killed. */
static uint64_t trace_of(uint64_t seed, bool both_dial)
{
    struct sim *sim = sim_new(seed, &stormy);
    struct sim_node *nodes[] = {add_node(sim), add_node(sim)};
    sim_connect(nodes[0], nodes[1], NULL);
    if (both_dial)
        sim_connect(nodes[1], nodes[0], NULL);
    sim_run(sim, 12 * SECOND, exchange, nodes);
    assert_true(sim_connected(nodes[0], nodes[1]));
    sim_cut_streams(sim);
    sim_run(sim, 3 * SECOND, exchange, nodes);
    sim_move(nodes[0]);
    sim_run(sim, 3 * SECOND, exchange, nodes);
    sim_kill(nodes[1]);
    sim_run(sim, 1 * SECOND, exchange, nodes);
    sim_restart(nodes[1]);
    sim_run(sim, 10 * SECOND, exchange, nodes);
    uint64_t trace = sim_trace(sim);
    sim_free(sim);
    return trace;
}

/* By uplinks, straight, by uplinks again; one goes and returns; datagrams overtake each other there. */
static uint64_t trace_of_uplinks(uint64_t seed)
{
    struct sim *sim = sim_new(seed, &stormy);
    struct sim_node *nodes[] = {add_node(sim), add_node(sim)};
    sim_backbone(sim)->reorders = true;
    nodes[0]->shut = nodes[1]->shut = true;
    sim_uplink(nodes[0], true);
    sim_uplink(nodes[1], true);
    sim_want(nodes[0], nodes[1]);
    sim_run(sim, 5 * SECOND, exchange, nodes);
    assert_true(sim_connected(nodes[0], nodes[1]));
    for (unsigned i = 0; i < 4; i++) {
        nodes[0]->shut = nodes[1]->shut = i % 2;
        sim_uplink(nodes[0], i != 2);
        sim_run(sim, 7 * SECOND, exchange, nodes);
    }
    uint64_t trace = sim_trace(sim);
    sim_free(sim);
    return trace;
}

static void the_same_seed_gives_the_same_bytes_at_the_same_times(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 4; seed++)
        for (int both_dial = 0; both_dial < 2; both_dial++)
            assert_int_equal(trace_of(seed, both_dial), trace_of(seed, both_dial));
    for (uint64_t seed = 1; seed < 4; seed++)
        assert_int_equal(trace_of_uplinks(seed), trace_of_uplinks(seed));
}

static void another_seed_gives_others(void **state)
{
    (void)state;
    assert_int_not_equal(trace_of(1, true), trace_of(2, true));
    assert_int_not_equal(trace_of_uplinks(1), trace_of_uplinks(2));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes_at_the_same_times),
        cmocka_unit_test(another_seed_gives_others),
    };
    if (argc == 1)
        return cmocka_run_group_tests(tests, NULL, NULL);
    uint64_t seed = strtoull(argv[1], NULL, 10);
    printf("%016" PRIx64 " %016" PRIx64 "\n", trace_of(seed, true), trace_of_uplinks(seed));
    return 0;
}
