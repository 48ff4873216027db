/* SPDX-License-Identifier: Apache-2.0 */
/* proto/link/keychain: what is said again when messages of a step are lost, and to whom nothing is said. The test carries
 * the messages; the ends' sessions are real. */

#include "proto/link/keychain.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define RATCHET_US (120 * USEC_PER_SEC)
#define LIVE_MAX   4

struct end {
    struct keychain *keychain;
    uint32_t last_index;
    struct session *live[LIVE_MAX];
    struct message said; /* last */
    unsigned count;      /* of messages */
};

static struct end opener, other;
static uint64_t now_us;

static uint32_t reserve_index(void *context)
{
    return ++((struct end *)context)->last_index;
}

static void release_index(void *context, uint32_t index)
{
    (void)context, (void)index;
}

static struct session **find(struct end *e, const struct session *s)
{
    for (unsigned i = 0; i < LIVE_MAX; i++)
        if (e->live[i] == s)
            return &e->live[i];
    fail_msg("no such session");
    return NULL;
}

static int session_added(void *context, struct session *s)
{
    *find(context, NULL) = s;
    return 0;
}

static void session_dropped(void *context, struct session *s)
{
    *find(context, s) = NULL;
    session_free(s);
}

static void cool(void *context, struct session *s)
{
    (void)context;
    session_free(session_cool(s));
}

static void send_changed(void *context)
{
    (void)context;
}

static void send_control(void *context, struct session *s, const struct message *m)
{
    struct end *e = context;
    assert_non_null(s);
    e->said = *m;
    e->count++;
}

static void open_end(struct end *e, bool opens)
{
    static const uint8_t root[KDF_LEN] = {1};
    const struct keychain_ops ops = {reserve_index, release_index, session_added, session_dropped,
                                     cool,          send_changed,  send_control,  e};
    const struct keychain_config config = {
        .suite = AEAD_AES_256_GCM, .tx_lanes = 1, .rx_lanes = 1, .opener = opens, .ratchet_us = RATCHET_US};
    *e = (struct end){.last_index = 1};
    assert_int_equal(keychain_new(&config, &ops, root, 1, 1, now_us, &e->keychain), 0);
    keychain_peer_ready(e->keychain, now_us);
}

/* A datagram of one end's present key reaches the other end. */
static void hear(struct end *from, struct end *to)
{
    static const uint8_t nothing[WIRE_INNER_LEN];
    const struct slice piece = {nothing, sizeof(nothing)};
    uint8_t datagram[WIRE_OVERHEAD + sizeof(nothing)], *plain;
    struct wire_header h;
    size_t len;
    int n = session_seal(keychain_send_session(from->keychain), WIRE_CONTROL, WIRE_LANE_CONTROL, &piece, 1,
                         datagram);
    assert_true(n > 0 && (size_t)n <= sizeof(datagram));
    assert_int_equal(wire_header_decode(datagram, (size_t)n, &h), 0);
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        if (!to->live[i] || session_rx_index(to->live[i]) != h.receiver)
            continue;
        assert_int_equal(session_open(to->live[i], &h, datagram, (size_t)n, &plain, &len), DROP_NONE);
        keychain_on_received(to->keychain, to->live[i], now_us);
        return;
    }
    fail_msg("nobody has that key");
}

/* The session that e had at first. */
static struct session *first_of(const struct end *e)
{
    struct session *all[LIVE_MAX];
    size_t count = keychain_sessions(e->keychain, all, LIVE_MAX);
    for (size_t i = 0; i < count; i++)
        if (session_rx_index(all[i]) == 1)
            return all[i];
    fail_msg("the first session is gone");
    return NULL;
}

/* Both ends have heard each other, and the opener has offered a step. */
static int set_up(void **state)
{
    (void)state;
    now_us = 1000 * USEC_PER_SEC;
    open_end(&opener, true);
    open_end(&other, false);
    hear(&opener, &other);
    hear(&other, &opener);
    now_us += RATCHET_US;
    keychain_tick(opener.keychain, now_us);
    assert_int_equal(opener.count, 1);
    assert_int_equal(opener.said.type, MESSAGE_RATCHET_OFFER);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keychain_free(opener.keychain);
    keychain_free(other.keychain);
    return 0;
}

static void answer_offer(void)
{
    keychain_on_message(other.keychain, first_of(&other), &opener.said, now_us);
    assert_int_equal(other.count, 1);
    assert_int_equal(other.said.type, MESSAGE_RATCHET_ANSWER);
}

static void offer_that_is_repeated_gets_the_same_answer(void **state)
{
    (void)state;
    answer_offer();
    struct message first = other.said;
    keychain_on_message(other.keychain, first_of(&other), &opener.said, now_us);
    assert_int_equal(other.count, 2);
    assert_memory_equal(&other.said, &first, sizeof(first));
}

static void other_offer_than_the_answered_one_gets_nothing(void **state)
{
    (void)state;
    answer_offer();
    struct message changed = opener.said;
    changed.ratchet.key[0] ^= 1;
    keychain_on_message(other.keychain, first_of(&other), &changed, now_us);
    changed = opener.said;
    changed.ratchet.step++;
    keychain_on_message(other.keychain, first_of(&other), &changed, now_us);
    assert_int_equal(other.count, 1);
}

static void answer_that_is_repeated_is_confirmed_again(void **state)
{
    (void)state;
    answer_offer();
    for (unsigned i = 0; i < 2; i++) {
        keychain_on_message(opener.keychain, first_of(&opener), &other.said, now_us);
        assert_int_equal(opener.count, 2 + i);
        assert_int_equal(opener.said.type, MESSAGE_RATCHET_DONE);
        assert_int_equal(opener.said.ratchet.step, 1);
    }
    hear(&opener, &other);
    hear(&other, &opener);
    assert_int_equal(keychain_steps(opener.keychain), 1);
    assert_int_equal(keychain_steps(other.keychain), 1);
}

/* What was lost is said again, ever more seldom, until it is answered. */
static void offer_without_an_answer_is_repeated(void **state)
{
    (void)state;
    struct message first = opener.said;
    uint64_t wait_us = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t next_us = keychain_next_deadline(opener.keychain);
        assert_true(next_us > now_us && next_us - now_us >= wait_us);
        keychain_tick(opener.keychain, next_us - 1);
        assert_int_equal(opener.count, 1 + i);
        wait_us = next_us - now_us;
        now_us = next_us;
        keychain_tick(opener.keychain, now_us);
        assert_int_equal(opener.count, 2 + i);
        assert_memory_equal(&opener.said, &first, sizeof(first));
    }
    answer_offer();
}

static void who_has_not_heard_the_other_under_the_key_offers_nothing(void **state)
{
    (void)state;
    keychain_free(opener.keychain);
    open_end(&opener, true);
    now_us += RATCHET_US;
    keychain_tick(opener.keychain, now_us);
    assert_int_equal(opener.count, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(offer_that_is_repeated_gets_the_same_answer),
        TEST(other_offer_than_the_answered_one_gets_nothing),
        TEST(answer_that_is_repeated_is_confirmed_again),
        TEST(offer_without_an_answer_is_repeated),
        TEST(who_has_not_heard_the_other_under_the_key_offers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
