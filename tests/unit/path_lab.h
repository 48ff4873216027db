/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A virtual network for proto/path/path: links with delay, loss, a largest size, and black holes; a peer that
 * answers probes, sends data, moves. Time is virtual, in microseconds; randomness is seeded. */

#include "proto/path/path.h"
#include "base/clock.h"
#include "proto/wire/wire.h"
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
    struct addr addr;   /* none: it is the uplink */
    uint64_t conn;      /* set: it is the trunk … */
    uint32_t channel;   /* … or a relay */
    uint32_t interface; /* set: it leads there by a standby of ours */
    uint64_t delay_us;  /* one way */
    uint64_t held_us;   /* no answer comes before, those that are due then all at once */
    uint16_t max;       /* UDP payload that passes */
    unsigned loss;      /* of a thousand probes or answers, each way */
    bool down, mute;    /* mute: the peer's datagrams pass, ours do not */
    unsigned data_loss; /* of a thousand datagrams of data, which probes need not share */
    unsigned probes;    /* that we sent there */
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
    unsigned data_rate;      /* datagrams of data a second that we send; 0: none, and no receipts */
    uint64_t sent, received; /* so many, in thousandths */
    bool pressed;            /* the peer has no time for some of them … */
    struct ways ways;        /* out of this machine */
    bool lies;               /* … or says that they did not arrive, or what comes to its mind */
    uint64_t trace;          /* hash of everything sent, with times */
};

static inline uint64_t next_random(struct net *net)
{
    net->random ^= net->random << 13;
    net->random ^= net->random >> 7;
    net->random ^= net->random << 17;
    return net->random;
}

static inline void fill_random(void *context, void *out, size_t len)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(next_random(context) >> 32);
}

static inline struct net *net_new(uint64_t seed, uint16_t local_max)
{
    struct net *net = calloc(1, sizeof(*net));
    assert_non_null(net);
    net->random = seed;
    net->now = START;
    struct path_set_config config = {
        .random = {fill_random, net}, .local_max = local_max, .ways = &net->ways};
    assert_int_equal(path_set_new(&config, &net->set), 0);
    return net;
}

static inline void net_free(struct net *net)
{
    path_set_free(net->set);
    free(net);
}

static inline struct link *add_link(struct net *net, uint8_t host, uint64_t delay_us, uint16_t max)
{
    assert_true(net->link_count < LINKS_MAX);
    struct link *link = &net->links[net->link_count++];
    *link = (struct link){
        .addr = {.family = 4, .port = 9443, .ip = {198, 51, 100, host}}, .delay_us = delay_us, .max = max};
    return link;
}

static inline struct link *add_candidate(struct net *net, uint8_t host, uint64_t delay_us, uint16_t max)
{
    struct link *link = add_link(net, host, delay_us, max);
    path_add(net->set, &link->addr, CANDIDATE_HOST, net->now);
    return link;
}

static const struct node_id lab_peer = {{1}};

/* The peer's by backbone 0. */
static inline struct link *add_uplink(struct net *net, uint64_t delay_us)
{
    struct link *link = add_link(net, 0, delay_us, UINT16_MAX);
    link->addr = (struct addr){0};
    path_add_uplink(net->set, 0, &lab_peer, 0, net->now);
    return link;
}

/* To the peer's own port. */
static inline struct link *add_trunk(struct net *net, uint64_t conn, uint64_t delay_us)
{
    struct link *link = add_link(net, (uint8_t)(200 + conn), delay_us, UINT16_MAX);
    const struct endpoint e = endpoint_tcp(conn, &link->addr);
    link->conn = conn;
    path_add_trunk(net->set, &e, net->now);
    return link;
}

/* By the relay of that number. */
static inline struct link *add_relay(struct net *net, unsigned relay, uint64_t delay_us)
{
    struct link *link = add_link(net, (uint8_t)(100 + relay), delay_us, ETHERNET - ENVELOPE_LEN);
    link->channel = 7 + relay;
    path_add_relay(net->set, relay, &link->addr, link->channel, net->now);
    return link;
}

