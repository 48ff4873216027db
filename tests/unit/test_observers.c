/* SPDX-License-Identifier: Apache-2.0 */
/* Several STUN servers: who is asked, how often, and what they say together, some of them lying. */
#include "node/underlay/observers.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define START (1000 * USEC_PER_SEC)

static struct addr parse(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 3478, &a), 0);
    return a;
}

static void set_server(struct observers *o, unsigned number, const char *text)
{
    const struct addr a = parse(text);
    assert_true(observers_set(o, number, &a, 1));
}

/* Asks all whom it is due to ask. Returns how many. */
static unsigned ask_all(struct observers *o, uint64_t now_us)
{
    uint8_t request[STUN_MESSAGE_MAX];
    struct addr to;
    unsigned count = 0;
    while (observers_request(o, now_us, &to, request))
        count++;
    return count;
}

/* Server `number` says where it sees us, if it was asked. */
static bool answers(struct observers *o, unsigned number, const char *mapped, uint64_t now_us)
{
    const struct addr seen = parse(mapped);
    const struct reflexive *r = &o->list[number][o->list[number][1].server.family == 6];
    uint8_t answer[STUN_MESSAGE_MAX];
    size_t len = stun_response_encode(r->transaction, &seen, answer);
    return observers_answer(o, &r->server, answer, len, now_us) == 0;
}

static void assert_seen(const struct observers *o, unsigned count, const char *const *expected)
{
    struct addr seen[2 * OBSERVERS_SEEN_MAX];
    assert_int_equal(observers_seen(o, seen), count);
    for (unsigned i = 0; i < count; i++) {
        const struct addr a = parse(expected[i]);
        assert_true(addr_equal(&seen[i], &a));
    }
}

static void each_server_is_asked_over_both_families_and_gives_an_address(void **state)
{
    (void)state;
    struct observers o = {0};
    const struct addr both[] = {parse("203.0.113.2"), parse("203.0.113.3"), parse("[2001:db8::2]")};
    assert_true(observers_set(&o, 0, both, 3));
    assert_false(observers_set(&o, 0, both, 3));
    set_server(&o, 5, "203.0.113.9");
    assert_int_equal(ask_all(&o, START), 3);
    assert_false(observers_settled(&o, START));
    const struct addr mapped6 = parse("[2001:db8:7::1]:9443");
    uint8_t answer[STUN_MESSAGE_MAX];
    size_t len = stun_response_encode(o.list[0][1].transaction, &mapped6, answer);
    assert_int_equal(observers_answer(&o, &both[2], answer, len, START + 1), 0);
    len =
        stun_response_encode(o.list[0][0].transaction, &(struct addr){4, 9443, 0, {198, 51, 100, 2}}, answer);
    assert_int_equal(observers_answer(&o, &both[0], answer, len, START + 1), 0);
    assert_true(answers(&o, 5, "198.51.100.2:1234", START + 1));
    assert_true(observers_settled(&o, START + 1));
    assert_seen(&o, 3,
                (const char *const[]){"198.51.100.2:9443", "198.51.100.2:1234", "[2001:db8:7::1]:9443"});
}

static void a_server_that_is_gone_takes_its_address_with_it(void **state)
{
    (void)state;
    struct observers o = {0};
    set_server(&o, 0, "203.0.113.2");
    ask_all(&o, START);
    assert_true(answers(&o, 0, "198.51.100.2:9443", START));
    assert_true(observers_set(&o, 0, NULL, 0));
    assert_seen(&o, 0, NULL);
    assert_int_equal(ask_all(&o, START + 60 * USEC_PER_SEC), 0);
}

/* Two servers at one address each have a request: an answer counts for the one whose it is. */
static void servers_at_one_address_are_told_apart_by_transaction(void **state)
{
    (void)state;
    struct observers o = {0};
    set_server(&o, 0, "203.0.113.2");
    set_server(&o, 4, "203.0.113.2");
    assert_int_equal(ask_all(&o, START), 2);
    assert_true(answers(&o, 4, "198.51.100.2:9443", START));
    assert_false(answers(&o, 4, "198.51.100.2:9999", START));
    assert_true(answers(&o, 0, "198.51.100.2:9443", START));
    assert_seen(&o, 1, (const char *const[]){"198.51.100.2:9443"});
}

