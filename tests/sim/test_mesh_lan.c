/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that are heard on the local network: who is dialled for it, and how soon. docs/PROTOCOL.md §20. */

#include "base/clock.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC
#define DEAD   11

static const struct sim_weather fair = {.delay_us = 5000};

struct two {
    struct sim *sim;
    struct sim_node *a, *b;
};

/* b admits a; neither knows where the other is. */
static struct two make_two(void)
{
    struct two t = {.sim = sim_new(5, &fair)};
    t.a = sim_add(t.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    t.b = sim_add(t.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    assert_int_equal(mesh_allow(t.b->mesh, identity_id(t.a->identity)), 0);
    return t;
}

static struct addr control_of(const struct sim_node *n)
{
    struct addr a = n->addr;
    a.port -= 1000;
    return a;
}

static void hear(struct two *t)
{
    const struct addr control = control_of(t->b);
    mesh_on_neighbour(t->a->mesh, identity_id(t->b->identity), &control, sim_now(t->sim));
    sim_do_outputs(t->a);
}

static void wanted_peer_that_is_heard_is_connected_at_once(void **state)
{
    (void)state;
    struct two t = make_two();
    sim_want(t.a, t.b);
    sim_run(t.sim, 20 * SECOND, NULL, NULL);
    assert_false(sim_connected(t.a, t.b));
    hear(&t);
    sim_run(t.sim, SECOND / 2, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

/* Nobody answers at any of them. */
static void say_dead_addresses(struct two *t)
{
    struct candidate list[DEAD];
    for (unsigned i = 0; i < DEAD; i++)
        list[i] =
            (struct candidate){.kind = CANDIDATE_HOST,
                               .addr = {.family = 4, .port = 9443, .ip = {198, 51, 100, (uint8_t)(100 + i)}},
                               .control_port = 8443};
    mesh_set_record(t->a->mesh, identity_id(t->b->identity), "b", list, DEAD, sim_now(t->sim));
    sim_do_outputs(t->a);
}

static void it_is_dialled_before_what_else_is_known_of_it(void **state)
{
    (void)state;
    for (unsigned tenths = 0; tenths < 40; tenths += 4) {
        struct two t = make_two();
        assert_int_equal(mesh_connect(t.a->mesh, identity_id(t.b->identity)), 0);
        say_dead_addresses(&t);
        sim_run(t.sim, 1 + tenths * SECOND / 10, NULL, NULL);
        hear(&t);
        sim_run(t.sim, SECOND / 2, NULL, NULL);
        assert_true(sim_connected(t.a, t.b));
        sim_free(t.sim);
    }
}

static void hundred_addresses_leave_twelve_and_the_last_one_counts(void **state)
{
    (void)state;
    struct two t = make_two();
    assert_int_equal(mesh_connect(t.a->mesh, identity_id(t.b->identity)), 0);
    for (unsigned i = 0; i < 100; i++) {
        const struct addr other = {.family = 4, .port = 8443, .ip = {198, 51, 100, (uint8_t)(100 + i)}};
        mesh_on_neighbour(t.a->mesh, identity_id(t.b->identity), &other, sim_now(t.sim));
        sim_do_outputs(t.a);
    }
    sim_run(t.sim, 60 * SECOND, NULL, NULL);
    hear(&t);
    sim_run(t.sim, SECOND / 2, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

static void who_is_not_wanted_is_not_dialled(void **state)
{
    (void)state;
    struct two t = make_two();
    hear(&t); /* it knows nothing of b */
    assert_int_equal(mesh_allow(t.a->mesh, identity_id(t.b->identity)), 0);
    hear(&t);
    sim_run(t.sim, SECOND, NULL, NULL);
    assert_int_equal(sim_dialled(t.sim), 0);
    sim_free(t.sim);
}

struct seen {
    unsigned count;
    struct mesh_listed_peer peer;
};

static void note(void *context, const struct mesh_listed_peer *peer)
{
    struct seen *s = context;
    s->count++;
    s->peer = *peer;
}

static struct seen listed(const struct sim_node *n)
{
    struct seen s = {0};
    mesh_listed(n->mesh, note, &s);
    return s;
}

static void lists_tell_who_is_to_be_looked_for(void **state)
{
    (void)state;
    struct two t = make_two();
    assert_int_equal(listed(t.a).count, 0);
    assert_false(listed(t.b).peer.wanted);
    sim_want(t.a, t.b);
    assert_int_equal(listed(t.a).count, 1);
    assert_true(listed(t.a).peer.wanted && !listed(t.a).peer.placed && !listed(t.a).peer.open);
    sim_connect(t.a, t.b, NULL);
    assert_true(listed(t.a).peer.placed);
    sim_run(t.sim, SECOND, NULL, NULL);
    assert_true(listed(t.a).peer.open && listed(t.b).peer.open);
    assert_int_equal(mesh_disallow(t.a->mesh, identity_id(t.b->identity), sim_now(t.sim)), 0);
    assert_int_equal(listed(t.a).count, 0);
    sim_free(t.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wanted_peer_that_is_heard_is_connected_at_once),
        cmocka_unit_test(it_is_dialled_before_what_else_is_known_of_it),
        cmocka_unit_test(hundred_addresses_leave_twelve_and_the_last_one_counts),
        cmocka_unit_test(who_is_not_wanted_is_not_dialled),
        cmocka_unit_test(lists_tell_who_is_to_be_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
