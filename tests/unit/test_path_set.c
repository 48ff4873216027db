/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path: the set is bounded in what it keeps and in what it sends, whatever happens. */

#include "path_lab.h"

#include <malloc.h>

static void unanswered_candidate_fails_after_three_tries_and_is_tried_again(void **state)
{
    (void)state;
    struct net *net = net_new(2, ETHERNET);
    struct link *good = add_candidate(net, 1, 1 * MS, ETHERNET),
                *bad = add_candidate(net, 2, 1 * MS, ETHERNET);
    bad->down = true;
    run(net, 1399 * MS);
    assert_int_equal(bad->probes, 3);
    assert_int_equal(state_of(net, bad), PATH_STATE_PROBING);
    run(net, 1 * MS);
    assert_int_equal(state_of(net, bad), PATH_STATE_FAILED);
    run(net, 24 * SECOND);
    assert_int_equal(bad->probes, 3);
    run(net, 12 * SECOND);
    assert_in_range(bad->probes, 4, 6);
    assert_true(best_is(net, good));
    net_free(net);
}

static void outage_of_hours_costs_little_and_heals_within_its_interval(void **state)
{
    (void)state;
    static const enum path_state proven = PATH_STATE_PROVEN;
    struct net *net = net_new(23, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->down = true;
    run(net, 60 * SECOND);
    unsigned before = link->probes;
    run(net, 3600 * SECOND);
    assert_in_range(link->probes - before, 900, 1400);
    link->down = false;
    WITHIN(net, 10 * SECOND, state_is, &proven);
    net_free(net);
}

static void wakes_in_a_row_do_not_flood(void **state)
{
    (void)state;
    struct net *net = net_new(27, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    for (unsigned i = 2; i < 12; i++)
        add_candidate(net, (uint8_t)i, 10 * MS, ETHERNET)->down = true;
    run(net, 10 * SECOND);
    unsigned before = link->probes;
    uint64_t bytes = net->sent_bytes;
    for (unsigned i = 0; i < 1000; i++) {
        path_wake(net->set, ETHERNET, net->now);
        run(net, 10 * MS);
    }
    assert_true(link->probes - before < 140);
    assert_true(net->sent_bytes - bytes < 10 * 30 * WIRE_BASE_SIZE);
    net_free(net);
}

static void probing_costs_little(void **state)
{
    (void)state;
    struct net *net = net_new(44, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    unsigned before = link->probes;
    run(net, 60 * SECOND);
    assert_in_range(link->probes - before, 115, 125);
    path_set_active(net->set, false, net->now);
    before = link->probes;
    run(net, 600 * SECOND);
    assert_in_range(link->probes - before, 80, 95);
    net_free(net);
}

static void useless_addresses_are_ignored(void **state)
{
    (void)state;
    static const struct addr useless[] = {
        {.family = 0, .port = 1},
        {.family = 4, .port = 0, .ip = {192, 0, 2, 1}},
        {.family = 4, .port = 1},
        {.family = 4, .port = 1, .ip = {224, 0, 0, 1}},
        {.family = 4, .port = 1, .ip = {255, 255, 255, 255}},
        {.family = 6, .port = 1},
        {.family = 6, .port = 1, .ip = {0xff, 0x02, [15] = 1}},
    };
    struct net *net = net_new(52, ETHERNET);
    struct path paths[1];
    for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
        path_add(net->set, &useless[i], CANDIDATE_HOST, net->now);
        const struct endpoint from = endpoint_udp(&useless[i]);
        path_on_source(net->set, &from, net->now);
    }
    const struct addr good = {.family = 4, .port = 1, .ip = {192, 0, 2, 1}};
    path_add(net->set, &good, CANDIDATE_RELAYED, net->now); /* nothing carries to it */
    assert_int_equal(path_list(net->set, paths, 1), 0);
    assert_int_equal(path_next_deadline(net->set), TIME_NEVER);
    net_free(net);
}

static void full_set_gives_up_failed_candidates_first(void **state)
{
    (void)state;
    struct net *net = net_new(53, ETHERNET);
    struct link *real = settled(net, 10 * MS), *dead = add_candidate(net, 2, 10 * MS, ETHERNET);
    dead->down = true;
    run(net, 2 * SECOND);
    assert_int_equal(state_of(net, dead), PATH_STATE_FAILED);
    for (unsigned i = 3; i <= 16; i++)
        add_candidate(net, (uint8_t)i, 10 * MS, ETHERNET);
    run(net, 2 * SECOND);
    assert_true(is_known(net, dead));
    struct link *late = add_candidate(net, 17, 10 * MS, ETHERNET);
    assert_false(is_known(net, dead));
    assert_true(is_known(net, late));
    struct link *too_late = add_candidate(net, 18, 10 * MS, ETHERNET);
    assert_false(is_known(net, too_late));
    /* But the peer's move is never refused. */
    real->down = true;
    for (unsigned i = 0; i < net->link_count; i++)
        net->links[i].down = true;
    struct link *new = add_link(net, 19, 10 * MS, ETHERNET);
    net->talks_from = new;
    WITHIN(net, 100 * MS, best_is, new);
    net_free(net);
}

static void withdrawn_candidates_are_forgotten_unless_they_carry(void **state)
{
    (void)state;
    struct net *net = net_new(54, ETHERNET);
    struct link *carries = add_link(net, 1, 10 * MS, ETHERNET), *dead = add_link(net, 2, 10 * MS, ETHERNET);
    struct link *new = add_link(net, 3, 50 * MS, ETHERNET);
    dead->down = true;
    struct candidate first[] = {{.kind = CANDIDATE_HOST, .addr = carries->addr},
                                {.kind = CANDIDATE_HOST, .addr = dead->addr}};
    struct candidate second[] = {{.kind = CANDIDATE_REFLEXIVE, .addr = new->addr}};
    path_announced(net->set, first, 2, net->now);
    run(net, 2 * SECOND);
    path_announced(net->set, second, 1, net->now);
    assert_true(is_known(net, carries));
    assert_true(is_known(net, new));
    assert_false(is_known(net, dead));
    assert_true(best_is(net, carries));
    net_free(net);
}

/* An authenticated peer that announces ever other addresses does not make us a cannon. */
static void announcements_in_a_row_do_not_flood(void **state)
{
    (void)state;
    struct net *net = net_new(55, ETHERNET);
    settled(net, 10 * MS);
    uint64_t before = net->sent_bytes;
    for (unsigned i = 0; i < 1000; i++) {
        struct candidate list[CANDIDATES_MAX];
        for (unsigned j = 0; j < CANDIDATES_MAX; j++) {
            list[j] = (struct candidate){.kind = CANDIDATE_HOST};
            list[j].addr =
                (struct addr){.family = 4, .port = (uint16_t)(1 + i), .ip = {203, 0, 113, (uint8_t)j}};
        }
        path_announced(net->set, list, CANDIDATES_MAX, net->now);
        run(net, 10 * MS);
    }
    /* The burst, ten a second, and the best path's own. */
    assert_true(net->sent_bytes - before < (48 + 100 + 25) * (uint64_t)ETHERNET);
    net_free(net);
}

static uint64_t trace_of(uint64_t seed)
{
    struct net *net = net_new(seed, ETHERNET);
    struct link *a = add_candidate(net, 1, 10 * MS, ETHERNET), *b = add_candidate(net, 2, 9 * MS, LEAST_IPV6);
    a->loss = b->loss = 200;
    path_set_active(net->set, true, net->now);
    run(net, 60 * SECOND);
    b->down = true;
    run(net, 60 * SECOND);
    uint64_t trace = net->trace;
    net_free(net);
    return trace;
}

static void same_events_give_same_actions(void **state)
{
    (void)state;
    assert_true(trace_of(7) == trace_of(7));
    assert_true(trace_of(7) != trace_of(8));
}

/* Anything may happen, in any order: no deadline in the past, no size that was not asked for, no more probes
 * than the budgets allow. */
static void random_histories_keep_the_invariants(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct net *net = net_new(seed * 77777, ETHERNET);
        for (unsigned i = 0; i < LINKS_MAX; i++)
            add_link(net, (uint8_t)(i + 1), next_random(net) % (200 * MS),
                     WIRE_BASE_SIZE + next_random(net) % 300);
        for (unsigned step = 0; step < 200; step++) {
            struct link *link = &net->links[next_random(net) % LINKS_MAX];
            uint64_t before = net->sent_bytes, from = net->now;
            switch (next_random(net) % 9) {
            case 0:
                path_add(net->set, &link->addr, CANDIDATE_HOST, net->now);
                break;
            case 1:
                link->down = !link->down;
                break;
            case 2:
                net->talks_from = link;
                break;
            case 3:
                link->max = WIRE_BASE_SIZE + (uint16_t)(next_random(net) % 300);
                break;
            case 4:
                path_set_active(net->set, next_random(net) & 1, net->now);
                break;
            case 5:
                path_wake(net->set, (uint16_t)(1000 + next_random(net) % 1000), net->now);
                break;
            case 6:
                path_on_too_big(net->set, net->now);
                break;
            case 7:
                link->loss = (unsigned)(next_random(net) % 500);
                break;
            case 8:
                path_announced(net->set, &(struct candidate){.kind = CANDIDATE_HOST, .addr = link->addr}, 1,
                               net->now);
                break;
            }
            run(net, next_random(net) % (3 * SECOND));
            const struct path *best = path_best(net->set);
            assert_true(!best || (best->size >= WIRE_LEAST_SIZE && best->size <= 2000));
            assert_true(!best || best->state == PATH_STATE_PROVEN || best->state == PATH_STATE_SUSPECT);
            uint64_t seconds = (net->now - from) / SECOND + 1;
            assert_true(net->sent_bytes - before < (100 + 150 * seconds) * 2000);
        }
        net_free(net);
    }
}

#define SETS      100
#define EMPTY_MAX 1500 /* bytes of a set without paths */
#define ENTRY_MAX 700  /* bytes of one path more */

static size_t allocated(void)
{
    return mallinfo2().uordblks;
}

static void set_takes_memory_for_the_paths_that_there_are(void **state)
{
    (void)state;
    static struct net *nets[SETS];
    size_t before = allocated();
    for (unsigned i = 0; i < SETS; i++)
        nets[i] = net_new(i + 1, ETHERNET);
    size_t nothing = allocated();
    for (unsigned i = 0; i < SETS; i++)
        add_uplink(nets[i], MS);
    size_t one = allocated();
    for (unsigned i = 0; i < SETS; i++)
        path_remove_uplink(nets[i]->set, 0);
    assert_int_equal(allocated(), nothing);
    print_message("a set takes %zu bytes, and %zu for a path\n",
                  (nothing - before) / SETS - sizeof(struct net), (one - nothing) / SETS);
    assert_true(nothing - before <= SETS * (sizeof(struct net) + EMPTY_MAX));
    assert_true(one - nothing <= SETS * ENTRY_MAX);
    for (unsigned i = 0; i < SETS; i++)
        net_free(nets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unanswered_candidate_fails_after_three_tries_and_is_tried_again),
        cmocka_unit_test(outage_of_hours_costs_little_and_heals_within_its_interval),
        cmocka_unit_test(wakes_in_a_row_do_not_flood),
        cmocka_unit_test(probing_costs_little),
        cmocka_unit_test(useless_addresses_are_ignored),
        cmocka_unit_test(full_set_gives_up_failed_candidates_first),
        cmocka_unit_test(withdrawn_candidates_are_forgotten_unless_they_carry),
        cmocka_unit_test(announcements_in_a_row_do_not_flood),
        cmocka_unit_test(same_events_give_same_actions),
        cmocka_unit_test(set_takes_memory_for_the_paths_that_there_are),
        cmocka_unit_test(random_histories_keep_the_invariants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