static inline struct endpoint way_of(const struct link *link)
{
    if (link->channel)
        return endpoint_relay(&link->addr, link->channel);
    if (link->conn)
        return endpoint_tcp(link->conn, &link->addr);
    struct endpoint e = link->addr.family ? endpoint_udp(&link->addr) : endpoint_uplink(0, &lab_peer);
    e.interface = link->interface;
    return e;
}

static inline bool leads_by(const struct endpoint *e, const struct link *link)
{
    return addr_equal(&link->addr, &e->remote) && link->interface == e->interface;
}

static inline struct link *link_of(struct net *net, const struct endpoint *to)
{
    for (unsigned i = 0; i < net->link_count; i++) {
        if (leads_by(to, &net->links[i]))
            return &net->links[i];
    }
    return NULL;
}

static inline bool lost(struct net *net, const struct link *link)
{
    return link->down || next_random(net) % LOSS_SCALE < link->loss;
}

static inline void carry(struct net *net, const struct path_probe *probe, const struct endpoint *to)
{
    struct link *link = link_of(net, to);
    net->sent_bytes += probe->size;
    net->trace = (net->trace ^ net->now ^ probe->token ^ (uint64_t)probe->size << 48) * 0x9e3779b97f4a7c15ull;
    assert_int_equal(probe->kind, PATH_PROBE_REQUEST);
    assert_true(probe->size >= WIRE_LEAST_SIZE);
    if (!link)
        return;
    link->probes++;
    if (link->mute || probe->size > link->max || lost(net, link) || lost(net, link))
        return;
    assert_true(net->answer_count < IN_FLIGHT);
    struct answer *a = &net->answers[net->answer_count++];
    *a = (struct answer){.at_us = net->now + 2 * link->delay_us, .link = link, .probe = *probe};
    if (a->at_us < link->held_us)
        a->at_us = link->held_us;
    a->probe.kind = PATH_PROBE_ANSWER;
    if (net->data_rate)
        a->probe.receipt = (struct path_receipt){true, net->received / LOSS_SCALE, net->pressed};
    if (net->lies)
        a->probe.receipt = (struct path_receipt){true, next_random(net) % 4 ? 0 : next_random(net), false};
}

/* Time goes on, and data flows by the best path. */
static inline void pass_to(struct net *net, uint64_t at)
{
    const struct path *best = path_best(net->set);
    const struct link *link = best ? link_of(net, &best->endpoint) : NULL;
    uint64_t flown = link ? (at - net->now) * net->data_rate / MS : 0;
    net->sent += flown;
    if (link && !link->down && !link->mute)
        net->received += flown * (LOSS_SCALE - link->data_loss) / LOSS_SCALE;
    net->now = at;
}

static inline void poll_all(struct net *net)
{
    struct path_probe probe;
    struct endpoint to;
    bool changed;
    unsigned guard = 0;
    path_set_sent(net->set, net->sent / LOSS_SCALE);
    for (bool more = true; more;) {
        more = path_poll(net->set, net->now, &probe, &to, &changed);
        if (changed)
            net->changed_us = net->now;
        if (more)
            carry(net, &probe, &to);
        assert_true(guard++ < 200);
    }
    /* A deadline in the past would spin the loop. */
    assert_true(path_next_deadline(net->set) > net->now);
}

static inline void deliver(struct net *net)
{
    for (unsigned i = 0; i < net->answer_count;) {
        struct answer a = net->answers[i];
        if (a.at_us > net->now) {
            i++;
            continue;
        }
        net->answers[i] = net->answers[--net->answer_count];
        /* What was on its way when the link broke is gone too. */
        const struct endpoint from = way_of(a.link);
        if (!a.link->down && path_on_answer(net->set, &a.probe, &from, net->now))
            net->changed_us = net->now;
    }
    if (net->talks_from && net->data_us <= net->now) {
        net->data_us = net->now + DATA_EVERY;
        const struct path *best = path_best(net->set);
        const struct endpoint from = endpoint_udp(&net->talks_from->addr);
        if (!best || !addr_equal(&best->endpoint.remote, &from.remote))
            path_on_source(net->set, &from, net->now);
    }
}

