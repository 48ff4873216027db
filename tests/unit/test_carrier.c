/* SPDX-License-Identifier: Apache-2.0 */
/* node/carrier/carrier on loopback: an endpoint says from where to where, and an envelope has its room. */

#include "node/carrier/carrier.h"

#include "node/helper/uplink_channel.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define TIMEOUT_MS 20000

struct pair {
    struct udp_socket a, b;
    struct carrier_ports ports; /* a's */
    int backbone;               /* the other end of its uplink */
    struct udp_batch *batch;
    struct udp_message messages[UDP_BATCH];
};

static int pair_open(void **state)
{
    struct pair *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    assert_int_equal(udp_open(0, 1, &p->a), 0);
    assert_int_equal(udp_open(0, 1, &p->b), 0);
    assert_int_equal(udp_batch_new(&p->batch), 0);
    p->ports = carrier_ports_of(&p->a);
    assert_int_equal(uplink_channel_open(&p->ports.channels[0], &p->backbone), 0);
    *state = p;
    return 0;
}

static int pair_close(void **state)
{
    struct pair *p = *state;
    udp_batch_free(p->batch);
    close(p->ports.channels[0]);
    close(p->backbone);
    udp_close(&p->a, 1);
    udp_close(&p->b, 1);
    free(p);
    return 0;
}

static struct endpoint to_b(const struct pair *p, uint8_t local)
{
    struct endpoint e = endpoint_udp(&(struct addr){.family = 4, .port = p->b.port, .ip = {127, 0, 0, 3}});
    if (local)
        e.local = (struct addr){.family = 4, .ip = {127, 0, 0, local}};
    return e;
}

/* What b has: one message. */
static const struct udp_message *next(struct pair *p)
{
    uint64_t overflow = 0;
    struct pollfd readable = {.fd = p->b.fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, TIMEOUT_MS), 1);
    assert_int_equal(udp_receive(&p->b, p->batch, p->messages, &overflow), 1);
    return &p->messages[0];
}

static void a_datagram_goes_to_its_endpoint_and_comes_from_one(void **state)
{
    struct pair *p = *state;
    uint8_t room[ENDPOINT_ENVELOPE_MAX + 5] = {0}, *datagram = room + ENDPOINT_ENVELOPE_MAX;
    memcpy(datagram, "hello", 5);
    for (uint8_t local = 1; local < 3; local++) {
        const struct endpoint to = to_b(p, local);
        assert_int_equal(carrier_send_one(&p->ports, &to, datagram, 5), 0);
        const struct udp_message *m = next(p);
        assert_int_equal(m->len, 5);
        assert_memory_equal(m->data, "hello", 5);
        const struct endpoint from = {.carrier = CARRIER_UDP,
                                      .local = {.family = 4, .ip = {127, 0, 0, 3}},
                                      .remote = {.family = 4, .port = p->a.port, .ip = {127, 0, 0, local}}};
        const struct endpoint seen = carrier_source(m, 0, 0);
        assert_true(endpoint_same(&seen, &from));
    }
}

/* Also what goes a few hops; by one that is not there, nothing. */
static void a_datagram_leaves_by_the_side_socket_of_its_endpoint(void **state)
{
    struct pair *p = *state;
    static struct sides sides;
    struct udp_socket s;
    const uint8_t data[] = "near";
    struct endpoint to = to_b(p, 0);
    to.side = 2;
    p->ports.sides = &sides;
    assert_int_equal(carrier_send_near(&p->ports, &to, data, sizeof(data), 2), ERR_CLOSED);
    assert_int_equal(udp_open(0, 1, &s), 0);
    sides_add(&sides, 2, &s);
    assert_int_equal(carrier_send_near(&p->ports, &to, data, sizeof(data), 2), 0);
    assert_int_equal(next(p)->from.port, s.port);
    to.side = 0;
    assert_int_equal(carrier_send_near(&p->ports, &to, data, sizeof(data), 2), 0);
    assert_int_equal(next(p)->from.port, p->a.port);
    p->ports.sides = NULL;
    sides_fini(&sides);
}

