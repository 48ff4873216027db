/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "proto/punch/punch_targets.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START  (1000 * USEC_PER_SEC)
#define SECOND USEC_PER_SEC
#define RTT_US 40000u

static struct bucket turns;

static struct punch_way relayed(bool lower)
{
    turns = (struct bucket){0};
    return (struct punch_way){
        .carries = true, .lower = lower, .named = true, .rtt_us = RTT_US, .turns = &turns};
}

static struct candidate seen_at(uint16_t port)
{
    return (struct candidate){.kind = CANDIDATE_REFLEXIVE,
                              .addr = {.family = 4, .port = port, .ip = {198, 51, 100, 7}}};
}

static struct punch_offer offer(uint32_t round, bool answer)
{
    struct punch_offer o = {.round = round, .answer = answer};
    o.candidates.list[o.candidates.count++] = seen_at(9443);
    return o;
}

/* Steps until step comes, at most until; returns when that was, and what came before it. */
static uint64_t until(struct punch *p, const struct punch_way *w, enum punch_step step, uint64_t now_us,
                      uint64_t most_us)
{
    while (now_us <= most_us) {
        enum punch_step s;
        while ((s = punch_step(p, w, now_us)) != PUNCH_STEP_NONE) {
            if (s == step)
                return now_us;
            if (s == PUNCH_STEP_LOOK)
                punch_on_seen(p, &(struct punch_seen){NAT_PORTS_KEPT, seen_at(1).addr, 0}, now_us);
        }
        uint64_t next = punch_next(p);
        assert_true(next != TIME_NEVER);
        now_us = next > now_us ? next : now_us + 1;
    }
    fail_msg("step %d did not come", (int)step);
    return 0;
}

static void who_is_asked_probes_once_the_other_has_opened_and_that_one_behind_it(void **state)
{
    (void)state;
    struct punch a = {0}, b = {0};
    struct punch_way wa = relayed(true), wb = relayed(false);
    punch_begin(&a);
    punch_begin(&b);
    assert_int_equal(punch_step(&b, &wb, START), PUNCH_STEP_NONE);
    uint64_t asked = until(&a, &wa, PUNCH_STEP_ASK, START, START + SECOND);
    struct punch_offer o = offer(1, false);
    punch_on_offer(&b, &o, &wb, asked + RTT_US / 2);
    uint64_t answered = until(&b, &wb, PUNCH_STEP_ANSWER, asked + RTT_US / 2, START + SECOND);
    o.answer = 1;
    uint64_t now = answered + RTT_US / 2;
    punch_on_offer(&a, &o, &wa, now);
    assert_int_equal(punch_step(&a, &wa, now), PUNCH_STEP_OPEN);
    assert_int_equal(punch_step(&a, &wa, now), PUNCH_STEP_GO);
    assert_int_equal(punch_step(&a, &wa, now), PUNCH_STEP_NONE);
    now += RTT_US / 2;
    punch_on_go(&b, 1, now);
    assert_int_equal(punch_step(&b, &wb, now), PUNCH_STEP_OPEN);
    assert_int_equal(punch_step(&b, &wb, now), PUNCH_STEP_GO);
    assert_int_equal(punch_step(&b, &wb, now), PUNCH_STEP_PROBE);
    assert_int_equal(punch_step(&a, &wa, now), PUNCH_STEP_NONE);
    now += RTT_US / 2;
    punch_on_go(&a, 1, now);
    assert_int_equal(punch_step(&a, &wa, now), PUNCH_STEP_PROBE);
    wa.straight = true;
    assert_int_equal(punch_step(&a, &wa, now + 200000), PUNCH_STEP_END);
    assert_int_equal(punch_next(&a), TIME_NEVER);
}

static void words_that_are_lost_end_in_time(void **state)
{
    (void)state;
    struct punch a = {0}, b = {0};
    struct punch_way wa = relayed(true), wb = relayed(false);
    struct punch_offer o = offer(1, false);
    punch_begin(&a);
    punch_begin(&b);
    (void)punch_step(&b, &wb, START);
    punch_on_offer(&b, &o, &wb, START);
    uint64_t answered = until(&b, &wb, PUNCH_STEP_ANSWER, START, START + SECOND);
    punch_on_offer(&b, &o, &wb, answered + SECOND); /* the answer was lost */
    answered = until(&b, &wb, PUNCH_STEP_ANSWER, answered + SECOND, answered + SECOND);
    uint64_t opened = until(&b, &wb, PUNCH_STEP_OPEN, answered, answered + 2 * SECOND);
    assert_true(opened > answered + SECOND);
    punch_on_go(&b, 1, opened); /* too late */
    assert_int_equal(until(&b, &wb, PUNCH_STEP_PROBE, opened, opened + SECOND), opened);
    uint64_t asked = until(&a, &wa, PUNCH_STEP_ASK, START, START + SECOND);
    asked = until(&a, &wa, PUNCH_STEP_ASK, asked, asked + SECOND);
    o.answer = 1;
    punch_on_offer(&a, &o, &wa, asked + RTT_US);
    opened = until(&a, &wa, PUNCH_STEP_OPEN, asked + RTT_US, asked + RTT_US);
    assert_in_range(until(&a, &wa, PUNCH_STEP_PROBE, opened, opened + SECOND), opened + 2 * RTT_US,
                    opened + SECOND);
}

