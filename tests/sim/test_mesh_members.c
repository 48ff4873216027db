/* SPDX-License-Identifier: Apache-2.0 */
/* A full mesh: who dials whom, in what order, and what those cost that are not there. docs/PROTOCOL.md §6. */

#include "base/clock.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND  USEC_PER_SEC
#define MINUTE  (60 * SECOND)
#define MEMBERS 16
#define DEAD    40

static const struct sim_weather fair = {.delay_us = 5000};

struct members {
    struct sim *sim;
    struct sim_node *list[MEMBERS];
    unsigned count;
};

static struct addr nobodys(unsigned number)
{
    return (struct addr){.family = 4, .ip = {198, 19, 0, (uint8_t)(number + 1)}, .port = 9443};
}

static struct node_id absent(unsigned number)
{
    return (struct node_id){{0xee, (uint8_t)number}};
}

static void tell_where(const struct sim_node *n, const struct node_id *id, const struct addr *udp)
{
    const struct candidate there = {CANDIDATE_HOST, *udp, (uint16_t)(udp->port - 1000)};
    mesh_set_record(n->mesh, id, "member", &there, 1, sim_now(n->sim));
}

static void allow(const struct sim_node *n, const struct sim_node *other)
{
    assert_int_equal(mesh_allow(n->mesh, identity_id(other->identity)), 0);
}

/* With what it kept on disk. */
static void list_others(const struct members *t, struct sim_node *n)
{
    for (unsigned i = 0; i < t->count; i++) {
        if (t->list[i] == n)
            continue;
        allow(n, t->list[i]);
        tell_where(n, identity_id(t->list[i]->identity), &t->list[i]->addr);
    }
    sim_do_outputs(n);
}

static struct sim_node *add(struct sim *sim, bool is_public)
{
    struct sim_node *n = sim_add(sim, is_public, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    n->full_mesh = true;
    sim_start_anew(n);
    return n;
}

static struct members make(unsigned count, const struct sim_weather *weather)
{
    struct members t = {.sim = sim_new(7, weather), .count = count};
    for (unsigned i = 0; i < count; i++)
        t.list[i] = add(t.sim, false);
    return t;
}

static void list_all(const struct members *t)
{
    for (unsigned i = 0; i < t->count; i++)
        list_others(t, t->list[i]);
}

static void assert_each_pair_shook_hands_once(const struct members *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        for (unsigned j = 0; j < t->count; j++) {
            struct mesh_peer peer;
            if (i == j)
                continue;
            assert_true(sim_peer(t->list[i], t->list[j], &peer));
            assert_int_equal(peer.state, MESH_PEER_CONNECTED);
            assert_int_equal(peer.handshakes, 1);
        }
    }
}

static void each_pair_has_a_session_by_one_handshake(void **state)
{
    (void)state;
    struct members t = make(MEMBERS, &fair);
    list_all(&t);
    sim_run(t.sim, 3 * SECOND, NULL, NULL);
    assert_each_pair_shook_hands_once(&t);
    assert_int_equal(sim_dialled(t.sim), MEMBERS * (MEMBERS - 1) / 2);
    for (unsigned i = 0; i < t.count; i++) {
        unsigned members, connected;
        mesh_members(t.list[i]->mesh, &members, &connected);
        assert_int_equal(members, MEMBERS - 1);
        assert_int_equal(connected, MEMBERS - 1);
    }
    sim_free(t.sim);
}

static void all_that_are_killed_and_started_at_once_do_the_same_again(void **state)
{
    (void)state;
    const struct sim_weather weather = {.delay_us = 20000, .jitter_us = 5000, .loss = 0.01};
    struct members t = make(MEMBERS, &weather);
    list_all(&t);
    sim_run(t.sim, 20 * SECOND, NULL, NULL);
    unsigned before = sim_dialled(t.sim);
    for (unsigned i = 0; i < t.count; i++)
        sim_kill(t.list[i]);
    for (unsigned i = 0; i < t.count; i++)
        sim_restart(t.list[i]);
    list_all(&t);
    sim_run(t.sim, 20 * SECOND, NULL, NULL);
    assert_each_pair_shook_hands_once(&t);
    assert_int_equal(sim_dialled(t.sim) - before, MEMBERS * (MEMBERS - 1) / 2);
    sim_free(t.sim);
}

