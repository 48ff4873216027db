/* SPDX-License-Identifier: Apache-2.0 */
/* proto/neigh: a machine without a link layer among machines that have one. Frames go in and come out; time is said. */

#include "proto/neigh/neigh.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "frame/arp.h"
#include "frame/nd.h"
#include "proto/neigh/neigh_table.h"
#include "proto/neigh/neigh_view.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

#define SECOND   1000000ull
#define SENT_MAX 64
#define PACKET   (NEIGH_HEADROOM + 40)

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, host_mac[6] = {2, 0, 0, 0, 0, 9},
                     forger[6] = {2, 6, 6, 6, 6, 6};
static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};

struct fixture {
    struct neigh_table *table;
    struct neigh_plan plan;
    struct neigh_view view;
    struct neigh *n;
    uint64_t now;
    struct {
        uint8_t data[128];
        size_t len;
        uint32_t worker;
    } sent[SENT_MAX]; /* since clear() */
    unsigned sent_count, conflicts;
};

static struct addr v4(uint8_t host)
{
    return (struct addr){.family = 4, .ip = {10, 0, 0, host}};
}

static struct addr v6(uint8_t host)
{
    return (struct addr){.family = 6, .ip = {0xfd, [15] = host}};
}

static void on_send(void *context, const struct neigh_frame *f)
{
    struct fixture *x = context;
    assert_true(f->len <= sizeof(x->sent[0].data));
    if (x->sent_count == SENT_MAX)
        return;
    memcpy(x->sent[x->sent_count].data, f->data, f->len);
    x->sent[x->sent_count].worker = f->worker;
    x->sent[x->sent_count++].len = f->len;
}

static void on_conflict(void *context, const struct addr *ours, const uint8_t mac[6])
{
    struct fixture *x = context;
    (void)ours, (void)mac;
    x->conflicts++;
}

static int setup(void **state)
{
    static struct fixture x;
    memset(&x, 0, sizeof(x));
    x.now = 5000 * SECOND;
    x.plan.own[0] = (struct addr_prefix){v4(1), 24};
    x.plan.own[1] = (struct addr_prefix){v6(1), 64};
    x.plan.own_count = 2;
    memcpy(x.plan.mac, own_mac, 6);
    assert_int_equal(neigh_table_new(&secret_source, &x.table), 0);
    struct neigh_config config = {.table = x.table, .send = on_send, .conflict = on_conflict, .context = &x};
    memcpy(config.mac, own_mac, 6);
    assert_int_equal(neigh_new(&config, &x.n), 0);
    neigh_set_plan(x.n, &x.plan);
    x.view.table = x.table;
    x.view.plan = &x.plan;
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    neigh_free(x->n);
    neigh_table_free(x->table);
    return 0;
}

/* What our own addresses call for has been said. */
static void quieten(struct fixture *x)
{
    for (int i = 0; i < NEIGH_PROBES + NEIGH_ANNOUNCES; i++) {
        x->now += SECOND;
        (void)neigh_tick(x->n, x->now);
    }
    x->sent_count = 0;
}

/* A packet to an address, as the kernel hands it out; the number makes it another one. */
static size_t packet(const struct addr *to, uint8_t number, uint8_t frame[PACKET])
{
    memset(frame, 0, PACKET);
    frame[NEIGH_HEADROOM] = to->family == 4 ? 0x45 : 0x60;
    frame[PACKET - 1] = to->family == 4 ? number : 0;
    memcpy(frame + NEIGH_HEADROOM + (to->family == 4 ? 16 : 24), to->ip, to->family == 4 ? 4 : 16);
    return PACKET;
}