static void pauses_follow_three_rounds_and_grow(void **state)
{
    (void)state;
    struct punch p = {0};
    struct punch_way w = relayed(true);
    uint64_t now = START, before = 0;
    unsigned rounds = 0;
    punch_begin(&p);
    for (unsigned cycle = 0; cycle < 5; cycle++) {
        for (unsigned i = 0; i < PUNCH_ROUNDS; i++) {
            now = until(&p, &w, PUNCH_STEP_ASK, now, now + 2 * PUNCH_PAUSE_MAX_US);
            uint64_t wait = PUNCH_PAUSE_US << cycle >> 1;
            if (cycle && i == 0)
                assert_in_range(now - before, wait < PUNCH_PAUSE_MAX_US ? wait : PUNCH_PAUSE_MAX_US,
                                UINT64_MAX);
            assert_int_equal(punch_hops(&p), PUNCH_HOPS_MIN + cycle % 4);
            struct punch_offer o = offer(++rounds, true);
            punch_on_offer(&p, &o, &w, now);
            now = until(&p, &w, PUNCH_STEP_END, now, now + 10 * SECOND);
            before = now;
        }
        assert_string_equal(punch_why_text(&p), "nothing came through the NATs in three rounds");
    }
    punch_hurry(&p, now);
    assert_true(punch_next(&p) <= now + SECOND);
}

/* Whoever asks without end. */
static void rounds_that_the_peer_asks_for_have_a_budget(void **state)
{
    (void)state;
    struct punch p = {0};
    struct punch_way w = relayed(false);
    unsigned opened = 0;
    uint64_t end = START + 600 * SECOND;
    punch_begin(&p);
    for (uint64_t now = START; now < end; now += 100000) {
        struct punch_offer o = offer((uint32_t)((now - START) / 100000 + 1), false);
        punch_on_offer(&p, &o, &w, now);
        enum punch_step s;
        while ((s = punch_step(&p, &w, now)) != PUNCH_STEP_NONE)
            opened += s == PUNCH_STEP_OPEN;
    }
    assert_in_range(opened, 10, PUNCH_ROUNDS + (end - START) / PUNCH_BUDGET_US + 1);
}

/* Each within what the two have. */
static void rounds_that_many_peers_ask_for_have_a_bound_together(void **state)
{
    (void)state;
    enum { PEERS = 1000, AT_ONCE = 64 };
    static struct punch peers[PEERS];
    struct punch_way w = relayed(false);
    const struct punch_offer o = offer(1, false);
    unsigned taken = 0;
    for (unsigned i = 0; i < PEERS; i++) {
        punch_begin(&peers[i]);
        (void)punch_step(&peers[i], &w, START);
        punch_on_offer(&peers[i], &o, &w, START);
        taken += peers[i].state == PUNCH_ASKED;
    }
    assert_int_equal(taken, AT_ONCE);
    punch_on_offer(&peers[PEERS - 1], &o, &w, START + SECOND); /* it asks again */
    assert_int_equal(peers[PEERS - 1].state, PUNCH_ASKED);
}

static void old_rounds_are_not_answered(void **state)
{
    (void)state;
    struct punch p = {0};
    struct punch_way w = relayed(false);
    struct punch_offer o = offer(7, false);
    punch_begin(&p);
    (void)punch_step(&p, &w, START);
    punch_on_offer(&p, &o, &w, START);
    (void)until(&p, &w, PUNCH_STEP_END, START, START + 5 * SECOND);
    punch_on_offer(&p, &o, &w, START + 5 * SECOND);
    o.round = 6;
    punch_on_offer(&p, &o, &w, START + 5 * SECOND);
    assert_int_equal(p.state, PUNCH_DUE);
}

