/* SPDX-License-Identifier: Apache-2.0 */
/* A network's lists among its nodes: members meet by the roster, and whoever is revoked is shut out by all. docs/PROTOCOL.md §27. */

#include "base/clock.h"
#include "crypto/secret.h"
#include "founded.h"
#include "proto/network/rolls.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC
#define NODES  10 /* at most */
#define FEW    5

static const struct sim_weather fair = {.delay_us = 20000};
static const struct sim_weather stormy = {
    .delay_us = 20000, .jitter_us = 10000, .loss = 0.05, .duplicate = 0.05};

/* Node 0 is the issuer's; all others know it, and nobody else. */
struct network {
    struct sim *sim;
    struct founded net;
    const struct identity *issuer;
    unsigned count, away, revoked; /* the last two of them are those */
    struct sim_node *nodes[NODES];
    struct roster_member members[NODES];
};

static int compare_members(const void *a, const void *b)
{
    return id_compare(&((const struct roster_member *)a)->id, &((const struct roster_member *)b)->id);
}

static void enter_in_roster(struct network *t, unsigned i)
{
    struct roster_member *m = &t->members[i];
    *m = (struct roster_member){
        .id = *identity_id(t->nodes[i]->identity), .since = FOUNDED_NOW, .not_after = FOUNDED_NOW + 86400};
    snprintf(m->name, sizeof(m->name), "node-%u", i);
}

static void publish(struct network *t)
{
    struct roster_member sorted[NODES];
    memcpy(sorted, t->members, t->count * sizeof(*sorted));
    qsort(sorted, t->count, sizeof(*sorted), compare_members);
    assert_int_equal(rolls_publish(t->nodes[0]->rolls, t->issuer, sorted, t->count), 0);
    mesh_on_rolls(t->nodes[0]->mesh, sim_now(t->sim));
    sim_do_outputs(t->nodes[0]);
}

static struct rolls *new_rolls(const struct network *t)
{
    struct rolls *r;
    assert_int_equal(rolls_new(&t->net.ca_cert.cert, &r), 0);
    rolls_on_time(r, FOUNDED_NOW);
    return r;
}

static void start(struct network *t, unsigned i)
{
    struct sim_node *n = t->nodes[i];
    sim_sign(n, 1000 + sim_now(t->sim) / SECOND);
    mesh_on_rolls(n->mesh, sim_now(t->sim));
    sim_do_outputs(n);
    if (i > 0)
        sim_connect(n, t->nodes[0], NULL);
}

