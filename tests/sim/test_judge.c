/* SPDX-License-Identifier: Apache-2.0 */
/* Worlds that are drawn from seeds (world.h), driven and judged (judge.h). One alone, with what happens: sim_judge SEED; many:
 * sim_judge FIRST COUNT. */

#include "judge.h"

#include "base/clock.h"
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CALM_MOST_US (150 * USEC_PER_SEC)
#define STEADY_US    USEC_PER_SEC
#define SEEDS        1000
#define WARM_UP      20        /* worlds after which libraries keep no more */
#define KEPT_MOST    (1 << 16) /* bytes */

static struct world world;
static const char *program;

/* Told by any failure: also by an assertion of the code's own. */
static void tell(int number)
{
    (void)number;
    if (!world.sim)
        return;
    world_describe(&world);
    fprintf(stderr, "again: SIM_TRACE=1 %s %llu\n", program, (unsigned long long)world.seed);
}

/* Until everybody has what he could have, for a second. The judge ends it if somebody never has. */
static void run_until_content(struct judge *j)
{
    uint64_t begin_us = sim_now(world.sim), content_us = begin_us;
    while (sim_now(world.sim) - content_us < STEADY_US) {
        world_step(&world);
        judge_look(j);
        if (!judge_is_content(j))
            content_us = sim_now(world.sim);
        if (sim_now(world.sim) - begin_us > CALM_MOST_US)
            sim_fail(world.sim, "it does not come to rest");
    }
}

struct totals {
    uint64_t worst_dark_us, worst_crooked_us, virtual_us;
    unsigned straight, pairs;
};

static void judge_seed(uint64_t seed, bool verbose, struct totals *t)
{
    struct judge j;
    world_open(&world, seed, verbose);
    judge_begin(&j, &world);
    uint64_t begin_us = sim_now(world.sim);
    if (verbose)
        world_describe(&world);
    run_until_content(&j);
    world_begin(&world);
    while (!world_is_over(&world)) {
        world_step(&world);
        judge_look(&j);
    }
    run_until_content(&j);
    t->virtual_us += sim_now(world.sim) - begin_us;
    judge_end(&j);
    world_close(&world);
    t->worst_dark_us = j.worst_dark_us > t->worst_dark_us ? j.worst_dark_us : t->worst_dark_us;
    t->worst_crooked_us = j.worst_crooked_us > t->worst_crooked_us ? j.worst_crooked_us : t->worst_crooked_us;
    t->straight += j.straight;
    t->pairs += j.pairs;
}

static void judge_memory(uint64_t count, size_t kept)
{
    size_t now = mallinfo2().uordblks;
    if (count <= WARM_UP || now <= kept + KEPT_MOST)
        return;
    fprintf(stderr, "%zu bytes more are kept than after %u worlds\n", now - kept, WARM_UP);
    abort();
}

static void judge_seeds(uint64_t first, uint64_t count, bool verbose)
{
    struct totals t = {0};
    size_t kept = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        judge_seed(seed, verbose, &t);
        if (seed == first + WARM_UP)
            kept = mallinfo2().uordblks;
    }
    fprintf(stderr,
            "# %llu worlds, %.0f s: at most %.1f s dark and %.1f s not straight though possible; %u of %u "
            "ways straight\n",
            (unsigned long long)count, (double)t.virtual_us / 1e6, (double)t.worst_dark_us / 1e6,
            (double)t.worst_crooked_us / 1e6, t.straight, t.pairs);
    judge_memory(count, kept);
}

static void worlds_of_all_seeds_keep_what_is_promised(void **state)
{
    const char *seeds = getenv("JUDGE_SEEDS");
    (void)state;
    judge_seeds(1, seeds ? strtoull(seeds, NULL, 10) : SEEDS, false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(worlds_of_all_seeds_keep_what_is_promised)};
    program = argv[0];
    signal(SIGABRT, tell);
    if (argc == 1)
        return cmocka_run_group_tests(tests, NULL, NULL);
    judge_seeds(strtoull(argv[1], NULL, 10), argc > 2 ? strtoull(argv[2], NULL, 10) : 1, argc == 2);
    return 0;
}