/* Of each of its peers, which is asked for it, and not of all by each. */
static void members_that_are_dialled_where_they_are_known_to_be_are_not_sought(void **state)
{
    (void)state;
    struct members t = make(MEMBERS, &fair);
    for (unsigned i = 0; i < t.count; i++)
        sim_sign(t.list[i], 1000);
    list_all(&t);
    sim_run(t.sim, 20 * SECOND, NULL, NULL);
    assert_each_pair_shook_hands_once(&t);
    for (unsigned i = 0; i < t.count; i++)
        assert_int_equal(t.list[i]->verified, MEMBERS - 1);
    sim_free(t.sim);
}

static void kill_all_and_start_with_what_they_kept(const struct members *t)
{
    for (unsigned i = 0; i < t->count; i++)
        sim_kill(t->list[i]);
    for (unsigned i = 0; i < t->count; i++)
        sim_restart(t->list[i]);
    list_all(t);
    for (unsigned i = 0; i < t->count; i++)
        for (unsigned j = 0; j < t->count; j++)
            if (i != j)
                sim_look_up(t->list[i], t->list[j]);
    for (unsigned i = 0; i < t->count; i++)
        sim_sign(t->list[i], 2000);
}

static unsigned verified(const struct members *t)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < t->count; i++)
        sum += t->list[i]->verified;
    return sum;
}

static void members_that_are_where_they_were_are_not_asked_for_their_records(void **state)
{
    (void)state;
    struct members t = make(MEMBERS, &fair);
    for (unsigned i = 0; i < t.count; i++)
        sim_sign(t.list[i], 1000);
    list_all(&t);
    sim_run(t.sim, 20 * SECOND, NULL, NULL);
    kill_all_and_start_with_what_they_kept(&t);
    unsigned before = verified(&t);
    sim_run(t.sim, 20 * SECOND, NULL, NULL);
    assert_each_pair_shook_hands_once(&t);
    assert_int_equal(verified(&t), before);
    const struct candidate moved = {CANDIDATE_STATIC, t.list[0]->addr, 1};
    mesh_set_candidates(t.list[0]->mesh, &moved, 1, sim_now(t.sim));
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    assert_int_equal(verified(&t), before + MEMBERS - 1);
    sim_free(t.sim);
}

/* Whichever of the two is to dial. */
static unsigned asks(const struct members *t)
{
    return t->list[0]->asks + t->list[1]->asks;
}

static void backbones_relay_is_asked_for_once_data_flows_or_nothing_answers_straight(void **state)
{
    (void)state;
    for (unsigned flows = 0; flows < 2; flows++) {
        struct members t = make(2, &fair);
        sim_backbone(t.sim)->relays = true;
        sim_uplink(t.list[0], true);
        sim_uplink(t.list[1], true);
        list_all(&t);
        sim_run(t.sim, 20 * SECOND, NULL, NULL);
        assert_each_pair_shook_hands_once(&t);
        assert_int_equal(asks(&t), 0);
        if (!flows)
            sim_weather(t.sim)->no_udp = true;
        for (unsigned i = 0; i < 200 && !asks(&t); i++) {
            if (flows)
                assert_true(sim_send_frame(t.list[0], t.list[1], 1000));
            sim_run(t.sim, SECOND / 10, NULL, NULL);
        }
        assert_in_range(asks(&t), 1, 2);
        sim_free(t.sim);
    }
}

/* Four round trips of 0.6 s: as where many are made at once. */
static void a_member_that_takes_long_is_not_dialled_in_two_ways(void **state)
{
    (void)state;
    const struct sim_weather slow = {.delay_us = 300000};
    struct members t = make(2, &slow);
    sim_uplink(t.list[0], true);
    sim_uplink(t.list[1], true);
    list_all(&t);
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    assert_each_pair_shook_hands_once(&t);
    assert_int_equal(t.list[0]->opened + t.list[1]->opened, 0);
    sim_free(t.sim);
}

