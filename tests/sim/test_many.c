/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of nodes: until each pair of their lists has a session, first by the directory alone, then after all were killed and
 * started at once; what anyone sees of it in one second; what idle members do and hold. `sim_many NODES`, or MANY_NODES, is for
 * so many: 5,000 live twice, which takes minutes and 4 GB. docs/SCALE.md. */

#include "base/clock.h"
#include "many.h"
#include "proto/peer/dial_turns.h"
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND     USEC_PER_SEC
#define SEED       11
#define FEW        240
#define MANY       5000
#define TWICE      20
#define STEP_US    (SECOND / 10)
#define PINGS      200
#define PING_TRIES 5

/* In any second, of any node, however many there are. */
#define DIALS_MOST (DIAL_TURNS_WINDOW_MAX * 10 + DIAL_TURNS_TRYING_MAX)
#define ASKS_MOST  26 /* 16 members at once and 8 a second; itself */
/* In a whole start, of all. */
#define STEPS_OF_PAIR    8   /* of one handshake, at both ends */
#define STEPS_PERCENT    150 /* of what one for each pair takes: who finds a full lobby begins anew */
#define LOOK_UPS_MOST    2   /* for each pair */
#define COMPLETE_US      (10 * SECOND) /* it takes no longer than that, … */
#define COMPLETE_EACH_US 20000         /* … and that for each whom the first server lists */
/* In an idle minute, of an end of a pair. */
#define IDLE_EVENTS_MOST 30
#define IDLE_TICKS_MOST  150 /* what workers counted is looked at twice a second */

static struct many_plan plan_of(unsigned nodes, uint64_t seed)
{
    return (struct many_plan){.seed = seed,
                              .nodes = nodes,
                              .servers = (nodes + MESH_PEERS_MAX - 1) / MESH_PEERS_MAX,
                              .site = 3,
                              .delay_us = 10000,
                              .jitter_us = 5000,
                              .loss = 0.005};
}