static void make_network(struct network *t, const struct sim_weather *weather, unsigned count)
{
    *t = (struct network){
        .sim = sim_new(27, weather), .count = count, .away = count - 2, .revoked = count - 1};
    founded_open(&t->net, "lab");
    t->issuer = t->net.issuers[0];
    for (unsigned i = 0; i < t->count; i++) {
        struct sim_node *n = t->nodes[i] = sim_add(t->sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
        struct founding_cert c = founded_cert(&t->net, n, 0);
        n->full_mesh = true;
        n->rolls = new_rolls(t);
        founded_join(&t->net, n, 0, &c);
        enter_in_roster(t, i);
    }
    publish(t);
    for (unsigned i = 0; i < t->count; i++)
        start(t, i);
}

static void free_network(struct network *t)
{
    struct rolls *rolls[NODES];
    for (unsigned i = 0; i < t->count; i++)
        rolls[i] = t->nodes[i]->rolls;
    sim_free(t->sim);
    for (unsigned i = 0; i < t->count; i++)
        rolls_free(rolls[i]);
    founded_close(&t->net);
}

static unsigned connected_to(const struct network *t, unsigned i)
{
    unsigned count = 0;
    for (unsigned j = 0; j < t->count; j++)
        count += j != i && sim_connected(t->nodes[j], t->nodes[i]);
    return count;
}

static void assert_all_connected(const struct network *t)
{
    for (unsigned i = 0; i < t->count; i++)
        assert_int_equal(connected_to(t, i), t->count - 1);
}

static void revoke(struct network *t, unsigned i)
{
    assert_int_equal(rolls_revoke(t->nodes[0]->rolls, t->issuer, identity_id(t->nodes[i]->identity)), 0);
    mesh_on_rolls(t->nodes[0]->mesh, sim_now(t->sim));
    sim_do_outputs(t->nodes[0]);
}

/* Nobody told them of each other but the issuer. */
static void members_meet_by_the_roster_alone(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    assert_all_connected(&t);
    for (unsigned i = 0; i < t.count; i++)
        assert_non_null(rolls_find_name(t.nodes[i]->rolls, "node-3"));
    free_network(&t);
}

/* So whom it certified is judged without a question. */
static void an_issuer_that_the_lists_bring_is_known(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    const struct founding_cert *other = &t.net.issuer_certs[1];
    assert_null(membership_issuer(t.nodes[2]->network, 1));
    const struct slice der = {other->der, other->len};
    assert_int_equal(rolls_take(t.nodes[0]->rolls, LIST_ISSUER, der), ROLLS_NEWER);
    mesh_on_rolls(t.nodes[0]->mesh, sim_now(t.sim));
    sim_do_outputs(t.nodes[0]);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    const struct node_id *known = membership_issuer(t.nodes[2]->network, 1);
    assert_true(known && id_compare(known, &other->cert.id) == 0);
    free_network(&t);
}

static void who_is_revoked_loses_every_session_within_seconds(void **state)
{
    (void)state;
    static const struct sim_weather *const weathers[] = {&fair, &stormy};
    for (unsigned w = 0; w < 2; w++) {
        struct network t;
        make_network(&t, weathers[w], NODES);
        sim_run(t.sim, 60 * SECOND, NULL, NULL);
        assert_all_connected(&t);
        /* one that a person has on a list, which needs no certificate else */
        assert_int_equal(mesh_allow(t.nodes[1]->mesh, identity_id(t.nodes[t.revoked]->identity)), 0);
        revoke(&t, t.revoked);
        sim_run(t.sim, 5 * SECOND, NULL, NULL);
        assert_int_equal(connected_to(&t, t.revoked), 0);
        for (unsigned i = 0; i < t.revoked; i++)
            assert_int_equal(connected_to(&t, i), t.count - 2);
        sim_run(t.sim, 120 * SECOND, NULL, NULL);
        assert_int_equal(connected_to(&t, t.revoked), 0);
        free_network(&t);
    }
}

/* It has the issuer's address, and the others' from before. */
static void who_is_revoked_is_refused_by_those_who_were_off(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    sim_kill(t.nodes[t.away]);
    revoke(&t, t.revoked);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    sim_restart(t.nodes[t.away]);
    start(&t, t.away);
    sim_connect(t.nodes[t.revoked], t.nodes[t.away], NULL);
    sim_run(t.sim, 20 * SECOND, NULL, NULL);
    assert_true(sim_connected(t.nodes[t.away], t.nodes[0]));
    assert_true(rolls_revoked(t.nodes[t.away]->rolls, identity_id(t.nodes[t.revoked]->identity)));
    assert_int_equal(connected_to(&t, t.revoked), 0);
    assert_true(t.nodes[t.away]->notes[MESH_NOTICE_REFUSED] > 0);
    free_network(&t);
}

/* A node that comes back with an old list, and says that it is the newest there is. */
static void old_list_takes_no_revocation_back(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    assert_int_equal(rolls_revoke(t.nodes[0]->rolls, t.issuer, NULL), 0);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    struct rolls *old = new_rolls(&t), *fresh = t.nodes[t.away]->rolls;
    for (unsigned kind = LIST_ISSUER; kind >= LIST_REVOCATIONS; kind--)
        assert_int_equal(rolls_take(old, kind, rolls_bytes(fresh, kind, identity_id(t.issuer))), ROLLS_NEWER);
    revoke(&t, t.revoked);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    sim_kill(t.nodes[t.away]);
    t.nodes[t.away]->rolls = old;
    sim_restart(t.nodes[t.away]);
    rolls_free(fresh);
    start(&t, t.away);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    const struct message lie = {
        .type = MESSAGE_LISTS,
        .lists = {1, {{LIST_REVOCATIONS, *identity_id(t.issuer), UINT64_MAX, FOUNDED_NOW + 86400}}}};
    sim_say(t.nodes[t.away], t.nodes[0], &lie);
    sim_run(t.sim, 60 * SECOND, NULL, NULL);
    for (unsigned i = 0; i < t.revoked; i++)
        assert_true(rolls_revoked(t.nodes[i]->rolls, identity_id(t.nodes[t.revoked]->identity)));
    assert_true(t.nodes[0]->drops[DROP_RECORD] > 0);
    assert_true(sim_connected(t.nodes[0], t.nodes[t.away]));
    free_network(&t);
}

/* A node comes back after two days; the one that was revoked meanwhile is the first to dial it. */
struct meeting {
    struct sim_node *back, *revoked, *other;
    bool met;
    uint64_t issuer_us; /* when the issuer's session was first seen … */
    uint64_t other_us;  /* … and another member's */
    const struct sim_node *issuer;
};

static void watch_meeting(void *context)
{
    struct meeting *w = context;
    uint64_t now_us = sim_now(w->back->sim);
    w->met |= sim_connected(w->back, w->revoked) || sim_connected(w->revoked, w->back);
    if (!w->issuer_us && sim_connected(w->back, w->issuer))
        w->issuer_us = now_us;
    if (!w->other_us && sim_connected(w->back, w->other))
        w->other_us = now_us;
}

static void return_after_two_days(struct network *t, struct meeting *w)
{
    struct sim_node *n = t->nodes[t->away];
    membership_set_clock(n->network, FOUNDED_NOW + 2 * 86400, sim_now(t->sim));
    sim_restart(n);
    start(t, t->away);
    sim_connect(t->nodes[t->revoked], n, NULL);
    *w = (struct meeting){
        .back = n, .revoked = t->nodes[t->revoked], .other = t->nodes[1], .issuer = t->nodes[0]};
    sim_run(t->sim, 30 * SECOND, watch_meeting, w);
}

static void node_that_was_off_for_days_meets_an_issuer_first(void **state)
{
    (void)state;
    struct network t;
    struct meeting w;
    make_network(&t, &fair, FEW);
    assert_int_equal(rolls_revoke(t.nodes[0]->rolls, t.issuer, NULL), 0);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    sim_kill(t.nodes[t.away]);
    t.nodes[0]->far_us = 300000; /* the issuer is the farthest */
    revoke(&t, t.revoked);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    return_after_two_days(&t, &w);
    assert_false(w.met);
    assert_true(w.issuer_us > 0 && w.other_us > w.issuer_us);
    free_network(&t);
}

static void where_no_issuer_answers_members_are_let_in_after_all(void **state)
{
    (void)state;
    struct network t;
    struct meeting w;
    make_network(&t, &fair, FEW);
    assert_int_equal(rolls_revoke(t.nodes[0]->rolls, t.issuer, NULL), 0);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    sim_kill(t.nodes[t.away]);
    sim_kill(t.nodes[0]);
    uint64_t from_us = sim_now(t.sim);
    return_after_two_days(&t, &w);
    assert_true(w.other_us - from_us > 4 * SECOND);
    for (unsigned i = 1; i < t.away; i++)
        assert_true(sim_connected(t.nodes[t.away], t.nodes[i]));
    free_network(&t);
}

/* It carries all that the nodes say to each other, repeats it, and says that the revoked one is somebody else. */
static void lying_backbone_brings_nobody_back(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    for (unsigned i = 0; i < t.count; i++) {
        sim_uplink(t.nodes[i], true);
        t.nodes[i]->shut = true;
    }
    sim_backbone(t.sim)->repeats = sim_backbone(t.sim)->reorders = true;
    sim_run(t.sim, 30 * SECOND, NULL, NULL); /* by now it carries all */
    assert_all_connected(&t);
    revoke(&t, t.revoked);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_int_equal(connected_to(&t, t.revoked), 0);
    sim_backbone(t.sim)->names = t.nodes[1];
    for (unsigned i = 0; i < t.revoked; i++)
        sim_want(t.nodes[t.revoked], t.nodes[i]);
    sim_run(t.sim, 60 * SECOND, NULL, NULL);
    assert_int_equal(connected_to(&t, t.revoked), 0);
    for (unsigned i = 0; i < t.revoked; i++)
        assert_true(rolls_revoked(t.nodes[i]->rolls, identity_id(t.nodes[t.revoked]->identity)));
    assert_true(t.nodes[t.revoked]->opened > 0);
    free_network(&t);
}

static void what_is_asked_without_end_is_answered_within_bounds(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    const struct message ask = {.type = MESSAGE_LIST_ASK,
                                .part = {.kind = LIST_ROSTER, .signer = *identity_id(t.issuer)}};
    uint64_t before = t.nodes[0]->datagrams;
    for (unsigned i = 0; i < 150; i++)
        sim_say(t.nodes[1], t.nodes[0], &ask);
    sim_run(t.sim, SECOND, NULL, NULL);
    assert_in_range(t.nodes[0]->datagrams - before, 32, 60 * 4);
    assert_true(t.nodes[0]->drops[DROP_CONTROL_RATE] > 0);
    free_network(&t);
}

/* As when many join at once. */
static void many_rosters_in_a_row_are_no_flood(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    for (unsigned i = 0; i < 200; i++) {
        publish(&t);
        sim_run(t.sim, SECOND / 20, NULL, NULL);
    }
    sim_run(t.sim, 2 * SECOND, NULL, NULL);
    uint64_t number = rolls_number(t.nodes[0]->rolls, LIST_ROSTER, identity_id(t.issuer));
    for (unsigned i = 0; i < t.count; i++) {
        assert_true(rolls_number(t.nodes[i]->rolls, LIST_ROSTER, identity_id(t.issuer)) == number);
        assert_int_equal(t.nodes[i]->drops[DROP_CONTROL_RATE], 0);
    }
    free_network(&t);
}

static void who_leaves_the_roster_is_dialled_no_more(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    struct mesh_peer peer;
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    enter_in_roster(&t, t.revoked);
    t.members[t.revoked].not_after = FOUNDED_NOW - 1;
    publish(&t);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    sim_stop(t.nodes[t.revoked]);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    for (unsigned i = 0; i < t.revoked; i++)
        assert_false(sim_peer(t.nodes[i], t.nodes[t.revoked], &peer));
    free_network(&t);
}

static unsigned members_of(const struct network *t, unsigned i)
{
    unsigned count, connected;
    mesh_members(t->nodes[i]->mesh, &count, &connected);
    return count;
}

static void member_that_a_person_named_is_one_again_without_that(void **state)
{
    (void)state;
    struct network t;
    make_network(&t, &fair, FEW);
    const struct node_id *id = identity_id(t.nodes[2]->identity);
    struct mesh *m = t.nodes[1]->mesh;
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    unsigned all = members_of(&t, 1); /* but the issuer, whom a person named */
    assert_int_equal(mesh_allow(m, id), 0);
    assert_int_equal(mesh_withdraw(m, id, sim_now(t.sim)), 0);
    assert_int_equal(members_of(&t, 1), all);
    sim_do_outputs(t.nodes[1]);
    sim_run(t.sim, SECOND, NULL, NULL);
    assert_int_equal(t.nodes[1]->notes[MESH_NOTICE_LOST], 0); /* its certificate goes on */
    assert_int_equal(mesh_connect(m, id), 0);
    assert_int_equal(mesh_disconnect(m, id, sim_now(t.sim)), 0);
    assert_int_equal(members_of(&t, 1), all - 1);
    mesh_enroll_again(m, id);
    assert_int_equal(members_of(&t, 1), all);
    sim_do_outputs(t.nodes[1]);
    sim_run(t.sim, 120 * SECOND, NULL, NULL);
    assert_all_connected(&t);
    mesh_enroll_again(m, identity_id(t.issuer)); /* whom we dial anyway */
    free_network(&t);
}

/* n is one by its own key, as far as what who holds tells. */
static void make_issuer(struct network *t, const struct sim_node *n, struct sim_node *who)
{
    struct founding f = {.network = "lab", .range_count = 1, .now = FOUNDED_NOW, .random = &secret_source};
    struct founding_cert c;
    f.ranges[0] = (struct addr_prefix){{.family = 4, .ip = {10, 7, 0, 0}}, 16};
    assert_int_equal(founding_issuer(&f, t->net.ca, identity_spki(n->identity), FOUNDED_ISSUERS, &c), 0);
    assert_int_equal(rolls_take(who->rolls, LIST_ISSUER, (struct slice){c.der, c.len}), ROLLS_NEWER);
}

static void who_leaves_is_shut_out_by_the_issuer_that_it_asks(void **state)
{
    (void)state;
    struct network t;
    struct node_id asked;
    make_network(&t, &fair, FEW);
    struct sim_node *leaver = t.nodes[1], *issuer = t.nodes[0];
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    assert_int_equal(mesh_leave(leaver->mesh, &asked, sim_now(t.sim)), MESH_LEAVE_NOBODY);
    make_issuer(&t, issuer, issuer);
    mesh_on_rolls(issuer->mesh, sim_now(t.sim)); /* it tells the others */
    sim_do_outputs(issuer);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_int_equal(mesh_leave(leaver->mesh, &asked, sim_now(t.sim)), MESH_LEAVE_ASKED);
    assert_int_equal(id_compare(&asked, identity_id(issuer->identity)), 0);
    sim_do_outputs(leaver);
    sim_run(t.sim, SECOND, NULL, NULL);
    assert_int_equal(issuer->left, 1);
    assert_int_equal(id_compare(&issuer->leaver, identity_id(leaver->identity)), 0);
    assert_int_equal(rolls_revoke(issuer->rolls, issuer->identity, &issuer->leaver),
                     0); /* as its node does */
    mesh_on_rolls(issuer->mesh, sim_now(t.sim));
    sim_do_outputs(issuer);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_int_equal(connected_to(&t, 1), 0);
    assert_int_equal(mesh_leave(leaver->mesh, &asked, sim_now(t.sim)), MESH_LEFT);
    free_network(&t);
}

/* It names its own key alone, and only an issuer is asked: a member that is none does nothing about it. */
static void who_is_no_issuer_shuts_nobody_out(void **state)
{
    (void)state;
    struct network t;
    struct node_id asked;
    make_network(&t, &fair, FEW);
    sim_run(t.sim, 30 * SECOND, NULL, NULL);
    make_issuer(&t, t.nodes[2], t.nodes[1]); /* who tells nobody of it */
    assert_int_equal(mesh_leave(t.nodes[1]->mesh, &asked, sim_now(t.sim)), MESH_LEAVE_ASKED);
    sim_do_outputs(t.nodes[1]);
    sim_run(t.sim, SECOND / 2, NULL, NULL);
    assert_int_equal(t.nodes[2]->left, 0);
    assert_int_equal(connected_to(&t, 1), t.count - 1);
    free_network(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_meet_by_the_roster_alone),
        cmocka_unit_test(an_issuer_that_the_lists_bring_is_known),
        cmocka_unit_test(who_is_revoked_loses_every_session_within_seconds),
        cmocka_unit_test(who_is_revoked_is_refused_by_those_who_were_off),
        cmocka_unit_test(old_list_takes_no_revocation_back),
        cmocka_unit_test(node_that_was_off_for_days_meets_an_issuer_first),
        cmocka_unit_test(where_no_issuer_answers_members_are_let_in_after_all),
        cmocka_unit_test(lying_backbone_brings_nobody_back),
        cmocka_unit_test(what_is_asked_without_end_is_answered_within_bounds),
        cmocka_unit_test(many_rosters_in_a_row_are_no_flood),
        cmocka_unit_test(who_leaves_the_roster_is_dialled_no_more),
        cmocka_unit_test(member_that_a_person_named_is_one_again_without_that),
        cmocka_unit_test(who_leaves_is_shut_out_by_the_issuer_that_it_asks),
        cmocka_unit_test(who_is_no_issuer_shuts_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