static inline uint64_t next_event(const struct net *net)
{
    uint64_t at = path_next_deadline(net->set);
    for (unsigned i = 0; i < net->answer_count; i++)
        at = net->answers[i].at_us < at ? net->answers[i].at_us : at;
    if (net->talks_from && net->data_us < at)
        at = net->data_us;
    return at;
}

/* Runs until done says so, or the time is over: then false. */
static inline bool run_until(struct net *net, uint64_t span_us, bool (*done)(struct net *, const void *),
                             const void *arg)
{
    uint64_t end = net->now + span_us;
    poll_all(net);
    while (!done || !done(net, arg)) {
        uint64_t at = next_event(net);
        if (at > end) {
            pass_to(net, end);
            return false;
        }
        pass_to(net, at > net->now ? at : net->now);
        deliver(net);
        poll_all(net);
    }
    return true;
}

static inline void run(struct net *net, uint64_t span_us)
{
    run_until(net, span_us, NULL, NULL);
}

static inline bool best_is(struct net *net, const void *link)
{
    const struct path *best = path_best(net->set);
    return best && leads_by(&best->endpoint, link);
}

static inline bool size_at_most(struct net *net, const void *max)
{
    const struct path *best = path_best(net->set);
    return best && best->size <= *(const uint16_t *)max;
}

static inline bool size_at_least(struct net *net, const void *min)
{
    const struct path *best = path_best(net->set);
    return best && best->size >= *(const uint16_t *)min;
}

static inline bool has_no_best(struct net *net, const void *unused)
{
    (void)unused;
    return path_best(net->set) == NULL;
}

static inline bool state_is(struct net *net, const void *state)
{
    const struct path *best = path_best(net->set);
    return best && best->state == *(const enum path_state *)state;
}

static inline enum path_state state_of(struct net *net, const struct link *link)
{
    struct path paths[PATHS_MAX];
    size_t count = path_list(net->set, paths, PATHS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (leads_by(&paths[i].endpoint, link))
            return paths[i].state;
    }
    fail_msg("no such path");
    return PATH_STATE_FAILED;
}

static inline bool is_known(struct net *net, const struct link *link)
{
    struct path paths[PATHS_MAX];
    size_t count = path_list(net->set, paths, PATHS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (leads_by(&paths[i].endpoint, link))
            return true;
    }
    return false;
}

/* A peer with one path, long proven and settled, with data flowing. */
static inline struct link *settled(struct net *net, uint64_t delay_us)
{
    struct link *link = add_candidate(net, 1, delay_us, ETHERNET);
    path_set_active(net->set, true, net->now);
    run(net, 20 * SECOND);
    assert_true(best_is(net, link));
    assert_int_equal(path_best(net->set)->size, ETHERNET);
    return link;
}

static inline enum path_why why_of(struct net *net, const struct link *link)
{
    struct path paths[PATHS_MAX];
    size_t count = path_list(net->set, paths, PATHS_MAX);
    for (size_t i = 0; i < count; i++)
        if (leads_by(&paths[i].endpoint, link))
            return paths[i].why;
    fail_msg("no such path");
    return PATH_WHY_UNKNOWN;
}

/* A straight path that carries data, and an uplink beside it. */
static inline struct link *settled_beside(struct net *net, uint64_t delay_us, struct link **uplink)
{
    *uplink = add_uplink(net, 30 * MS);
    return settled(net, delay_us);
}

#define WITHIN(net, span, done, arg)                                                                         \
    do {                                                                                                     \
        uint64_t from_ = (net)->now;                                                                         \
        assert_true(run_until(net, span, done, arg));                                                        \
        print_message("    %s: %llu ms\n", #done, (unsigned long long)((net)->now - from_) / 1000);          \
    } while (0)
