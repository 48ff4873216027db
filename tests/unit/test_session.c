/* SPDX-License-Identifier: Apache-2.0 */
/* proto/session/session: two ends of one root understand each other and nobody else; altered, truncated, replayed,
 * reordered and misdirected datagrams change nothing; keys end where their limits say. */

#include "proto/session/session.h"
#include "crypto/kdf.h"
#include "proto/session/replay.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#define TEXT_LEN 100
#define LEN      (WIRE_HEADER_LEN + TEXT_LEN + WIRE_TAG_LEN)

static const uint8_t root[KDF_LEN] = {1, 2, 3};

struct fixture {
    struct session *a, *b;
    uint8_t text[TEXT_LEN];
    uint8_t datagram[LEN];
};

static struct session_config config_of(bool initiator)
{
    return (struct session_config){.suite = AEAD_AES_256_GCM,
                                   .tx_lanes = initiator ? 2 : 3,
                                   .rx_lanes = initiator ? 3 : 2,
                                   .rx_index = initiator ? 0xaaaa : 0xbbbb,
                                   .tx_index = initiator ? 0xbbbb : 0xaaaa,
                                   .initiator = initiator,
                                   .peer_slot = initiator ? 7 : 8};
}

static struct session *make(struct session_config config)
{
    struct session *s;

    assert_int_equal(session_new(&config, root, &s), 0);
    return s;
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    for (size_t i = 0; i < TEXT_LEN; i++)
        x->text[i] = (uint8_t)i;
    x->a = make(config_of(true));
    x->b = make(config_of(false));
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    session_free(x->a);
    session_free(x->b);
    free(x);
    return 0;
}

static int seal(struct fixture *x, struct session *from, enum wire_type type, unsigned lane)
{
    const struct slice pieces[] = {{x->text, WIRE_INNER_LEN},
                                   {x->text + WIRE_INNER_LEN, TEXT_LEN - WIRE_INNER_LEN}};

    return session_seal(from, type, lane, pieces, 2, x->datagram);
}

/* As the worker does it: decodes the header, then opens a copy. */
static enum drop deliver(struct session *to, const uint8_t *datagram, size_t len, const uint8_t *expected)
{
    uint8_t copy[LEN], *plain;
    struct wire_header h;
    size_t plain_len;

    memcpy(copy, datagram, len);
    enum drop drop = wire_header_decode(copy, len, &h);
    if (!drop)
        drop = session_open(to, &h, copy, len, &plain, &plain_len);
    if (!drop) {
        assert_ptr_equal(plain, copy + WIRE_HEADER_LEN);
        assert_int_equal(plain_len, len - WIRE_HEADER_LEN - WIRE_TAG_LEN);
        assert_memory_equal(plain, expected, plain_len);
    }
    return drop;
}

static enum drop pass(struct fixture *x, struct session *from, struct session *to, enum wire_type type,
                      unsigned lane)
{
    assert_int_equal(seal(x, from, type, lane), LEN);
    return deliver(to, x->datagram, LEN, x->text);
}

static uint64_t rx_datagrams(const struct session *s)
{
    struct session_stats stats;

    session_stats(s, &stats);
    return stats.rx_datagrams;
}

static void every_lane_carries_both_ways(void **state)
{
    struct fixture *x = *state;

    for (int round = 0; round < 3; round++) {
        for (unsigned lane = 0; lane < 2; lane++)
            assert_int_equal(pass(x, x->a, x->b, WIRE_DATA, lane), DROP_NONE);
        for (unsigned lane = 0; lane < 3; lane++)
            assert_int_equal(pass(x, x->b, x->a, WIRE_DATA, lane), DROP_NONE);
        assert_int_equal(pass(x, x->a, x->b, WIRE_CONTROL, WIRE_LANE_CONTROL), DROP_NONE);
        assert_int_equal(pass(x, x->b, x->a, WIRE_PROBE, WIRE_LANE_CONTROL), DROP_NONE);
    }
}