static void liars_cost_their_own_places_and_never_that_of_whom_more_agree_with(void **state)
{
    (void)state;
    struct observers o = {0};
    static const char *const said[] = {"192.0.2.1:1", "192.0.2.2:2",       "192.0.2.3:3",
                                       "192.0.2.4:4", "198.51.100.2:9443", "198.51.100.2:9443"};
    for (unsigned i = 0; i < 6; i++)
        set_server(&o, UPLINKS_MAX + i,
                   (const char *const[]){"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4",
                                         "203.0.113.5", "203.0.113.6"}[i]);
    ask_all(&o, START);
    for (unsigned i = 0; i < 6; i++)
        assert_true(answers(&o, UPLINKS_MAX + i, said[i], START));
    assert_seen(&o, OBSERVERS_SEEN_MAX,
                (const char *const[]){"198.51.100.2:9443", "192.0.2.1:1", "192.0.2.2:2"});
}

static void the_backbone_is_believed_before_servers_that_nobody_agrees_with(void **state)
{
    (void)state;
    struct observers o = {0};
    for (unsigned i = 0; i < 5; i++)
        set_server(&o, i,
                   (const char *const[]){"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4",
                                         "203.0.113.5"}[i]);
    ask_all(&o, START);
    for (unsigned i = 5; i-- > 0;)
        assert_true(answers(&o, i,
                            (const char *const[]){"198.51.100.2:9443", "192.0.2.1:1", "192.0.2.2:2",
                                                  "192.0.2.3:3", "192.0.2.4:4"}[i],
                            START));
    assert_seen(&o, OBSERVERS_SEEN_MAX,
                (const char *const[]){"198.51.100.2:9443", "192.0.2.1:1", "192.0.2.2:2"});
}

static void requests_are_bounded_however_many_servers_and_changes_there_are(void **state)
{
    (void)state;
    struct observers o = {0};
    unsigned sent = 0;
    for (unsigned i = 0; i < OBSERVERS_MAX; i++) {
        char v4[32], v6[32];
        snprintf(v4, sizeof(v4), "203.0.113.%u", i + 1);
        snprintf(v6, sizeof(v6), "[2001:db8::%u]", i + 1);
        const struct addr both[] = {parse(v4), parse(v6)};
        assert_true(observers_set(&o, i, both, 2));
    }
    for (unsigned ms = 0; ms < 10000; ms += 10) {
        observers_restart(&o);
        sent += ask_all(&o, START + ms * 1000ull);
    }
    assert_true(sent <= OBSERVERS_BURST + 10 * USEC_PER_SEC / OBSERVERS_INTERVAL_US);
    assert_true(sent >= 10 * USEC_PER_SEC / OBSERVERS_INTERVAL_US);
}

/* One in a row waits no longer than the others. */
static void servers_take_turns_when_too_many_are_due(void **state)
{
    (void)state;
    struct observers o = {0};
    bool asked[OBSERVERS_MAX][2] = {0};
    for (unsigned i = 0; i < OBSERVERS_MAX; i++) {
        char v4[32], v6[32];
        snprintf(v4, sizeof(v4), "203.0.113.%u", i + 1);
        snprintf(v6, sizeof(v6), "[2001:db8::%u]", i + 1);
        const struct addr both[] = {parse(v4), parse(v6)};
        assert_true(observers_set(&o, i, both, 2));
    }
    for (unsigned s = 0; s < 4; s++)
        ask_all(&o, START + s * USEC_PER_SEC);
    for (unsigned i = 0; i < OBSERVERS_MAX; i++)
        for (unsigned j = 0; j < 2; j++)
            asked[i][j] = o.list[i][j].opened_us > 0;
    for (unsigned i = 0; i < OBSERVERS_MAX; i++)
        assert_true(asked[i][0] && asked[i][1]);
}

