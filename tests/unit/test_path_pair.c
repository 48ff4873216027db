/* SPDX-License-Identifier: Apache-2.0 */
/* Two path sets that face each other, as two nodes do: each answers the other's probes and tells its set
 * where datagrams come from. They must settle, and then leave each other alone. Virtual time, seeded. */

#include "proto/path/path.h"
#include "base/clock.h"
#include "proto/wire/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS        1000ull
#define SECOND    1000000ull
#define MINUTE    (60 * SECOND)
#define START     (1000 * SECOND)
#define HOMES     2 /* addresses of each node */
#define IN_FLIGHT 256

/* What a node's packet to the other's address j leaves from: its own address source[j]. */
struct node {
    struct path_set *set;
    unsigned source[HOMES];
    bool talks; /* sends data on its best path */
    uint64_t data_us;
    unsigned probes, changes;
};

struct datagram {
    uint64_t at_us;
    unsigned to, from_home;
    bool is_probe;
    struct path_probe probe;
};

struct pair {
    struct node nodes[2];
    uint64_t delay_us[HOMES][HOMES]; /* one way, between home i of node 0 and home j of node 1 */
    struct datagram flying[IN_FLIGHT];
    unsigned count;
    uint64_t now, random;
};

static void fill_random(void *context, void *out, size_t len)
{
    uint64_t *x = context;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        bytes[i] = (uint8_t)(*x >> 32);
    }
}

static struct addr home(unsigned node, unsigned i)
{
    return (struct addr){.family = 4, .port = 9443, .ip = {198, 51, (uint8_t)(100 + node), (uint8_t)i}};
}

static struct pair *pair_new(uint64_t seed)
{
    struct pair *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->random = seed;
    p->now = START;
    for (unsigned n = 0; n < 2; n++) {
        struct path_set_config config = {.random = {fill_random, &p->random}, .local_max = 1472};
        assert_int_equal(path_set_new(&config, &p->nodes[n].set), 0);
        for (unsigned i = 0; i < HOMES; i++) {
            struct addr a = home(!n, i);
            path_add(p->nodes[n].set, &a, CANDIDATE_HOST, p->now);
            p->nodes[n].source[i] = i;
        }
    }
    for (unsigned i = 0; i < HOMES; i++)
        for (unsigned j = 0; j < HOMES; j++)
            p->delay_us[i][j] = 10 * MS;
    return p;
}

static void pair_free(struct pair *p)
{
    path_set_free(p->nodes[0].set);
    path_set_free(p->nodes[1].set);
    free(p);
}

static void transmit(struct pair *p, unsigned from, const struct addr *remote, const struct path_probe *probe)
{
    unsigned j = remote->ip[3], i = p->nodes[from].source[j];
    assert_true(p->count < IN_FLIGHT && j < HOMES);
    struct datagram *d = &p->flying[p->count++];
    uint64_t delay = from == 0 ? p->delay_us[i][j] : p->delay_us[j][i];
    *d = (struct datagram){.at_us = p->now + delay, .to = !from, .from_home = i, .is_probe = probe != NULL};
    if (probe)
        d->probe = *probe;
}

static void receive(struct pair *p, const struct datagram *d)
{
    struct node *me = &p->nodes[d->to];
    struct addr source = home(!d->to, d->from_home);
    const struct endpoint from = endpoint_udp(&source);
    if (d->is_probe && d->probe.kind == PATH_PROBE_ANSWER) {
        me->changes += path_on_answer(me->set, &d->probe, &from, p->now);
        return;
    }
    path_on_source(me->set, &from, p->now);
    if (!d->is_probe)
        return;
    struct path_probe answer = d->probe;
    answer.kind = PATH_PROBE_ANSWER;
    transmit(p, d->to, &source, &answer);
}

static void poll_node(struct pair *p, unsigned n)
{
    struct node *me = &p->nodes[n];
    struct path_probe probe;
    struct endpoint to;
    bool changed;
    while (path_poll(me->set, p->now, &probe, &to, &changed)) {
        me->probes++;
        transmit(p, n, &to.remote, &probe);
    }
    me->changes += changed;
    const struct path *best = path_best(me->set);
    if (me->talks && best && me->data_us <= p->now) {
        me->data_us = p->now + 20 * MS;
        transmit(p, n, &best->endpoint.remote, NULL);
    }
}

static uint64_t next_event(const struct pair *p)
{
    uint64_t at = TIME_NEVER;
    for (unsigned n = 0; n < 2; n++) {
        uint64_t next = path_next_deadline(p->nodes[n].set);
        at = next < at ? next : at;
        if (p->nodes[n].talks && p->nodes[n].data_us < at)
            at = p->nodes[n].data_us;
    }
    for (unsigned i = 0; i < p->count; i++)
        at = p->flying[i].at_us < at ? p->flying[i].at_us : at;
    return at;
}

