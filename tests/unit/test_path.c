/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path against a virtual network: links with delay, loss, a largest size, and black holes; a peer that
 * answers probes, sends data, moves. Time is virtual, in microseconds; randomness is seeded. */

#include "proto/path.h"
#include "base/clock.h"
#include "proto/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS         1000ull
#define SECOND     1000000ull
#define START      (1000 * SECOND)
#define LINKS_MAX  20
#define IN_FLIGHT  512
#define DATA_EVERY (100 * MS) /* as often as workers tell of a source */
#define ETHERNET   1472
#define LEAST_IPV6 1252
#define LOSS_SCALE 1000

struct link {
    struct addr addr;
    uint64_t delay_us; /* one way */
    uint16_t max;      /* UDP payload that passes */
    unsigned loss;     /* of a thousand probes or answers, each way */
    bool down, mute;   /* mute: the peer's datagrams pass, ours do not */
    unsigned probes;   /* that we sent there */
};

struct answer {
    uint64_t at_us;
    struct link *link;
    struct path_probe probe;
};

struct net {
    struct path_set *set;
    struct link links[LINKS_MAX];
    unsigned link_count;
    struct answer answers[IN_FLIGHT];
    unsigned answer_count;
    uint64_t now, random;
    struct link *talks_from; /* the peer's data comes from there; NULL: silent */
    uint64_t data_us;        /* when it next arrives */
    uint64_t changed_us;     /* when the set last said that the best path changed */
    uint64_t sent_bytes;
    uint64_t trace; /* hash of everything sent, with times */
};

static uint64_t next_random(struct net *net)
{
    net->random ^= net->random << 13;
    net->random ^= net->random >> 7;
    net->random ^= net->random << 17;
    return net->random;
}

static void fill_random(void *context, void *out, size_t len)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(next_random(context) >> 32);
}

static struct net *net_new(uint64_t seed, uint16_t local_max)
{
    struct net *net = calloc(1, sizeof(*net));
    assert_non_null(net);
    net->random = seed;
    net->now = START;
    struct path_set_config config = {.random = fill_random, .context = net, .local_max = local_max};
    assert_int_equal(path_set_new(&config, &net->set), 0);
    return net;
}

static void net_free(struct net *net)
{
    path_set_free(net->set);
    free(net);
}

static struct link *add_link(struct net *net, uint8_t host, uint64_t delay_us, uint16_t max)
{
    assert_true(net->link_count < LINKS_MAX);
    struct link *link = &net->links[net->link_count++];
    *link = (struct link){
        .addr = {.family = 4, .port = 9443, .ip = {198, 51, 100, host}}, .delay_us = delay_us, .max = max};
    return link;
}

static struct link *add_candidate(struct net *net, uint8_t host, uint64_t delay_us, uint16_t max)
{
    struct link *link = add_link(net, host, delay_us, max);
    path_add(net->set, &link->addr, CANDIDATE_HOST, net->now);
    return link;
}

static struct link *link_of(struct net *net, const struct addr *addr)
{
    for (unsigned i = 0; i < net->link_count; i++) {
        if (addr_equal(&net->links[i].addr, addr))
            return &net->links[i];
    }
    return NULL;
}

static bool lost(struct net *net, const struct link *link)
{
    return link->down || next_random(net) % LOSS_SCALE < link->loss;
}

static void carry(struct net *net, const struct path_probe *probe, const struct addr *remote)
{
    struct link *link = link_of(net, remote);
    net->sent_bytes += probe->size;
    net->trace = (net->trace ^ net->now ^ probe->token ^ (uint64_t)probe->size << 48) * 0x9e3779b97f4a7c15ull;
    assert_int_equal(probe->kind, PATH_PROBE_REQUEST);
    assert_true(probe->size >= WIRE_BASE_SIZE);
    if (!link)
        return;
    link->probes++;
    if (link->mute || probe->size > link->max || lost(net, link) || lost(net, link))
        return;
    assert_true(net->answer_count < IN_FLIGHT);
    struct answer *a = &net->answers[net->answer_count++];
    *a = (struct answer){.at_us = net->now + 2 * link->delay_us, .link = link, .probe = *probe};
    a->probe.kind = PATH_PROBE_ANSWER;
}

static void poll_all(struct net *net)
{
    struct path_probe probe;
    struct addr remote;
    bool changed;
    unsigned guard = 0;
    for (bool more = true; more;) {
        more = path_poll(net->set, net->now, &probe, &remote, &changed);
        if (changed)
            net->changed_us = net->now;
        if (more)
            carry(net, &probe, &remote);
        assert_true(guard++ < 200);
    }
    /* A deadline in the past would spin the loop. */
    assert_true(path_next_deadline(net->set) > net->now);
}

