/* SPDX-License-Identifier: Apache-2.0 */
/* proto/relay/relay: who may bind an end, what passes, and what a stranger, an observer and an end that lies can do. */

#include "proto/relay/relay.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "proto/relay/relay_end.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define T0     (1000 * USEC_PER_SEC)
#define SECOND USEC_PER_SEC
#define LEN    1208
#define MANY   (1u << 30)

static const struct node_id ids[3] = {{{1}}, {{2}}, {{3}}};

static struct relay *open_relay(uint64_t bytes_per_s)
{
    const struct relay_config config = {bytes_per_s, 65536, secret_source};
    struct relay *r;
    assert_int_equal(relay_new(&config, &r), 0);
    return r;
}

static struct addr at(uint8_t host, uint16_t port)
{
    return (struct addr){.family = 4, .port = port, .ip = {192, 0, 2, host}};
}

static struct relay_grant grant(struct relay *r, unsigned a, unsigned b)
{
    const struct node_id ends[2] = {ids[a], ids[b]};
    struct relay_grant g;
    assert_int_equal(relay_open(r, ends, T0, &g), 0);
    assert_true(g.channel != 0);
    return g;
}

/* What an end says; answer is what comes back. */
static enum relay_verdict bind_with(struct relay *r, const struct relay_grant *g, unsigned end,
                                    struct addr from, uint64_t number, const uint8_t *cookie, uint64_t now_us,
                                    struct relay_message *answer)
{
    struct relay_message m = {.kind = RELAY_MESSAGE_BIND, .channel = g->channel, .number = number};
    uint8_t bytes[RELAY_MESSAGE_LEN], back[RELAY_MESSAGE_LEN];
    const struct relay_hop hop = {.remote = from};
    struct relay_binding bound;
    if (cookie)
        memcpy(m.cookie, cookie, sizeof(m.cookie));
    assert_int_equal(relay_message_encode(&m, g->tokens[end], bytes), 0);
    enum relay_verdict verdict = relay_bind(r, &hop, bytes, sizeof(bytes), now_us, back, &bound);
    if (verdict == RELAY_ANSWER) {
        assert_int_equal(relay_message_decode(back, sizeof(back), answer), 0);
        assert_int_equal(relay_message_verify(back, g->tokens[end]), 0);
        assert_int_equal(answer->number, number);
    }
    return verdict;
}

/* An honest end: two messages. number is its newest. */
static void bind_end(struct relay *r, const struct relay_grant *g, unsigned end, struct addr from,
                     uint64_t *number, uint64_t now_us)
{
    struct relay_message answer;
    assert_int_equal(bind_with(r, g, end, from, ++*number, NULL, now_us, &answer), RELAY_ANSWER);
    assert_int_equal(answer.kind, RELAY_MESSAGE_COOKIE);
    assert_int_equal(bind_with(r, g, end, from, ++*number, answer.cookie, now_us, &answer), RELAY_ANSWER);
    assert_int_equal(answer.kind, RELAY_MESSAGE_BOUND);
}

static enum relay_verdict send_as(struct relay *r, uint32_t channel, struct addr from, uint8_t type,
                                  uint64_t now_us, struct relay_hop *hop)
{
    uint8_t head[ENVELOPE_LEN + 1];
    const struct envelope e = {ENVELOPE_DATAGRAM, channel};
    envelope_encode(&e, head);
    head[ENVELOPE_LEN] = type;
    return relay_pass(r, &from, head, LEN, LEN, now_us, hop);
}

static enum relay_verdict send_data(struct relay *r, uint32_t channel, struct addr from, uint64_t now_us)
{
    struct relay_hop hop;
    return send_as(r, channel, from, WIRE_DATA, now_us, &hop);
}

/* A pair whose ends are at .1 and .2. */
static struct relay_grant bound_pair(struct relay *r, uint64_t numbers[2])
{
    struct relay_grant g = grant(r, 0, 1);
    bind_end(r, &g, 0, at(1, 9443), &numbers[0], T0);
    bind_end(r, &g, 1, at(2, 9443), &numbers[1], T0);
    return g;
}

static enum relay_verdict ask_where(struct relay *r, const struct relay_grant *g, unsigned end,
                                    struct addr from, uint64_t number, struct addr *other)
{
    const struct relay_message m = {.kind = RELAY_MESSAGE_WHERE, .channel = g->channel, .number = number};
    uint8_t bytes[RELAY_MESSAGE_LEN], back[RELAY_MESSAGE_LEN];
    const struct relay_hop hop = {.remote = from};
    struct relay_binding bound;
    struct relay_message answer;
    assert_int_equal(relay_message_encode(&m, g->tokens[end], bytes), 0);
    enum relay_verdict verdict = relay_bind(r, &hop, bytes, sizeof(bytes), T0, back, &bound);
    if (verdict != RELAY_ANSWER)
        return verdict;
    assert_int_equal(relay_message_decode(back, sizeof(back), &answer), 0);
    assert_int_equal(relay_message_verify(back, g->tokens[end]), 0);
    assert_int_equal(answer.kind, RELAY_MESSAGE_HERE);
    assert_int_equal(relay_message_place(&answer, other), 0);
    return verdict;
}