static void of_two_that_ask_the_lower_id_stands(void **state)
{
    (void)state;
    for (unsigned lower = 0; lower < 2; lower++) {
        struct punch p = {0};
        struct punch_way w = relayed(lower);
        struct punch_offer o = offer(1, false);
        punch_begin(&p);
        uint64_t now = until(&p, &w, PUNCH_STEP_ASK, START, START + 5 * SECOND);
        punch_on_offer(&p, &o, &w, now);
        assert_int_equal(p.asker, lower);
    }
}

/* Else two that ask at once would go on doing so, each without a round left for the other's. */
static void who_yields_its_own_round_has_paid_for_the_other_s(void **state)
{
    (void)state;
    struct punch p = {0};
    struct punch_way w = relayed(false);
    punch_begin(&p);
    p.budget.full_us = START + (PUNCH_ROUNDS - 1ull) * PUNCH_BUDGET_US; /* one is left */
    uint64_t now = until(&p, &w, PUNCH_STEP_ASK, START, START + 5 * SECOND);
    struct punch_offer o = offer(1, false);
    punch_on_offer(&p, &o, &w, now);
    assert_int_equal(until(&p, &w, PUNCH_STEP_ANSWER, now, now + SECOND), now);
    o.round = 2; /* nothing is left */
    now = until(&p, &w, PUNCH_STEP_END, now, now + 5 * SECOND);
    punch_on_offer(&p, &o, &w, now);
    assert_int_equal(p.state, PUNCH_DUE);
}

/* Else two whose rounds come in turn would find the other without one each time. */
static void a_round_that_is_not_answered_is_not_paid_for(void **state)
{
    (void)state;
    struct punch p = {0};
    struct punch_way w = relayed(true);
    punch_begin(&p);
    p.budget.full_us = START + (PUNCH_ROUNDS - 1ull) * PUNCH_BUDGET_US; /* one is left */
    uint64_t now = START;
    for (unsigned i = 0; i < 3; i++) /* it is said three times */
        now = until(&p, &w, PUNCH_STEP_ASK, now, now + 5 * SECOND);
    now = until(&p, &w, PUNCH_STEP_ASK, now, now + 5 * SECOND);
    assert_int_equal(p.round, 2);
    struct punch_offer o = offer(2, true);
    punch_on_offer(&p, &o, &w, now);
    now = until(&p, &w, PUNCH_STEP_END, now, now + 5 * SECOND);
    assert_true(until(&p, &w, PUNCH_STEP_ASK, now, now + 60 * SECOND) > now + 10 * SECOND);
}

static void held_addresses_are_let_go_where_nothing_carries(void **state)
{
    (void)state;
    struct punch p = {0};
    struct punch_way w = relayed(true);
    w.carries = false;
    punch_begin(&p);
    assert_int_equal(punch_step(&p, &w, START), PUNCH_STEP_NONE);
    assert_int_equal(until(&p, &w, PUNCH_STEP_RELEASE, START, START + 2 * SECOND), START + SECOND);
    assert_int_equal(punch_step(&p, &w, START + 5 * SECOND), PUNCH_STEP_NONE);
    assert_int_equal(punch_next(&p), TIME_NEVER);
}

static void the_next_ports_of_a_sequence_are_told_and_sent_to_first(void **state)
{
    (void)state;
    const struct candidate ours[] = {
        {CANDIDATE_HOST, {.family = 4, .port = 9443, .ip = {192, 168, 1, 2}}, 8443}, seen_at(30000)};
    struct punch us = {.asker = true, .round = 3, .seen = {NAT_PORTS_SEQUENTIAL, seen_at(30007).addr, 1}},
                 them = {0};
    struct punch_way w = relayed(false);
    struct punch_offer o;
    struct addr targets[PUNCH_TARGETS_MAX];
    unsigned guessed;
    punch_offer_make(&us, ours, 2, &o);
    assert_int_equal(o.round, 3);
    assert_int_equal(o.first, 30008);
    assert_int_equal(o.count, PUNCH_PORTS_MAX);
    assert_true(addr_equal(&o.candidates.list[0].addr, &ours[1].addr));
    punch_begin(&them);
    (void)punch_step(&them, &w, START);
    punch_on_offer(&them, &o, &w, START);
    assert_int_equal(punch_targets(&them, targets, &guessed), PUNCH_PORTS_MAX + 1);
    assert_int_equal(guessed, PUNCH_PORTS_MAX);
    assert_int_equal(targets[0].port, 30008);
    assert_int_equal(targets[14].port, 30022);
    us.seen.step = -1;
    punch_offer_make(&us, ours, 2, &o);
    assert_int_equal(o.first, 29992);
    us.seen.ports = NAT_PORTS_RANDOM;
    punch_offer_make(&us, ours, 2, &o);
    assert_int_equal(o.count, 0);
}