static void deliver(struct net *net)
{
    for (unsigned i = 0; i < net->answer_count;) {
        struct answer a = net->answers[i];
        if (a.at_us > net->now) {
            i++;
            continue;
        }
        net->answers[i] = net->answers[--net->answer_count];
        /* What was on its way when the link broke is gone too. */
        if (!a.link->down && path_on_answer(net->set, &a.probe, &a.link->addr, net->now))
            net->changed_us = net->now;
    }
    if (net->talks_from && net->data_us <= net->now) {
        net->data_us = net->now + DATA_EVERY;
        const struct path *best = path_best(net->set);
        if (!best || !addr_equal(&best->remote, &net->talks_from->addr))
            path_on_source(net->set, &net->talks_from->addr, net->now);
    }
}

static uint64_t next_event(const struct net *net)
{
    uint64_t at = path_next_deadline(net->set);
    for (unsigned i = 0; i < net->answer_count; i++)
        at = net->answers[i].at_us < at ? net->answers[i].at_us : at;
    if (net->talks_from && net->data_us < at)
        at = net->data_us;
    return at;
}

/* Runs until done says so, or the time is over: then false. */
static bool run_until(struct net *net, uint64_t span_us, bool (*done)(struct net *, const void *),
                      const void *arg)
{
    uint64_t end = net->now + span_us;
    poll_all(net);
    while (!done || !done(net, arg)) {
        uint64_t at = next_event(net);
        if (at > end) {
            net->now = end;
            return false;
        }
        net->now = at > net->now ? at : net->now;
        deliver(net);
        poll_all(net);
    }
    return true;
}

static void run(struct net *net, uint64_t span_us)
{
    run_until(net, span_us, NULL, NULL);
}

static bool best_is(struct net *net, const void *link)
{
    const struct path *best = path_best(net->set);
    return best && addr_equal(&best->remote, &((const struct link *)link)->addr);
}

static bool size_at_most(struct net *net, const void *max)
{
    const struct path *best = path_best(net->set);
    return best && best->size <= *(const uint16_t *)max;
}

static bool size_at_least(struct net *net, const void *min)
{
    const struct path *best = path_best(net->set);
    return best && best->size >= *(const uint16_t *)min;
}

static bool has_no_best(struct net *net, const void *unused)
{
    (void)unused;
    return path_best(net->set) == NULL;
}

static bool state_is(struct net *net, const void *state)
{
    const struct path *best = path_best(net->set);
    return best && best->state == *(const enum path_state *)state;
}

static enum path_state state_of(struct net *net, const struct link *link)
{
    struct path paths[CANDIDATES_MAX];
    size_t count = path_list(net->set, paths, CANDIDATES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (addr_equal(&paths[i].remote, &link->addr))
            return paths[i].state;
    }
    fail_msg("no such path");
    return PATH_STATE_FAILED;
}

static bool is_known(struct net *net, const struct link *link)
{
    struct path paths[CANDIDATES_MAX];
    size_t count = path_list(net->set, paths, CANDIDATES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (addr_equal(&paths[i].remote, &link->addr))
            return true;
    }
    return false;
}

/* A peer with one path, long proven and settled, with data flowing. */
static struct link *settled(struct net *net, uint64_t delay_us)
{
    struct link *link = add_candidate(net, 1, delay_us, ETHERNET);
    path_set_active(net->set, true, net->now);
    run(net, 20 * SECOND);
    assert_true(best_is(net, link));
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    return link;
}