static void a_bound_end_is_told_where_the_other_is_seen(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    struct relay_grant g = grant(r, 0, 1);
    uint64_t numbers[2] = {0};
    const struct addr home = at(1, 9443), far = at(2, 1234);
    struct addr other;
    assert_int_equal(ask_where(r, &g, 0, home, ++numbers[0], &other), RELAY_SOURCE);
    bind_end(r, &g, 0, home, &numbers[0], T0);
    assert_int_equal(ask_where(r, &g, 0, home, ++numbers[0], &other), RELAY_ANSWER);
    assert_int_equal(other.family, 0);
    bind_end(r, &g, 1, far, &numbers[1], T0);
    assert_int_equal(ask_where(r, &g, 0, home, ++numbers[0], &other), RELAY_ANSWER);
    assert_true(addr_equal(&other, &far));
    /* from elsewhere, and once more */
    assert_int_equal(ask_where(r, &g, 0, at(3, 9443), numbers[0] + 1, &other), RELAY_SOURCE);
    assert_int_equal(ask_where(r, &g, 0, home, numbers[0], &other), RELAY_REPLAYED);
    relay_free(r);
}

static void a_place_is_ipv4_or_none(void **state)
{
    (void)state;
    struct relay_message m = {.kind = RELAY_MESSAGE_HERE};
    const struct addr v6 = {.family = 6, .port = 1, .ip = {0x20, 1}}, v4 = at(7, 77);
    struct addr out;
    relay_message_put_place(&m, &v6);
    assert_int_equal(relay_message_place(&m, &out), 0);
    assert_int_equal(out.family, 0);
    relay_message_put_place(&m, &v4);
    assert_int_equal(relay_message_place(&m, &out), 0);
    assert_true(addr_equal(&out, &v4));
    for (unsigned i = 0; i < RELAY_COOKIE_LEN; i++) {
        bool part = i >= 2 && i < 8; /* of port and address */
        relay_message_put_place(&m, &v4);
        m.cookie[i] ^= 0x80;
        assert_int_equal(relay_message_place(&m, &out), part ? 0 : ERR_FORMAT);
    }
    relay_message_put_place(&m, &(struct addr){.family = 4, .ip = {192, 0, 2, 1}});
    assert_int_equal(relay_message_place(&m, &out), ERR_FORMAT); /* no port */
}

static void datagrams_pass_both_ways_once_both_ends_are_bound(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    struct relay_grant g = grant(r, 0, 1);
    uint64_t numbers[2] = {0};
    struct relay_hop hop;
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0), RELAY_SOURCE);
    bind_end(r, &g, 0, at(1, 9443), &numbers[0], T0);
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0), RELAY_UNBOUND);
    bind_end(r, &g, 1, at(2, 9443), &numbers[1], T0);
    assert_int_equal(send_as(r, g.channel, at(1, 9443), WIRE_DATA, T0, &hop), RELAY_PASS);
    const struct addr b = at(2, 9443), a = at(1, 9443);
    assert_true(addr_equal(&hop.remote, &b));
    assert_int_equal(send_as(r, g.channel, b, WIRE_PROBE, T0, &hop), RELAY_PASS);
    assert_true(addr_equal(&hop.remote, &a));
    relay_free(r);
}

static void forged_channel_and_forged_source_pass_nothing(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant g = bound_pair(r, numbers);
    assert_int_equal(send_data(r, g.channel ^ 1, at(1, 9443), T0), RELAY_UNKNOWN);
    assert_int_equal(send_data(r, g.channel, at(3, 9443), T0), RELAY_SOURCE);
    assert_int_equal(send_data(r, g.channel, at(1, 9444), T0), RELAY_SOURCE);
    relay_free(r);
}

static void envelope_in_an_envelope_goes_nowhere(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant g = bound_pair(r, numbers);
    struct relay_hop hop;
    assert_int_equal(send_as(r, g.channel, at(1, 9443), WIRE_RELAY, T0, &hop), RELAY_NESTED);
    relay_free(r);
}

/* The token alone is not enough: the cookie comes to the address that is to be bound. */
static void spoofed_source_binds_nothing(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    struct relay_grant g = grant(r, 0, 1);
    struct relay_message answer;
    const uint8_t guess[RELAY_COOKIE_LEN] = {1};
    assert_int_equal(bind_with(r, &g, 0, at(9, 53), 1, guess, T0, &answer), RELAY_ANSWER);
    assert_int_equal(answer.kind, RELAY_MESSAGE_COOKIE);
    assert_int_equal(bind_with(r, &g, 0, at(1, 9443), 2, answer.cookie, T0, &answer), RELAY_ANSWER);
    assert_int_equal(answer.kind, RELAY_MESSAGE_COOKIE); /* it was for another address */
    assert_int_equal(send_data(r, g.channel, at(9, 53), T0), RELAY_SOURCE);
    relay_free(r);
}