static void header_names_type_lane_receiver_and_counter(void **state)
{
    struct fixture *x = *state;
    struct wire_header h;

    for (uint64_t counter = 0; counter < 3; counter++) {
        assert_int_equal(seal(x, x->a, WIRE_DATA, 1), LEN);
        assert_int_equal(wire_header_decode(x->datagram, LEN, &h), DROP_NONE);
        assert_int_equal(h.type, WIRE_DATA);
        assert_int_equal(h.lane, 1);
        assert_int_equal(h.receiver, 0xbbbb);
        assert_true(h.counter == counter);
    }
}

static void getters_return_the_configuration(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(session_rx_index(x->a), 0xaaaa);
    assert_int_equal(session_peer_slot(x->b), 8);
}

/* The key schedule of docs/PROTOCOL.md §4, written down once more from the primitives. */
static void keys_and_nonce_follow_the_documented_schedule(void **state)
{
    struct fixture *x = *state;
    const char *direction = "shadowmesh data i>r";
    uint8_t secret[KDF_LEN], key[AEAD_KEY_LEN + AEAD_NONCE_LEN], expected[LEN];
    struct aead *aead;

    assert_int_equal(kdf_expand(root, (const uint8_t *)direction, strlen(direction), secret, sizeof(secret)),
                     0);
    assert_int_equal(kdf_expand(secret, (const uint8_t *)"lane\1", 5, key, sizeof(key)), 0);
    assert_int_equal(aead_new(AEAD_AES_256_GCM, key, &aead), 0);
    key[AEAD_KEY_LEN + AEAD_NONCE_LEN - 1] ^= 1; /* counter 1 */

    assert_int_equal(seal(x, x->a, WIRE_DATA, 1), LEN);
    assert_int_equal(seal(x, x->a, WIRE_DATA, 1), LEN);
    const struct slice piece = {x->text, TEXT_LEN};
    memcpy(expected, x->datagram, WIRE_HEADER_LEN);
    assert_int_equal(
        aead_seal(aead, key + AEAD_KEY_LEN, expected, WIRE_HEADER_LEN, &piece, 1, expected + WIRE_HEADER_LEN),
        0);
    assert_memory_equal(x->datagram, expected, LEN);
    aead_free(aead);
}

static void chacha_carries_as_well(void **state)
{
    struct fixture *x = *state;
    struct session_config ca = config_of(true), cb = config_of(false);
    ca.suite = cb.suite = AEAD_CHACHA20_POLY1305;
    struct session *a = make(ca), *b = make(cb);

    assert_int_equal(pass(x, a, b, WIRE_DATA, 0), DROP_NONE);
    assert_int_equal(pass(x, a, x->b, WIRE_DATA, 0), DROP_AUTH);
    session_free(a);
    session_free(b);
}

static void another_root_does_not_open(void **state)
{
    struct fixture *x = *state;
    struct session_config config = config_of(false);
    uint8_t other[KDF_LEN];
    struct session *stranger;

    memcpy(other, root, sizeof(other));
    other[KDF_LEN - 1] ^= 1;
    assert_int_equal(session_new(&config, other, &stranger), 0);
    assert_int_equal(pass(x, x->a, stranger, WIRE_DATA, 0), DROP_AUTH);
    session_free(stranger);
}

static void own_datagrams_reflected_do_not_open(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(pass(x, x->a, x->a, WIRE_DATA, 0), DROP_AUTH);
    assert_int_equal(pass(x, x->b, x->b, WIRE_CONTROL, WIRE_LANE_CONTROL), DROP_AUTH);
}