static void an_envelope_lies_in_front_of_each_datagram(void **state)
{
    struct pair *p = *state;
    const struct endpoint e = to_b(p, 0);
    struct carrier_remote to;
    uint8_t room[3 * 100];
    for (unsigned i = 0; i < sizeof(room); i++)
        room[i] = (uint8_t)(i * 7);
    assert_int_equal(carrier_remote_init(&p->a, &e, &to), 0);
    assert_int_equal(to.envelope, 0); /* of UDP */
    to.envelope = ENDPOINT_ENVELOPE_MAX;
    assert_int_equal(carrier_send(&p->ports, &to, room + ENDPOINT_ENVELOPE_MAX, sizeof(room), 100, 0), 0);
    for (size_t at = 0; at < sizeof(room);) {
        const struct udp_message *m = next(p);
        assert_int_equal(m->segment, 100);
        assert_memory_equal(m->data, room + at, m->len);
        at += m->len;
    }
}

static void nothing_is_sent_where_nothing_carries(void **state)
{
    struct pair *p = *state;
    struct carrier_remote to;
    uint8_t room[ENDPOINT_ENVELOPE_MAX + 1] = {0};
    struct endpoint e = to_b(p, 0);
    e.carrier = CARRIER_NONE;
    assert_int_equal(carrier_remote_init(&p->a, &e, &to), ERR_UNSUPPORTED);
    assert_int_equal(carrier_send_one(&p->ports, &e, room + ENDPOINT_ENVELOPE_MAX, 1), ERR_UNSUPPORTED);
    struct pollfd readable = {.fd = p->b.fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 0), 0);
}

static const struct node_id other = {{0xaa, 1, 2}};

static void datagrams_by_the_uplink_are_one_message_that_names_its_target(void **state)
{
    struct pair *p = *state;
    static uint8_t got[UPLINK_MESSAGE_MAX];
    uint8_t room[ENDPOINT_ENVELOPE_MAX + 250];
    struct carrier_remote to;
    struct uplink_message m;
    const struct endpoint e = endpoint_uplink(0, &other);
    memset(room, 7, sizeof(room));
    assert_int_equal(carrier_remote_init(&p->a, &e, &to), 0);
    assert_int_equal(carrier_send(&p->ports, &to, room + ENDPOINT_ENVELOPE_MAX, 250, 100, 2), 0);
    ssize_t len = uplink_channel_receive(p->backbone, got);
    assert_int_equal(uplink_message_decode(got, (size_t)len, UPLINK_NODE, &m), 0);
    assert_true(m.kind == UPLINK_DATAGRAMS && id_compare(&m.id, &other) == 0);
    assert_true(m.ecn == 2 && m.segment == 100 && m.data.len == 250);
    assert_memory_equal(m.data.data, room, 250);
    assert_int_equal(carrier_send_one(&p->ports, &e, room + ENDPOINT_ENVELOPE_MAX, 50), 0);
    len = uplink_channel_receive(p->backbone, got);
    assert_int_equal(uplink_message_decode(got, (size_t)len, UPLINK_NODE, &m), 0);
    assert_true(m.ecn == 0 && m.segment == 50 && m.data.len == 50);
}

