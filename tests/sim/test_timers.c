/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines: none is missed whatever happens to a mesh, none is put off by what happens. Times are virtual. */

#include "base/clock.h"
#include "deadlines.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND  USEC_PER_SEC
#define ROUNDS  3000
#define OFTEN_S 20

static const struct sim_weather fair = {.delay_us = 5000};

static uint64_t seed = 1;

static unsigned below(unsigned bound)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % bound;
}

static struct addr somewhere(void)
{
    return (struct addr){.family = 4, .ip = {198, 18, (uint8_t)below(2), (uint8_t)below(8)}, .port = 9443};
}

static struct node_id somebody(void)
{
    return (struct node_id){{1, (uint8_t)below(6)}};
}

/* What a mesh may be told at any time, by itself. */
static void meddle(struct mesh *m, uint64_t now_us)
{
    const struct addr a = somewhere();
    const struct endpoint from = endpoint_udp(&a);
    const struct candidate c = {CANDIDATE_HOST, a, 8443};
    const struct node_id id = somebody();
    switch (below(8)) {
    case 0:
        mesh_on_source(m, below(4), &from, now_us);
        break;
    case 1:
        mesh_on_too_big(m, below(4), now_us);
        break;
    case 2:
        assert_int_equal(mesh_connect(m, &id), 0);
        break;
    case 3:
        assert_int_equal(mesh_allow(m, &id), 0);
        break;
    case 4:
        mesh_set_given_addresses(m, &id, &a, 1, now_us);
        break;
    case 5:
        mesh_set_record(m, &id, "somebody", &c, 1, now_us);
        break;
    case 6:
        if (below(50) == 0)
            mesh_network_changed(m, 1472, now_us);
        break;
    case 7:
        if (below(100) == 0)
            mesh_rekey_all(m, now_us);
        break;
    }
}

static void no_deadline_is_missed_whatever_happens(void **state)
{
    (void)state;
    struct sim *sim = sim_new(7, &fair);
    struct sim_node *a = sim_add(sim, true, 4 * SECOND, 60 * SECOND);
    struct sim_node *b = sim_add(sim, false, 4 * SECOND, 60 * SECOND);
    sim_connect(b, a, NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        meddle(a->mesh, sim_now(sim));
        check_deadlines(a->mesh, sim_now(sim));
        sim_do_outputs(a);
        if (i % 200 == 0)
            sim_cut_streams(sim);
        sim_run(sim, 10000, NULL, NULL);
    }
    mesh_shutdown(a->mesh, sim_now(sim));
    check_deadlines(a->mesh, sim_now(sim));
    assert_true(a->notes[MESH_NOTICE_CONNECTED] > 0);
    sim_free(sim);
}

static void events_that_come_often_do_not_put_a_deadline_off(void **state)
{
    (void)state;
    struct sim *sim = sim_new(7, &fair);
    struct sim_node *a = sim_add(sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct sim_node *b = sim_add(sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(b, a, NULL);
    sim_run(sim, 5 * SECOND, NULL, NULL);
    struct mesh_peer peer;
    assert_true(sim_peer(a, b, &peer));
    const struct endpoint from = endpoint_udp(&b->addr);
    unsigned ticks = 0;
    for (uint64_t now_us = sim_now(sim), end_us = now_us + OFTEN_S * SECOND; now_us < end_us;
         now_us += 5000) {
        mesh_on_source(a->mesh, peer.slot, &from, now_us);
        if (mesh_next_deadline(a->mesh, now_us) > now_us)
            continue;
        mesh_tick(a->mesh, now_us);
        ticks++;
    }
    assert_in_range(ticks, 2, OFTEN_S * 100);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_deadline_is_missed_whatever_happens),
        cmocka_unit_test(events_that_come_often_do_not_put_a_deadline_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