static void a_new_mapping_has_the_other_servers_asked_at_once(void **state)
{
    (void)state;
    struct observers o = {0};
    set_server(&o, 0, "203.0.113.2");
    set_server(&o, 4, "203.0.113.3");
    ask_all(&o, START);
    assert_true(answers(&o, 0, "198.51.100.2:9443", START));
    assert_true(answers(&o, 4, "198.51.100.2:9443", START));
    uint64_t later = START + REFLEXIVE_ASK_US;
    o.list[4][0].next_us += USEC_PER_SEC;
    assert_int_equal(ask_all(&o, later), 1);
    assert_true(answers(&o, 0, "198.51.100.2:1234", later + 1));
    assert_int_equal(ask_all(&o, later + 2), 1);
    assert_false(observers_settled(&o, later + 2));
    assert_true(answers(&o, 4, "198.51.100.2:1234", later + 3));
    assert_true(observers_settled(&o, later + 3));
    assert_int_equal(ask_all(&o, later + 4), 0); /* what the first one said is as new */
}

static void servers_that_lie_in_turn_are_not_asked_all_the_time(void **state)
{
    (void)state;
    struct observers o = {0};
    unsigned sent = 0;
    set_server(&o, 4, "203.0.113.2");
    set_server(&o, 5, "203.0.113.3");
    for (uint64_t at_us = START; at_us < START + 60 * USEC_PER_SEC; at_us += 100000) {
        sent += ask_all(&o, at_us);
        for (unsigned i = 4; i < 6; i++) {
            char lie[ADDR_TEXT_MAX];
            snprintf(lie, sizeof(lie), "198.51.100.2:%u", 1000 + sent);
            (void)answers(&o, i, lie, at_us + 1);
        }
    }
    assert_in_range(sent, 2 * 3, 2 * 60 * USEC_PER_SEC / REFLEXIVE_FRESH_US);
}

static void observations_are_of_one_family_current_and_newest_last(void **state)
{
    (void)state;
    struct observers o = {0};
    struct nat n = {0};
    set_server(&o, 0, "203.0.113.2");
    set_server(&o, 4, "203.0.113.3");
    set_server(&o, 5, "[2001:db8::2]");
    ask_all(&o, START);
    assert_true(answers(&o, 4, "198.51.100.2:1", START + 1));
    assert_true(answers(&o, 0, "198.51.100.2:2", START + 2));
    assert_true(answers(&o, 5, "[2001:db8:7::1]:3", START + 3));
    observers_observed(&o, 4, &n);
    assert_int_equal(n.observed_count, 2);
    assert_int_equal(n.observed[0].mapped.port, 1);
    assert_int_equal(n.observed[1].mapped.port, 2);
    observers_observed(&o, 6, &n);
    assert_int_equal(n.observed_count, 1);
    observers_restart(&o);
    observers_observed(&o, 4, &n);
    assert_int_equal(n.observed_count, 0);
    assert_seen(&o, 3, (const char *const[]){"198.51.100.2:2", "198.51.100.2:1", "[2001:db8:7::1]:3"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_server_is_asked_over_both_families_and_gives_an_address),
        cmocka_unit_test(a_server_that_is_gone_takes_its_address_with_it),
        cmocka_unit_test(servers_at_one_address_are_told_apart_by_transaction),
        cmocka_unit_test(liars_cost_their_own_places_and_never_that_of_whom_more_agree_with),
        cmocka_unit_test(the_backbone_is_believed_before_servers_that_nobody_agrees_with),
        cmocka_unit_test(requests_are_bounded_however_many_servers_and_changes_there_are),
        cmocka_unit_test(servers_take_turns_when_too_many_are_due),
        cmocka_unit_test(a_new_mapping_has_the_other_servers_asked_at_once),
        cmocka_unit_test(servers_that_lie_in_turn_are_not_asked_all_the_time),
        cmocka_unit_test(observations_are_of_one_family_current_and_newest_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
