/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are passed on between peers: who finds whom by them, and what a liar gets out of it. docs/PROTOCOL.md §20. */

#include "base/clock.h"
#include "proto/mesh/mesh_gossip.h"
#include "proto/peer/kept_record.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC

static const struct sim_weather fair = {.delay_us = 5000};
static const struct sim_weather lossy = {.delay_us = 20000, .jitter_us = 5000, .loss = 0.05};

/* hub is known to both of the others. */
struct trio {
    struct sim *sim;
    struct sim_node *hub, *a, *b;
};

static struct trio make_trio(const struct sim_weather *weather)
{
    struct trio t = {.sim = sim_new(11, weather)};
    struct sim_node **nodes[] = {&t.hub, &t.a, &t.b};
    for (unsigned i = 0; i < 3; i++) {
        *nodes[i] = sim_add(t.sim, i == 0, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        sim_sign(*nodes[i], 1000);
    }
    assert_int_equal(mesh_allow(t.b->mesh, identity_id(t.a->identity)), 0);
    return t;
}

static void join(struct trio *t)
{
    sim_connect(t->a, t->hub, NULL);
    sim_connect(t->b, t->hub, NULL);
    sim_run(t->sim, 3 * SECOND, NULL, NULL);
    assert_true(sim_connected(t->a, t->hub) && sim_connected(t->b, t->hub));
}

static const struct message_sought *only(struct message *seek, const struct sim_node *whom, uint64_t seq)
{
    *seek = (struct message){.type = MESSAGE_SEEK, .seek.count = 1};
    seek->seek.list[0] = (struct message_sought){*identity_id(whom->identity), seq};
    return seek->seek.list;
}

static void members_find_each_other_by_one_that_both_know(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    join(&t);
    sim_want(t.a, t.b);
    sim_run(t.sim, 3 * SECOND, NULL, NULL);
    assert_true(sim_connected(t.a, t.b) && sim_connected(t.b, t.a));
    sim_free(t.sim);
}

static void who_restarts_finds_the_others_anew(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    join(&t);
    sim_want(t.a, t.b);
    sim_run(t.sim, 3 * SECOND, NULL, NULL);
    sim_kill(t.a);
    sim_run(t.sim, 1 * SECOND, NULL, NULL);
    sim_restart(t.a);
    sim_sign(t.a, 2000);
    sim_want(t.a, t.b);
    sim_connect(t.a, t.hub, NULL);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

static void records_come_through_loss(void **state)
{
    (void)state;
    struct trio t = make_trio(&lossy);
    join(&t);
    sim_want(t.a, t.b);
    sim_run(t.sim, 20 * SECOND, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

static void earlier_version_is_not_asked(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    t.hub->features_off = HELLO_FEATURE_GOSSIP;
    sim_start_anew(t.hub);
    join(&t);
    sim_want(t.a, t.b);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_true(t.a->verified == 0 && t.b->verified == 0 && t.hub->verified == 0);
    assert_false(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

static void newest_record_wins_and_an_older_one_is_not_taken(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    assert_int_equal(mesh_allow(t.hub->mesh, identity_id(t.a->identity)), 0);
    assert_int_equal(mesh_allow(t.hub->mesh, identity_id(t.b->identity)), 0);
    join(&t);
    unsigned kept = t.hub->kept;
    assert_int_equal(kept, 2); /* of both peers, from themselves */
    sim_sign(t.a, 900);
    mesh_set_candidates(t.a->mesh, &(struct candidate){CANDIDATE_HOST, t.a->addr, 1}, 1, sim_now(t.sim));
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    assert_int_equal(t.hub->kept, kept);
    sim_sign(t.a, 3000);
    mesh_set_candidates(t.a->mesh, &(struct candidate){CANDIDATE_STATIC, t.a->addr, 1}, 1, sim_now(t.sim));
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    assert_int_equal(t.hub->kept, kept + 1);
    sim_free(t.sim);
}

static void records_of_strangers_are_no_change_of_what_is_kept_for_the_next_start(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    assert_int_equal(mesh_allow(t.hub->mesh, identity_id(t.b->identity)), 0);
    join(&t);
    assert_int_equal(t.hub->verified, 2);
    assert_int_equal(t.hub->kept, 1);
    for (uint64_t seq = 3000; seq < 3010; seq++) {
        sim_sign(t.a, seq);
        const struct candidate here = {seq % 2 ? CANDIDATE_HOST : CANDIDATE_STATIC, t.a->addr, 1};
        mesh_set_candidates(t.a->mesh, &here, 1, sim_now(t.sim));
        sim_run(t.sim, 10 * SECOND, NULL, NULL);
    }
    assert_true(t.hub->verified > 5);
    assert_int_equal(t.hub->kept, 1);
    sim_free(t.sim);
}

/* Where it is has not changed: only its record tells that it is there again. */
static void who_is_dialled_in_vain_is_dialled_at_once_when_its_record_is_newer(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    sim_look_up(t.a, t.b);
    sim_want(t.a, t.b);
    sim_look_up(t.a, t.b);
    sim_kill(t.b);
    sim_run(t.sim, 60 * SECOND, NULL, NULL);
    sim_restart(t.b);
    assert_int_equal(mesh_allow(t.b->mesh, identity_id(t.a->identity)), 0);
    sim_look_up(t.a, t.b); /* the one that is known already */
    sim_run(t.sim, SECOND, NULL, NULL);
    assert_false(sim_connected(t.a, t.b));
    sim_sign(t.b, 2000);
    sim_look_up(t.a, t.b);
    sim_run(t.sim, SECOND, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

/* Its path answered to the last. */
static void who_said_goodbye_and_is_back_is_dialled_at_once_when_its_record_is_newer(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    sim_want(t.a, t.b);
    sim_look_up(t.a, t.b);
    sim_run(t.sim, 3 * SECOND, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_stop(t.b);
    sim_run(t.sim, 120 * SECOND, NULL, NULL);
    sim_restart(t.b);
    assert_int_equal(mesh_allow(t.b->mesh, identity_id(t.a->identity)), 0);
    sim_sign(t.b, 2000);
    sim_look_up(t.a, t.b);
    sim_run(t.sim, SECOND, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

/* ---- who is sought beside many ---- */

/* So many of n's peers are nowhere. */
static void add_absent(struct sim_node *n, unsigned count,
                       int (*list)(struct mesh *m, const struct node_id *id))
{
    for (unsigned i = 1; i <= count; i++) {
        struct node_id id = {0};
        memcpy(&id, &i, sizeof(i));
        assert_int_equal(list(n->mesh, &id), 0);
    }
}

static void who_is_sought_anew_does_not_wait_for_one_that_is_never_found(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    add_absent(t.a, 1, mesh_connect);
    join(&t);
    sim_run(t.sim, 200 * SECOND, NULL, NULL);
    sim_want(t.a, t.b);
    sim_run(t.sim, 3 * SECOND, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

static void one_that_is_sought_is_found_among_many_that_are_not(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    add_absent(t.a, 500, mesh_allow);
    join(&t);
    sim_want(t.a, t.b);
    sim_run(t.sim, 3 * SECOND, NULL, NULL);
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

static void all_that_are_sought_have_a_turn_before_questions_grow_rarer(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    add_absent(t.a, 200, mesh_connect);
    join(&t);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    sim_want(t.a, t.b);
    sim_run(t.sim, 6 * SECOND, NULL, NULL); /* 13 questions */
    assert_true(sim_connected(t.a, t.b));
    sim_free(t.sim);
}

static void addresses_of_a_stranger_do_not_make_questions_frequent_again(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    add_absent(t.hub, 1, mesh_connect);
    join(&t);
    sim_run(t.sim, 200 * SECOND, NULL, NULL);
    mesh_set_candidates(t.a->mesh, &(struct candidate){CANDIDATE_STATIC, t.a->addr, 1}, 1, sim_now(t.sim));
    sim_run(t.sim, 12 * SECOND, NULL, NULL); /* it has been asked for its own record */
    assert_true(mesh_gossip_due(t.hub->mesh) > sim_now(t.sim) + 30 * SECOND);
    sim_free(t.sim);
}

/* ---- an admitted liar ---- */

static struct record_bytes forged(const struct sim_node *whom, uint8_t data[RECORD_MAX],
                                  uint8_t signature[IDENTITY_SIGNATURE_LEN])
{
    static struct record record;
    size_t len;
    record = (struct record){.id = *identity_id(whom->identity), .seq = UINT64_MAX};
    memcpy(record.spki, identity_spki(whom->identity), sizeof(record.spki));
    assert_int_equal(record_sign(&record, whom->identity, data, RECORD_MAX, &len, signature), 0);
    signature[100] ^= 1;
    return (struct record_bytes){{data, len}, {signature, IDENTITY_SIGNATURE_LEN}};
}

static void record_that_was_not_asked_for_is_not_even_verified(void **state)
{
    (void)state;
    static uint8_t data[RECORD_MAX], signature[IDENTITY_SIGNATURE_LEN];
    struct trio t = make_trio(&fair);
    join(&t);
    unsigned verified = t.hub->verified;
    const struct message lie = {.type = MESSAGE_RECORD, .record = forged(t.b, data, signature)};
    for (unsigned i = 0; i < 10; i++) {
        sim_say(t.a, t.hub, &lie);
        sim_run(t.sim, SECOND, NULL, NULL);
    }
    assert_int_equal(t.hub->verified, verified);
    assert_true(t.hub->drops[DROP_RECORD] >= 10);
    sim_free(t.sim);
}

struct flood {
    struct trio *t;
    const struct message *message;
};

static void flood(void *context)
{
    const struct flood *f = context;
    sim_say(f->t->a, f->t->hub, f->message);
}

static void forged_answers_cost_one_signature_for_each_question(void **state)
{
    (void)state;
    static uint8_t data[RECORD_MAX], signature[IDENTITY_SIGNATURE_LEN];
    struct trio t = make_trio(&fair);
    sim_connect(t.a, t.hub, NULL);
    sim_run(t.sim, 3 * SECOND, NULL, NULL);
    unsigned verified = t.hub->verified;
    sim_want(t.hub, t.b); /* the hub asks the liar about somebody who is not there */
    const struct message lie = {.type = MESSAGE_RECORD, .record = forged(t.b, data, signature)};
    struct flood f = {&t, &lie};
    sim_run(t.sim, 60 * SECOND, flood, &f);
    assert_in_range(t.hub->verified - verified, 1, 10); /* it asks after 0.25 s, doubled up to a minute */
    assert_true(t.hub->drops[DROP_RECORD] >= t.hub->verified - verified);
    assert_false(sim_connected(t.hub, t.b));
    sim_free(t.sim);
}

/* A record is 7 datagrams, and probes go on. */
static void greedy_asker_gets_four_records_a_second(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    struct message seek;
    join(&t);
    (void)only(&seek, t.b, 0);
    for (seek.seek.count = 1; seek.seek.count < MESSAGE_SOUGHT_MAX; seek.seek.count++)
        seek.seek.list[seek.seek.count] = seek.seek.list[0];
    struct flood f = {&t, &seek};
    uint64_t before = t.hub->datagrams;
    sim_run(t.sim, 20 * SECOND, flood, &f);
    assert_in_range(t.hub->datagrams - before, 4 * 20 * 7, (3 + 4 * 20) * 8 + 20 * 40);
    sim_free(t.sim);
}

#define STRANGERS 24 /* 16 are enough for all that leaves in a second */

struct crowd {
    struct trio *t;
    struct sim_node *strangers[STRANGERS];
    const struct message *seek;
};

/* The peer on the hub's list asks last. */
static void ask_all(void *context)
{
    const struct crowd *c = context;
    for (unsigned i = 0; i < STRANGERS; i++)
        sim_say(c->strangers[i], c->t->hub, c->seek);
    sim_say(c->t->b, c->t->hub, c->seek);
}

static void strangers_leave_records_for_peers_of_the_list(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    struct message seek;
    struct crowd crowd = {.t = &t, .seek = &seek};
    assert_int_equal(mesh_allow(t.hub->mesh, identity_id(t.b->identity)), 0);
    join(&t);
    for (unsigned i = 0; i < STRANGERS; i++) {
        crowd.strangers[i] = sim_add(t.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        sim_connect(crowd.strangers[i], t.hub, NULL);
    }
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    (void)only(&seek, t.a, 0);
    uint64_t before = t.b->drops[DROP_RECORD]; /* its mesh did not ask */
    sim_run(t.sim, 10 * SECOND, ask_all, &crowd);
    assert_in_range(t.b->drops[DROP_RECORD] - before, 35, 3 + 4 * 10);
    sim_free(t.sim);
}

static void nothing_is_told_of_who_is_not_known(void **state)
{
    (void)state;
    struct trio t = make_trio(&fair);
    struct sim_node *absent = sim_add(t.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct message seek;
    join(&t);
    uint64_t before = t.hub->datagrams;
    (void)only(&seek, absent, 0);
    sim_say(t.a, t.hub, &seek);
    sim_run(t.sim, SECOND / 5, NULL, NULL);
    assert_in_range(t.hub->datagrams - before, 0, 4);
    sim_free(t.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_find_each_other_by_one_that_both_know),
        cmocka_unit_test(who_restarts_finds_the_others_anew),
        cmocka_unit_test(records_come_through_loss),
        cmocka_unit_test(earlier_version_is_not_asked),
        cmocka_unit_test(newest_record_wins_and_an_older_one_is_not_taken),
        cmocka_unit_test(records_of_strangers_are_no_change_of_what_is_kept_for_the_next_start),
        cmocka_unit_test(who_is_dialled_in_vain_is_dialled_at_once_when_its_record_is_newer),
        cmocka_unit_test(who_said_goodbye_and_is_back_is_dialled_at_once_when_its_record_is_newer),
        cmocka_unit_test(who_is_sought_anew_does_not_wait_for_one_that_is_never_found),
        cmocka_unit_test(one_that_is_sought_is_found_among_many_that_are_not),
        cmocka_unit_test(all_that_are_sought_have_a_turn_before_questions_grow_rarer),
        cmocka_unit_test(addresses_of_a_stranger_do_not_make_questions_frequent_again),
        cmocka_unit_test(record_that_was_not_asked_for_is_not_even_verified),
        cmocka_unit_test(forged_answers_cost_one_signature_for_each_question),
        cmocka_unit_test(greedy_asker_gets_four_records_a_second),
        cmocka_unit_test(strangers_leave_records_for_peers_of_the_list),
        cmocka_unit_test(nothing_is_told_of_who_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