#define WITHIN(net, span, done, arg)                                                                         \
    do {                                                                                                     \
        uint64_t from_ = (net)->now;                                                                         \
        assert_true(run_until(net, span, done, arg));                                                        \
        print_message("    %s: %llu ms\n", #done, (unsigned long long)((net)->now - from_) / 1000);          \
    } while (0)

static void first_answer_carries_at_once_and_full_size_one_round_trip_later(void **state)
{
    (void)state;
    struct net *net = net_new(1, ETHERNET);
    struct link *link = add_candidate(net, 1, 10 * MS, ETHERNET);
    assert_null(path_best(net->set));
    run(net, 19 * MS);
    assert_null(path_best(net->set));
    run(net, 1 * MS);
    assert_true(best_is(net, link));
    assert_int_equal(path_best(net->set)->size, WIRE_BASE_SIZE);
    assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
    assert_int_equal(net->changed_us, net->now);
    run(net, 20 * MS);
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    assert_int_equal(net->changed_us, net->now);
    assert_in_range(path_best(net->set)->rtt_us, 19 * MS, 21 * MS);
    net_free(net);
}

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

static void size_search_is_exact_and_quick_whatever_the_path_carries(void **state)
{
    (void)state;
    uint64_t worst = 0;
    for (uint16_t max = WIRE_BASE_SIZE; max <= ETHERNET; max += 4) {
        struct net *net = net_new(max, ETHERNET);
        add_candidate(net, 1, 10 * MS, max);
        run(net, 10 * SECOND);
        uint16_t size = path_best(net->set)->size;
        assert_in_range(size, max - 8, max);
        worst = net->changed_us - START > worst ? net->changed_us - START : worst;
        net_free(net);
    }
    print_message("    slowest last step: %llu ms\n", (unsigned long long)worst / 1000);
    assert_true(worst < 3500 * MS);
}

static void size_of_usual_links_is_found_exactly(void **state)
{
    (void)state;
    static const uint16_t usual[] = {1232, 1252, 1352, 1372, 1392, 1432, 1444, 1452, 1464, 1472};
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        struct net *net = net_new(i + 1, ETHERNET);
        add_candidate(net, 1, 10 * MS, usual[i]);
        run(net, 1 * SECOND);
        assert_int_equal(path_best(net->set)->size, usual[i]);
        net_free(net);
    }
}

static void search_costs_few_probes(void **state)
{
    (void)state;
    struct net *net = net_new(3, ETHERNET);
    struct link *link = add_candidate(net, 1, 10 * MS, LEAST_IPV6);
    run(net, 8 * SECOND);
    /* 1472, 1352 and 1260 three times each, 1232 and 1252 once, and three that measure the round trip. */
    assert_int_equal(link->probes, 3 * 3 + 2 + 3);
    net_free(net);
}

static void jumbo_frames_are_found(void **state)
{
    (void)state;
    struct net *net = net_new(3, 8972);
    add_candidate(net, 1, 1 * MS, 8972);
    run(net, 100 * MS);
    assert_int_equal(path_best(net->set)->size, 8972);
    net_free(net);
    net = net_new(3, 8972);
    add_candidate(net, 1, 1 * MS, ETHERNET);
    run(net, 5 * SECOND);
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    net_free(net);
}

static void interface_below_the_base_size_does_not_confuse_the_search(void **state)
{
    (void)state;
    struct net *net = net_new(4, 900);
    add_candidate(net, 1, 1 * MS, ETHERNET);
    run(net, 5 * SECOND);
    assert_int_equal(path_best(net->set)->size, WIRE_BASE_SIZE);
    net_free(net);
}

static void shrunken_path_falls_back_and_settles_anew(void **state)
{
    (void)state;
    static const uint16_t least = LEAST_IPV6;
    for (unsigned phase = 0; phase < 10; phase++) {
        struct net *net = net_new(5 + phase, ETHERNET);
        struct link *link = settled(net, 10 * MS);
        run(net, phase * 50 * MS);
        link->max = LEAST_IPV6;
        uint64_t from = net->now;
        assert_true(run_until(net, 950 * MS, size_at_most, &least));
        if (phase == 0)
            print_message("    base size after %llu ms\n", (unsigned long long)(net->now - from) / 1000);
        WITHIN(net, 1 * SECOND, size_at_least, &least);
        run(net, 5 * SECOND);
        assert_int_equal(path_best(net->set)->size, LEAST_IPV6);
        assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
        net_free(net);
    }
}