/* What the first round made is there, wherever the NAT has gone on to. */
static void the_ports_of_a_round_hold_until_the_pause(void **state)
{
    (void)state;
    const struct candidate ours[] = {seen_at(30000)};
    struct punch p = {0};
    struct punch_way w = relayed(true);
    uint64_t now = START;
    unsigned looks = 0;
    punch_begin(&p);
    for (unsigned round = 1; round <= PUNCH_ROUNDS + 1; round++) {
        enum punch_step s = PUNCH_STEP_NONE;
        for (; s != PUNCH_STEP_ASK; now += 1000)
            if ((s = punch_step(&p, &w, now)) == PUNCH_STEP_LOOK) {
                const struct punch_seen seen = {NAT_PORTS_SEQUENTIAL,
                                                seen_at((uint16_t)(30000 + 100 * looks++)).addr, 1};
                punch_on_seen(&p, &seen, now);
            }
        struct punch_offer o;
        punch_offer_make(&p, ours, 1, &o);
        assert_int_equal(o.first, round <= PUNCH_ROUNDS ? 30001 : 30101);
        struct punch_offer theirs = offer(round, true);
        punch_on_offer(&p, &theirs, &w, now);
        now = until(&p, &w, PUNCH_STEP_END, now, now + 10 * SECOND);
    }
    assert_int_equal(looks, 2);
}

/* A round more that leads nowhere: what it said, by which side socket, and whether it looked first. */
static uint64_t fail_round(struct punch *p, const struct punch_seen *seen, uint64_t now_us,
                           struct punch_offer *said, bool *looked)
{
    const struct candidate ours[] = {seen_at(9443)};
    const struct punch_way w = relayed(true);
    enum punch_step s = PUNCH_STEP_NONE;
    for (*looked = false; s != PUNCH_STEP_ASK; now_us += 1000)
        if ((s = punch_step(p, &w, now_us)) == PUNCH_STEP_LOOK) {
            *looked = true;
            (void)punch_on_seen(p, seen, now_us);
        }
    punch_offer_make(p, ours, 1, said);
    struct punch_offer theirs = offer(p->mine, true);
    punch_on_offer(p, &theirs, &w, now_us);
    return until(p, &w, PUNCH_STEP_PROBE, now_us, now_us + 10 * SECOND);
}

static const struct punch_seen kept_socket = {
    .ports = NAT_PORTS_KEPT,
    .last = {.family = 4, .port = 7000, .ip = {198, 51, 100, 7}},
    .fresh = {.family = 4, .port = 7000, .ip = {198, 51, 100, 7}},
    .side = 3,
};

static void the_rounds_behind_every_other_pause_go_by_a_fresh_port(void **state)
{
    (void)state;
    const struct addr v4 = seen_at(1).addr, v6 = {.family = 6, .port = 1, .ip = {0x20, 1}};
    struct punch p = {0};
    uint64_t now = START;
    punch_begin(&p);
    for (unsigned round = 0; round < 4 * PUNCH_ROUNDS; round++) {
        bool fresh = round / PUNCH_ROUNDS % 2 == 1, looked;
        struct punch_offer said;
        now = fail_round(&p, &kept_socket, now, &said, &looked);
        assert_int_equal(looked, !fresh || round % PUNCH_ROUNDS == 0);
        assert_int_equal(punch_side(&p, &v4), fresh ? 3 : 0);
        assert_int_equal(punch_side(&p, &v6), 0);
        assert_int_equal(said.candidates.count, fresh ? 2 : 1);
        assert_int_equal(said.candidates.list[0].addr.port, fresh ? 7000 : 9443);
    }
}

static void a_fresh_port_is_given_up_at_a_straight_path_and_in_another_network(void **state)
{
    (void)state;
    struct punch_way w = relayed(true);
    struct punch_offer said;
    bool looked;
    for (unsigned straight = 0; straight < 2; straight++) {
        struct punch p = {0};
        uint64_t now = START;
        punch_begin(&p);
        for (unsigned round = 0; round <= PUNCH_ROUNDS; round++)
            now = fail_round(&p, &kept_socket, now, &said, &looked);
        assert_true(p.fresh);
        w.straight = straight;
        if (straight)
            (void)punch_step(&p, &w, now);
        else
            punch_hurry(&p, now);
        assert_false(p.fresh);
    }
}