static size_t resident(void)
{
    unsigned long all, pages;
    malloc_trim(0);
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &all, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static double seconds(uint64_t us)
{
    return (double)us / 1e6;
}

static void print_rate(const char *what, const struct many_rate *rate)
{
    print_message("  %s: %llu, %u in a second\n", what, (unsigned long long)rate->total, rate->most);
}

static void print_rates(const struct many *m)
{
    print_rate("streams", &m->dials);
    print_rate("steps of handshakes", &m->steps);
    print_rate("registrations", &m->directory.registrations);
    print_rate("look-ups", &m->directory.lookups);
    print_rate("for which the directory was too busy", &m->directory.busy);
    print_message(
        "  the most of one node in a second: dials %u, accepts %u, datagrams %u, questions %u\n",
        many_most(m, offsetof(struct many_node, dials)), many_most(m, offsetof(struct many_node, accepts)),
        many_most(m, offsetof(struct many_node, datagrams)), many_most(m, offsetof(struct many_node, asks)));
}

static uint64_t patience_us(const struct many *m)
{
    unsigned count, connected;
    mesh_members(m->nodes[0].mesh, &count, &connected);
    return COMPLETE_US + count * (uint64_t)COMPLETE_EACH_US;
}

/* Until all pairs have a session. */
static void connect_all(struct many *m, const char *what)
{
    uint64_t begin_us = m->now_us, half_us = 0;
    unsigned pairs = many_pairs(m), connected = 0;
    clock_t cpu = clock();
    while (connected < pairs && m->now_us - begin_us < patience_us(m)) {
        many_run(m, STEP_US);
        connected = many_connected(m);
        if (!half_us && connected >= pairs / 2)
            half_us = m->now_us - begin_us;
    }
    print_message("%s: %u of %u pairs after %.1f s, half after %.1f s; %.1f s of CPU, %llu events\n", what,
                  connected, pairs, seconds(m->now_us - begin_us), seconds(half_us),
                  (double)(clock() - cpu) / CLOCKS_PER_SEC, (unsigned long long)m->events);
    print_rates(m);
    assert_int_equal(connected, pairs);
}

static void assert_paced(const struct many *m)
{
    assert_in_range(many_most(m, offsetof(struct many_node, dials)), 1, DIALS_MOST);
    assert_in_range(many_most(m, offsetof(struct many_node, asks)), 1, ASKS_MOST);
    assert_true(m->steps.total * 100 <= (uint64_t)many_pairs(m) * STEPS_OF_PAIR * STEPS_PERCENT);
}

/* Of pairs by chance; a probe may be lost. */
static void ping_some(struct many *m)
{
    unsigned answered = 0, other;
    uint32_t longest_us = 0;
    for (unsigned i = 0; i < PINGS; i++) {
        unsigned n = (unsigned)(many_random(m) % m->plan.nodes);
        bool listed = many_listed(m, n, 0, &other);
        assert_true(listed);
        struct many_node *node = &m->nodes[n];
        uint32_t before = node->pongs;
        for (unsigned try = 0; try < PING_TRIES && node->pongs == before; try++) {
            assert_true(many_ping(m, n, other));
            many_run(m, STEP_US);
        }
        answered += node->pongs > before;
        longest_us = node->pong_us > longest_us ? node->pong_us : longest_us;
    }
    print_message("pings: %u of %u pairs answer, the longest takes %.1f ms\n", answered, PINGS,
                  longest_us / 1e3);
    assert_int_equal(answered, PINGS);
    assert_in_range(longest_us, 2 * m->plan.delay_us, 2 * (m->plan.delay_us + m->plan.jitter_us));
}

static void idle(struct many *m)
{
    many_run(m, 70 * SECOND); /* control connections end */
    many_reset_rates(m);
    clock_t cpu = clock();
    many_run(m, 60 * SECOND);
    double ends = 2 * many_pairs(m), events = (double)m->events / ends, ticks = (double)m->ticks / ends;
    print_message("an idle minute: %.1f events and %.1f ticks of an end of a pair, %.1f s of CPU\n", events,
                  ticks, (double)(clock() - cpu) / CLOCKS_PER_SEC);
    assert_true(events < IDLE_EVENTS_MOST && ticks < IDLE_TICKS_MOST);
    assert_int_equal(m->dials.total, 0);
}

static void restart_all(struct many *m)
{
    many_kill(m);
    many_reset_rates(m);
    many_start(m, true);
    connect_all(m, "all killed and started at once");
    assert_paced(m);
    assert_true(m->directory.lookups.total <= (uint64_t)many_pairs(m) * LOOK_UPS_MOST);
}

static uint64_t live(unsigned count, uint64_t seed)
{
    const struct many_plan plan = plan_of(count, seed);
    struct many *m = many_new(&plan);
    many_start(m, false);
    size_t apart = resident();
    connect_all(m, "first start");
    assert_paced(m);
    idle(m);
    print_message("%u nodes: %zu MB before they are connected, %zu MB when they are\n", count, apart >> 20,
                  resident() >> 20);
    restart_all(m);
    ping_some(m);
    uint64_t digest = m->digest;
    print_message("digest %016llx\n", (unsigned long long)digest);
    many_free(m);
    return digest;
}

/* What came in which order, to the last byte, is the seed's. */
static void the_same_seed_gives_the_same_events(void **state)
{
    (void)state;
    uint64_t digest = live(TWICE, SEED);
    assert_int_equal(live(TWICE, SEED), digest);
    assert_int_not_equal(live(TWICE, SEED + 1), digest);
}

static unsigned nodes = FEW;

static void all_nodes_connect_and_do_so_again_when_all_were_killed(void **state)
{
    (void)state;
    uint64_t digest = live(nodes, SEED);
    if (nodes == MANY)
        assert_int_equal(live(nodes, SEED), digest);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_nodes_connect_and_do_so_again_when_all_were_killed),
        cmocka_unit_test(the_same_seed_gives_the_same_events),
    };
    const char *wanted = getenv("MANY_NODES");
    if (argc > 1)
        wanted = argv[1];
    if (wanted)
        nodes = (unsigned)strtoul(wanted, NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
