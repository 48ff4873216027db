/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path: a peer that moves is followed; forged, copied and one-way sources are not. */

#include "path_lab.h"

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

/* As a router keeps them for a neighbour that is gone, and back two seconds later. */
static void what_was_held_up_does_not_delay_the_next_move(void **state)
{
    (void)state;
    struct net *net = net_new(38, ETHERNET);
    struct link *old = settled(net, 20 * MS), *new = add_link(net, 2, 20 * MS, ETHERNET);
    path_set_active(net->set, true, net->now);
    run(net, 7 * SECOND);
    old->held_us = net->now + 2 * SECOND;
    run(net, 2 * SECOND + 100 * MS);
    assert_true(best_is(net, old));
    assert_in_range(path_best(net->set)->rtt_us, 38 * MS, 42 * MS);
    old->down = true;
    net->talks_from = new;
    net->data_us = net->now;
    WITHIN(net, 60 * MS, best_is, new);
    net_free(net);
}

static void a_way_that_became_long_is_measured_so(void **state)
{
    (void)state;
    struct net *net = net_new(39, ETHERNET);
    struct link *link = settled(net, 1 * MS);
    path_set_active(net->set, true, net->now);
    run(net, 7 * SECOND);
    link->delay_us = 300 * MS;
    run(net, 10 * SECOND);
    assert_in_range(path_best(net->set)->rtt_us, 400 * MS, 600 * MS);
    net_free(net);
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

/* However much faster the way through the copier is: far beyond the hysteresis between paths that the peer
 * named, and for long enough to be measured and sized. */
static void relay_on_the_way_does_not_get_the_traffic_by_being_faster(void **state)
{
    (void)state;
    for (unsigned active = 0; active < 2; active++) {
        struct net *net = net_new(36, ETHERNET);
        struct link *real = settled(net, 50 * MS), *relay = add_link(net, 66, 5 * MS, ETHERNET);
        path_set_active(net->set, active, net->now);
        net->talks_from = relay;
        for (unsigned i = 0; i < 600; i++) {
            run(net, 100 * MS);
            assert_true(best_is(net, real));
        }
        assert_int_equal(state_of(net, relay), PATH_STATE_PROVEN);
        net_free(net);
    }
}

/* A connection that somebody passed on names his address no more than a datagram does; where nothing else
 * answers, it carries. */
static void connections_source_carries_only_when_nothing_named_answers(void **state)
{
    (void)state;
    struct net *net = net_new(37, ETHERNET);
    struct link *real = settled(net, 50 * MS), *source = add_link(net, 67, 5 * MS, ETHERNET);
    path_add_observed(net->set, &source->addr, net->now);
    run(net, 30 * SECOND);
    assert_int_equal(state_of(net, source), PATH_STATE_PROVEN);
    assert_true(best_is(net, real));
    real->down = true;
    WITHIN(net, 5 * SECOND, best_is, source);
    net_free(net);
}

/* What the peer announced and takes back is as good as learned. */
static void withdrawn_address_is_not_preferred_for_its_speed(void **state)
{
    (void)state;
    struct net *net = net_new(38, ETHERNET);
    struct link *slow = settled(net, 50 * MS), *fast = add_link(net, 68, 5 * MS, ETHERNET);
    const struct candidate both[] = {{CANDIDATE_HOST, slow->addr, 0}, {CANDIDATE_HOST, fast->addr, 0}};
    fast->down = true;
    path_announced(net->set, both, 2, net->now);
    run(net, 10 * MS);
    fast->down = false;
    path_announced(net->set, both, 1, net->now);
    net->talks_from = fast;
    run(net, 30 * SECOND);
    assert_int_equal(state_of(net, fast), PATH_STATE_PROVEN);
    assert_true(best_is(net, slow));
    path_announced(net->set, both, 2, net->now);
    WITHIN(net, 10 * SECOND, best_is, fast);
    net_free(net);
}

static void forged_sources_are_challenged_rarely_and_forgotten(void **state)
{
    (void)state;
    struct net *net = net_new(33, ETHERNET);
    struct link *real = settled(net, 20 * MS);
    uint64_t before = net->sent_bytes;
    struct endpoint from = endpoint_udp(&(struct addr){.family = 4, .port = 1, .ip = {203, 0, 113, 1}});
    for (unsigned i = 0; i < 10000; i++) {
        from.remote.port = (uint16_t)(1 + i);
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

static void answers_prove_only_what_was_asked(void **state)
{
    (void)state;
    struct net *net = net_new(50, ETHERNET);
    struct endpoint a = endpoint_udp(&(struct addr){.family = 4, .port = 1, .ip = {192, 0, 2, 1}}), b = a, to;
    b.remote.port = 2;
    path_add(net->set, &a.remote, CANDIDATE_HOST, net->now);
    struct path_probe probe;
    bool changed;
    assert_true(path_poll(net->set, net->now, &probe, &to, &changed));
    assert_true(endpoint_same(&to, &a));
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
    assert_true(endpoint_same(&path_best(net->set)->endpoint, &a));
    assert_false(path_on_answer(net->set, &answer, &a, net->now)); /* again */
    net_free(net);
}

static void answer_of_long_ago_proves_nothing(void **state)
{
    (void)state;
    struct net *net = net_new(51, ETHERNET);
    struct endpoint a = endpoint_udp(&(struct addr){.family = 4, .port = 1, .ip = {192, 0, 2, 1}}), to;
    path_add(net->set, &a.remote, CANDIDATE_HOST, net->now);
    struct path_probe probe;
    bool changed;
    assert_true(path_poll(net->set, net->now, &probe, &to, &changed));
    run(net, 6 * SECOND);
    probe.kind = PATH_PROBE_ANSWER;
    assert_false(path_on_answer(net->set, &probe, &a, net->now));
    assert_null(path_best(net->set));
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rebinding_is_followed_within_a_round_trip),
        cmocka_unit_test(what_was_held_up_does_not_delay_the_next_move),
        cmocka_unit_test(a_way_that_became_long_is_measured_so),
        cmocka_unit_test(dead_fast_path_does_not_win_back_a_peer_that_moved),
        cmocka_unit_test(rebinding_is_followed_despite_loss),
        cmocka_unit_test(copied_datagrams_do_not_lure_us_away),
        cmocka_unit_test(relay_on_the_way_does_not_get_the_traffic_by_being_faster),
        cmocka_unit_test(connections_source_carries_only_when_nothing_named_answers),
        cmocka_unit_test(withdrawn_address_is_not_preferred_for_its_speed),
        cmocka_unit_test(forged_sources_are_challenged_rarely_and_forgotten),
        cmocka_unit_test(one_way_source_does_not_take_over),
        cmocka_unit_test(peer_that_changes_to_a_known_path_is_followed),
        cmocka_unit_test(answers_prove_only_what_was_asked),
        cmocka_unit_test(answer_of_long_ago_proves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