/* Who has seen all that an end said can say it again, from wherever. */
static void replayed_bind_is_not_even_answered(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant g = bound_pair(r, numbers);
    struct relay_message m = {.kind = RELAY_MESSAGE_BIND, .channel = g.channel, .number = 3}, answer;
    uint8_t first[RELAY_MESSAGE_LEN], second[RELAY_MESSAGE_LEN], back[RELAY_MESSAGE_LEN];
    struct relay_binding bound;
    const struct relay_hop home = {.remote = at(1, 9443)}, thief = {.remote = at(66, 1)};
    assert_int_equal(relay_message_encode(&m, g.tokens[0], first), 0);
    assert_int_equal(relay_bind(r, &home, first, sizeof(first), T0, back, &bound), RELAY_ANSWER);
    assert_int_equal(relay_message_decode(back, sizeof(back), &answer), 0);
    m.number = 4;
    memcpy(m.cookie, answer.cookie, sizeof(m.cookie));
    assert_int_equal(relay_message_encode(&m, g.tokens[0], second), 0);
    assert_int_equal(relay_bind(r, &home, second, sizeof(second), T0, back, &bound), RELAY_ANSWER);
    assert_int_equal(relay_bind(r, &thief, first, sizeof(first), T0, back, &bound), RELAY_REPLAYED);
    assert_int_equal(relay_bind(r, &thief, second, sizeof(second), T0, back, &bound), RELAY_REPLAYED);
    assert_int_equal(relay_bind(r, &home, second, sizeof(second), T0, back, &bound), RELAY_REPLAYED);
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0), RELAY_PASS);
    /* One that never reached the relay: the thief gets a cookie that he cannot use. */
    m.number = 5;
    assert_int_equal(relay_message_encode(&m, g.tokens[0], first), 0);
    assert_int_equal(relay_bind(r, &thief, first, sizeof(first), T0, back, &bound), RELAY_ANSWER);
    assert_int_equal(back[ENVELOPE_LEN], RELAY_MESSAGE_COOKIE);
    memcpy(first + RELAY_MESSAGE_LEN - RELAY_MAC_LEN - RELAY_COOKIE_LEN,
           back + RELAY_MESSAGE_LEN - RELAY_MAC_LEN - RELAY_COOKIE_LEN, RELAY_COOKIE_LEN);
    assert_int_equal(relay_bind(r, &thief, first, sizeof(first), T0, back, &bound), RELAY_FORGED);
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0), RELAY_PASS);
    relay_free(r);
}

static void bind_for_somebody_elses_pair_is_forged(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant victims = bound_pair(r, numbers), own = grant(r, 1, 2);
    struct relay_grant mixed = own;
    struct relay_message answer;
    mixed.channel = victims.channel;
    assert_int_equal(bind_with(r, &mixed, 0, at(66, 1), 100, NULL, T0, &answer), RELAY_FORGED);
    assert_int_equal(bind_with(r, &mixed, 1, at(66, 1), 100, NULL, T0, &answer), RELAY_FORGED);
    mixed.channel ^= 1;
    assert_int_equal(bind_with(r, &mixed, 0, at(66, 1), 100, NULL, T0, &answer), RELAY_UNKNOWN);
    relay_free(r);
}

static void no_answer_is_longer_than_its_question_and_other_lengths_have_none(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    struct relay_grant g = grant(r, 0, 1);
    const struct relay_message m = {.kind = RELAY_MESSAGE_BIND, .channel = g.channel, .number = 1};
    uint8_t bytes[RELAY_MESSAGE_LEN + 1] = {0}, back[RELAY_MESSAGE_LEN];
    struct relay_binding bound;
    const struct relay_hop from = {.remote = at(1, 1)};
    assert_int_equal(relay_message_encode(&m, g.tokens[0], bytes), 0);
    for (size_t len = 0; len <= sizeof(bytes); len++)
        if (len != RELAY_MESSAGE_LEN)
            assert_int_equal(relay_bind(r, &from, bytes, len, T0, back, &bound), RELAY_MALFORMED);
    for (size_t i = ENVELOPE_LEN; i < RELAY_MESSAGE_LEN; i++) {
        bytes[i] ^= 0x80;
        assert_int_not_equal(relay_bind(r, &from, bytes, RELAY_MESSAGE_LEN, T0, back, &bound), RELAY_ANSWER);
        bytes[i] ^= 0x80;
    }
    relay_free(r);
}

