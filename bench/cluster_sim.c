/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster of backbones in one process, under a virtual clock: the instances' own code for what they say to a shared store
 * (backbone/cluster.h, backbone/presence.h), and a store that counts. Nodes come as fast as proofs are verified, one instance
 * dies, then the store forgets all. Prints operations a second; the same at every run. docs/SCALE.md.
 *
 *     build/bench/cluster_sim [NODES [INSTANCES]]
 */

#include "backbone/cluster.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROOFS_PER_S    1000 /* of one instance: PROTOCOL §15 */
#define TURNS_PER_S     50
#define STEADY_S        300 /* when all are told again evenly */
#define DEATH_S         600
#define LOSS_S          900
#define END_S           1200
#define BEGIN_US        (1000 * USEC_PER_SEC)
#define RETRY_SPREAD_S  2 /* in which nodes of a dead one come to others */
#define INSTANCES_LIMIT 1000

struct instance {
    struct presence *presence;
    struct cluster *cluster;
    struct challenge_keys keys;
    struct store_metrics metrics;
    bool dead;
};

static struct world {
    unsigned nodes, instances;
    unsigned generation;
    uint64_t links, beats; /* of this second */
    struct instance all[INSTANCES_LIMIT];
} world;

/* ---- the store ---- */

static void count_beat(struct store *s, const struct store_beat *mine, store_heard_done *done, void *context)
{
    struct store_heard h = {.hour = mine->hour, .count = 1};
    (void)s;
    world.beats++;
    snprintf(h.generation, sizeof(h.generation), "%u", world.generation);
    memcpy(h.keys, mine->keys, sizeof(h.keys));
    done(context, 0, &h);
}

static void count_link(struct store *s, const struct node_id *id, const char *instance, bool on,
                       store_done *done, void *context)
{
    (void)s, (void)id, (void)instance, (void)on;
    world.links++;
    done(context, 0, 0);
}

static const struct store_ops ops = {.beat = count_beat, .link = count_link};
static struct store store = {&ops};

/* ---- nodes ---- */

static struct node_id id_of(unsigned node)
{
    struct node_id id = {0};
    uint64_t mixed = (node + 1) * 0x9e3779b97f4a7c15ull;
    memcpy(id.bytes, &mixed, sizeof(mixed));
    memcpy(id.bytes + sizeof(mixed), &node, sizeof(node));
    return id;
}

static void come(unsigned instance, unsigned node)
{
    const struct node_id id = id_of(node);
    presence_set(world.all[instance].presence, &id, true);
}

/* Second `at` of so many nodes' coming, to each instance its own ones. */
static void fill(unsigned at)
{
    for (unsigned i = 0; i < world.instances; i++)
        for (unsigned n = at * PROOFS_PER_S; n < (at + 1) * PROOFS_PER_S; n++)
            if ((uint64_t)n * world.instances + i < world.nodes)
                come(i, n * world.instances + i);
}

/* A part of the nodes of instance 0, which is dead, come to those behind it. */
static void flee(unsigned at)
{
    unsigned own = (world.nodes + world.instances - 1) / world.instances;
    for (unsigned n = own * at / RETRY_SPREAD_S; n < own * (at + 1) / RETRY_SPREAD_S; n++)
        come(1 + n % (STORE_INSTANCES - 1), n * world.instances);
}

/* ---- time ---- */

static void happen(unsigned second)
{
    if (second < world.nodes / world.instances / PROOFS_PER_S + 1)
        fill(second);
    world.all[0].dead = second >= DEATH_S;
    if (second >= DEATH_S && second < DEATH_S + RETRY_SPREAD_S)
        flee(second - DEATH_S);
    if (second == LOSS_S)
        world.generation++;
}

static void run_second(unsigned second)
{
    world.links = world.beats = 0;
    happen(second);
    for (unsigned turn = 0; turn < TURNS_PER_S; turn++) {
        uint64_t now_us = BEGIN_US + second * USEC_PER_SEC + turn * (USEC_PER_SEC / TURNS_PER_S);
        for (unsigned i = 0; i < world.instances; i++)
            if (!world.all[i].dead)
                (void)cluster_turn(world.all[i].cluster, now_us, 1800000000ull + second);
    }
}

struct span {
    const char *what;
    unsigned from, to;
};

static void show(const struct span *span, const uint64_t *links, const uint64_t *beats)
{
    uint64_t sum = 0, most = 0, spoken = 0;
    for (unsigned s = span->from; s < span->to; s++) {
        sum += links[s];
        spoken += beats[s];
        most = links[s] > most ? links[s] : most;
    }
    unsigned seconds = span->to - span->from;
    printf("%-34s %10.0f %10llu %8.1f\n", span->what, (double)sum / seconds, (unsigned long long)most,
           (double)spoken / seconds);
}

static void build(void)
{
    for (unsigned i = 0; i < world.instances; i++) {
        struct instance *one = &world.all[i];
        struct cluster_config config = {&store, &one->keys, NULL, &one->metrics, "http://example"};
        challenge_keys_init(&one->keys, 1800000000ull);
        if (presence_new(&one->presence) != 0)
            abort();
        config.presence = one->presence;
        if (cluster_new(&config, &one->cluster) != 0)
            abort();
    }
}

int main(int argc, char **argv)
{
    static const struct span spans[] = {{"all come (first 12 s)", 0, 12},
                                        {"steady", STEADY_S, DEATH_S},
                                        {"an instance died (5 s)", DEATH_S, DEATH_S + 5},
                                        {"the store forgot all (10 s)", LOSS_S, LOSS_S + 10},
                                        {"steady again", LOSS_S + 30, END_S}};
    static uint64_t links[END_S], beats[END_S];
    world.nodes = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    world.instances = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100;
    if (world.instances <= STORE_INSTANCES || world.instances > INSTANCES_LIMIT) {
        fprintf(stderr, "cluster_sim: give %d to %d instances\n", STORE_INSTANCES + 1, INSTANCES_LIMIT);
        return 2;
    }
    build();
    for (unsigned s = 0; s < END_S; s++) {
        run_second(s);
        links[s] = world.links;
        beats[s] = world.beats;
    }
    printf("%u nodes at %u instances    links/s: mean       most  beats/s\n", world.nodes, world.instances);
    for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++)
        show(&spans[i], links, beats);
    return 0;
}