static void replayed_datagram_is_dropped(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(pass(x, x->a, x->b, WIRE_DATA, 0), DROP_NONE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(deliver(x->b, x->datagram, LEN, x->text), DROP_REPLAY);
    assert_int_equal(rx_datagrams(x->b), 1);
    assert_int_equal(pass(x, x->a, x->b, WIRE_DATA, 0), DROP_NONE);
}

static void every_altered_bit_is_noticed(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(seal(x, x->a, WIRE_DATA, 0), LEN);
    for (size_t bit = 0; bit < LEN * 8; bit++) {
        x->datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(deliver(x->b, x->datagram, LEN, x->text), DROP_NONE);
        x->datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(rx_datagrams(x->b), 0);
    assert_int_equal(deliver(x->b, x->datagram, LEN, x->text), DROP_NONE); /* unharmed by all that */
}

static void truncated_and_extended_datagrams_are_dropped(void **state)
{
    struct fixture *x = *state;
    uint8_t longer[LEN + 1] = {0}, *plain;
    struct wire_header h;
    size_t plain_len;

    assert_int_equal(seal(x, x->a, WIRE_DATA, 0), LEN);
    for (size_t len = 0; len < LEN; len++)
        assert_int_equal(deliver(x->b, x->datagram, len, x->text),
                         len < WIRE_OVERHEAD ? DROP_SHORT : DROP_AUTH);
    memcpy(longer, x->datagram, LEN);
    assert_int_equal(wire_header_decode(longer, sizeof(longer), &h), DROP_NONE);
    assert_int_equal(session_open(x->b, &h, longer, sizeof(longer), &plain, &plain_len), DROP_AUTH);
    assert_int_equal(session_open(x->b, &h, longer, WIRE_OVERHEAD - 1, &plain, &plain_len), DROP_SHORT);
    assert_int_equal(deliver(x->b, x->datagram, LEN, x->text), DROP_NONE);
}

static void forged_counters_do_not_move_the_window(void **state)
{
    struct fixture *x = *state;
    uint8_t forged[LEN];

    assert_int_equal(seal(x, x->a, WIRE_DATA, 0), LEN);
    memcpy(forged, x->datagram, LEN);
    forged[13] = 0xff; /* counter 0xff0000: far ahead, below the hard limit */
    assert_int_equal(deliver(x->b, forged, LEN, x->text), DROP_AUTH);
    memset(forged + 8, 0xff, 8);
    assert_int_not_equal(deliver(x->b, forged, LEN, x->text), DROP_NONE);
    assert_int_equal(deliver(x->b, x->datagram, LEN, x->text), DROP_NONE);
}

static void reordered_datagrams_pass_until_they_are_too_old(void **state)
{
    struct fixture *x = *state;
    static uint8_t kept[REPLAY_WINDOW + 1][LEN];

    for (size_t i = 0; i <= REPLAY_WINDOW; i++) {
        assert_int_equal(seal(x, x->a, WIRE_DATA, 0), LEN);
        memcpy(kept[i], x->datagram, LEN);
    }
    for (size_t i = REPLAY_WINDOW; i > 0; i--) {
        assert_int_equal(deliver(x->b, kept[i], LEN, x->text), DROP_NONE);
        session_warm(x->b); /* which has the whole window */
    }
    assert_int_equal(deliver(x->b, kept[0], LEN, x->text), DROP_OLD);
    assert_int_equal(deliver(x->b, kept[1], LEN, x->text), DROP_REPLAY);
}

static void lanes_that_a_session_lacks_are_refused(void **state)
{
    struct fixture *x = *state;

    for (unsigned lane = 0; lane < 40; lane++) {
        assert_int_equal(seal(x, x->a, WIRE_DATA, lane), lane < 2 ? LEN : -DROP_LANE);
        assert_int_equal(seal(x, x->a, WIRE_CONTROL, lane), lane == WIRE_LANE_CONTROL ? LEN : -DROP_LANE);
        assert_int_equal(seal(x, x->a, WIRE_PROBE, lane), lane == WIRE_LANE_CONTROL ? LEN : -DROP_LANE);
    }
    assert_int_equal(seal(x, x->b, WIRE_DATA, 2), LEN);
    assert_int_equal(deliver(x->a, x->datagram, LEN, x->text), DROP_NONE);
    x->datagram[1] = 3; /* a lane that exists on neither side */
    assert_int_equal(deliver(x->a, x->datagram, LEN, x->text), DROP_LANE);
}

/* Of two and three data lanes the last is the sparse one; where there is one alone, it is not. */
static void the_last_of_several_lanes_is_the_sparse_one_where_both_know_it(void **state)
{
    struct fixture *x = *state;
    struct fixture own = *x;
    struct session_config config = config_of(true);
    config.sparse = true;
    own.a = make(config);
    config = config_of(false);
    config.sparse = true;
    own.b = make(config);
    for (unsigned lane = 0; lane < WIRE_DATA_LANES; lane++) {
        bool ours = lane < 1 || lane == WIRE_LANE_SPARSE, theirs = lane < 2 || lane == WIRE_LANE_SPARSE;
        assert_int_equal(seal(&own, own.a, WIRE_DATA, lane), ours ? LEN : -DROP_LANE);
        if (ours)
            assert_int_equal(deliver(own.b, own.datagram, LEN, own.text), DROP_NONE);
        assert_int_equal(seal(&own, own.b, WIRE_DATA, lane), theirs ? LEN : -DROP_LANE);
        if (theirs)
            assert_int_equal(deliver(own.a, own.datagram, LEN, own.text), DROP_NONE);
    }
    assert_int_equal(pass(&own, own.a, own.b, WIRE_CONTROL, WIRE_LANE_CONTROL), DROP_NONE);
    assert_int_equal(session_last_lane(own.a), WIRE_LANE_SPARSE);
    assert_int_equal(session_last_lane(x->a), 1);
    assert_int_equal(session_rx_bulk(own.a), 2);
    assert_int_equal(session_rx_bulk(x->a), 3);
    session_free(own.a);
    session_free(own.b);
    config.tx_lanes = 1;
    own.a = make(config);
    assert_int_equal(session_last_lane(own.a), 0);
    assert_int_equal(seal(&own, own.a, WIRE_DATA, 0), LEN);
    assert_int_equal(seal(&own, own.a, WIRE_DATA, WIRE_LANE_SPARSE), -DROP_LANE);
    session_free(own.a);
}

static void datagram_moved_to_another_lane_does_not_open(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(seal(x, x->a, WIRE_DATA, 0), LEN);
    x->datagram[1] = 1;
    assert_int_equal(deliver(x->b, x->datagram, LEN, x->text), DROP_AUTH);
    assert_int_equal(seal(x, x->a, WIRE_CONTROL, WIRE_LANE_CONTROL), LEN);
    x->datagram[0] = WIRE_PROBE;
    assert_int_equal(deliver(x->b, x->datagram, LEN, x->text), DROP_AUTH);
}

static void header_that_is_not_the_datagrams_does_not_open(void **state)
{
    struct fixture *x = *state;
    uint8_t *plain;
    size_t plain_len;

    assert_int_equal(seal(x, x->a, WIRE_DATA, 0), LEN);
    struct wire_header h = {.type = WIRE_DATA, .lane = 0, .receiver = 0xbbbb, .counter = 1};
    assert_int_equal(session_open(x->b, &h, x->datagram, LEN, &plain, &plain_len), DROP_AUTH);
    h.lane = WIRE_LANE_CONTROL;
    assert_int_equal(session_open(x->b, &h, x->datagram, LEN, &plain, &plain_len), DROP_LANE);
}

static struct fixture *limited(void **state, struct session_limits limits)
{
    struct fixture *x = *state;
    struct session_config config = config_of(true);

    config.limits = &limits;
    session_free(x->a);
    x->a = make(config);
    return x;
}

static bool soft(const struct session *s)
{
    struct session_stats stats;

    session_stats(s, &stats);
    return stats.soft_limit;
}

static void key_past_its_datagrams_is_never_used(void **state)
{
    struct fixture *x = limited(
        state, (struct session_limits){
                   .soft_datagrams = 3, .soft_bytes = 1 << 20, .hard_datagrams = 5, .hard_bytes = 1 << 20});

    for (int i = 0; i < 5; i++) {
        assert_int_equal(soft(x->a), i >= 3);
        assert_int_equal(pass(x, x->a, x->b, WIRE_DATA, 0), DROP_NONE);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(seal(x, x->a, WIRE_DATA, 0), -DROP_KEY_SPENT);
    assert_int_equal(pass(x, x->a, x->b, WIRE_DATA, 1), DROP_NONE); /* another lane's key */
}

static void key_past_its_bytes_is_never_used(void **state)
{
    struct fixture *x = limited(state, (struct session_limits){.soft_datagrams = 100,
                                                               .soft_bytes = 2 * TEXT_LEN,
                                                               .hard_datagrams = 100,
                                                               .hard_bytes = 3 * TEXT_LEN});

    for (int i = 0; i < 3; i++) {
        assert_int_equal(soft(x->a), i >= 2);
        assert_int_equal(pass(x, x->a, x->b, WIRE_DATA, 0), DROP_NONE);
    }
    assert_int_equal(seal(x, x->a, WIRE_DATA, 0), -DROP_KEY_SPENT);
}

static void receiver_holds_the_sender_to_the_limits(void **state)
{
    struct fixture *x = limited(state, (struct session_limits){.soft_datagrams = 3,
                                                               .soft_bytes = 1 << 20,
                                                               .hard_datagrams = 5,
                                                               .hard_bytes = 4 * TEXT_LEN});

    for (int i = 0; i < 3; i++)
        assert_int_equal(pass(x, x->b, x->a, WIRE_DATA, 0), DROP_NONE);
    assert_true(soft(x->a));
    assert_int_equal(pass(x, x->b, x->a, WIRE_DATA, 0), DROP_NONE);
    assert_int_equal(pass(x, x->b, x->a, WIRE_DATA, 0), DROP_KEY_SPENT); /* bytes */
    for (int i = 0; i < 5; i++)
        assert_int_equal(seal(x, x->b, WIRE_DATA, 1), LEN);
    assert_int_equal(pass(x, x->b, x->a, WIRE_DATA, 1), DROP_KEY_SPENT); /* counter 5 */
}

static void default_limits_are_the_documented_ones(void **state)
{
    struct fixture *x = *state;
    uint8_t *plain;
    size_t plain_len;
    struct wire_header h = {.type = WIRE_DATA, .counter = SESSION_HARD_DATAGRAMS - 1};

    assert_int_equal(session_open(x->b, &h, x->datagram, LEN, &plain, &plain_len), DROP_AUTH);
    h.counter++;
    assert_int_equal(session_open(x->b, &h, x->datagram, LEN, &plain, &plain_len), DROP_KEY_SPENT);
}

static void stopped_session_opens_but_does_not_seal(void **state)
{
    struct fixture *x = *state;

    session_stop_sealing(x->a);
    assert_int_equal(seal(x, x->a, WIRE_DATA, 0), -DROP_KEY_SPENT);
    assert_int_equal(seal(x, x->a, WIRE_CONTROL, WIRE_LANE_CONTROL), -DROP_KEY_SPENT);
    assert_int_equal(pass(x, x->b, x->a, WIRE_DATA, 0), DROP_NONE);
}

static void stats_tell_what_was_lost(void **state)
{
    struct fixture *x = *state;
    struct session_stats stats;

    for (int i = 0; i < 10; i++) {
        assert_int_equal(seal(x, x->a, WIRE_DATA, i % 2), LEN);
        if (i != 4 && i != 5)
            assert_int_equal(deliver(x->b, x->datagram, LEN, x->text), DROP_NONE);
    }
    session_stats(x->a, &stats);
    assert_int_equal(stats.tx_datagrams, 10);
    assert_int_equal(stats.tx_bytes, 10 * TEXT_LEN);
    assert_int_equal(stats.rx_datagrams, 0);
    session_stats(x->b, &stats);
    assert_int_equal(stats.rx_expected, 10);
    assert_int_equal(stats.rx_datagrams, 8);
    assert_int_equal(stats.rx_bytes, 8 * TEXT_LEN);
    assert_false(stats.soft_limit);
}

static void oversized_datagram_is_not_sealed(void **state)
{
    struct fixture *x = *state;
    uint8_t *big = calloc(1, 2 * 65536);
    struct slice piece = {big, WIRE_DATAGRAM_MAX - WIRE_HEADER_LEN - WIRE_TAG_LEN};

    assert_non_null(big);
    assert_int_equal(session_seal(x->a, WIRE_DATA, 0, &piece, 1, big + 65536), WIRE_DATAGRAM_MAX);
    piece.len++;
    assert_int_equal(session_seal(x->a, WIRE_DATA, 0, &piece, 1, big + 65536), -DROP_TOO_BIG);
    free(big);
}

static void impossible_configurations_are_refused(void **state)
{
    (void)state;
    struct session_config config = config_of(true);
    struct session *s;

    config.tx_lanes = 0;
    assert_int_equal(session_new(&config, root, &s), ERR_ARGUMENT);
    config.tx_lanes = WIRE_DATA_LANES + 1;
    assert_int_equal(session_new(&config, root, &s), ERR_ARGUMENT);
    config = config_of(true);
    config.rx_lanes = 16;
    assert_int_equal(session_new(&config, root, &s), ERR_ARGUMENT);
    assert_null(s);
    config = config_of(true);
    config.suite = (enum aead_suite)99;
    assert_int_not_equal(session_new(&config, root, &s), 0);
    assert_null(s);
    session_free(NULL);
}

static void hostile_datagrams_change_nothing(void **state)
{
    struct fixture *x = *state;
    unsigned seed = 11;

    for (int i = 0; i < 20000; i++) {
        uint8_t hostile[LEN];
        for (size_t k = 0; k < LEN; k++)
            hostile[k] = (uint8_t)rand_r(&seed);
        wire_header_encode(&(struct wire_header){.type = WIRE_DATA,
                                                 .lane = (uint8_t)(i % (WIRE_LANE_CONTROL + 1)),
                                                 .receiver = 0xbbbb,
                                                 .counter = (uint64_t)rand_r(&seed)},
                           hostile);
        assert_int_not_equal(deliver(x->b, hostile, LEN - (size_t)rand_r(&seed) % LEN, x->text), DROP_NONE);
    }
    assert_int_equal(rx_datagrams(x->b), 0);
    assert_int_equal(pass(x, x->a, x->b, WIRE_DATA, 0), DROP_NONE);
}

struct worker {
    struct fixture *x;
    unsigned lane;
    int failures;
};

static void *run_lane(void *arg)
{
    struct worker *w = arg;
    struct fixture own = *w->x;
    enum wire_type type = w->lane == WIRE_LANE_CONTROL ? WIRE_CONTROL : WIRE_DATA;

    for (int i = 0; i < 20000; i++) {
        struct wire_header h;
        uint8_t *plain;
        size_t plain_len;
        if (seal(&own, own.a, type, w->lane) != LEN || wire_header_decode(own.datagram, LEN, &h) ||
            session_open(own.b, &h, own.datagram, LEN, &plain, &plain_len))
            w->failures++;
    }
    return NULL;
}

/* TSan watches: lanes run in their own threads while the control thread reads the counters. */
static void lanes_run_side_by_side_while_counters_are_read(void **state)
{
    struct fixture *x = *state;
    struct worker workers[] = {{x, 0, 0}, {x, 1, 0}, {x, WIRE_LANE_CONTROL, 0}};
    pthread_t threads[3];
    struct session_stats stats;

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_lane, &workers[i]), 0);
    for (int i = 0; i < 20000; i++) {
        session_stats(x->b, &stats);
        assert_true(stats.rx_datagrams <= stats.rx_expected);
    }
    session_stop_sealing(x->b);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failures, 0);
    }
    session_stats(x->b, &stats);
    assert_int_equal(stats.rx_datagrams, 40000);
    assert_int_equal(stats.rx_control, 20000);
}