static void answers_of_a_relay_bind_nothing_at_one(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    struct relay_grant g = grant(r, 0, 1);
    uint8_t bytes[RELAY_MESSAGE_LEN], back[RELAY_MESSAGE_LEN];
    struct relay_binding bound;
    const struct relay_hop from = {.remote = at(1, 1)};
    for (unsigned kind = RELAY_MESSAGE_COOKIE; kind <= RELAY_MESSAGE_BOUND; kind++) {
        const struct relay_message m = {
            .kind = (enum relay_message_kind)kind, .channel = g.channel, .number = 1};
        assert_int_equal(relay_message_encode(&m, g.tokens[0], bytes), 0);
        assert_int_equal(relay_bind(r, &from, bytes, sizeof(bytes), T0, back, &bound), RELAY_MALFORMED);
    }
    relay_free(r);
}

static void end_that_moves_binds_anew_and_the_old_address_is_nobodys(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant g = bound_pair(r, numbers);
    bind_end(r, &g, 0, at(7, 4000), &numbers[0], T0 + SECOND);
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0 + SECOND), RELAY_SOURCE);
    assert_int_equal(send_data(r, g.channel, at(7, 4000), T0 + SECOND), RELAY_PASS);
    relay_free(r);
}

static void one_address_is_not_both_ends(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant g = bound_pair(r, numbers);
    struct relay_message answer;
    assert_int_equal(bind_with(r, &g, 0, at(2, 9443), 9, NULL, T0, &answer), RELAY_SOURCE);
    relay_free(r);
}

static void cookie_is_good_for_a_minute_and_not_for_three(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    struct relay_grant g = grant(r, 0, 1);
    struct relay_message first, answer;
    assert_int_equal(bind_with(r, &g, 0, at(1, 1), 1, NULL, T0, &first), RELAY_ANSWER);
    assert_int_equal(bind_with(r, &g, 0, at(1, 1), 2, first.cookie, T0 + 59 * SECOND, &answer), RELAY_ANSWER);
    assert_int_equal(answer.kind, RELAY_MESSAGE_BOUND);
    assert_int_equal(bind_with(r, &g, 0, at(1, 1), 3, first.cookie, T0 + 180 * SECOND, &answer),
                     RELAY_ANSWER);
    assert_int_equal(answer.kind, RELAY_MESSAGE_COOKIE);
    relay_free(r);
}

static void channel_that_is_not_bound_in_time_or_silent_ends(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant half = grant(r, 0, 2), pair = bound_pair(r, numbers);
    struct node_id ends[2];
    bind_end(r, &half, 0, at(5, 5), &(uint64_t){0}, T0);
    assert_false(relay_expire(r, T0 + RELAY_BIND_US - 1, ends));
    assert_true(relay_expire(r, T0 + RELAY_BIND_US, ends));
    assert_int_equal(id_compare(&ends[1], &ids[2]), 0);
    assert_false(relay_expire(r, T0 + RELAY_BIND_US, ends));
    assert_int_equal(send_data(r, half.channel, at(5, 5), T0 + RELAY_BIND_US), RELAY_UNKNOWN);
    /* One end speaks, the other does not: nothing is sent to where it was, and then it is gone. */
    for (uint64_t t = 0; t < RELAY_IDLE_US; t += 60 * SECOND)
        assert_int_equal(send_data(r, pair.channel, at(1, 9443), T0 + t),
                         t <= RELAY_SILENT_US ? RELAY_PASS : RELAY_UNBOUND);
    assert_true(relay_expire(r, T0 + RELAY_IDLE_US, ends));
    assert_int_equal(relay_count(r), 0);
    relay_free(r);
}

static void channels_in_use_stay(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant g = bound_pair(r, numbers);
    struct node_id ends[2];
    for (uint64_t t = 0; t < 4 * RELAY_IDLE_US; t += 60 * SECOND) {
        assert_int_equal(send_data(r, g.channel, at(1, 9443), T0 + t), RELAY_PASS);
        assert_int_equal(send_data(r, g.channel, at(2, 9443), T0 + t), RELAY_PASS);
        assert_false(relay_expire(r, T0 + t, ends));
    }
    relay_free(r);
}

static void closed_channel_passes_nothing(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant g = bound_pair(r, numbers);
    const struct node_id backwards[2] = {ids[1], ids[0]}, others[2] = {ids[0], ids[2]};
    relay_close(r, others, T0);
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0), RELAY_PASS);
    relay_close(r, backwards, T0);
    relay_close(r, backwards, T0);
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0), RELAY_UNKNOWN);
    assert_int_equal(relay_count(r), 0);
    relay_free(r);
}