/* Sends one as a worker does. */
static enum drop emit(struct fixture *x, const struct addr *to, uint8_t number)
{
    uint8_t frame[PACKET];
    size_t len = packet(to, number, frame);
    enum neigh_verdict verdict = neigh_view_out(&x->view, frame, &len, sizeof(frame));
    struct neigh_frame f = {.worker = 3, .data = frame, .len = len};
    if (verdict == NEIGH_CONTROL)
        return neigh_out(x->n, &f, x->now);
    assert_int_equal(verdict, NEIGH_PASS);
    on_send(x, &f);
    return DROP_NONE;
}

static void hear_arp(struct fixture *x, enum arp_operation operation, const uint8_t mac[6],
                     const struct addr *sender, const struct addr *target)
{
    uint8_t frame[ARP_FRAME_LEN];
    struct arp a = {.operation = operation, .sender = *sender, .target = *target};
    memcpy(a.sender_mac, mac, 6);
    arp_encode(&a, operation == ARP_REPLY ? own_mac : everybody, frame);
    if (neigh_view_in(&x->view, frame, sizeof(frame)) == NEIGH_CONTROL)
        neigh_in(x->n, frame, sizeof(frame), x->now);
}

static void answer(struct fixture *x, uint8_t host, const uint8_t mac[6])
{
    const struct addr sender = v4(host), target = v4(1);
    hear_arp(x, ARP_REPLY, mac, &sender, &target);
}

static void hear_nd(struct fixture *x, const struct nd *nd, const uint8_t mac[6])
{
    uint8_t frame[ND_FRAME_MAX];
    struct nd copy = *nd;
    memcpy(copy.link, mac, 6);
    size_t len = nd_encode(&copy, mac, own_mac, frame);
    if (neigh_view_in(&x->view, frame, len) == NEIGH_CONTROL)
        neigh_in(x->n, frame, len, x->now);
}

/* The frame number i since the last look is an ARP request to dst for that host. */
static void assert_asks(const struct fixture *x, unsigned i, const uint8_t dst[6], uint8_t host)
{
    struct arp a;
    const struct addr target = v4(host);
    assert_true(x->sent_count > i);
    assert_true(arp_decode(x->sent[i].data, x->sent[i].len, &a));
    assert_int_equal(a.operation, ARP_REQUEST);
    assert_memory_equal(x->sent[i].data, dst, 6);
    assert_true(addr_equal(&a.target, &target));
}

static void the_first_frames_wait_for_the_answer_and_none_is_lost(void **state)
{
    struct fixture *x = *state;
    const struct addr to = v4(9);
    quieten(x);
    for (uint8_t i = 0; i < NEIGH_WAITING; i++)
        assert_int_equal(emit(x, &to, i), DROP_NONE);
    assert_int_equal(emit(x, &to, 99), DROP_NO_NEIGHBOUR);
    assert_int_equal(x->sent_count, 1);
    assert_asks(x, 0, everybody, 9);
    answer(x, 9, host_mac);
    assert_int_equal(x->sent_count, 1 + NEIGH_WAITING);
    for (uint8_t i = 0; i < NEIGH_WAITING; i++) {
        assert_memory_equal(x->sent[1 + i].data, host_mac, 6);
        assert_memory_equal(x->sent[1 + i].data + 6, own_mac, 6);
        assert_int_equal(x->sent[1 + i].data[PACKET - 1], i);
        assert_int_equal(x->sent[1 + i].worker, 3);
    }
    assert_int_equal(emit(x, &to, 7), DROP_NONE);
    assert_memory_equal(x->sent[1 + NEIGH_WAITING].data, host_mac, 6);
}

static void who_does_not_answer_is_asked_three_times_a_second_apart(void **state)
{
    struct fixture *x = *state;
    const struct addr to = v4(9);
    quieten(x);
    assert_int_equal(emit(x, &to, 0), DROP_NONE);
    for (int i = 1; i < NEIGH_TRIES; i++) {
        assert_int_equal(neigh_tick(x->n, x->now + SECOND / 2), 0);
        assert_int_equal(x->sent_count, i);
        x->now += SECOND;
        assert_int_equal(neigh_tick(x->n, x->now), 0);
        assert_asks(x, (unsigned)i, everybody, 9);
    }
    x->now += SECOND;
    assert_int_equal(neigh_tick(x->n, x->now), 1); /* the frame */
    assert_int_equal(neigh_count(x->n), 0);
    assert_int_equal(x->sent_count, NEIGH_TRIES);
}

