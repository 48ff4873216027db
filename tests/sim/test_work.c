/* SPDX-License-Identifier: Apache-2.0 */
/* What a handshake has to compute is done elsewhere, and the world does not wait for it: bytes come, streams end, time
 * passes, peers are taken back, the node stops. Times are virtual. */

#include "base/clock.h"
#include "proto/link/link.h"
#include "sim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND USEC_PER_SEC

static const struct sim_weather fair = {.delay_us = 5000};

struct pair {
    struct sim *sim;
    struct sim_node *a, *b; /* b dials a */
};

static struct pair dialling_pair(void)
{
    struct pair p = {.sim = sim_new(7, &fair)};
    p.a = sim_add(p.sim, true, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    p.b = sim_add(p.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    sim_connect(p.b, p.a, NULL);
    return p;
}

/* Until n has something to compute for the count-th time, and holds it. */
static void run_to_work(struct pair *p, struct sim_node *n, unsigned count)
{
    n->holds_work = true;
    for (unsigned i = 0; i < 100 && count; i++) {
        sim_run(p->sim, 10000, NULL, NULL);
        if (!n->held_count)
            continue;
        assert_int_equal(n->held_count, 1);
        if (--count)
            sim_do_work(n);
    }
    assert_int_equal(count, 0);
}

static void let_go(struct sim_node *n)
{
    n->holds_work = false;
    sim_do_work(n);
}

static void assert_connects(struct pair *p)
{
    sim_run(p->sim, 10 * SECOND, NULL, NULL);
    assert_true(sim_connected(p->a, p->b) && sim_connected(p->b, p->a));
}

static void each_stream_has_one_work_at_a_time_and_nodes_connect(void **state)
{
    (void)state;
    struct pair p = dialling_pair();
    unsigned works[2] = {0, 0};
    p.a->holds_work = p.b->holds_work = true;
    for (unsigned i = 0; i < 100 && !sim_connected(p.b, p.a); i++) {
        sim_run(p.sim, 20000, NULL, NULL);
        assert_in_range(p.a->held_count, 0, 1);
        assert_in_range(p.b->held_count, 0, 1);
        works[0] += (unsigned)p.a->held_count;
        works[1] += (unsigned)p.b->held_count;
        sim_do_work(p.a);
        sim_do_work(p.b);
    }
    assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
    assert_in_range(works[0], 3, 6); /* the peer's hello, its proof, the root */
    assert_in_range(works[1], 3, 6);
    sim_free(p.sim);
}

/* The opener's HELLO comes right behind its proof, while that is still being verified. */
static void bytes_that_come_meanwhile_are_kept(void **state)
{
    (void)state;
    struct pair p = dialling_pair();
    run_to_work(&p, p.a, 2);
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_int_equal(p.a->held_count, 1);
    let_go(p.a);
    assert_connects(&p);
    assert_int_equal(sim_dialled(p.sim), 1);
    sim_free(p.sim);
}

static void a_stream_that_ends_meanwhile_ends_its_handshake(void **state)
{
    (void)state;
    for (unsigned work = 1; work <= 3; work++) {
        for (int who = 0; who < 2; who++) {
            struct pair p = dialling_pair();
            struct sim_node *busy = who ? p.a : p.b;
            run_to_work(&p, busy, work);
            sim_cut_streams(p.sim);
            sim_run(p.sim, SECOND / 10, NULL, NULL);
            assert_false(sim_connected(p.a, p.b));
            let_go(busy);
            assert_connects(&p);
            assert_true(sim_dialled(p.sim) > 1);
            sim_free(p.sim);
        }
    }
}

/* That the stream has ended meanwhile says less. */
static void what_the_work_found_out_is_told_first(void **state)
{
    (void)state;
    struct pair p = dialling_pair();
    struct sim_node *c = sim_add(p.sim, false, MESH_RATCHET_US, MESH_REHANDSHAKE_US);
    struct mesh_peer peer;
    c->holds_work = true;
    sim_connect(c, p.a, identity_id(p.b->identity));
    for (unsigned i = 0; i < 50; i++) {
        sim_run(p.sim, 10000, NULL, NULL);
        if (c->held_count && c->stream_bytes)
            break;
        sim_do_work(c);
    }
    assert_int_equal(c->held_count, 1);
    sim_cut_streams(p.sim);
    sim_run(p.sim, SECOND / 10, NULL, NULL);
    let_go(c);
    sim_run(p.sim, 5 * SECOND, NULL, NULL);
    assert_true(sim_peer(c, p.b, &peer));
    assert_non_null(strstr(peer.error, "the key shown there has the id"));
    sim_free(p.sim);
}

static void time_runs_out_meanwhile(void **state)
{
    (void)state;
    for (unsigned work = 1; work <= 3; work++) {
        for (int who = 0; who < 2; who++) {
            struct pair p = dialling_pair();
            struct sim_node *busy = who ? p.a : p.b;
            run_to_work(&p, busy, work);
            sim_run(p.sim, LINK_HANDSHAKE_US + SECOND / 10, NULL, NULL);
            assert_true(p.a->aborted + p.a->closed + p.b->closed > 0);
            let_go(busy);
            assert_connects(&p);
            sim_free(p.sim);
        }
    }
}

/* Nobody else ends its stream. */
static void time_of_a_stranger_runs_out_meanwhile(void **state)
{
    (void)state;
    struct pair p = dialling_pair();
    const struct addr stranger = {.family = 4, .ip = {203, 0, 113, 1}, .port = 1000};
    uint8_t hello[8192];
    size_t len = sim_client_hello(p.b, hello, sizeof(hello));
    assert_connects(&p);
    p.a->holds_work = true;
    uint64_t conn = sim_accept(p.a->mesh, &stranger, sim_now(p.sim));
    mesh_on_bytes(p.a->mesh, conn, hello, len, sim_now(p.sim));
    sim_do_outputs(p.a);
    assert_int_equal(p.a->held_count, 1);
    sim_run(p.sim, LINK_HANDSHAKE_US + SECOND / 10, NULL, NULL);
    assert_int_equal(p.a->aborted, 1);
    uint64_t bytes = p.a->stream_bytes;
    let_go(p.a);
    assert_int_equal(p.a->stream_bytes, bytes);
    sim_free(p.sim);
}

/* Else a newcomer would wait in the order of coming, and not in the lobby, which knows who was served least. */
static void guests_stay_in_the_lobby_while_much_is_computed(void **state)
{
    (void)state;
    struct pair p = dialling_pair();
    uint8_t hello[8192];
    size_t len = sim_client_hello(p.b, hello, sizeof(hello));
    assert_connects(&p);
    p.a->holds_work = true;
    for (uint8_t i = 0; i < 40; i++) {
        const struct addr stranger = {.family = 4, .ip = {203, i, 113, 1}, .port = 1000};
        uint64_t conn = sim_accept(p.a->mesh, &stranger, sim_now(p.sim));
        mesh_on_bytes(p.a->mesh, conn, hello, len, sim_now(p.sim));
    }
    sim_run(p.sim, SECOND, NULL, NULL);
    assert_int_equal(p.a->held_count, 16);
    sim_do_work(p.a);
    assert_in_range(p.a->held_count, 1, 16);
    let_go(p.a);
    sim_free(p.sim);
}

static void who_says_more_than_a_handshake_takes_is_closed(void **state)
{
    (void)state;
    struct pair p = dialling_pair();
    const struct addr stranger = {.family = 4, .ip = {203, 0, 113, 1}, .port = 1000};
    uint8_t hello[8192], noise[1024] = {22, 3, 3};
    size_t len = sim_client_hello(p.b, hello, sizeof(hello)), said = 0;
    p.a->holds_work = true;
    uint64_t conn = sim_accept(p.a->mesh, &stranger, sim_now(p.sim));
    mesh_on_bytes(p.a->mesh, conn, hello, len, sim_now(p.sim));
    sim_do_outputs(p.a);
    assert_int_equal(p.a->held_count, 1);
    unsigned ended = p.a->closed + p.a->aborted;
    for (; p.a->closed + p.a->aborted == ended && said < 1u << 20; said += sizeof(noise)) {
        mesh_on_bytes(p.a->mesh, conn, noise, sizeof(noise), sim_now(p.sim));
        sim_do_outputs(p.a);
    }
    assert_int_equal(said, LINK_INBOX_MAX + sizeof(noise));
    let_go(p.a);
    assert_connects(&p);
    sim_free(p.sim);
}

/* Done, given back undone, or never asked for. */
static void a_node_stops_meanwhile(void **state)
{
    (void)state;
    for (unsigned work = 1; work <= 3; work++) {
        for (int how = 0; how < 6; how++) {
            struct pair p = dialling_pair();
            struct sim_node *busy = how % 2 ? p.a : p.b;
            run_to_work(&p, busy, work);
            mesh_shutdown(busy->mesh, sim_now(p.sim));
            uint64_t bytes = busy->stream_bytes;
            if (how / 2 == 0)
                sim_do_work(busy);
            else if (how / 2 == 1)
                sim_give_work_back(busy);
            sim_do_outputs(busy);
            assert_int_equal(busy->stream_bytes, bytes);
            assert_int_equal(busy->held_count, how / 2 == 2);
            sim_free(p.sim);
        }
    }
}

/* Bytes that nobody has acted upon yet: the work is still an output. */
static void a_mesh_is_freed_with_work_that_nobody_took(void **state)
{
    (void)state;
    struct pair p = dialling_pair();
    const struct addr stranger = {.family = 4, .ip = {203, 0, 113, 1}, .port = 1000};
    uint8_t hello[8192];
    size_t len = sim_client_hello(p.b, hello, sizeof(hello));
    uint64_t conn = sim_accept(p.a->mesh, &stranger, sim_now(p.sim));
    mesh_on_bytes(p.a->mesh, conn, hello, len, sim_now(p.sim));
    sim_free(p.sim);
}

static void work_that_is_given_back_undone_fails_its_handshake(void **state)
{
    (void)state;
    for (unsigned work = 1; work <= 3; work++) {
        struct pair p = dialling_pair();
        struct mesh_peer peer;
        run_to_work(&p, p.b, work);
        p.b->holds_work = false;
        sim_give_work_back(p.b);
        assert_int_equal(p.b->closed, 1);
        assert_true(sim_peer(p.b, p.a, &peer));
        assert_int_not_equal(peer.state, MESH_PEER_CONNECTED);
        assert_connects(&p);
        sim_free(p.sim);
    }
}

static void a_peer_that_is_taken_back_meanwhile_is_dialled_no_more(void **state)
{
    (void)state;
    for (unsigned work = 1; work <= 3; work++) {
        struct pair p = dialling_pair();
        run_to_work(&p, p.b, work);
        assert_int_equal(mesh_disconnect(p.b->mesh, identity_id(p.a->identity), sim_now(p.sim)), 0);
        sim_do_outputs(p.b);
        assert_int_equal(p.b->closed, 1);
        uint64_t bytes = p.b->stream_bytes;
        let_go(p.b);
        assert_int_equal(p.b->stream_bytes, bytes);
        sim_run(p.sim, 10 * SECOND, NULL, NULL);
        assert_int_equal(sim_dialled(p.sim), 1);
        sim_free(p.sim);
    }
}

/* What was begun before was sealed under what another may have, too. */
static void a_copy_resumed_meanwhile_sends_nothing_of_before(void **state)
{
    (void)state;
    for (unsigned work = 1; work <= 3; work++) {
        for (int who = 0; who < 2; who++) {
            struct pair p = dialling_pair();
            struct sim_node *resumed = who ? p.a : p.b;
            run_to_work(&p, resumed, work);
            mesh_rekey_all(resumed->mesh, sim_now(p.sim));
            uint64_t bytes = resumed->stream_bytes;
            let_go(resumed);
            assert_int_equal(resumed->stream_bytes, bytes);
            assert_connects(&p);
            sim_free(p.sim);
        }
    }
}

/* Both dial at once, and either is slower than the other by turns. */
static void both_dialling_at_once_agree_however_slow_they_are(void **state)
{
    (void)state;
    for (unsigned pace = 1; pace < 8; pace++) {
        struct pair p = dialling_pair();
        sim_connect(p.a, p.b, NULL);
        p.a->holds_work = p.b->holds_work = true;
        for (unsigned i = 0; i < 200; i++) {
            sim_run(p.sim, 10000, NULL, NULL);
            if (i % pace == 0)
                sim_do_work(p.a);
            if (i % (8 - pace) == 0)
                sim_do_work(p.b);
        }
        assert_true(sim_connected(p.a, p.b) && sim_connected(p.b, p.a));
        sim_free(p.sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_stream_has_one_work_at_a_time_and_nodes_connect),
        cmocka_unit_test(bytes_that_come_meanwhile_are_kept),
        cmocka_unit_test(a_stream_that_ends_meanwhile_ends_its_handshake),
        cmocka_unit_test(what_the_work_found_out_is_told_first),
        cmocka_unit_test(time_runs_out_meanwhile),
        cmocka_unit_test(time_of_a_stranger_runs_out_meanwhile),
        cmocka_unit_test(guests_stay_in_the_lobby_while_much_is_computed),
        cmocka_unit_test(who_says_more_than_a_handshake_takes_is_closed),
        cmocka_unit_test(a_node_stops_meanwhile),
        cmocka_unit_test(a_mesh_is_freed_with_work_that_nobody_took),
        cmocka_unit_test(work_that_is_given_back_undone_fails_its_handshake),
        cmocka_unit_test(a_peer_that_is_taken_back_meanwhile_is_dialled_no_more),
        cmocka_unit_test(a_copy_resumed_meanwhile_sends_nothing_of_before),
        cmocka_unit_test(both_dialling_at_once_agree_however_slow_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