static void run(struct pair *p, uint64_t span_us)
{
    for (uint64_t end = p->now + span_us; p->now < end;) {
        poll_node(p, 0);
        poll_node(p, 1);
        uint64_t at = next_event(p);
        p->now = at < end ? (at > p->now ? at : p->now + 1) : end;
        for (unsigned i = 0; i < p->count;) {
            struct datagram d = p->flying[i];
            if (d.at_us > p->now) {
                i++;
                continue;
            }
            p->flying[i] = p->flying[--p->count];
            receive(p, &d);
        }
    }
}

static void forget_counts(struct pair *p)
{
    for (unsigned n = 0; n < 2; n++)
        p->nodes[n].probes = p->nodes[n].changes = 0;
}

static void assert_quiet(struct pair *p, unsigned most_probes)
{
    for (unsigned n = 0; n < 2; n++) {
        print_message("    node %u: %u probes, %u changes\n", n, p->nodes[n].probes, p->nodes[n].changes);
        assert_int_equal(p->nodes[n].changes, 0);
        assert_true(p->nodes[n].probes <= most_probes);
        assert_int_equal(path_best(p->nodes[n].set)->size, 1472);
    }
}

static void idle_nodes_with_two_addresses_leave_each_other_alone(void **state)
{
    (void)state;
    struct pair *p = pair_new(1);
    run(p, 30 * SECOND);
    forget_counts(p);
    run(p, 10 * MINUTE);
    /* 86 rounds of the best path, 24 of the other, and as many challenges with their counter-questions. */
    assert_quiet(p, 86 + 24 + 2 * 24 + 8);
    pair_free(p);
}

/* Each end prefers another of two equal paths: neither follows the other, so they do not chase each other
 * either. */
static void talking_nodes_that_disagree_on_the_path_stay_where_they_are(void **state)
{
    (void)state;
    struct pair *p = pair_new(2);
    struct addr first[2] = {home(1, 0), home(0, 1)};
    for (unsigned n = 0; n < 2; n++) {
        /* The other's other address is unreachable at first. */
        path_set_free(p->nodes[n].set);
        struct path_set_config config = {.random = {fill_random, &p->random}, .local_max = 1472};
        assert_int_equal(path_set_new(&config, &p->nodes[n].set), 0);
        path_add(p->nodes[n].set, &first[n], CANDIDATE_HOST, p->now);
        path_set_active(p->nodes[n].set, true, p->now);
        p->nodes[n].talks = true;
    }
    run(p, 30 * SECOND);
    assert_true(addr_equal(&path_best(p->nodes[0].set)->endpoint.remote, &first[0]));
    assert_true(addr_equal(&path_best(p->nodes[1].set)->endpoint.remote, &first[1]));
    forget_counts(p);
    run(p, 10 * MINUTE);
    assert_quiet(p, 1200 + 120 + 2 * 120 + 8);
    pair_free(p);
}

/* Packets to either address of the other leave from the same one of ours: answers come from elsewhere than
 * asked. */
static void answers_from_another_address_lead_to_that_address(void **state)
{
    (void)state;
    struct pair *p = pair_new(3);
    p->nodes[1].source[0] = p->nodes[1].source[1] = 0;
    struct path_set_config config = {.random = {fill_random, &p->random}, .local_max = 1472};
    path_set_free(p->nodes[0].set);
    assert_int_equal(path_set_new(&config, &p->nodes[0].set), 0);
    struct addr asked = home(1, 1), answers = home(1, 0);
    path_add(p->nodes[0].set, &asked, CANDIDATE_HOST, p->now);
    run(p, 100 * MS);
    assert_true(addr_equal(&path_best(p->nodes[0].set)->endpoint.remote, &answers));
    run(p, 30 * SECOND);
    forget_counts(p);
    run(p, 10 * MINUTE);
    assert_int_equal(p->nodes[0].changes, 0);
    assert_int_equal(p->nodes[1].changes, 0);
    assert_true(p->nodes[0].probes < 400);
    pair_free(p);
}

static void both_ends_choose_the_faster_path(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct pair *p = pair_new(seed);
        unsigned fast = seed & 1;
        p->delay_us[fast][fast] = 5 * MS;
        for (unsigned n = 0; n < 2; n++) {
            path_set_active(p->nodes[n].set, true, p->now);
            p->nodes[n].talks = true;
        }
        run(p, 10 * SECOND);
        for (unsigned n = 0; n < 2; n++) {
            struct addr expected = home(!n, fast);
            assert_true(addr_equal(&path_best(p->nodes[n].set)->endpoint.remote, &expected));
        }
        forget_counts(p);
        run(p, 1 * MINUTE);
        assert_int_equal(p->nodes[0].changes + p->nodes[1].changes, 0);
        pair_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_nodes_with_two_addresses_leave_each_other_alone),
        cmocka_unit_test(talking_nodes_that_disagree_on_the_path_stay_where_they_are),
        cmocka_unit_test(answers_from_another_address_lead_to_that_address),
        cmocka_unit_test(both_ends_choose_the_faster_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
