/* SPDX-License-Identifier: Apache-2.0 */
/* What lanes are made of: nothing until they are used, ciphers and windows while they are, nothing again afterwards; and
 * whatever they are made of, the same datagrams pass and no other. */

#include "proto/session/session.h"

#include "base/vault.h"
#include "proto/session/replay.h"
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define LANES    8
#define LANE     3
#define TEXT     100
#define DATAGRAM (TEXT + WIRE_OVERHEAD - WIRE_INNER_LEN)
#define SESSIONS 100
#define IDLE_MAX 6500 /* bytes of a session of eight lanes each way that carries nothing */

struct datagram {
    uint8_t bytes[DATAGRAM];
};

static struct session *make(bool initiator, unsigned lanes)
{
    const uint8_t root[KDF_LEN] = {1};
    const struct session_config config = {.suite = AEAD_AES_256_GCM,
                                          .tx_lanes = (uint8_t)lanes,
                                          .rx_lanes = (uint8_t)lanes,
                                          .rx_index = initiator ? 1 : 2,
                                          .tx_index = initiator ? 2 : 1,
                                          .initiator = initiator};
    struct session *s;
    assert_int_equal(session_new(&config, root, &s), 0);
    return s;
}

static struct datagram seal(struct session *s, unsigned lane)
{
    static const uint8_t text[TEXT] = {7};
    const struct slice piece = {text, sizeof(text)};
    struct datagram d;
    assert_int_equal(session_seal(s, WIRE_DATA, lane, &piece, 1, d.bytes), DATAGRAM);
    return d;
}

static enum drop open_it(struct session *s, struct datagram d)
{
    struct wire_header h;
    uint8_t *plain;
    size_t len;
    assert_int_equal(wire_header_decode(d.bytes, sizeof(d.bytes), &h), 0);
    assert_true(session_hold(s, h.lane));
    enum drop drop = session_open(s, &h, d.bytes, sizeof(d.bytes), &plain, &len);
    session_release(s, h.lane);
    return drop;
}

static uint64_t counter_of(const struct datagram *d)
{
    struct wire_header h;
    assert_int_equal(wire_header_decode(d->bytes, sizeof(d->bytes), &h), 0);
    return h.counter;
}

static struct session *a, *b;

static int set_up(void **state)
{
    (void)state;
    a = make(true, LANES);
    b = make(false, LANES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    session_free(a);
    session_free(b);
    return 0;
}

/* As the mesh does, once no worker is about: what was warm at the first look goes at the second. */
static void cool(struct session *s)
{
    session_free(session_cool(s));
    session_free(session_cool(s));
}

static void use_and_warm(void)
{
    assert_int_equal(open_it(b, seal(a, LANE)), DROP_NONE);
    session_warm(a);
    session_warm(b);
    assert_true(session_is_warm(a) && session_is_warm(b));
}

static void datagrams_are_the_same_whatever_seals_them(void **state)
{
    struct session *warm = make(true, LANES);
    (void)state;
    for (unsigned lane = 0; lane < LANES; lane++) {
        struct datagram one = seal(a, lane), other = seal(warm, lane);
        assert_memory_equal(one.bytes, other.bytes, DATAGRAM);
    }
    session_warm(warm);
    for (unsigned i = 0; i < 3 * LANES; i++) {
        struct datagram one = seal(a, i % LANES), other = seal(warm, i % LANES);
        assert_memory_equal(one.bytes, other.bytes, DATAGRAM);
    }
    session_free(warm);
}

static void use_is_told_once_and_only_what_is_authentic_counts(void **state)
{
    (void)state;
    struct datagram d = seal(a, LANE), forged = d;
    assert_true(session_asks(a));
    assert_false(session_asks(a));
    session_ask_again(a);
    assert_true(session_asks(a));
    forged.bytes[DATAGRAM - 1] ^= 1;
    assert_int_equal(open_it(b, forged), DROP_AUTH);
    assert_false(session_asks(b));
    session_warm(b);
    assert_false(session_is_warm(b));
    assert_int_equal(open_it(b, d), DROP_NONE);
    assert_true(session_asks(b));
    session_warm(b);
    assert_true(session_is_warm(b));
    assert_false(session_asks(b));
    assert_int_equal(open_it(b, seal(a, LANE + 1)), DROP_NONE);
    assert_true(session_asks(b));
}

static void cold_lane_takes_each_datagram_once_and_late_ones_of_the_last_64(void **state)
{
    struct datagram d[REPLAY_NARROW + 2];
    (void)state;
    for (unsigned i = 0; i < REPLAY_NARROW + 2; i++)
        d[i] = seal(a, LANE);
    assert_int_equal(open_it(b, d[1]), DROP_NONE);
    assert_int_equal(open_it(b, d[REPLAY_NARROW]), DROP_NONE);
    assert_int_equal(open_it(b, d[0]), DROP_OLD);
    assert_int_equal(open_it(b, d[1]), DROP_REPLAY);
    for (unsigned i = 2; i < REPLAY_NARROW; i++)
        assert_int_equal(open_it(b, d[i]), DROP_NONE);
    for (unsigned i = 1; i <= REPLAY_NARROW; i++)
        assert_int_equal(open_it(b, d[i]), DROP_REPLAY);
    assert_int_equal(open_it(b, d[REPLAY_NARROW + 1]), DROP_NONE);
    assert_int_equal(open_it(b, d[1]), DROP_OLD);
}

/* Whatever came before, and in whichever state, comes no second time; what was on its way still does. */
static void changes_let_no_datagram_pass_twice(void **state)
{
    struct datagram d[200];
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        d[i] = seal(a, LANE);
    for (unsigned i = 0; i < 70; i += 2)
        assert_int_equal(open_it(b, d[i]), DROP_NONE);
    session_warm(b);
    for (unsigned i = 0; i < 70; i += 2)
        assert_int_equal(open_it(b, d[i]), DROP_REPLAY);
    assert_int_equal(open_it(b, d[67]), DROP_NONE);
    for (unsigned i = 70; i < 150; i += 2)
        assert_int_equal(open_it(b, d[i]), DROP_NONE);
    cool(b);
    assert_false(session_is_warm(b));
    for (unsigned i = 100; i < 150; i += 2)
        assert_int_equal(open_it(b, d[i]), DROP_REPLAY);
    assert_int_equal(open_it(b, d[67]), DROP_OLD);
    assert_int_equal(open_it(b, d[147]), DROP_NONE);
    assert_int_equal(open_it(b, d[199]), DROP_NONE);
    session_warm(b);
    assert_int_equal(open_it(b, d[147]), DROP_REPLAY);
    assert_int_equal(open_it(b, d[199]), DROP_REPLAY);
    assert_int_equal(open_it(b, d[145]), DROP_NONE);
}

static void counters_go_on_through_all_changes(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 40; i++) {
        struct datagram d = seal(a, LANE);
        assert_int_equal(counter_of(&d), i);
        assert_int_equal(open_it(b, d), DROP_NONE);
        if (i % 5 == 1)
            session_warm(i % 2 ? a : b);
        if (i % 5 == 3)
            cool(a), cool(b);
    }
    struct session_stats sent, got;
    session_stats(a, &sent);
    session_stats(b, &got);
    assert_int_equal(sent.tx_datagrams, 40);
    assert_int_equal(got.rx_datagrams, 40);
    assert_int_equal(got.rx_expected, 40);
    assert_int_equal(got.rx_bytes, 40 * TEXT);
}