#define session_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        session_test(every_lane_carries_both_ways),
        session_test(header_names_type_lane_receiver_and_counter),
        session_test(getters_return_the_configuration),
        session_test(keys_and_nonce_follow_the_documented_schedule),
        session_test(chacha_carries_as_well),
        session_test(another_root_does_not_open),
        session_test(own_datagrams_reflected_do_not_open),
        session_test(replayed_datagram_is_dropped),
        session_test(every_altered_bit_is_noticed),
        session_test(truncated_and_extended_datagrams_are_dropped),
        session_test(forged_counters_do_not_move_the_window),
        session_test(reordered_datagrams_pass_until_they_are_too_old),
        session_test(lanes_that_a_session_lacks_are_refused),
        session_test(the_last_of_several_lanes_is_the_sparse_one_where_both_know_it),
        session_test(datagram_moved_to_another_lane_does_not_open),
        session_test(header_that_is_not_the_datagrams_does_not_open),
        session_test(key_past_its_datagrams_is_never_used),
        session_test(key_past_its_bytes_is_never_used),
        session_test(receiver_holds_the_sender_to_the_limits),
        session_test(default_limits_are_the_documented_ones),
        session_test(stopped_session_opens_but_does_not_seal),
        session_test(stats_tell_what_was_lost),
        session_test(oversized_datagram_is_not_sealed),
        session_test(impossible_configurations_are_refused),
        session_test(hostile_datagrams_change_nothing),
        session_test(lanes_run_side_by_side_while_counters_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