/* Too late, unasked, or in place of the one that is there. */
static void a_fresh_port_is_taken_once_and_only_when_it_is_asked_for(void **state)
{
    (void)state;
    struct punch_seen other = kept_socket;
    struct punch_offer said;
    struct punch p = {0};
    bool looked;
    uint64_t now = START;
    punch_begin(&p);
    assert_false(punch_on_seen(&p, &kept_socket, now));
    for (unsigned round = 0; round <= PUNCH_ROUNDS; round++)
        now = fail_round(&p, &kept_socket, now, &said, &looked);
    other.side = 4;
    assert_false(punch_on_seen(&p, &other, now));
    assert_int_equal(punch_side(&p, &kept_socket.last), 3);
}

static void who_does_not_know_how_it_is_seen_lets_the_other_ask_again(void **state)
{
    (void)state;
    struct punch p = {0};
    struct punch_way w = relayed(false);
    struct punch_offer o = offer(1, false);
    w.named = false;
    punch_begin(&p);
    for (unsigned i = 0; i < 3; i++) {
        (void)punch_step(&p, &w, START + i * SECOND / 10);
        punch_on_offer(&p, &o, &w, START + i * SECOND / 10);
        assert_int_equal(p.state == PUNCH_ASKED, i == 2);
    }
}

static void who_does_not_know_how_it_is_seen_says_that_rather_than_blame_nats(void **state)
{
    (void)state;
    struct punch p = {0};
    struct punch_way w = relayed(false);
    uint64_t now = START;
    w.named = false;
    punch_begin(&p);
    for (unsigned round = 1; round <= PUNCH_ROUNDS; round++) {
        struct punch_offer o = offer(round, false);
        o.ports = NAT_PORTS_RANDOM;
        for (unsigned i = 0; p.state <= PUNCH_DUE && i < 3; i++) {
            (void)punch_step(&p, &w, now);
            punch_on_offer(&p, &o, &w, now);
        }
        now = until(&p, &w, PUNCH_STEP_END, now, now + 10 * SECOND);
    }
    assert_string_equal(punch_why_text(&p), "no STUN server has told how we are seen from outside");
}

/* More than there may be, ports of services, and ports that there are none of. */
static void ports_beyond_bounds_are_not_sent_to(void **state)
{
    (void)state;
    const struct {
        uint16_t first;
        uint8_t count;
        unsigned guessed;
    } cases[] = {
        {5000, 255, PUNCH_PORTS_MAX}, {5000, 3, 3}, {53, 15, 0}, {1023, 15, 0}, {65530, 15, 0}, {0, 0, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct punch p = {0};
        struct punch_way w = relayed(false);
        struct punch_offer o = offer(1, false);
        struct addr targets[PUNCH_TARGETS_MAX];
        unsigned guessed;
        o.first = cases[i].first;
        o.count = cases[i].count;
        for (; o.candidates.count < CANDIDATES_MAX; o.candidates.count++)
            o.candidates.list[o.candidates.count] = seen_at((uint16_t)(2000 + o.candidates.count));
        punch_begin(&p);
        (void)punch_step(&p, &w, START);
        punch_on_offer(&p, &o, &w, START);
        assert_int_equal(punch_targets(&p, targets, &guessed), cases[i].guessed + PUNCH_ADDRESSES_MAX);
        assert_int_equal(guessed, cases[i].guessed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_asked_probes_once_the_other_has_opened_and_that_one_behind_it),
        cmocka_unit_test(words_that_are_lost_end_in_time),
        cmocka_unit_test(pauses_follow_three_rounds_and_grow),
        cmocka_unit_test(rounds_that_the_peer_asks_for_have_a_budget),
        cmocka_unit_test(rounds_that_many_peers_ask_for_have_a_bound_together),
        cmocka_unit_test(old_rounds_are_not_answered),
        cmocka_unit_test(of_two_that_ask_the_lower_id_stands),
        cmocka_unit_test(who_yields_its_own_round_has_paid_for_the_other_s),
        cmocka_unit_test(a_round_that_is_not_answered_is_not_paid_for),
        cmocka_unit_test(held_addresses_are_let_go_where_nothing_carries),
        cmocka_unit_test(the_next_ports_of_a_sequence_are_told_and_sent_to_first),
        cmocka_unit_test(the_ports_of_a_round_hold_until_the_pause),
        cmocka_unit_test(the_rounds_behind_every_other_pause_go_by_a_fresh_port),
        cmocka_unit_test(a_fresh_port_is_given_up_at_a_straight_path_and_in_another_network),
        cmocka_unit_test(a_fresh_port_is_taken_once_and_only_when_it_is_asked_for),
        cmocka_unit_test(who_does_not_know_how_it_is_seen_lets_the_other_ask_again),
        cmocka_unit_test(who_does_not_know_how_it_is_seen_says_that_rather_than_blame_nats),
        cmocka_unit_test(ports_beyond_bounds_are_not_sent_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