static void shrunken_path_is_noticed_while_idle_once_data_flows(void **state)
{
    (void)state;
    static const uint16_t least = LEAST_IPV6;
    struct net *net = net_new(6, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    path_set_active(net->set, false, net->now);
    run(net, 60 * SECOND);
    link->max = LEAST_IPV6;
    run(net, 60 * SECOND);
    path_set_active(net->set, true, net->now);
    WITHIN(net, 1200 * MS, size_at_most, &least);
    net_free(net);
}

static void path_that_grew_is_found_within_ten_minutes(void **state)
{
    (void)state;
    static const uint16_t full = ETHERNET;
    struct net *net = net_new(7, ETHERNET);
    struct link *link = add_candidate(net, 1, 10 * MS, LEAST_IPV6);
    run(net, 10 * SECOND);
    assert_int_equal(path_best(net->set)->size, LEAST_IPV6);
    link->max = ETHERNET;
    WITHIN(net, 601 * SECOND, size_at_least, &full);
    net_free(net);
}

static void too_big_falls_back_at_once(void **state)
{
    (void)state;
    struct net *net = net_new(8, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->max = 1372;
    path_on_too_big(net->set, net->now);
    assert_int_equal(path_best(net->set)->size, WIRE_BASE_SIZE);
    poll_all(net);
    assert_int_equal(net->changed_us, net->now);
    path_on_too_big(net->set, net->now); /* another datagram that was on its way */
    run(net, 3 * SECOND);
    assert_int_equal(path_best(net->set)->size, 1372);
    net_free(net);
}

static void loss_does_not_shrink_for_long_nor_fail_a_path(void **state)
{
    (void)state;
    struct net *net = net_new(9, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->loss = 50; /* each way: a tenth of the probes */
    uint64_t small = 0, suspect = 0;
    for (unsigned i = 0; i < 6000; i++) {
        run(net, 100 * MS);
        assert_non_null(path_best(net->set));
        small += path_best(net->set)->size < ETHERNET;
        suspect += path_best(net->set)->state == PATH_STATE_SUSPECT;
    }
    print_message("    at 10%% loss: reduced size %.2f%%, suspect %.2f%% of the time\n", (double)small / 60,
                  (double)suspect / 60);
    assert_true(small < 120);
    assert_true(suspect < 30);
    net_free(net);
}

static void black_hole_is_left_for_another_proven_path(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < 10; phase++) {
        struct net *net = net_new(10 + phase, ETHERNET);
        struct link *second = add_candidate(net, 2, 12 * MS, ETHERNET), *first = settled(net, 10 * MS);
        run(net, phase * 50 * MS);
        first->down = true;
        WITHIN(net, 1500 * MS, best_is, second);
        assert_int_equal(path_best(net->set)->size, ETHERNET);
        assert_int_equal(state_of(net, first), PATH_STATE_SUSPECT);
        run(net, 5 * SECOND);
        assert_int_equal(state_of(net, first), PATH_STATE_FAILED);
        net_free(net);
    }
}

/* Three ways to the same house, and two of them share a ditch. */
static void dead_substitute_is_left_for_one_that_answers(void **state)
{
    (void)state;
    struct net *net = net_new(20, ETHERNET);
    struct link *third = add_candidate(net, 3, 30 * MS, ETHERNET);
    struct link *second = add_candidate(net, 2, 12 * MS, ETHERNET), *first = settled(net, 10 * MS);
    first->down = second->down = true;
    WITHIN(net, 1100 * MS, best_is, third);
    run(net, 10 * SECOND);
    assert_true(best_is(net, third));
    net_free(net);
}

static void failed_candidate_is_tried_when_the_best_path_dies(void **state)
{
    (void)state;
    struct net *net = net_new(21, ETHERNET);
    struct link *second = add_candidate(net, 2, 10 * MS, ETHERNET);
    second->down = true;
    struct link *first = settled(net, 10 * MS);
    assert_int_equal(state_of(net, second), PATH_STATE_FAILED);
    second->down = false;
    first->down = true;
    WITHIN(net, 1500 * MS, best_is, second);
    net_free(net);
}

static void sole_path_is_suspect_then_failed_then_comes_back(void **state)
{
    (void)state;
    static const enum path_state suspect = PATH_STATE_SUSPECT, proven = PATH_STATE_PROVEN;
    struct net *net = net_new(22, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->down = true;
    WITHIN(net, 1300 * MS, state_is, &suspect);
    assert_int_equal(net->changed_us, net->now);
    assert_true(best_is(net, link));
    link->down = false;
    WITHIN(net, 300 * MS, state_is, &proven);
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    link->down = true;
    run(net, 4 * SECOND);
    assert_non_null(path_best(net->set));
    WITHIN(net, 3 * SECOND, has_no_best, NULL);
    assert_int_equal(net->changed_us, net->now);
    run(net, 10 * SECOND);
    link->down = false;
    WITHIN(net, 10 * SECOND, state_is, &proven);
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
    assert_in_range(link->probes - before, 200, 450);
    link->down = false;
    WITHIN(net, 36 * SECOND, state_is, &proven);
    net_free(net);
}

static void wake_tries_failed_paths_at_once(void **state)
{
    (void)state;
    static const enum path_state proven = PATH_STATE_PROVEN;
    struct net *net = net_new(24, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    link->down = true;
    run(net, 600 * SECOND);
    assert_null(path_best(net->set));
    link->down = false;
    run(net, 1 * SECOND);
    path_wake(net->set, ETHERNET, net->now);
    WITHIN(net, 800 * MS, state_is, &proven);
    net_free(net);
}

static void wake_finds_out_about_an_idle_dead_path_quickly(void **state)
{
    (void)state;
    static const enum path_state suspect = PATH_STATE_SUSPECT;
    struct net *net = net_new(25, ETHERNET);
    struct link *link = settled(net, 10 * MS);
    path_set_active(net->set, false, net->now);
    run(net, 25 * SECOND);
    link->down = true;
    path_wake(net->set, ETHERNET, net->now);
    WITHIN(net, 800 * MS, state_is, &suspect);
    net_free(net);
}

static void wake_with_a_smaller_interface_shrinks_and_a_larger_one_grows(void **state)
{
    (void)state;
    struct net *net = net_new(26, ETHERNET);
    settled(net, 10 * MS);
    path_wake(net->set, 1372, net->now);
    assert_true(path_best(net->set)->size <= 1372);
    run(net, 1 * SECOND);
    assert_int_equal(path_best(net->set)->size, 1372);
    path_wake(net->set, ETHERNET, net->now);
    run(net, 1 * SECOND);
    assert_int_equal(path_best(net->set)->size, ETHERNET);
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

/* The NAT forgets its mapping: from now on the peer's datagrams come from another port, and it is not to be
 * reached at the old one. */
static void rebinding_is_followed_within_a_round_trip(void **state)
{
    (void)state;
    for (unsigned active = 0; active < 2; active++) {
        struct net *net = net_new(30, ETHERNET);
        struct link *old = settled(net, 20 * MS), *new = add_link(net, 1, 20 * MS, ETHERNET);
        new->addr.port = 40001;
        path_set_active(net->set, active, net->now);
        run(net, 7 * SECOND);
        old->down = true;
        net->talks_from = new;
        net->data_us = net->now;
        WITHIN(net, 60 * MS, best_is, new);
        assert_int_equal(net->changed_us, net->now);
        run(net, 41 * MS);
        assert_int_equal(path_best(net->set)->size, ETHERNET);
        run(net, 60 * SECOND);
        assert_true(best_is(net, new));
        net_free(net);
    }
}

static void dead_fast_path_does_not_win_back_a_peer_that_moved(void **state)
{
    (void)state;
    struct net *net = net_new(31, ETHERNET);
    struct link *old = settled(net, 1 * MS), *new = add_link(net, 2, 60 * MS, ETHERNET);
    old->down = true;
    net->talks_from = new;
    net->data_us = net->now;
    WITHIN(net, 140 * MS, best_is, new);
    for (unsigned i = 0; i < 100; i++) {
        run(net, 100 * MS);
        assert_true(best_is(net, new));
    }
    net_free(net);
}

static void rebinding_is_followed_despite_loss(void **state)
{
    (void)state;
    uint64_t worst = 0;
    for (unsigned seed = 1; seed < 200; seed++) {
        struct net *net = net_new(seed, ETHERNET);
        struct link *old = settled(net, 20 * MS), *new = add_link(net, 2, 20 * MS, ETHERNET);
        old->down = true;
        new->loss = 100;
        net->talks_from = new;
        net->data_us = net->now;
        uint64_t from = net->now;
        assert_true(run_until(net, 2 * SECOND, best_is, new));
        worst = net->now - from > worst ? net->now - from : worst;
        net_free(net);
    }
    print_message("    worst of 199 at 20%% loss: %llu ms\n", (unsigned long long)worst / 1000);
}

/* Somebody copies the peer's datagrams to us from elsewhere and even answers challenges: no reason to go
 * there. */
static void copied_datagrams_do_not_lure_us_away(void **state)
{
    (void)state;
    struct net *net = net_new(32, ETHERNET);
    struct link *real = settled(net, 20 * MS), *copy = add_link(net, 66, 16 * MS, ETHERNET);
    net->talks_from = copy;
    for (unsigned i = 0; i < 600; i++) {
        run(net, 100 * MS);
        assert_true(best_is(net, real));
    }
    assert_true(copy->probes < 100);
    net_free(net);
}

static void forged_sources_are_challenged_rarely_and_forgotten(void **state)
{
    (void)state;
    struct net *net = net_new(33, ETHERNET);
    struct link *real = settled(net, 20 * MS);
    uint64_t before = net->sent_bytes;
    struct addr from = {.family = 4, .port = 1, .ip = {203, 0, 113, 1}};
    for (unsigned i = 0; i < 10000; i++) {
        from.port = (uint16_t)(1 + i);
        path_on_source(net->set, &from, net->now);
        run(net, 1 * MS);
    }
    /* Ten seconds: four new ones a second and their second and third tries, and the same again for the best
     * path. */
    assert_true(net->sent_bytes - before < 220 * ETHERNET);
    assert_true(best_is(net, real));
    run(net, 5 * SECOND);
    struct path paths[CANDIDATES_MAX];
    assert_int_equal(path_list(net->set, paths, CANDIDATES_MAX), 1);
    net_free(net);
}

static void one_way_source_does_not_take_over(void **state)
{
    (void)state;
    struct net *net = net_new(34, ETHERNET);
    struct link *real = settled(net, 20 * MS), *mute = add_link(net, 9, 20 * MS, ETHERNET);
    mute->mute = true;
    net->talks_from = mute;
    run(net, 30 * SECOND);
    assert_true(best_is(net, real));
    assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
    net_free(net);
}

static void peer_that_changes_to_a_known_path_is_followed(void **state)
{
    (void)state;
    struct net *net = net_new(35, ETHERNET);
    struct link *other = add_candidate(net, 2, 21 * MS, ETHERNET), *old = settled(net, 20 * MS);
    assert_int_equal(state_of(net, other), PATH_STATE_PROVEN);
    old->down = true;
    net->talks_from = other;
    net->data_us = net->now;
    WITHIN(net, 1300 * MS, best_is, other);
    net_free(net);
}

static void faster_path_wins_only_when_clearly_faster(void **state)
{
    (void)state;
    struct net *net = net_new(40, ETHERNET);
    struct link *old = settled(net, 10 * MS);
    struct link *a_bit = add_candidate(net, 2, 8 * MS, ETHERNET);
    run(net, 60 * SECOND);
    assert_int_equal(state_of(net, a_bit), PATH_STATE_PROVEN);
    assert_true(best_is(net, old));
    struct link *clearly = add_candidate(net, 3, 7 * MS, ETHERNET);
    static const uint16_t less = ETHERNET - 1;
    assert_false(run_until(net, 1 * SECOND, size_at_most, &less));
    assert_true(best_is(net, clearly));
    run(net, 60 * SECOND);
    assert_true(best_is(net, clearly));
    net_free(net);
}

static void faster_path_carries_only_once_its_size_is_known(void **state)
{
    (void)state;
    struct net *net = net_new(46, ETHERNET);
    settled(net, 10 * MS);
    struct link *faster = add_candidate(net, 2, 5 * MS, 1452);
    WITHIN(net, 4 * SECOND, best_is, faster);
    assert_int_equal(path_best(net->set)->size, 1452);
    net_free(net);
}

static void microseconds_do_not_matter(void **state)
{
    (void)state;
    struct net *net = net_new(41, ETHERNET);
    struct link *old = settled(net, 500);
    add_candidate(net, 2, 50, ETHERNET);
    run(net, 60 * SECOND);
    assert_true(best_is(net, old));
    net_free(net);
}

static void path_that_flaps_is_not_preferred_at_once(void **state)
{
    (void)state;
    struct net *net = net_new(42, ETHERNET);
    struct link *slow = add_candidate(net, 2, 40 * MS, ETHERNET), *fast = settled(net, 10 * MS);
    fast->down = true;
    WITHIN(net, 1500 * MS, best_is, slow);
    fast->down = false;
    run(net, 5 * SECOND);
    assert_true(best_is(net, slow));
    WITHIN(net, 20 * SECOND, best_is, fast);
    net_free(net);
}

static void long_round_trips_are_no_misses(void **state)
{
    (void)state;
    struct net *net = net_new(43, ETHERNET);
    struct link *link = add_candidate(net, 1, 300 * MS, ETHERNET);
    path_set_active(net->set, true, net->now);
    run(net, 5 * SECOND);
    for (unsigned i = 0; i < 600; i++) {
        run(net, 100 * MS);
        assert_true(best_is(net, link));
        assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
        assert_int_equal(path_best(net->set)->size, ETHERNET);
    }
    net_free(net);
}

/* Questions that were lost before others were answered are forgiven, although their time runs out later. */
static void outage_that_is_over_leaves_no_suspicion(void **state)
{
    (void)state;
    struct net *net = net_new(45, ETHERNET);
    struct link *link = add_candidate(net, 1, 300 * MS, ETHERNET);
    run(net, 650 * MS);
    assert_true(best_is(net, link));
    link->down = true;
    run(net, 400 * MS);
    link->down = false;
    for (unsigned i = 0; i < 50; i++) {
        run(net, 100 * MS);
        assert_int_equal(path_best(net->set)->state, PATH_STATE_PROVEN);
    }
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
    assert_in_range(link->probes - before, 55, 70);
    net_free(net);
}

static void answers_prove_only_what_was_asked(void **state)
{
    (void)state;
    struct net *net = net_new(50, ETHERNET);
    struct addr a = {.family = 4, .port = 1, .ip = {192, 0, 2, 1}}, b = a, remote;
    b.port = 2;
    path_add(net->set, &a, CANDIDATE_HOST, net->now);
    struct path_probe probe;
    bool changed;
    assert_true(path_poll(net->set, net->now, &probe, &remote, &changed));
    assert_true(addr_equal(&remote, &a));
    struct path_probe answer = probe;
    assert_false(path_on_answer(net->set, &answer, &a, net->now)); /* a request is no answer */
    answer.kind = PATH_PROBE_ANSWER;
    answer.token++;
    assert_false(path_on_answer(net->set, &answer, &a, net->now));
    answer.token--;
    answer.size++;
    assert_false(path_on_answer(net->set, &answer, &a, net->now));
    answer.size--;
    assert_false(path_on_answer(net->set, &answer, &b, net->now));
    assert_null(path_best(net->set));
    assert_true(path_on_answer(net->set, &answer, &a, net->now));
    assert_true(addr_equal(&path_best(net->set)->remote, &a));
    assert_false(path_on_answer(net->set, &answer, &a, net->now)); /* again */
    net_free(net);
}

static void answer_of_long_ago_proves_nothing(void **state)
{
    (void)state;
    struct net *net = net_new(51, ETHERNET);
    struct addr a = {.family = 4, .port = 1, .ip = {192, 0, 2, 1}}, remote;
    path_add(net->set, &a, CANDIDATE_HOST, net->now);
    struct path_probe probe;
    bool changed;
    assert_true(path_poll(net->set, net->now, &probe, &remote, &changed));
    run(net, 6 * SECOND);
    probe.kind = PATH_PROBE_ANSWER;
    assert_false(path_on_answer(net->set, &probe, &a, net->now));
    assert_null(path_best(net->set));
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
        path_on_source(net->set, &useless[i], net->now);
    }
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
            assert_true(!best || (best->size >= WIRE_BASE_SIZE && best->size <= 2000));
            assert_true(!best || best->state == PATH_STATE_PROVEN || best->state == PATH_STATE_SUSPECT);
            uint64_t seconds = (net->now - from) / SECOND + 1;
            assert_true(net->sent_bytes - before < (100 + 150 * seconds) * 2000);
        }
        net_free(net);
    }
}

static void probe_round_trips(void **state)
{
    (void)state;
    struct path_probe probes[] = {
        {.kind = PATH_PROBE_REQUEST, .size = 1472, .token = 0x0123456789abcdefull},
        {.kind = PATH_PROBE_ANSWER,
         .size = 1200,
         .token = 1,
         .observed = {.family = 4, .port = 9443, .ip = {192, 0, 2, 1}}},
        {.kind = PATH_PROBE_ANSWER,
         .size = 1200,
         .token = 1,
         .observed = {.family = 6, .port = 1, .ip = {0x20, 1, [15] = 1}}},
    };
    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[PATH_PROBE_LEN];
        struct path_probe out;
        path_probe_encode(&probes[i], bytes);
        assert_int_equal(path_probe_decode(bytes, sizeof(bytes), &out), 0);
        assert_int_equal(out.kind, probes[i].kind);
        assert_int_equal(out.size, probes[i].size);
        assert_true(out.token == probes[i].token);
        assert_true(addr_equal(&out.observed, &probes[i].observed));
    }
}

static void probe_bytes_are_fixed(void **state)
{
    (void)state;
    static const uint8_t expected[PATH_PROBE_LEN] = {2, 0, 0x05, 0xc0, 1,    2,   3, 4, 5, 6,
                                                     7, 8, 4,    0x24, 0xe3, 192, 0, 2, 1};
    struct path_probe p = {.kind = PATH_PROBE_ANSWER,
                           .size = 1472,
                           .token = 0x0102030405060708ull,
                           .observed = {.family = 4, .port = 9443, .ip = {192, 0, 2, 1}}};
    uint8_t bytes[PATH_PROBE_LEN];
    path_probe_encode(&p, bytes);
    assert_memory_equal(bytes, expected, sizeof(expected));
}

static void malformed_probes_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t at, value;
    } edits[] = {{0, 0}, {0, 3}, {1, 1}, {12, 0}, {12, 5}, {19, 1}, {30, 1}, {31, 1}, {0, 1}};
    struct path_probe p = {.kind = PATH_PROBE_ANSWER,
                           .observed = {.family = 4, .port = 1, .ip = {192, 0, 2, 1}}};
    struct path_probe out;
    uint8_t bytes[PATH_PROBE_LEN];
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        path_probe_encode(&p, bytes);
        bytes[edits[i].at] = edits[i].value;
        assert_int_equal(path_probe_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
    }
    path_probe_encode(&p, bytes);
    for (size_t len = 0; len < sizeof(bytes); len++)
        assert_int_equal(path_probe_decode(bytes, len, &out), ERR_FORMAT);
    p.observed = (struct addr){.family = 6, .port = 1, .ip = {[10] = 0xff, 0xff, 192, 0, 2, 1}};
    path_probe_encode(&p, bytes);
    assert_int_equal(path_probe_decode(bytes, sizeof(bytes), &out), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_answer_carries_at_once_and_full_size_one_round_trip_later),
        cmocka_unit_test(unanswered_candidate_fails_after_three_tries_and_is_tried_again),
        cmocka_unit_test(size_search_is_exact_and_quick_whatever_the_path_carries),
        cmocka_unit_test(size_of_usual_links_is_found_exactly),
        cmocka_unit_test(search_costs_few_probes),
        cmocka_unit_test(jumbo_frames_are_found),
        cmocka_unit_test(interface_below_the_base_size_does_not_confuse_the_search),
        cmocka_unit_test(shrunken_path_falls_back_and_settles_anew),
        cmocka_unit_test(shrunken_path_is_noticed_while_idle_once_data_flows),
        cmocka_unit_test(path_that_grew_is_found_within_ten_minutes),
        cmocka_unit_test(too_big_falls_back_at_once),
        cmocka_unit_test(loss_does_not_shrink_for_long_nor_fail_a_path),
        cmocka_unit_test(black_hole_is_left_for_another_proven_path),
        cmocka_unit_test(dead_substitute_is_left_for_one_that_answers),
        cmocka_unit_test(failed_candidate_is_tried_when_the_best_path_dies),
        cmocka_unit_test(sole_path_is_suspect_then_failed_then_comes_back),
        cmocka_unit_test(outage_of_hours_costs_little_and_heals_within_its_interval),
        cmocka_unit_test(wake_tries_failed_paths_at_once),
        cmocka_unit_test(wake_finds_out_about_an_idle_dead_path_quickly),
        cmocka_unit_test(wake_with_a_smaller_interface_shrinks_and_a_larger_one_grows),
        cmocka_unit_test(wakes_in_a_row_do_not_flood),
        cmocka_unit_test(rebinding_is_followed_within_a_round_trip),
        cmocka_unit_test(dead_fast_path_does_not_win_back_a_peer_that_moved),
        cmocka_unit_test(rebinding_is_followed_despite_loss),
        cmocka_unit_test(copied_datagrams_do_not_lure_us_away),
        cmocka_unit_test(forged_sources_are_challenged_rarely_and_forgotten),
        cmocka_unit_test(one_way_source_does_not_take_over),
        cmocka_unit_test(peer_that_changes_to_a_known_path_is_followed),
        cmocka_unit_test(faster_path_wins_only_when_clearly_faster),
        cmocka_unit_test(faster_path_carries_only_once_its_size_is_known),
        cmocka_unit_test(microseconds_do_not_matter),
        cmocka_unit_test(path_that_flaps_is_not_preferred_at_once),
        cmocka_unit_test(long_round_trips_are_no_misses),
        cmocka_unit_test(outage_that_is_over_leaves_no_suspicion),
        cmocka_unit_test(probing_costs_little),
        cmocka_unit_test(answers_prove_only_what_was_asked),
        cmocka_unit_test(answer_of_long_ago_proves_nothing),
        cmocka_unit_test(useless_addresses_are_ignored),
        cmocka_unit_test(full_set_gives_up_failed_candidates_first),
        cmocka_unit_test(withdrawn_candidates_are_forgotten_unless_they_carry),
        cmocka_unit_test(announcements_in_a_row_do_not_flood),
        cmocka_unit_test(same_events_give_same_actions),
        cmocka_unit_test(random_histories_keep_the_invariants),
        cmocka_unit_test(probe_round_trips),
        cmocka_unit_test(probe_bytes_are_fixed),
        cmocka_unit_test(malformed_probes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