/* Whichever of them asks, and whatever ended the one before. */
static void pair_gets_one_channel_a_second(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    const struct node_id ends[2] = {ids[0], ids[1]}, backwards[2] = {ids[1], ids[0]};
    uint64_t numbers[2] = {0};
    struct relay_grant first = bound_pair(r, numbers), g;
    assert_int_equal(relay_open(r, backwards, T0 + SECOND - 1, &g), ERR_AGAIN);
    assert_int_equal(send_data(r, first.channel, at(1, 9443), T0), RELAY_PASS);
    relay_close(r, ends, T0 + 1);
    assert_int_equal(relay_open(r, ends, T0 + SECOND - 1, &g), ERR_AGAIN);
    assert_int_equal(relay_open(r, ends, T0 + SECOND, &g), 0);
    assert_int_equal(relay_count(r), 1);
    struct node_id expired[2];
    relay_close(r, ends, T0 + 3 * SECOND);
    assert_false(relay_expire(r, T0 + 100 * SECOND, expired));
    relay_free(r);
}

static void new_channel_of_a_pair_ends_the_one_before(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    const struct node_id ends[2] = {ids[1], ids[0]};
    uint64_t numbers[2] = {0};
    struct relay_grant first = bound_pair(r, numbers), g;
    assert_int_equal(relay_open(r, ends, T0 + SECOND, &g), 0);
    assert_int_equal(send_data(r, first.channel, at(1, 9443), T0), RELAY_UNKNOWN);
    assert_int_equal(relay_count(r), 1);
    relay_free(r);
}

/* It has left the lists of the node that relays, or has no session with it. */
static void who_is_not_served_sends_and_gets_nothing(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    uint64_t numbers[2] = {0};
    struct relay_grant g = bound_pair(r, numbers);
    relay_serve(r, &ids[2], false);
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0), RELAY_PASS);
    relay_serve(r, &ids[1], false);
    assert_int_equal(send_data(r, g.channel, at(1, 9443), T0), RELAY_UNBOUND);
    assert_int_equal(send_data(r, g.channel, at(2, 9443), T0), RELAY_UNBOUND);
    relay_serve(r, &ids[1], true);
    assert_int_equal(send_data(r, g.channel, at(2, 9443), T0), RELAY_PASS);
    relay_free(r);
}