static void what_comes_by_the_uplink_has_a_sender_and_no_address(void **state)
{
    struct pair *p = *state;
    static uint8_t room[UPLINK_MESSAGE_MAX];
    uint8_t bytes[UPLINK_BATCH_HEAD_LEN + 250];
    const struct uplink_message sent = {
        .kind = UPLINK_DATAGRAMS, .id = other, .ecn = 3, .segment = 100, .data = {room, 250}};
    struct udp_message m;
    struct endpoint from;
    size_t len;
    assert_int_equal(uplink_message_encode(&sent, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(carrier_receive(&p->ports, 0, room, &m, &from), ERR_AGAIN);
    assert_int_equal(uplink_channel_send(p->backbone, &(struct iovec){bytes, len}, 1), 0);
    assert_int_equal(carrier_receive(&p->ports, 0, room, &m, &from), 0);
    assert_true(m.len == 250 && m.segment == 100 && m.ecn == 3);
    assert_true(m.from.family == 0 && m.local.family == 0);
    const struct endpoint wanted = endpoint_uplink(0, &other);
    assert_true(endpoint_same(&from, &wanted));
}

/* There and back: both have one form. */
static void datagrams_by_a_trunk_are_one_message_that_names_it(void **state)
{
    struct pair *p = *state;
    static uint8_t room[UPLINK_MESSAGE_MAX];
    uint8_t datagrams[250] = {7};
    struct carrier_remote to;
    struct udp_message m;
    struct endpoint from;
    int thread, ours;
    const struct endpoint e = endpoint_tcp(0x1122334455667788ull, &(struct addr){.family = 4, .port = 8443});
    assert_int_equal(uplink_channel_open(&ours, &thread), 0);
    assert_int_equal(carrier_remote_init(&p->a, &e, &to), 0);
    assert_int_equal(carrier_send(&p->ports, &to, datagrams, 250, 100, 2), ERR_UNSUPPORTED);
    p->ports.channels[CARRIER_TRUNKS] = ours;
    assert_int_equal(carrier_send(&p->ports, &to, datagrams, 250, 100, 2), 0);
    ssize_t len = uplink_channel_receive(thread, room);
    assert_int_equal(len, UPLINK_BATCH_HEAD_LEN + 250);
    assert_int_equal(uplink_channel_send(thread, &(struct iovec){room, (size_t)len}, 1), 0);
    assert_int_equal(carrier_receive(&p->ports, 0, room, &m, &from), ERR_AGAIN);
    assert_int_equal(carrier_receive(&p->ports, CARRIER_TRUNKS, room, &m, &from), 0);
    assert_true(m.len == 250 && m.segment == 100 && m.ecn == 2 && m.from.family == 0);
    assert_memory_equal(m.data, datagrams, 250);
    assert_true(endpoint_same(&from, &e));
    close(ours);
    close(thread);
}

static void other_messages_than_datagrams_are_refused(void **state)
{
    struct pair *p = *state;
    static uint8_t room[UPLINK_MESSAGE_MAX];
    struct udp_message m;
    struct endpoint from;
    uint8_t bytes[UPLINK_BATCH_HEAD_LEN + 1] = {UPLINK_DATAGRAMS}; /* a segment of 0 */
    assert_int_equal(uplink_channel_send(p->backbone, &(struct iovec){bytes, sizeof(bytes)}, 1), 0);
    assert_int_equal(carrier_receive(&p->ports, 0, room, &m, &from), ERR_FORMAT);
    bytes[0] = UPLINK_LIMITED;
    bytes[1] = 1;
    assert_int_equal(uplink_channel_send(p->backbone, &(struct iovec){bytes, 2}, 1), 0);
    assert_int_equal(carrier_receive(&p->ports, 0, room, &m, &from), ERR_FORMAT);
    close(p->backbone);
    assert_int_equal(carrier_receive(&p->ports, 0, room, &m, &from), ERR_CLOSED);
    p->backbone = dup(p->ports.channels[0]);
}

static void uplink_that_takes_no_more_and_one_that_is_not_there_are_told(void **state)
{
    struct pair *p = *state;
    static uint8_t room[60000];
    struct carrier_remote to;
    const struct endpoint e = endpoint_uplink(0, &other);
    int err = 0;
    assert_int_equal(carrier_remote_init(&p->a, &e, &to), 0);
    for (unsigned i = 0; !err && i < 10000; i++)
        err = carrier_send(&p->ports, &to, room, sizeof(room), 1000, 0);
    assert_int_equal(err, ERR_AGAIN);
    const struct carrier_ports none = carrier_ports_of(&p->a);
    assert_int_equal(carrier_send(&none, &to, room, 100, 100, 0), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_datagram_goes_to_its_endpoint_and_comes_from_one, pair_open,
                                        pair_close),
        cmocka_unit_test_setup_teardown(a_datagram_leaves_by_the_side_socket_of_its_endpoint, pair_open,
                                        pair_close),
        cmocka_unit_test_setup_teardown(an_envelope_lies_in_front_of_each_datagram, pair_open, pair_close),
        cmocka_unit_test_setup_teardown(nothing_is_sent_where_nothing_carries, pair_open, pair_close),
        cmocka_unit_test_setup_teardown(datagrams_by_the_uplink_are_one_message_that_names_its_target,
                                        pair_open, pair_close),
        cmocka_unit_test_setup_teardown(what_comes_by_the_uplink_has_a_sender_and_no_address, pair_open,
                                        pair_close),
        cmocka_unit_test_setup_teardown(datagrams_by_a_trunk_are_one_message_that_names_it, pair_open,
                                        pair_close),
        cmocka_unit_test_setup_teardown(other_messages_than_datagrams_are_refused, pair_open, pair_close),
        cmocka_unit_test_setup_teardown(uplink_that_takes_no_more_and_one_that_is_not_there_are_told,
                                        pair_open, pair_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