static void one_that_only_admits_is_dialled_soon(void **state)
{
    (void)state;
    struct members t = make(MEMBERS, &fair);
    t.list[0]->full_mesh = false;
    sim_start_anew(t.list[0]);
    list_all(&t);
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    assert_each_pair_shook_hands_once(&t);
    sim_free(t.sim);
}

static void member_that_is_withdrawn_is_dialled_no_more(void **state)
{
    (void)state;
    struct members t = make(MEMBERS, &fair);
    struct mesh_peer peer;
    list_all(&t);
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    assert_int_equal(mesh_withdraw(t.list[0]->mesh, identity_id(t.list[3]->identity), sim_now(t.sim)), 0);
    sim_do_outputs(t.list[0]);
    sim_run(t.sim, 60 * SECOND, NULL, NULL);
    assert_false(sim_connected(t.list[0], t.list[3]) || sim_connected(t.list[3], t.list[0]));
    assert_false(sim_peer(t.list[0], t.list[3], &peer));
    allow(t.list[0], t.list[3]);
    sim_run(t.sim, 2 * MINUTE, NULL, NULL);
    assert_true(sim_connected(t.list[0], t.list[3]) && sim_connected(t.list[3], t.list[0]));
    sim_free(t.sim);
}

static void member_that_is_killed_comes_back(void **state)
{
    (void)state;
    struct members t = make(MEMBERS, &fair);
    list_all(&t);
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    sim_kill(t.list[3]);
    sim_run(t.sim, 10 * MINUTE, NULL, NULL);
    assert_false(sim_connected(t.list[0], t.list[3]));
    sim_restart(t.list[3]);
    list_others(&t, t.list[3]);
    sim_run(t.sim, 10 * SECOND, NULL, NULL);
    for (unsigned i = 0; i < t.count; i++)
        assert_true(i == 3 || sim_connected(t.list[i], t.list[3]));
    sim_free(t.sim);
}

static void members_that_are_not_there_are_dialled_ever_more_rarely(void **state)
{
    (void)state;
    struct members t = make(2, &fair);
    list_all(&t);
    for (unsigned i = 0; i < DEAD; i++) {
        const struct node_id id = absent(i);
        const struct addr there = nobodys(i);
        assert_int_equal(mesh_allow(t.list[0]->mesh, &id), 0);
        tell_where(t.list[0], &id, &there);
    }
    sim_run(t.sim, 20 * MINUTE, NULL, NULL);
    assert_true(sim_connected(t.list[0], t.list[1]));
    unsigned before = sim_dialled(t.sim), ticks = t.list[0]->ticks;
    sim_run(t.sim, 10 * MINUTE, NULL, NULL);
    unsigned rounds = (sim_dialled(t.sim) - before) / DEAD;
    assert_in_range(rounds, 3, 8);
    assert_in_range(t.list[0]->ticks - ticks, 0,
                    20000); /* with the probes and looks of the one that is there */
    sim_free(t.sim);
}

static uint32_t slot_of(const struct sim_node *n, const struct sim_node *other)
{
    struct mesh_peer peer;
    assert_true(sim_peer(n, other, &peer));
    return peer.slot;
}

/* It dials nobody itself. */
static void a_frame_for_a_member_has_it_dialled_before_its_turn(void **state)
{
    (void)state;
    struct members t = make(2, &fair);
    struct sim_node *a = t.list[0], *b = t.list[1];
    b->full_mesh = false;
    sim_start_anew(b);
    sim_kill(b);
    list_others(&t, a);
    sim_run(t.sim, 20 * MINUTE, NULL, NULL);
    sim_restart(b);
    allow(b, a);
    sim_run(t.sim, 20 * USEC_PER_MSEC, NULL, NULL);
    assert_false(sim_connected(a, b));
    mesh_on_sought(a->mesh, slot_of(a, b), sim_now(t.sim));
    sim_do_outputs(a);
    sim_run(t.sim, 2 * SECOND, NULL, NULL);
    assert_true(sim_connected(a, b));
    sim_free(t.sim);
}