static void who_is_used_is_confirmed_by_unicast_at_a_third_of_its_life(void **state)
{
    struct fixture *x = *state;
    const struct addr to = v4(9);
    quieten(x);
    assert_int_equal(emit(x, &to, 0), DROP_NONE);
    answer(x, 9, host_mac);
    assert_int_equal(emit(x, &to, 1), DROP_NONE);
    x->sent_count = 0;
    x->now += NEIGH_LIFE_S * SECOND / 3 - 1;
    (void)neigh_tick(x->n, x->now);
    assert_int_equal(x->sent_count, 0);
    (void)neigh_tick(x->n, ++x->now);
    assert_asks(x, 0, host_mac, 9);
    assert_int_equal(emit(x, &to, 2), DROP_NONE);
    answer(x, 9, host_mac);
    x->now += NEIGH_LIFE_S * SECOND / 3;
    (void)neigh_tick(x->n, x->now);
    assert_int_equal(x->sent_count, 2); /* nobody has used it since */
    x->now += NEIGH_LIFE_S * SECOND;
    (void)neigh_tick(x->n, x->now);
    assert_int_equal(neigh_count(x->n), 0);
}

static void who_does_not_confirm_is_asked_for_anew(void **state)
{
    struct fixture *x = *state;
    const struct addr to = v4(9);
    quieten(x);
    assert_int_equal(emit(x, &to, 0), DROP_NONE);
    answer(x, 9, host_mac);
    assert_int_equal(emit(x, &to, 1), DROP_NONE);
    x->now += NEIGH_LIFE_S * SECOND / 3;
    for (int i = 0; i <= NEIGH_TRIES; i++, x->now += SECOND)
        (void)neigh_tick(x->n, x->now);
    assert_int_equal(neigh_count(x->n), 0);
    x->sent_count = 0;
    assert_int_equal(emit(x, &to, 2), DROP_NONE);
    assert_asks(x, 0, everybody, 9);
}

static void our_addresses_answer_for_us_and_who_asks_is_known(void **state)
{
    struct fixture *x = *state;
    const struct addr from = v4(9), us = v4(1), other = v4(2);
    struct arp a;
    quieten(x);
    hear_arp(x, ARP_REQUEST, host_mac, &from, &other);
    assert_int_equal(x->sent_count, 0);
    hear_arp(x, ARP_REQUEST, host_mac, &from, &us);
    assert_int_equal(x->sent_count, 1);
    assert_true(arp_decode(x->sent[0].data, x->sent[0].len, &a));
    assert_int_equal(a.operation, ARP_REPLY);
    assert_memory_equal(x->sent[0].data, host_mac, 6);
    assert_memory_equal(a.sender_mac, own_mac, 6);
    assert_true(addr_equal(&a.sender, &us) && addr_equal(&a.target, &from));
    assert_int_equal(emit(x, &from, 1), DROP_NONE);
    assert_memory_equal(x->sent[1].data, host_mac, 6);
}

static void who_asks_from_elsewhere_is_answered_and_not_remembered(void **state)
{
    struct fixture *x = *state;
    const struct addr from = {.family = 4, .ip = {192, 0, 2, 9}}, us = v4(1);
    quieten(x);
    hear_arp(x, ARP_REQUEST, host_mac, &from, &us);
    assert_int_equal(x->sent_count, 1);
    assert_int_equal(neigh_count(x->n), 0);
}