static void lane_that_is_used_stays_and_one_that_is_not_goes(void **state)
{
    (void)state;
    use_and_warm();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(open_it(b, seal(a, LANE)), DROP_NONE);
        assert_null(session_cool(a));
        assert_null(session_cool(b));
        assert_true(session_is_warm(a) && session_is_warm(b));
    }
    struct session *husk = session_cool(a);
    assert_non_null(husk); /* a worker may be sealing with it */
    session_free(husk);
    assert_null(session_cool(b));
    assert_false(session_is_warm(a) || session_is_warm(b));
}

static void lane_that_became_warm_just_before_a_look_stays(void **state)
{
    (void)state;
    use_and_warm();
    assert_null(session_cool(a));
    assert_null(session_cool(b));
    assert_true(session_is_warm(a) && session_is_warm(b));
    cool(a);
    cool(b);
    assert_false(session_is_warm(a) || session_is_warm(b));
}

static void next_session_has_what_the_last_one_had(void **state)
{
    (void)state;
    use_and_warm();
    struct session *next = make(true, LANES), *narrower = make(true, 1);
    session_warm_as(next, a);
    assert_true(session_is_warm(next));
    (void)seal(next, LANE);
    assert_false(session_asks(next));
    (void)seal(next, LANE + 1);
    assert_true(session_asks(next));
    session_warm_as(narrower, a);
    assert_false(session_is_warm(narrower));
    struct session *idle = make(true, LANES);
    assert_null(session_cool(a)); /* the look since which nothing was used */
    session_warm_as(idle, a);
    assert_false(session_is_warm(idle));
    session_free(idle);
    session_free(narrower);
    session_free(next);
}

static size_t allocated(void)
{
    struct vault_stats vault;
    vault_stats(&vault);
    return vault.bytes + mallinfo2().uordblks;
}

static void idle_session_takes_little_memory(void **state)
{
    static struct session *idle[SESSIONS];
    (void)state;
    size_t before = allocated();
    for (unsigned i = 0; i < SESSIONS; i++)
        idle[i] = make(i % 2, LANES);
    size_t each = (allocated() - before) / SESSIONS;
    print_message("a session of %u lanes each way takes %zu bytes while none is used\n", LANES, each);
    assert_in_range(each, 1, IDLE_MAX);
    for (unsigned i = 0; i < SESSIONS; i++)
        session_free(idle[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(datagrams_are_the_same_whatever_seals_them),
        TEST(use_is_told_once_and_only_what_is_authentic_counts),
        TEST(cold_lane_takes_each_datagram_once_and_late_ones_of_the_last_64),
        TEST(changes_let_no_datagram_pass_twice),
        TEST(counters_go_on_through_all_changes),
        TEST(lane_that_is_used_stays_and_one_that_is_not_goes),
        TEST(lane_that_became_warm_just_before_a_look_stays),
        TEST(next_session_has_what_the_last_one_had),
        cmocka_unit_test(idle_session_takes_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
