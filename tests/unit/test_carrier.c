/* SPDX-License-Identifier: Apache-2.0 */
/* node/carrier/carrier on loopback: an endpoint says from where to where, and an envelope has its room. */

#include "node/carrier/carrier.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define TIMEOUT_MS 20000

struct pair {
    struct udp_socket a, b;
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
    *state = p;
    return 0;
}

static int pair_close(void **state)
{
    struct pair *p = *state;
    udp_batch_free(p->batch);
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
        assert_int_equal(carrier_send_one(&p->a, &to, datagram, 5), 0);
        const struct udp_message *m = next(p);
        assert_int_equal(m->len, 5);
        assert_memory_equal(m->data, "hello", 5);
        const struct endpoint from = {.carrier = CARRIER_UDP,
                                      .local = {.family = 4, .ip = {127, 0, 0, 3}},
                                      .remote = {.family = 4, .port = p->a.port, .ip = {127, 0, 0, local}}};
        const struct endpoint seen = carrier_source(m);
        assert_true(endpoint_same(&seen, &from));
    }
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
    assert_int_equal(carrier_send(&p->a, &to, room + ENDPOINT_ENVELOPE_MAX, sizeof(room), 100, 0), 0);
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
    assert_int_equal(carrier_send_one(&p->a, &e, room + ENDPOINT_ENVELOPE_MAX, 1), ERR_UNSUPPORTED);
    struct pollfd readable = {.fd = p->b.fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_datagram_goes_to_its_endpoint_and_comes_from_one, pair_open,
                                        pair_close),
        cmocka_unit_test_setup_teardown(an_envelope_lies_in_front_of_each_datagram, pair_open, pair_close),
        cmocka_unit_test_setup_teardown(nothing_is_sent_where_nothing_carries, pair_open, pair_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
