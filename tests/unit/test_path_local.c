/* SPDX-License-Identifier: Apache-2.0 */
/* proto/path/path: the local address of a path. A peer may let in only what comes from where it asked us; and whoever sends
 * its datagrams on to another address of ours must not lead the path astray. */

#include "path_lab.h"

static const struct addr none;
static const struct addr first = {.family = 4, .ip = {192, 0, 2, 1}},
                         second = {.family = 4, .ip = {192, 0, 2, 2}};
static const struct addr peer = {.family = 4, .port = 9443, .ip = {198, 51, 100, 1}};

static struct endpoint at(const struct addr *local)
{
    return (struct endpoint){.carrier = CARRIER_UDP, .local = *local, .remote = peer};
}

/* The next probe, which leaves from local. */
static struct path_probe asked_from(struct net *net, const struct addr *local)
{
    const struct endpoint expected = at(local);
    struct path_probe probe;
    struct endpoint to;
    bool changed;
    assert_true(path_poll(net->set, net->now, &probe, &to, &changed));
    assert_true(endpoint_same(&to, &expected));
    return probe;
}

static bool answered_at(struct net *net, struct path_probe probe, const struct addr *local)
{
    const struct endpoint from = at(local);
    probe.kind = PATH_PROBE_ANSWER;
    return path_on_answer(net->set, &probe, &from, net->now);
}

static void peer_asks_at(struct net *net, const struct addr *local)
{
    const struct endpoint from = at(local);
    path_on_source(net->set, &from, net->now);
}

static bool quiet(struct net *net)
{
    struct path_probe probe;
    struct endpoint to;
    bool changed;
    return !path_poll(net->set, net->now, &probe, &to, &changed);
}

static void assert_path(struct net *net, enum path_state state, const struct addr *local)
{
    struct path path;
    const struct endpoint expected = at(local);
    assert_int_equal(path_list(net->set, &path, 1), 1);
    assert_int_equal(path.state, state);
    assert_true(endpoint_same(&path.endpoint, &expected));
}

/* Proven while the peer asks us at this address. */
static struct net *proven_at(const struct addr *local)
{
    struct net *net = net_new(60, ETHERNET);
    path_add(net->set, &peer, CANDIDATE_HOST, net->now);
    asked_from(net, &none);
    peer_asks_at(net, local);
    assert_true(answered_at(net, asked_from(net, local), local));
    assert_path(net, PATH_STATE_PROVEN, local);
    return net;
}

/* What is asked meets no answer until the state is this one. */
static void fall_silent(struct net *net, enum path_state until)
{
    struct path path = {0};
    struct path_probe probe;
    struct endpoint to;
    bool changed;
    path_set_active(net->set, true, net->now);
    for (unsigned i = 0; i < 10000 && path.state != until; i++) {
        net->now += 10 * MS;
        while (path_poll(net->set, net->now, &probe, &to, &changed))
            continue;
        assert_int_equal(path_list(net->set, &path, 1), 1);
    }
    assert_int_equal(path.state, until);
}

static void whom_we_ask_first_is_asked_from_where_the_kernel_likes(void **state)
{
    (void)state;
    struct net *net = net_new(61, ETHERNET);
    path_add(net->set, &peer, CANDIDATE_HOST, net->now);
    assert_true(answered_at(net, asked_from(net, &none), &first));
    assert_path(net, PATH_STATE_PROVEN, &none);
    net_free(net);
}

static void who_asks_us_is_asked_from_there_at_once(void **state)
{
    (void)state;
    struct net *net = proven_at(&second);
    assert_true(endpoint_same(&path_best(net->set)->endpoint, &(struct endpoint){CARRIER_UDP, second, peer}));
    net_free(net);
    net = net_new(62, ETHERNET);
    peer_asks_at(net, &second); /* and nobody named it */
    assert_true(answered_at(net, asked_from(net, &second), &second));
    assert_path(net, PATH_STATE_PROVEN, &second);
    net_free(net);
}