static void asking_for_a_member_that_is_not_there_makes_few_dials(void **state)
{
    (void)state;
    struct members t = make(2, &fair);
    struct sim_node *a = t.list[0];
    sim_kill(t.list[1]);
    list_others(&t, a);
    sim_run(t.sim, 20 * MINUTE, NULL, NULL);
    unsigned before = sim_dialled(t.sim);
    uint32_t slot = slot_of(a, t.list[1]);
    for (unsigned i = 0; i < 1000; i++) {
        mesh_on_demand(a->mesh, slot, sim_now(t.sim));
        sim_do_outputs(a);
        sim_run(t.sim, 10 * USEC_PER_MSEC, NULL, NULL);
    }
    assert_in_range(sim_dialled(t.sim) - before, 2, 6);
    sim_free(t.sim);
}

/* Each frame for one of them, over and over. */
static unsigned seek_all(const struct members *t, unsigned rounds)
{
    struct sim_node *a = t->list[0];
    unsigned before = sim_dialled(t->sim);
    for (unsigned i = 0; i < rounds; i++) {
        for (uint32_t slot = 0; slot < DEAD; slot++)
            mesh_on_sought(a->mesh, slot, sim_now(t->sim));
        sim_do_outputs(a);
        sim_run(t->sim, 10 * USEC_PER_MSEC, NULL, NULL);
    }
    return sim_dialled(t->sim) - before;
}

static void frames_for_members_that_are_not_there_make_few_dials(void **state)
{
    (void)state;
    struct members t = make(1, &fair);
    for (unsigned i = 0; i < DEAD; i++) {
        const struct node_id id = absent(i);
        const struct addr there = nobodys(i);
        assert_int_equal(mesh_allow(t.list[0]->mesh, &id), 0);
        tell_where(t.list[0], &id, &there);
    }
    sim_do_outputs(t.list[0]);
    sim_run(t.sim, 30 * MINUTE, NULL, NULL);
    assert_in_range(seek_all(&t, 2000), MESH_SOUGHT_BURST, MESH_SOUGHT_BURST + 21 * MESH_SOUGHT_RATE);
    sim_free(t.sim);
}

static void directory_is_asked_where_nothing_is_known_and_where_that_failed(void **state)
{
    (void)state;
    struct members t = make(2, &fair);
    struct sim_node *a = t.list[0];
    list_all(&t);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_connected(a, t.list[1]));
    assert_false(a->wants);
    const struct node_id unknown = absent(0);
    assert_int_equal(mesh_allow(a->mesh, &unknown), 0);
    bool asked = false;
    for (unsigned i = 0; i < 500; i++) {
        sim_run(t.sim, 10 * USEC_PER_MSEC, NULL, NULL);
        asked = asked || a->wants;
    }
    assert_true(asked);
    sim_free(t.sim);
}

/* As a node that is stopped. */
static void leave(struct sim_node *n)
{
    mesh_shutdown(n->mesh, sim_now(n->sim));
    sim_do_outputs(n);
    sim_run(n->sim, SECOND, NULL, NULL);
    sim_kill(n);
}

