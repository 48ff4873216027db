/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes with several ways out, and what they say of them to their peers. Times are virtual. */

#include "base/clock.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND  USEC_PER_SEC
#define STANDBY 3 /* its interface */

static const struct sim_weather fair = {.delay_us = 5000};

struct pair {
    struct sim *sim;
    struct sim_node *a, *b;
};

static struct pair connected_pair(void)
{
    struct pair p = {.sim = sim_new(7, &fair)};
    p.a = sim_add(p.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    p.b = sim_add(p.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    sim_run(p.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_connected(p.a, p.b));
    return p;
}

static void exchange(void *context)
{
    struct pair *p = context;
    sim_send_frame(p->a, p->b, 100);
    sim_send_frame(p->b, p->a, 100);
}

static void have_standby(struct sim_node *n, const struct addr *reached_at)
{
    struct ways ways = {0};
    ways_add(&ways, 2, 4, WAY_CHOSEN);
    ways_add(&ways, STANDBY, 4, WAY_STANDBY);
    mesh_set_ways(n->mesh, &ways);
    mesh_set_standbys(n->mesh, reached_at, 1, sim_now(n->sim));
}

/* NULL: there is none. */
static const struct path *find_path(struct mesh_peer *peer, const struct addr *remote, uint32_t interface)
{
    for (size_t i = 0; i < peer->path_count; i++)
        if (addr_equal(&peer->paths[i].endpoint.remote, remote) &&
            peer->paths[i].endpoint.interface == interface)
            return &peer->paths[i];
    return NULL;
}

static void a_peer_probes_a_standby_when_data_flows_and_not_before(void **state)
{
    (void)state;
    struct pair p = connected_pair();
    struct mesh_peer peer;
    const struct addr outside = {.family = 4, .port = 9443, .ip = {198, 51, 100, 77}};
    sim_run(p.sim, 10 * SECOND, NULL, NULL);
    have_standby(p.b, &outside);
    sim_run(p.sim, 2 * SECOND, NULL, NULL);
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_null(find_path(&peer, &outside, 0));
    sim_run(p.sim, SECOND, exchange, &p);
    assert_true(sim_peer(p.a, p.b, &peer));
    assert_non_null(find_path(&peer, &outside, 0));
    assert_true(sim_peer(p.b, p.a, &peer));
    assert_non_null(find_path(&peer, &p.a->addr, STANDBY));
    assert_int_equal(find_path(&peer, &p.a->addr, STANDBY)->state, PATH_STATE_PROVEN);
    assert_int_equal(peer.path.endpoint.interface, 0);
    sim_free(p.sim);
}

/* Here that address is another machine's. */
static void a_standby_in_another_network_is_not_probed(void **state)
{
    (void)state;
    struct pair p = connected_pair();
    const struct addr private = {.family = 4, .port = 9443, .ip = {192, 168, 1, 77}};
    p.a->out_of_scope = private;
    p.a->watched = private;
    have_standby(p.b, &private);
    sim_run(p.sim, 3 * SECOND, exchange, &p);
    assert_int_equal(p.a->watched_datagrams, 0);
    p.a->out_of_scope = (struct addr){0};
    sim_run(p.sim, 120 * SECOND, NULL, NULL);
    sim_run(p.sim, 3 * SECOND, exchange, &p);
    assert_true(p.a->watched_datagrams > 0); /* it does say so */
    sim_free(p.sim);
}

/* Whoever is admitted says that its standbys are where a victim is, and others, all the time. */
static void a_liar_makes_nobody_probe_more_than_the_budget(void **state)
{
    (void)state;
    struct pair p = connected_pair();
    sim_run(p.sim, 5 * SECOND, NULL, NULL);
    struct message lie = {.type = MESSAGE_STANDBY, .candidates.count = CANDIDATES_MAX};
    uint64_t before = p.a->datagrams;
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned j = 0; j < CANDIDATES_MAX; j++)
            lie.candidates.list[j] = (struct candidate){
                CANDIDATE_REFLEXIVE,
                {.family = 4, .port = 9, .ip = {198, 51, 200, (uint8_t)(i * CANDIDATES_MAX + j)}},
                0};
        sim_say(p.b, p.a, &lie);
        sim_run(p.sim, SECOND / 10, NULL, NULL);
    }
    assert_in_range(p.a->datagrams - before, 48,
                    48 + 10 * 10 + 20); /* 48 at once, 10 a second; its own few besides */
    assert_true(sim_connected(p.a, p.b));
    sim_free(p.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_probes_a_standby_when_data_flows_and_not_before),
        cmocka_unit_test(a_standby_in_another_network_is_not_probed),
        cmocka_unit_test(a_liar_makes_nobody_probe_more_than_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