static void an_answer_proves_the_local_address_that_was_asked_from(void **state)
{
    (void)state;
    struct net *net = net_new(63, ETHERNET);
    path_add(net->set, &peer, CANDIDATE_HOST, net->now);
    struct path_probe before = asked_from(net, &none);
    peer_asks_at(net, &second);
    struct path_probe after = asked_from(net, &second);
    assert_false(answered_at(net, before, &first));
    assert_false(answered_at(net, after, &none));
    assert_path(net, PATH_STATE_PROBING, &second);
    after.observed = first; /* what a peer says of addresses means nothing here */
    assert_true(answered_at(net, after, &second));
    assert_path(net, PATH_STATE_PROVEN, &second);
    net_free(net);
}

/* Who sees the peer's datagrams can send them on to another address of ours, ahead of the peer. */
static void a_path_that_answers_keeps_its_local_address(void **state)
{
    (void)state;
    struct net *net = proven_at(&second);
    while (!quiet(net))
        continue;
    for (unsigned i = 0; i < 100; i++)
        peer_asks_at(net, &first);
    assert_true(quiet(net));
    assert_path(net, PATH_STATE_PROVEN, &second);
    net_free(net);
}

static void a_path_that_does_not_answer_is_asked_from_where_the_peer_asks(void **state)
{
    (void)state;
    struct net *net = proven_at(&first);
    fall_silent(net, PATH_STATE_SUSPECT);
    peer_asks_at(net, &second);
    struct path_probe probe = asked_from(net, &second);
    assert_path(net, PATH_STATE_SUSPECT, &second);
    assert_true(answered_at(net, probe, &second));
    assert_path(net, PATH_STATE_PROVEN, &second);
    net_free(net);
}

static void a_path_that_failed_belongs_to_no_local_address(void **state)
{
    (void)state;
    struct net *net = proven_at(&first);
    fall_silent(net, PATH_STATE_FAILED);
    assert_path(net, PATH_STATE_FAILED, &none);
    net_free(net);
}

static uint32_t first_alone(const void *context, const struct addr *a)
{
    (void)context;
    return addr_same_host(a, &first);
}

static void a_local_address_that_vanished_is_forgotten(void **state)
{
    (void)state;
    struct net *net = proven_at(&first);
    path_forget_locals(net->set, first_alone, NULL);
    assert_path(net, PATH_STATE_PROVEN, &first);
    net_free(net);

    net = proven_at(&second);
    while (!quiet(net))
        continue;
    path_forget_locals(net->set, first_alone, NULL);
    path_wake(net->set, ETHERNET, net->now += SECOND);
    struct path_probe probe;
    struct endpoint to, expected = at(&none);
    bool changed;
    assert_true(path_poll(net->set, net->now, &probe, &to, &changed));
    assert_true(changed); /* for workers */
    assert_true(endpoint_same(&to, &expected));
    assert_path(net, PATH_STATE_PROVEN, &none);
    net_free(net);
}

/* Four a second, whatever a forger does to a path that does not answer. */
static void what_arrives_here_and_there_is_asked_about_rarely(void **state)
{
    (void)state;
    struct net *net = net_new(64, ETHERNET);
    struct path_probe probe;
    struct endpoint to;
    bool changed;
    unsigned probes = 0;
    for (unsigned i = 0; i < 10000; i++, net->now += 1 * MS) {
        peer_asks_at(net, i % 2 ? &first : &second);
        while (path_poll(net->set, net->now, &probe, &to, &changed))
            probes++;
    }
    assert_in_range(probes, 10, 100);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whom_we_ask_first_is_asked_from_where_the_kernel_likes),
        cmocka_unit_test(who_asks_us_is_asked_from_there_at_once),
        cmocka_unit_test(an_answer_proves_the_local_address_that_was_asked_from),
        cmocka_unit_test(a_path_that_answers_keeps_its_local_address),
        cmocka_unit_test(a_path_that_does_not_answer_is_asked_from_where_the_peer_asks),
        cmocka_unit_test(a_path_that_failed_belongs_to_no_local_address),
        cmocka_unit_test(a_local_address_that_vanished_is_forgotten),
        cmocka_unit_test(what_arrives_here_and_there_is_asked_about_rarely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