/* What they claimed is remembered as long as they may come back. */
static void members_without_a_session_are_told_of_and_others_are_not(void **state)
{
    (void)state;
    struct members t = make(2, &fair);
    struct sim_node *a = add(t.sim, true), *b = t.list[0], *c = t.list[1];
    list_others(&(struct members){t.sim, {a, b}, 2}, a);
    assert_int_equal(a->expected, 1);
    allow(b, a);
    sim_connect(c, a, NULL);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_connected(a, b) && sim_connected(a, c));
    leave(c);
    assert_int_equal(a->notes[MESH_NOTICE_LOST], 1);
    assert_false(a->absent);
    sim_restart(c);
    sim_connect(c, a, NULL);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    allow(a, c); /* it has a session */
    sim_do_outputs(a);
    assert_int_equal(a->expected, 1);
    leave(b);
    assert_int_equal(a->notes[MESH_NOTICE_LOST], 2);
    assert_true(a->absent);
    sim_restart(b);
    allow(b, a);
    sim_run(t.sim, 5 * MINUTE, NULL, NULL);
    assert_true(sim_connected(a, b));
    assert_int_equal(mesh_disallow(a->mesh, identity_id(b->identity), sim_now(t.sim)), 0);
    sim_do_outputs(a);
    assert_false(a->absent);
    sim_free(t.sim);
}

static void lists_that_change_are_followed(void **state)
{
    (void)state;
    struct members t = make(2, &fair);
    struct sim_node *a = add(t.sim, true), *b = t.list[0], *c = t.list[1];
    list_others(&(struct members){t.sim, {a, b}, 2}, a);
    list_others(&(struct members){t.sim, {a, b}, 2}, b);
    allow(c, a);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_connected(a, b));
    assert_false(sim_connected(a, c));
    allow(a, c);
    tell_where(a, identity_id(c->identity), &c->addr);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_connected(a, c));
    assert_int_equal(mesh_disallow(a->mesh, identity_id(b->identity), sim_now(t.sim)), 0);
    sim_do_outputs(a);
    sim_run(t.sim, 5 * SECOND, NULL, NULL);
    assert_false(sim_connected(a, b));
    unsigned members, connected;
    mesh_members(a->mesh, &members, &connected);
    assert_int_equal(members, 1);
    assert_int_equal(connected, 1);
    sim_free(t.sim);
}

static void peer_tells_why_it_is_not_connected(void **state)
{
    (void)state;
    struct members t = make(MEMBERS, &fair);
    unsigned waited_for = 0, not_yet = 0;
    list_others(&t, t.list[0]);
    for (unsigned i = 1; i < t.count; i++) {
        struct mesh_peer peer;
        assert_true(sim_peer(t.list[0], t.list[i], &peer));
        assert_int_equal(peer.state, MESH_PEER_CONNECTING);
        waited_for += strstr(peer.error, "waited for") != NULL;
        not_yet += strstr(peer.error, "has not come yet") != NULL;
    }
    assert_true(waited_for > 0 && not_yet > 0);
    assert_int_equal(waited_for + not_yet, MEMBERS - 1);
    sim_free(t.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_has_a_session_by_one_handshake),
        cmocka_unit_test(all_that_are_killed_and_started_at_once_do_the_same_again),
        cmocka_unit_test(members_that_are_dialled_where_they_are_known_to_be_are_not_sought),
        cmocka_unit_test(members_that_are_where_they_were_are_not_asked_for_their_records),
        cmocka_unit_test(backbones_relay_is_asked_for_once_data_flows_or_nothing_answers_straight),
        cmocka_unit_test(a_member_that_takes_long_is_not_dialled_in_two_ways),
        cmocka_unit_test(one_that_only_admits_is_dialled_soon),
        cmocka_unit_test(member_that_is_withdrawn_is_dialled_no_more),
        cmocka_unit_test(member_that_is_killed_comes_back),
        cmocka_unit_test(members_that_are_not_there_are_dialled_ever_more_rarely),
        cmocka_unit_test(a_frame_for_a_member_has_it_dialled_before_its_turn),
        cmocka_unit_test(asking_for_a_member_that_is_not_there_makes_few_dials),
        cmocka_unit_test(frames_for_members_that_are_not_there_make_few_dials),
        cmocka_unit_test(directory_is_asked_where_nothing_is_known_and_where_that_failed),
        cmocka_unit_test(members_without_a_session_are_told_of_and_others_are_not),
        cmocka_unit_test(lists_that_change_are_followed),
        cmocka_unit_test(peer_tells_why_it_is_not_connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