static void channels_of_one_node_are_bounded(void **state)
{
    (void)state;
    struct relay *r = open_relay(MANY);
    struct node_id ends[2] = {{{9}}, {{8}}};
    struct relay_grant g;
    for (unsigned i = 0; i < RELAY_PER_ID; i++) {
        ends[1] = (struct node_id){{8, (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(relay_open(r, ends, T0, &g), 0);
    }
    ends[1] = (struct node_id){{7}};
    assert_int_equal(relay_open(r, ends, T0, &g), ERR_SPACE);
    assert_int_equal(relay_count(r), RELAY_PER_ID);
    const struct node_id others[2] = {ids[0], ids[1]};
    assert_int_equal(relay_open(r, others, T0, &g), 0);
    relay_free(r);
}

/* ---- an end ---- */

static const struct ways no_ways;

static struct relay_message said_by(struct relay_end *e)
{
    uint8_t bytes[RELAY_MESSAGE_LEN];
    struct relay_message m;
    assert_int_equal(relay_end_message(e, &no_ways, bytes), 0);
    assert_int_equal(relay_message_decode(bytes, sizeof(bytes), &m), 0);
    return m;
}

static struct relay_end granted_end(const struct addr *relay, const uint8_t *token)
{
    struct relay_end e = {0};
    relay_end_want(&e, 0, T0);
    assert_int_equal(relay_end_poll(&e, true, T0), RELAY_END_ASK);
    assert_true(relay_end_granted(&e, relay, 77, token, T0));
    assert_int_equal(relay_end_poll(&e, true, T0), RELAY_END_SAY);
    return e;
}

static bool answer(struct relay_end *e, const struct addr *from, enum relay_message_kind kind,
                   uint64_t number, const uint8_t *token)
{
    const struct relay_message m = {.kind = kind, .channel = 77, .number = number};
    uint8_t bytes[RELAY_MESSAGE_LEN];
    assert_int_equal(relay_message_encode(&m, token, bytes), 0);
    return relay_end_on_answer(e, from, bytes, sizeof(bytes), T0);
}

/* Of four, three were lost; what the last one brings tells that the channel lives. */
static void cookie_for_the_last_try_saves_the_channel_once(void **state)
{
    (void)state;
    const struct addr relay = at(9, 8080);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {1};
    struct relay_end e = granted_end(&relay, token);
    uint64_t now_us = T0;
    for (unsigned i = 1; i < RELAY_END_TRIES; i++) {
        (void)said_by(&e);
        now_us = relay_end_next(&e, true);
        assert_int_equal(relay_end_poll(&e, true, now_us), RELAY_END_SAY);
    }
    struct relay_message last = said_by(&e);
    assert_false(answer(&e, &relay, RELAY_MESSAGE_COOKIE, last.number, token));
    assert_int_equal(relay_end_poll(&e, true, now_us), RELAY_END_SAY);
    last = said_by(&e);
    struct relay_end bound = e;
    assert_true(answer(&bound, &relay, RELAY_MESSAGE_BOUND, last.number, token));
    assert_false(answer(&e, &relay, RELAY_MESSAGE_COOKIE, last.number, token));
    assert_int_equal(relay_end_poll(&e, true, now_us), RELAY_END_LOST);
}

static void a_place_counts_from_the_relay_as_the_answer_to_the_question_for_a_while(void **state)
{
    (void)state;
    const struct addr relay = at(100, 8080), far = at(2, 1234), liar = at(101, 8080);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {5};
    struct relay_end e = granted_end(&relay, token);
    uint8_t bytes[RELAY_MESSAGE_LEN];
    assert_int_equal(relay_end_ask_where(&e, bytes), ERR_AGAIN); /* not bound */
    assert_true(answer(&e, &relay, RELAY_MESSAGE_BOUND, said_by(&e).number, token));
    assert_int_equal(relay_end_ask_where(&e, bytes), 0);
    struct relay_message here = {.kind = RELAY_MESSAGE_HERE, .channel = 77, .number = e.number - 1};
    relay_message_put_place(&here, &far);
    assert_int_equal(relay_message_encode(&here, token, bytes), 0);
    assert_false(relay_end_on_answer(&e, &relay, bytes, sizeof(bytes), T0)); /* to an earlier one */
    here.number = e.number;
    assert_int_equal(relay_message_encode(&here, token, bytes), 0);
    assert_false(relay_end_on_answer(&e, &liar, bytes, sizeof(bytes), T0));
    assert_null(relay_end_other(&e, T0));
    assert_false(relay_end_on_answer(&e, &relay, bytes, sizeof(bytes), T0));
    assert_true(addr_equal(relay_end_other(&e, T0), &far));
    assert_null(relay_end_other(&e, T0 + RELAY_END_WHERE_US));
}

static void end_believes_only_its_relay_under_its_token(void **state)
{
    (void)state;
    const struct addr relay = at(100, 8080), other = at(101, 8080);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {5}, wrong[ENVELOPE_TOKEN_LEN] = {6};
    struct relay_end e = granted_end(&relay, token);
    uint64_t number = said_by(&e).number;
    assert_false(answer(&e, &other, RELAY_MESSAGE_BOUND, number, token));
    assert_false(answer(&e, &relay, RELAY_MESSAGE_BOUND, number, wrong));
    assert_false(answer(&e, &relay, RELAY_MESSAGE_BOUND, number - 1, token));
    assert_false(answer(&e, &relay, RELAY_MESSAGE_BIND, number, token));
    assert_int_equal(e.state, RELAY_END_BINDING);
    assert_true(answer(&e, &relay, RELAY_MESSAGE_BOUND, number, token));
    assert_false(answer(&e, &relay, RELAY_MESSAGE_BOUND, number, token)); /* it is already */
}

static void end_gives_a_silent_relay_up_and_asks_again_ever_more_rarely(void **state)
{
    (void)state;
    const struct addr relay = at(100, 8080);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {5};
    struct relay_end e = granted_end(&relay, token);
    uint64_t now_us = T0, last_us = T0, gap_us = 0;
    unsigned said = 1, asked = 0;
    for (; now_us < T0 + 1200 * SECOND; now_us += 10000) {
        enum relay_end_step step;
        while ((step = relay_end_poll(&e, true, now_us)) != RELAY_END_WAIT) {
            said += step == RELAY_END_SAY;
            if (step != RELAY_END_ASK)
                continue;
            gap_us = now_us - last_us;
            last_us = now_us;
            asked++;
            relay_end_granted(&e, &relay, 78 + asked, token, now_us);
        }
    }
    assert_in_range(asked, 6, 12);
    assert_int_equal(said, RELAY_END_TRIES * (asked + 1));
    assert_in_range(gap_us, 200 * SECOND, 310 * SECOND);
}

static void end_whose_relay_forgot_it_asks_at_once(void **state)
{
    (void)state;
    const struct addr relay = at(100, 8080);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {5};
    struct relay_end e = granted_end(&relay, token);
    assert_true(answer(&e, &relay, RELAY_MESSAGE_BOUND, said_by(&e).number, token));
    assert_int_equal(relay_end_next(&e, false), T0 + RELAY_END_RENEW_US);
    uint64_t now_us = T0 + 5 * SECOND;
    relay_end_hurry(&e, now_us);
    enum relay_end_step step = RELAY_END_SAY;
    for (; step != RELAY_END_LOST && now_us < T0 + 60 * SECOND; now_us += 10000)
        step = relay_end_poll(&e, true, now_us);
    assert_true(now_us < T0 + 9 * SECOND);
    assert_int_equal(relay_end_poll(&e, true, now_us), RELAY_END_ASK);
}

static void end_that_is_put_off_asks_then(void **state)
{
    (void)state;
    struct relay_end e = {0};
    assert_false(relay_end_would_ask(&e, T0));
    relay_end_want(&e, SECOND, T0);
    assert_false(relay_end_would_ask(&e, T0));
    assert_true(relay_end_would_ask(&e, T0 + SECOND));
    relay_end_put_off(&e, T0 + 2 * SECOND);
    assert_int_equal(relay_end_poll(&e, true, T0 + SECOND), RELAY_END_WAIT);
    assert_int_equal(relay_end_next(&e, true), T0 + 2 * SECOND);
    assert_int_equal(relay_end_next(&e, false), TIME_NEVER);
    assert_int_equal(relay_end_poll(&e, true, T0 + 2 * SECOND), RELAY_END_ASK);
}

static void channels_that_come_in_haste_are_not_taken(void **state)
{
    (void)state;
    const struct addr relay = at(100, 8080);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {5};
    struct relay_end e = granted_end(&relay, token);
    assert_false(relay_end_granted(&e, &relay, 78, token, T0 + SECOND / 2));
    assert_int_equal(e.channel, 77);
    assert_true(relay_end_granted(&e, &relay, 78, token, T0 + SECOND));
}

/* ---- by another way out ---- */

#define STANDBY 3 /* its interface */

static struct ways ways_with_standby(void)
{
    struct ways ways = {0};
    ways_add(&ways, 2, 4, WAY_CHOSEN);
    ways_add(&ways, STANDBY, 4, WAY_STANDBY);
    return ways;
}

/* What it says next by that way, when that is due; its number. */
static uint64_t says_by(struct relay_end *e, const struct ways *ways, uint32_t interface, uint64_t *now_us)
{
    uint8_t bytes[RELAY_MESSAGE_LEN];
    uint64_t at_us = relay_end_next(e, true);
    *now_us = at_us > *now_us ? at_us : *now_us;
    assert_int_equal(relay_end_poll(e, true, *now_us), RELAY_END_SAY);
    assert_int_equal(relay_end_message(e, ways, bytes), 0);
    assert_int_equal(e->interface, interface);
    return e->number;
}

static bool answer_at(struct relay_end *e, enum relay_message_kind kind, uint64_t now_us)
{
    const struct relay_message m = {.kind = kind, .channel = 77, .number = e->number, .cookie = {1}};
    struct relay_message bound = m;
    uint8_t bytes[RELAY_MESSAGE_LEN];
    memset(bound.cookie, 0, sizeof(bound.cookie));
    assert_int_equal(relay_message_encode(kind == RELAY_MESSAGE_BOUND ? &bound : &m, e->token, bytes), 0);
    return relay_end_on_answer(e, &e->relay, bytes, sizeof(bytes), now_us);
}

/* One that was bound by the kernel's choice, which has just ceased to answer. */
static struct relay_end end_bound_by_standby(const struct ways *ways, uint64_t *now_us)
{
    const struct addr relay = at(9, 8080);
    const uint8_t token[ENVELOPE_TOKEN_LEN] = {1};
    struct relay_end e = granted_end(&relay, token);
    (void)said_by(&e);
    assert_true(answer_at(&e, RELAY_MESSAGE_BOUND, T0 + 20000));
    *now_us = T0 + 2 * SECOND;
    relay_end_hurry(&e, *now_us);
    (void)says_by(&e, ways, 0, now_us);
    (void)says_by(&e, ways, STANDBY, now_us);
    assert_int_equal(*now_us, T0 + 2 * SECOND + RELAY_END_TURN_US);
    assert_false(answer_at(&e, RELAY_MESSAGE_COOKIE, *now_us));
    (void)says_by(&e, ways, STANDBY, now_us);
    assert_true(answer_at(&e, RELAY_MESSAGE_BOUND, *now_us));
    assert_int_equal(e.bound_by, STANDBY);
    return e;
}

static void end_that_gets_no_answer_is_bound_by_a_standby(void **state)
{
    (void)state;
    const struct ways ways = ways_with_standby();
    uint64_t now_us;
    struct relay_end e = end_bound_by_standby(&ways, &now_us);
    e.test_us = TIME_NEVER;
    (void)says_by(&e, &ways, STANDBY, &now_us); /* a minute later */
    assert_false(answer_at(&e, RELAY_MESSAGE_BOUND, now_us));
    assert_int_equal(e.bound_by, STANDBY);
}

static void end_returns_when_the_kernels_choice_has_answered_for_long_enough(void **state)
{
    (void)state;
    const struct ways ways = ways_with_standby();
    uint64_t now_us;
    struct relay_end e = end_bound_by_standby(&ways, &now_us);
    (void)says_by(&e, &ways, 0, &now_us);
    assert_false(answer_at(&e, RELAY_MESSAGE_COOKIE, now_us));
    (void)says_by(&e, &ways, 0, &now_us); /* unanswered: the time begins anew */
    (void)says_by(&e, &ways, 0, &now_us);
    uint64_t well_us = now_us;
    for (; now_us < well_us + RELAY_END_RETURN_US; (void)says_by(&e, &ways, 0, &now_us)) {
        assert_false(answer_at(&e, RELAY_MESSAGE_COOKIE, now_us));
        assert_int_equal(e.bound_by, STANDBY);
    }
    assert_false(answer_at(&e, RELAY_MESSAGE_COOKIE, now_us));
    uint64_t asked_us = now_us;
    (void)says_by(&e, &ways, 0, &now_us);
    assert_int_equal(now_us, asked_us);
    assert_true(answer_at(&e, RELAY_MESSAGE_BOUND, now_us));
    assert_int_equal(e.bound_by, 0);
}

/* A network may deliver it twice. */
static void copy_of_an_answer_by_the_kernels_choice_binds_nothing(void **state)
{
    (void)state;
    const struct ways ways = ways_with_standby();
    uint64_t now_us;
    struct relay_end e = end_bound_by_standby(&ways, &now_us);
    const struct relay_message cookie = {
        .kind = RELAY_MESSAGE_COOKIE, .channel = 77, .number = says_by(&e, &ways, 0, &now_us), .cookie = {1}};
    uint8_t bytes[RELAY_MESSAGE_LEN];
    assert_int_equal(relay_message_encode(&cookie, e.token, bytes), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(relay_end_on_answer(&e, &e.relay, bytes, sizeof(bytes), now_us));
        assert_int_equal(relay_end_poll(&e, true, now_us), RELAY_END_WAIT);
    }
}

/* It may be the kernel's choice by now. */
static void end_asks_by_the_kernels_choice_when_its_standby_is_none_any_more(void **state)
{
    (void)state;
    const struct ways ways = ways_with_standby();
    uint64_t now_us;
    struct relay_end e = end_bound_by_standby(&ways, &now_us);
    now_us += 2 * SECOND;
    relay_end_hurry(&e, now_us);
    (void)says_by(&e, &no_ways, 0, &now_us);
    assert_true(answer_at(&e, RELAY_MESSAGE_BOUND, now_us));
    assert_int_equal(e.bound_by, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_end_is_told_where_the_other_is_seen),
        cmocka_unit_test(a_place_is_ipv4_or_none),
        cmocka_unit_test(datagrams_pass_both_ways_once_both_ends_are_bound),
        cmocka_unit_test(forged_channel_and_forged_source_pass_nothing),
        cmocka_unit_test(envelope_in_an_envelope_goes_nowhere),
        cmocka_unit_test(spoofed_source_binds_nothing),
        cmocka_unit_test(replayed_bind_is_not_even_answered),
        cmocka_unit_test(bind_for_somebody_elses_pair_is_forged),
        cmocka_unit_test(no_answer_is_longer_than_its_question_and_other_lengths_have_none),
        cmocka_unit_test(answers_of_a_relay_bind_nothing_at_one),
        cmocka_unit_test(end_that_moves_binds_anew_and_the_old_address_is_nobodys),
        cmocka_unit_test(one_address_is_not_both_ends),
        cmocka_unit_test(cookie_is_good_for_a_minute_and_not_for_three),
        cmocka_unit_test(channel_that_is_not_bound_in_time_or_silent_ends),
        cmocka_unit_test(channels_in_use_stay),
        cmocka_unit_test(closed_channel_passes_nothing),
        cmocka_unit_test(pair_gets_one_channel_a_second),
        cmocka_unit_test(new_channel_of_a_pair_ends_the_one_before),
        cmocka_unit_test(who_is_not_served_sends_and_gets_nothing),
        cmocka_unit_test(channels_of_one_node_are_bounded),
        cmocka_unit_test(cookie_for_the_last_try_saves_the_channel_once),
        cmocka_unit_test(end_believes_only_its_relay_under_its_token),
        cmocka_unit_test(a_place_counts_from_the_relay_as_the_answer_to_the_question_for_a_while),
        cmocka_unit_test(end_gives_a_silent_relay_up_and_asks_again_ever_more_rarely),
        cmocka_unit_test(end_whose_relay_forgot_it_asks_at_once),
        cmocka_unit_test(end_that_is_put_off_asks_then),
        cmocka_unit_test(channels_that_come_in_haste_are_not_taken),
        cmocka_unit_test(end_that_gets_no_answer_is_bound_by_a_standby),
        cmocka_unit_test(end_returns_when_the_kernels_choice_has_answered_for_long_enough),
        cmocka_unit_test(copy_of_an_answer_by_the_kernels_choice_binds_nothing),
        cmocka_unit_test(end_asks_by_the_kernels_choice_when_its_standby_is_none_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