static void a_solicitation_is_answered_and_a_probe_to_all(void **state)
{
    struct fixture *x = *state;
    struct nd nd = {
        .type = ND_SOLICITATION, .source = v6(9), .destination = v6(1), .target = v6(1), .has_link = true};
    struct nd got;
    const struct addr from = v6(9);
    quieten(x);
    hear_nd(x, &nd, host_mac);
    assert_true(nd_decode(x->sent[0].data, x->sent[0].len, &got));
    assert_true(got.type == ND_ADVERTISEMENT && got.solicited && got.override && got.has_link);
    assert_memory_equal(x->sent[0].data, host_mac, 6);
    assert_memory_equal(got.link, own_mac, 6);
    assert_int_equal(emit(x, &from, 0), DROP_NONE);
    assert_memory_equal(x->sent[1].data, host_mac, 6);
    nd.source = (struct addr){.family = 6};
    nd.has_link = false;
    hear_nd(x, &nd, host_mac);
    assert_true(nd_decode(x->sent[2].data, x->sent[2].len, &got));
    assert_false(got.solicited);
    assert_memory_equal(x->sent[2].data, ((uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
}

static void an_advertisement_takes_anothers_place_only_if_it_says_so(void **state)
{
    struct fixture *x = *state;
    const struct addr to = v6(9);
    struct nd nd = {
        .type = ND_ADVERTISEMENT, .source = to, .destination = v6(1), .target = to, .has_link = true};
    uint8_t mac[6];
    quieten(x);
    hear_nd(x, &nd, host_mac); /* nobody asked */
    assert_false(neigh_table_find(x->table, &to, mac));
    assert_int_equal(emit(x, &to, 0), DROP_NONE);
    hear_nd(x, &nd, host_mac);
    hear_nd(x, &nd, forger);
    assert_true(neigh_table_find(x->table, &to, mac));
    assert_memory_equal(mac, host_mac, 6);
    nd.override = true;
    hear_nd(x, &nd, forger);
    assert_true(neigh_table_find(x->table, &to, mac));
    assert_memory_equal(mac, forger, 6);
}

static void what_a_peer_has_is_known_and_no_frame_changes_it(void **state)
{
    struct fixture *x = *state;
    const struct addr_prefix list[] = {{v4(9), 24}, {v6(9), 64}, {v4(1), 24}};
    const struct addr four = v4(9), six = v6(9), us = v4(1);
    uint8_t mac[6];
    quieten(x);
    assert_int_equal(neigh_claim(x->n, 7, list, 3, host_mac), 0);
    for (unsigned i = 0; i < 2; i++) {
        answer(x, 9, forger);
        hear_arp(x, ARP_REQUEST, forger, &four, &us);
        assert_true(neigh_table_find(x->table, &four, mac));
        assert_memory_equal(mac, host_mac, 6);
    }
    assert_true(neigh_table_find(x->table, &six, mac));
    assert_false(neigh_table_find(x->table, &us, mac)); /* our own are not believed */
    assert_int_equal(neigh_count(x->n), 0);
    x->now += 10 * NEIGH_LIFE_S * SECOND;
    (void)neigh_tick(x->n, x->now);
    assert_true(neigh_table_find(x->table, &four, mac));
    assert_int_equal(neigh_claim(x->n, 7, NULL, 0, NULL), 0);
    assert_false(neigh_table_find(x->table, &four, mac));
}

static void what_two_peers_claim_is_asked_for(void **state)
{
    struct fixture *x = *state;
    const struct addr_prefix claim = {v4(9), 24};
    uint8_t mac[6];
    quieten(x);
    assert_int_equal(neigh_claim(x->n, 7, &claim, 1, host_mac), 0);
    assert_int_equal(neigh_claim(x->n, 8, &claim, 1, forger), 0);
    assert_int_equal(emit(x, &claim.addr, 0), DROP_NONE);
    assert_asks(x, 0, everybody, 9);
    for (int i = 0; i <= NEIGH_TRIES; i++, x->now += SECOND)
        (void)neigh_tick(x->n, x->now);
    assert_int_equal(neigh_count(x->n), 0);
    assert_int_equal(neigh_claim(x->n, 7, NULL, 0, NULL), 0);
    assert_true(neigh_table_find(x->table, &claim.addr, mac));
    assert_memory_equal(mac, forger, 6);
}

static void a_claim_sends_what_waits(void **state)
{
    struct fixture *x = *state;
    const struct addr_prefix claim = {v4(9), 24};
    quieten(x);
    assert_int_equal(emit(x, &claim.addr, 5), DROP_NONE);
    assert_int_equal(neigh_claim(x->n, 7, &claim, 1, host_mac), 0);
    assert_int_equal(x->sent_count, 2);
    assert_memory_equal(x->sent[1].data, host_mac, 6);
    assert_int_equal(neigh_count(x->n), 0);
}

static void forged_senders_fill_no_more_than_the_table(void **state)
{
    struct fixture *x = *state;
    const struct addr used = v4(9), us = v4(1);
    uint8_t mac[6];
    x->plan.own[0].bits = 8;
    quieten(x);
    assert_int_equal(emit(x, &used, 0), DROP_NONE);
    answer(x, 9, host_mac);
    assert_int_equal(emit(x, &used, 1), DROP_NONE);
    for (uint32_t i = 0; i < 100000; i++) {
        const struct addr from = {.family = 4,
                                  .ip = {10, (uint8_t)(i >> 16 | 1), (uint8_t)(i >> 8), (uint8_t)i}};
        hear_arp(x, ARP_REQUEST, forger, &from, &us);
        assert_true(neigh_count(x->n) <= NEIGH_MAX);
    }
    assert_int_equal(neigh_count(x->n), NEIGH_MAX);
    assert_true(neigh_table_find(x->table, &used, mac));
}

static void a_scan_of_ours_takes_no_more_either(void **state)
{
    struct fixture *x = *state;
    quieten(x);
    for (unsigned i = 0; i < 3 * NEIGH_MAX; i++) {
        const struct addr to = {.family = 4, .ip = {10, 9, (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(emit(x, &to, 0), DROP_NONE);
    }
    assert_int_equal(neigh_count(x->n), NEIGH_MAX);
    x->now += SECOND;
    assert_int_equal(neigh_tick(x->n, x->now), 2 * NEIGH_MAX);
}

static void our_addresses_are_probed_and_announced(void **state)
{
    struct fixture *x = *state;
    struct arp a;
    struct nd nd;
    const struct addr none = {.family = 4}, us = v4(1);
    for (int i = 0; i < 10; i++, x->now += SECOND)
        (void)neigh_tick(x->n, x->now);
    assert_int_equal(x->sent_count, 2 * (NEIGH_PROBES + NEIGH_ANNOUNCES));
    assert_true(arp_decode(x->sent[0].data, x->sent[0].len, &a));
    assert_true(addr_equal(&a.sender, &none) && addr_equal(&a.target, &us));
    assert_true(nd_decode(x->sent[1].data, x->sent[1].len, &nd));
    assert_true(nd.type == ND_SOLICITATION && !nd.has_link && addr_is_unspecified(&nd.source));
    assert_memory_equal(x->sent[1].data, ((uint8_t[]){0x33, 0x33, 0xff, 0, 0, 1}), 6);
    assert_true(arp_decode(x->sent[2 * NEIGH_PROBES].data, x->sent[2 * NEIGH_PROBES].len, &a));
    assert_true(addr_equal(&a.sender, &us) && addr_equal(&a.target, &us));
    assert_true(nd_decode(x->sent[2 * NEIGH_PROBES + 1].data, x->sent[2 * NEIGH_PROBES + 1].len, &nd));
    assert_true(nd.type == ND_ADVERTISEMENT && nd.override && !nd.solicited);
}

static void who_comes_later_is_told_but_not_without_end(void **state)
{
    struct fixture *x = *state;
    quieten(x);
    for (int i = 0; i < 30; i++, x->now += SECOND) {
        neigh_meet(x->n);
        (void)neigh_tick(x->n, x->now);
    }
    assert_int_equal(x->sent_count, 3 * 2 * (NEIGH_PROBES + NEIGH_ANNOUNCES));
}

static void a_second_holder_is_told_and_our_address_defended(void **state)
{
    struct fixture *x = *state;
    const struct addr us = v4(1), other = v4(2);
    struct nd nd = {
        .type = ND_ADVERTISEMENT, .source = v6(1), .destination = v6(1), .target = v6(1), .has_link = true};
    quieten(x);
    for (int i = 0; i < 5; i++)
        hear_arp(x, ARP_REQUEST, forger, &us, &other);
    assert_int_equal(x->conflicts, 1);
    assert_int_equal(x->sent_count, 1);
    assert_asks(x, 0, everybody, 1);
    hear_nd(x, &nd, forger);
    assert_int_equal(x->conflicts, 2);
    x->now += NEIGH_AGAIN_S * SECOND;
    hear_arp(x, ARP_REPLY, forger, &us, &us);
    assert_int_equal(x->conflicts, 3);
}

static void groups_have_macs_and_are_not_asked_for(void **state)
{
    struct fixture *x = *state;
    static const struct {
        struct addr to;
        uint8_t mac[6];
    } groups[] = {
        {{.family = 4, .ip = {255, 255, 255, 255}}, {255, 255, 255, 255, 255, 255}},
        {{.family = 4, .ip = {10, 0, 0, 255}}, {255, 255, 255, 255, 255, 255}},
        {{.family = 4, .ip = {239, 129, 2, 3}}, {1, 0, 0x5e, 1, 2, 3}},
        {{.family = 6, .ip = {0xff, 2, [13] = 0xab, 0xcd, 0xef}}, {0x33, 0x33, 0, 0xab, 0xcd, 0xef}}};
    quieten(x);
    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        assert_int_equal(emit(x, &groups[i].to, 0), DROP_NONE);
        assert_int_equal(x->sent_count, i + 1);
        assert_memory_equal(x->sent[i].data, groups[i].mac, 6);
    }
    const struct addr elsewhere = {.family = 4, .ip = {10, 0, 1, 255}};
    assert_int_equal(emit(x, &elsewhere, 0), DROP_NONE); /* of no subnet of ours: a machine */
    struct arp a;
    assert_true(arp_decode(x->sent[x->sent_count - 1].data, x->sent[x->sent_count - 1].len, &a));
}

static void the_gateway_of_the_longest_prefix_is_the_next_hop(void **state)
{
    struct fixture *x = *state;
    const struct addr far = {.family = 4, .ip = {10, 99, 1, 1}}, near = v4(9);
    x->plan.routes[0] = (struct neigh_route){{{.family = 4}, 0}, v4(5)};
    x->plan.routes[1] = (struct neigh_route){{{.family = 4, .ip = {10, 99}}, 16}, v4(6)};
    x->plan.routes[2] = (struct neigh_route){{v4(0), 24}, {0}};
    x->plan.route_count = 3;
    quieten(x);
    assert_int_equal(emit(x, &far, 0), DROP_NONE);
    assert_asks(x, 0, everybody, 6);
    assert_int_equal(emit(x, &near, 0), DROP_NONE);
    assert_asks(x, 1, everybody, 9);
}

static void what_the_kernel_says_of_a_link_layer_goes_nowhere(void **state)
{
    struct fixture *x = *state;
    uint8_t frame[ND_FRAME_MAX];
    struct nd nd = {.type = ND_SOLICITATION, .source = v6(1), .destination = v6(9), .target = v6(9)};
    size_t len = nd_encode(&nd, own_mac, host_mac, frame);
    assert_int_equal(neigh_view_out(&x->view, frame, &len, sizeof(frame)), NEIGH_NOTHING);
}

static void only_ip_for_us_or_a_group_reaches_the_device(void **state)
{
    struct fixture *x = *state;
    const struct addr us = v4(1);
    uint8_t frame[PACKET];
    size_t len = packet(&us, 0, frame);
    memcpy(frame, own_mac, 6);
    memcpy(frame + 6, host_mac, 6);
    frame[12] = 8;
    assert_int_equal(neigh_view_in(&x->view, frame, len), NEIGH_PASS);
    assert_int_equal(neigh_view_in(&x->view, frame, NEIGH_HEADROOM), NEIGH_NOT_IP);
    assert_int_equal(neigh_view_in(&x->view, frame, NEIGH_HEADROOM + 19), NEIGH_NOT_IP);
    frame[5] ^= 1; /* another machine's */
    assert_int_equal(neigh_view_in(&x->view, frame, len), NEIGH_NOT_IP);
    memcpy(frame, everybody, 6);
    assert_int_equal(neigh_view_in(&x->view, frame, len), NEIGH_PASS);
    frame[12] = 0x81; /* a VLAN's */
    assert_int_equal(neigh_view_in(&x->view, frame, len), NEIGH_NOT_IP);
    frame[12] = 0x86; /* says IPv6, and is IPv4 */
    frame[13] = 0xdd;
    assert_int_equal(neigh_view_in(&x->view, frame, len), NEIGH_NOT_IP);
    frame[12] = frame[13] = 0;
    frame[NEIGH_HEADROOM] = 0;
    assert_int_equal(neigh_view_in(&x->view, frame, len), NEIGH_NOT_IP);
}

static void the_table_holds_each_address_by_itself(void **state)
{
    struct fixture *x = *state;
    const struct addr four = {.family = 4, .ip = {0xfd}}, six = {.family = 6, .ip = {0xfd}};
    uint8_t mac[6];
    neigh_table_set(x->table, &four, host_mac);
    assert_false(neigh_table_find(x->table, &six, mac));
    neigh_table_set(x->table, &six, forger);
    assert_true(neigh_table_find(x->table, &four, mac));
    assert_memory_equal(mac, host_mac, 6);
    assert_true(neigh_table_take_use(x->table, &four));
    assert_false(neigh_table_take_use(x->table, &four));
    assert_false(neigh_table_take_use(x->table, &six));
    neigh_table_remove(x->table, &four);
    assert_false(neigh_table_find(x->table, &four, mac));
    assert_true(neigh_table_find(x->table, &six, mac));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_frames_wait_for_the_answer_and_none_is_lost),
        TEST(who_does_not_answer_is_asked_three_times_a_second_apart),
        TEST(who_is_used_is_confirmed_by_unicast_at_a_third_of_its_life),
        TEST(who_does_not_confirm_is_asked_for_anew),
        TEST(our_addresses_answer_for_us_and_who_asks_is_known),
        TEST(who_asks_from_elsewhere_is_answered_and_not_remembered),
        TEST(a_solicitation_is_answered_and_a_probe_to_all),
        TEST(an_advertisement_takes_anothers_place_only_if_it_says_so),
        TEST(what_a_peer_has_is_known_and_no_frame_changes_it),
        TEST(what_two_peers_claim_is_asked_for),
        TEST(a_claim_sends_what_waits),
        TEST(forged_senders_fill_no_more_than_the_table),
        TEST(a_scan_of_ours_takes_no_more_either),
        TEST(our_addresses_are_probed_and_announced),
        TEST(who_comes_later_is_told_but_not_without_end),
        TEST(a_second_holder_is_told_and_our_address_defended),
        TEST(groups_have_macs_and_are_not_asked_for),
        TEST(the_gateway_of_the_longest_prefix_is_the_next_hop),
        TEST(what_the_kernel_says_of_a_link_layer_goes_nowhere),
        TEST(only_ip_for_us_or_a_group_reaches_the_device),
        TEST(the_table_holds_each_address_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
