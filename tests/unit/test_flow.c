/* SPDX-License-Identifier: Apache-2.0 */
/* frame/flow: both directions are one flow, nothing that the kernel takes for one flow is two, and flows spread. */

#include "frame/flow.h"

#include "packet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BODY 64

static uint8_t body[BODY], frame[PACKET_MAX];

static const struct packet KINDS[] = {
    {.tcp_flags = 0x10},
    {.udp = true},
    {.v6 = true, .tcp_flags = 0x10},
    {.v6 = true, .udp = true},
    {.vlans = 1, .udp = true},
    {.vlans = 2, .v6 = true, .tcp_flags = 0x10},
    {.ip_options = 8, .udp = true},
};
#define KIND_COUNT (sizeof(KINDS) / sizeof(KINDS[0]))

static struct packet build(const struct packet *kind, size_t *len)
{
    struct packet p = *kind;
    p.body = body;
    p.body_len = BODY;
    *len = packet_build(&p, frame);
    return p;
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
    while (len--) {
        uint8_t x = *a;
        *a++ = *b;
        *b++ = x;
    }
}

static void turn_round(const struct packet *p)
{
    size_t address = p->v6 ? 16 : 4, first = p->l3 + (p->v6 ? 8 : 12);
    swap(frame, frame + 6, 6);
    swap(frame + first, frame + first + address, address);
    swap(frame + p->l4, frame + p->l4 + 2, 2);
}

static void both_directions_are_one_flow(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        size_t len;
        struct packet p = build(&KINDS[i], &len);
        uint32_t there = flow_hash(frame, len);
        assert_int_not_equal(there, 0);
        turn_round(&p);
        assert_int_equal(flow_hash(frame, len), there);
    }
}

static void ports_and_addresses_tell_flows_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        size_t len;
        struct packet p = build(&KINDS[i], &len);
        uint32_t before = flow_hash(frame, len);
        frame[p.l4 + 1]++;
        uint32_t other_port = flow_hash(frame, len);
        frame[p.l3 + 15]++;
        assert_int_not_equal(other_port, before);
        assert_int_not_equal(flow_hash(frame, len), other_port);
    }
}

/* What differs from frame to frame of a flow must not tell: lengths, flags, the padding of small frames. */
static void frames_of_a_flow_are_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        size_t len;
        struct packet p = build(&KINDS[i], &len);
        uint32_t flow = flow_hash(frame, len);
        assert_int_equal(flow_hash(frame, p.head_len + 1), flow); /* less than the lengths say … */
        assert_int_equal(flow_hash(frame, len + 6), flow);        /* … and more */
        memset(frame, 0x22, 12);
        frame[p.l3 + 1] ^= 1;
        frame[p.head_len - 1] ^= 1;
        assert_int_equal(flow_hash(frame, len), flow);
    }
}

/* Later fragments have no ports, and the kernel looks for them in none. */
static void fragments_of_a_packet_are_one_flow(void **state)
{
    (void)state;
    size_t len;
    struct packet p = build(&KINDS[1], &len);
    uint32_t whole = flow_hash(frame, len);
    frame[p.l3 + 6] = 0x20; /* MF */
    uint32_t first = flow_hash(frame, len);
    assert_int_not_equal(first, whole);
    frame[p.l4] ^= 0xff;
    assert_int_equal(flow_hash(frame, len), first);
    frame[p.l3 + 6] = 0;
    frame[p.l3 + 7] = 185;
    assert_int_equal(flow_hash(frame, len), first);
}

static void extension_headers_hide_the_ports(void **state)
{
    (void)state;
    const struct packet kind = {.v6 = true, .udp = true, .extensions = 1};
    size_t len;
    struct packet p = build(&kind, &len);
    uint32_t before = flow_hash(frame, len);
    assert_int_not_equal(before, 0);
    frame[p.l4] ^= 0xff;
    assert_int_equal(flow_hash(frame, len), before);
}

static void other_frames_are_one_flow(void **state)
{
    (void)state;
    size_t len;
    build(&KINDS[0], &len);
    frame[13] = 6; /* ARP */
    assert_int_equal(flow_hash(frame, len), 0);
}

/* Each length in memory of its own, so that a sanitizer sees a read behind the end. */
static void truncated_frames_are_read_to_their_end_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        size_t len;
        build(&KINDS[i], &len);
        for (size_t n = 0; n <= len; n++) {
            uint8_t *copy = malloc(n + 1);
            memcpy(copy + 1, frame, n);
            uint32_t hash = flow_hash(copy + 1, n);
            assert_true(n >= 14 + 20 || hash == 0);
            free(copy);
        }
    }
}

/* Connections from neighbouring ports, of one parity as Linux chooses them, as a browser or iperf3 -P makes
 * them: every queue gets some of a few, and at least half of its share of many. */
static void neighbouring_flows_spread_over_queues(void **state)
{
    (void)state;
    enum { FEW = 32, FLOWS = 512, QUEUES_MAX = 8 };
    size_t len;
    struct packet p = build(&KINDS[0], &len);
    for (unsigned queues = 2; queues <= QUEUES_MAX; queues++) {
        unsigned count[QUEUES_MAX] = {0};
        for (unsigned i = 0; i < FLOWS; i++) {
            packet_put(frame + p.l4, 40000 + 2 * i, 2);
            count[flow_hash(frame, len) % queues]++;
            for (unsigned q = 0; i == FEW && q < queues; q++)
                assert_true(count[q] > 0);
        }
        for (unsigned q = 0; q < queues; q++)
            assert_true(count[q] >= FLOWS / queues / 2);
    }
}

static void a_frame_with_syn_begins_a_connection(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct packet p = {
            .v6 = i & 1, .vlans = i & 2 ? 1 : 0, .ip_options = i == 4 ? 8 : 0, .tcp_flags = 0x02};
        p.body = body;
        size_t len = packet_build(&p, frame);
        assert_true(flow_begins(frame, len));
        assert_false(flow_begins(frame, p.l4 + 13)); /* cut in front of the flags */
        frame[p.l4 + 13] = 0x12;
        assert_true(flow_begins(frame, len));
        frame[p.l4 + 13] = 0x11;
        assert_false(flow_begins(frame, len));
    }
    struct packet udp = {.udp = true, .body = body, .body_len = BODY};
    memset(body, 0xff, BODY);
    size_t len = packet_build(&udp, frame);
    assert_false(flow_begins(frame, len));
    assert_false(flow_begins(frame, 14));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_with_syn_begins_a_connection),
        cmocka_unit_test(both_directions_are_one_flow),
        cmocka_unit_test(ports_and_addresses_tell_flows_apart),
        cmocka_unit_test(frames_of_a_flow_are_alike),
        cmocka_unit_test(fragments_of_a_packet_are_one_flow),
        cmocka_unit_test(extension_headers_hide_the_ports),
        cmocka_unit_test(other_frames_are_one_flow),
        cmocka_unit_test(truncated_frames_are_read_to_their_end_only),
        cmocka_unit_test(neighbouring_flows_spread_over_queues),
    };
    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
