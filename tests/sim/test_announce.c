/* SPDX-License-Identifier: Apache-2.0 */
/* How peers hear of candidates that change. Times are virtual. */

#include "base/clock.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND   USEC_PER_SEC
#define MANY     60
#define PER_TURN 32 /* told at most, as docs/PROTOCOL.md says */

static const struct sim_weather fair = {.delay_us = 5000};

struct star {
    struct sim *sim;
    struct sim_node *hub, *peers[MANY];
};

static struct star make_star(unsigned peers)
{
    struct star s = {.sim = sim_new(7, &fair)};
    s.hub = sim_add(s.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    for (unsigned i = 0; i < peers; i++) {
        s.peers[i] = sim_add(s.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        sim_connect(s.hub, s.peers[i], NULL);
    }
    return s;
}

static struct star connected_star(unsigned peers)
{
    struct star s = make_star(peers);
    sim_run(s.sim, 5 * SECOND, NULL, NULL);
    for (unsigned i = 0; i < peers; i++)
        assert_true(sim_connected(s.hub, s.peers[i]) && sim_connected(s.peers[i], s.hub));
    return s;
}

static struct addr other_address(uint16_t port)
{
    return (struct addr){.family = 4, .ip = {203, 0, 113, 1}, .port = port};
}

/* The hub is also elsewhere now. What it wants done waits. */
static void hub_finds(const struct star *s, uint16_t port)
{
    const struct candidate list[] = {{CANDIDATE_HOST, s->hub->addr, 8443},
                                     {CANDIDATE_STATIC, other_address(port), 8443}};
    mesh_set_candidates(s->hub->mesh, list, 2, sim_now(s->sim));
}

static bool knows(const struct star *s, unsigned peer, uint16_t port)
{
    struct mesh_peer hub;
    const struct addr other = other_address(port);
    if (!sim_peer(s->peers[peer], s->hub, &hub))
        return false;
    for (size_t i = 0; i < hub.path_count; i++)
        if (addr_equal(&hub.paths[i].endpoint.remote, &other))
            return true;
    return false;
}

static void candidates_that_change_often_are_announced_rarely_and_the_newest_arrives(void **state)
{
    (void)state;
    struct star s = connected_star(1);
    s.hub->chunks = 0;
    for (unsigned i = 0; i < 1000; i++) {
        hub_finds(&s, (uint16_t)(10000 + i));
        sim_run(s.sim, 10000, NULL, NULL);
    }
    assert_in_range(s.hub->chunks, 2, 7);
    sim_run(s.sim, 3 * SECOND, NULL, NULL);
    assert_true(knows(&s, 0, 10999));
    sim_free(s.sim);
}

static void one_turn_tells_few_peers_and_all_hear_of_it(void **state)
{
    (void)state;
    struct star s = connected_star(MANY);
    unsigned before = s.hub->chunks, last = before;
    hub_finds(&s, 10000);
    sim_do_outputs(s.hub);
    assert_in_range(s.hub->chunks - last, 1, PER_TURN);
    for (uint64_t end = sim_now(s.sim) + SECOND / 5; sim_now(s.sim) < end; last = s.hub->chunks) {
        last = s.hub->chunks;
        sim_run(s.sim, 10000, NULL, NULL);
        assert_in_range(s.hub->chunks - last, 0, PER_TURN);
    }
    assert_int_equal(s.hub->chunks - before, MANY);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(knows(&s, i, 10000));
    sim_free(s.sim);
}

/* Those that the round has not come to hear of the newest at once, the others in the next one. */
static void a_change_while_peers_are_told_reaches_all(void **state)
{
    (void)state;
    struct star s = connected_star(MANY);
    hub_finds(&s, 10000);
    sim_do_outputs(s.hub);
    hub_finds(&s, 10001);
    sim_run(s.sim, SECOND / 5, NULL, NULL);
    assert_false(knows(&s, 0, 10001));
    assert_true(knows(&s, MANY - 1, 10001));
    sim_run(s.sim, 3 * SECOND, NULL, NULL);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(knows(&s, i, 10001));
    sim_free(s.sim);
}

static void a_change_during_a_handshake_reaches_its_peer(void **state)
{
    (void)state;
    for (unsigned ms = 5; ms < 60; ms += 5) {
        struct star s = make_star(1);
        sim_run(s.sim, ms * 1000ull, NULL, NULL);
        hub_finds(&s, 10000);
        sim_do_outputs(s.hub);
        sim_run(s.sim, 3 * SECOND, NULL, NULL);
        assert_true(knows(&s, 0, 10000));
        sim_free(s.sim);
    }
}

static void who_comes_after_a_round_is_told_of_the_next_change_at_once(void **state)
{
    (void)state;
    struct star s = make_star(1);
    hub_finds(&s, 10000); /* while nobody is there */
    sim_run(s.sim, SECOND, NULL, NULL);
    hub_finds(&s, 10001);
    sim_do_outputs(s.hub);
    sim_run(s.sim, SECOND / 10, NULL, NULL);
    assert_true(knows(&s, 0, 10001));
    sim_free(s.sim);
}

/* It would be somebody else's machine; in the peer's network it is the peer. */
static void an_address_of_another_network_waits_for_the_network_to_change(void **state)
{
    (void)state;
    for (unsigned change = 0; change < 2; change++) {
        struct star s = connected_star(1);
        s.peers[0]->out_of_scope = other_address(0);
        hub_finds(&s, 10000);
        sim_run(s.sim, 5 * SECOND, NULL, NULL);
        assert_false(knows(&s, 0, 10000));
        s.peers[0]->out_of_scope = (struct addr){0};
        sim_run(s.sim, 5 * SECOND, NULL, NULL);
        assert_false(knows(&s, 0, 10000));
        const struct candidate elsewhere = {CANDIDATE_STATIC, other_address(20000), 8443};
        if (change)
            mesh_set_candidates(s.peers[0]->mesh, &elsewhere, 1, sim_now(s.sim));
        else
            mesh_network_changed(s.peers[0]->mesh, 1472, sim_now(s.sim));
        sim_run(s.sim, SECOND, NULL, NULL);
        assert_true(knows(&s, 0, 10000));
        sim_free(s.sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candidates_that_change_often_are_announced_rarely_and_the_newest_arrives),
        cmocka_unit_test(one_turn_tells_few_peers_and_all_hear_of_it),
        cmocka_unit_test(a_change_while_peers_are_told_reaches_all),
        cmocka_unit_test(a_change_during_a_handshake_reaches_its_peer),
        cmocka_unit_test(who_comes_after_a_round_is_told_of_the_next_change_at_once),
        cmocka_unit_test(an_address_of_another_network_waits_for_the_network_to_change),
    };
    return cmocka_run_group_tests_name("announce", tests, NULL, NULL);
}
