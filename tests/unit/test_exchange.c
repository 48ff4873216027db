/* SPDX-License-Identifier: Apache-2.0 */
/* Lists come part by part from whoever has them; who announces what it has not, or sends what does not fit, holds nobody up. */

#include "proto/network/exchange.h"

#include "base/clock.h"
#include "crypto/revocations.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

#define IDS 300 /* a list of three parts */

static struct rolls *theirs, *ours;
static struct exchange *exchange;
static uint64_t now_us;

static struct rolls *rolls_of_lab(void)
{
    struct cert ca = lab_ca(&lab);
    struct rolls *r;
    assert_int_equal(rolls_new(&ca, &r), 0);
    rolls_on_time(r, LAB_NOW);
    return r;
}

/* They hold a list of the CA's that has three parts. */
static int setup(void **state)
{
    (void)state;
    theirs = rolls_of_lab();
    ours = rolls_of_lab();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(rolls_revoke(theirs, lab.ca, &(struct node_id){{0, 1, (uint8_t)i}}), 0);
    now_us = USEC_PER_SEC;
    assert_int_equal(exchange_new(ours, &exchange), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    exchange_free(exchange);
    rolls_free(ours);
    rolls_free(theirs);
    return 0;
}

/* Signs a list of many keys at once, which rolls_revoke would take long to do. */
static void grow(uint64_t number, unsigned count)
{
    static struct node_id ids[REVOCATIONS_MAX];
    static uint8_t bytes[REVOCATIONS_LEN(REVOCATIONS_MAX)];
    for (unsigned i = 0; i < count; i++)
        ids[i] = (struct node_id){{(uint8_t)(i >> 8), 1, (uint8_t)i}};
    const struct revocations list = {*identity_id(lab.ca), *identity_id(lab.ca), number, LAB_NOW, ids, count};
    assert_int_equal(revocations_sign(&list, lab.ca, bytes, sizeof(bytes)), 0);
    assert_int_equal(rolls_take(theirs, LIST_REVOCATIONS, (struct slice){bytes, REVOCATIONS_LEN(count)}),
                     ROLLS_NEWER);
}

static void announce(uint32_t slot)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    exchange_on_lists(exchange, slot, lists, rolls_lists(theirs, lists), now_us);
}

/* As the peer in slot announces it, whether there is such a list or not. */
static void announce_number(uint32_t slot, uint64_t number)
{
    const struct message_list l = {LIST_REVOCATIONS, *identity_id(lab.ca), number, LAB_NOW};
    exchange_on_lists(exchange, slot, &l, 1, now_us);
}

static bool next_ask(uint32_t *slot, struct list_part *ask)
{
    return exchange_next(exchange, now_us, slot, ask);
}

static enum exchange_event give(uint32_t slot, const struct list_part *part)
{
    struct message_list list;
    enum rolls_verdict why;
    return exchange_on_part(exchange, slot, part, now_us, &list, &why);
}

/* All that is asked is answered at once: how many lists were taken, and parts given. */
static unsigned serve(unsigned *parts)
{
    uint32_t slot;
    struct list_part ask, part;
    unsigned taken = 0;
    for (*parts = 0; next_ask(&slot, &ask); ++*parts) {
        assert_true(exchange_answer(theirs, &ask, &part));
        taken += give(slot, &part) == EXCHANGE_TAKEN;
    }
    return taken;
}

static uint64_t held(void)
{
    return rolls_number(ours, LIST_REVOCATIONS, identity_id(lab.ca));
}

static unsigned asks_until_given_up(uint32_t slot)
{
    uint32_t of;
    struct list_part ask;
    unsigned count = 0;
    do {
        for (; next_ask(&of, &ask); count++)
            assert_int_equal(of, slot);
        now_us = exchange_deadline(exchange);
    } while (now_us != TIME_NEVER);
    now_us = USEC_PER_SEC * 20;
    return count;
}

static void newer_list_comes_part_by_part(void **state)
{
    (void)state;
    unsigned parts;
    grow(9, IDS);
    announce(5);
    assert_int_equal(serve(&parts), 1);
    assert_int_equal(parts, 3);
    assert_true(held() == 9);
    announce(6);
    assert_int_equal(serve(&parts), 0);
    assert_int_equal(parts, 0);
    assert_true(exchange_deadline(exchange) == TIME_NEVER);
}

static void issuers_certificate_comes_before_what_it_signed(void **state)
{
    (void)state;
    struct cert issuer = lab_issuer(&lab);
    struct cert_bytes bytes = lab_sign(&issuer, lab.ca);
    struct node_id id = {{7}};
    unsigned parts;
    assert_int_equal(rolls_take(theirs, LIST_ISSUER, lab_slice(&bytes)), ROLLS_NEWER);
    assert_int_equal(rolls_revoke(theirs, lab.issuer, &id), 0);
    assert_int_equal(rolls_publish(theirs, lab.issuer, NULL, 0), 0);
    announce(5);
    assert_int_equal(serve(&parts), 4);
    assert_int_equal(parts, 4 * 2); /* a signature is longer than a part */
    assert_true(rolls_revoked(ours, &id));
    assert_non_null(rolls_issuer(ours, identity_id(lab.issuer)));
}

static void lost_question_is_asked_again(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask;
    unsigned parts;
    announce(5);
    assert_true(next_ask(&slot, &ask));
    assert_false(next_ask(&slot, &ask));
    now_us += EXCHANGE_WAIT_US;
    assert_int_equal(serve(&parts), 1);
}

static void peer_that_has_not_what_it_announces_is_left_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EXCHANGE_FAILURES; i++) {
        announce_number(5, 100 + i);
        assert_int_equal(asks_until_given_up(5), EXCHANGE_TRIES);
    }
    announce_number(5, UINT64_MAX);
    assert_int_equal(asks_until_given_up(5), 0);
    now_us += EXCHANGE_FORGIVE_US;
    announce_number(5, UINT64_MAX);
    assert_int_equal(asks_until_given_up(5), EXCHANGE_TRIES);
}

static void liars_do_not_hold_up_who_has_it(void **state)
{
    (void)state;
    struct list_part ask, part;
    uint32_t slot;
    bool taken = false;
    for (uint32_t liar = 10; liar < 40; liar++)
        announce_number(liar, UINT64_MAX - liar);
    announce(5);
    while (!taken && now_us != TIME_NEVER) {
        while (!taken && next_ask(&slot, &ask))
            if (slot == 5 && exchange_answer(theirs, &ask, &part))
                taken = give(5, &part) == EXCHANGE_TAKEN;
        now_us = exchange_deadline(exchange);
    }
    assert_true(taken);
}

/* The list is good, and older than was said. */
static void list_with_a_lower_number_than_was_announced_is_refused(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask, part;
    unsigned parts;
    announce_number(5, UINT64_MAX);
    assert_true(next_ask(&slot, &ask) && exchange_answer(theirs, &ask, &part));
    assert_int_equal(give(5, &part), EXCHANGE_REFUSED);
    announce(6);
    assert_int_equal(serve(&parts), 1);
}

static void part_that_nobody_asked_for_is_told(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask = {.kind = LIST_REVOCATIONS, .signer = *identity_id(lab.ca)}, part;
    assert_true(exchange_answer(theirs, &ask, &part));
    assert_int_equal(give(5, &part), EXCHANGE_UNASKED);
    announce(5);
    assert_true(next_ask(&slot, &ask));
    assert_int_equal(give(6, &part), EXCHANGE_UNASKED);
    part.kind = LIST_ROSTER;
    assert_int_equal(give(5, &part), EXCHANGE_UNASKED);
}

/* The first part as it is, then another as it is not. */
static enum exchange_event second_part(void (*spoil)(struct list_part *part))
{
    uint32_t slot;
    struct list_part ask, part;
    announce(5);
    assert_true(next_ask(&slot, &ask) && exchange_answer(theirs, &ask, &part));
    assert_int_equal(give(5, &part), EXCHANGE_NOTHING);
    assert_true(next_ask(&slot, &ask) && exchange_answer(theirs, &ask, &part));
    spoil(&part);
    return give(5, &part);
}

static void change_total(struct list_part *part)
{
    part->total++;
}

static void leave_gap(struct list_part *part)
{
    part->offset++;
}

static void leave_out(struct list_part *part)
{
    part->bytes.len = 0;
}

static void overrun(struct list_part *part)
{
    part->total = part->offset + 1;
}

static void lower_number(struct list_part *part)
{
    part->number--;
}

static void part_that_does_not_fit_ends_it(void **state)
{
    (void)state;
    static void (*const spoils[])(struct list_part * part) = {change_total, leave_gap, leave_out, overrun,
                                                              lower_number};
    grow(9, IDS);
    for (unsigned i = 0; i < sizeof(spoils) / sizeof(*spoils); i++) {
        assert_int_equal(second_part(spoils[i]), EXCHANGE_REFUSED);
        now_us += EXCHANGE_FORGIVE_US;
        assert_true(exchange_deadline(exchange) == TIME_NEVER);
    }
    assert_true(held() == 0);
}

static void list_longer_than_its_kind_may_be_is_refused(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask, part;
    announce(5);
    assert_true(next_ask(&slot, &ask) && exchange_answer(theirs, &ask, &part));
    part.total = (uint32_t)REVOCATIONS_LEN(REVOCATIONS_MAX) + 1;
    assert_int_equal(give(5, &part), EXCHANGE_REFUSED);
}

static void repeated_part_is_skipped(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask, part;
    unsigned parts;
    grow(9, IDS);
    announce(5);
    assert_true(next_ask(&slot, &ask) && exchange_answer(theirs, &ask, &part));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(give(5, &part), EXCHANGE_NOTHING);
    assert_int_equal(serve(&parts), 1);
    assert_int_equal(parts, 2);
}

static void list_that_was_replaced_meanwhile_begins_anew(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask, part;
    unsigned parts;
    grow(9, IDS);
    announce(5);
    assert_true(next_ask(&slot, &ask) && exchange_answer(theirs, &ask, &part));
    assert_int_equal(give(5, &part), EXCHANGE_NOTHING);
    grow(10, IDS + 1);
    assert_int_equal(serve(&parts), 1);
    assert_true(held() == 10);
}

static void altered_list_is_refused_and_another_peers_is_taken(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask, part;
    unsigned parts;
    static uint8_t bytes[MESSAGE_PART_MAX];
    announce(5);
    while (next_ask(&slot, &ask)) {
        assert_true(exchange_answer(theirs, &ask, &part));
        memcpy(bytes, part.bytes.data, part.bytes.len);
        part.bytes.data = bytes;
        bytes[70] ^= 1;
        give(5, &part);
    }
    assert_true(held() == 0);
    announce(6);
    assert_int_equal(serve(&parts), 1);
}

/* One byte at a time, for ever. */
static void list_that_comes_too_slowly_is_given_up(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask, part;
    unsigned bytes = 0;
    announce(5);
    while (next_ask(&slot, &ask) && exchange_answer(theirs, &ask, &part)) {
        part.bytes.len = 1;
        give(5, &part);
        bytes++;
        now_us += EXCHANGE_WAIT_US / 2;
    }
    assert_in_range(bytes, 2, EXCHANGE_LIST_US / (EXCHANGE_WAIT_US / 2));
    assert_true(exchange_deadline(exchange) == TIME_NEVER);
}

static void only_so_many_are_asked_at_once(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask;
    unsigned asked = 0;
    for (uint32_t i = 0; i < 2 * EXCHANGE_SAME_MAX; i++)
        announce(i);
    while (next_ask(&slot, &ask))
        asked++;
    assert_int_equal(asked, EXCHANGE_SAME_MAX);
    for (uint32_t i = 100; i < 100 + 2 * EXCHANGE_FETCHES_MAX; i++) {
        const struct message_list l = {LIST_ISSUER, {{(uint8_t)i}}, 1, 1};
        exchange_on_lists(exchange, i, &l, 1, now_us);
    }
    while (next_ask(&slot, &ask))
        asked++;
    assert_int_equal(asked, EXCHANGE_FETCHES_MAX);
    exchange_forget(exchange, 0);
    assert_true(next_ask(&slot, &ask));
    assert_true(slot >= EXCHANGE_SAME_MAX);
    assert_false(next_ask(&slot, &ask));
}

static void peer_that_is_gone_is_not_asked(void **state)
{
    (void)state;
    uint32_t slot;
    struct list_part ask;
    announce(5);
    exchange_forget(exchange, 5);
    assert_false(next_ask(&slot, &ask));
    announce(5);
    assert_true(next_ask(&slot, &ask));
    exchange_forget(exchange, 5);
    assert_true(exchange_deadline(exchange) == TIME_NEVER);
}

static void peer_that_has_all_is_known(void **state)
{
    (void)state;
    unsigned parts;
    assert_false(exchange_has_all(exchange, 5)); /* it has said nothing */
    announce(5);
    assert_true(exchange_has_all(exchange, 5));
    serve(&parts);
    assert_true(exchange_has_all(exchange, 5));
    assert_int_equal(rolls_revoke(ours, lab.ca, NULL), 0);
    assert_false(exchange_has_all(exchange, 5));
    announce_number(5, 4);
    assert_true(exchange_has_all(exchange, 5));
}

static void what_is_not_held_is_not_answered(void **state)
{
    (void)state;
    struct list_part ask = {.kind = LIST_REVOCATIONS, .signer = *identity_id(lab.ca), .number = 3}, part;
    assert_true(exchange_answer(theirs, &ask, &part));
    ask.offset = part.total;
    assert_false(exchange_answer(theirs, &ask, &part));
    ask.number = 2; /* of an older one: then the newest from its beginning */
    assert_true(exchange_answer(theirs, &ask, &part));
    assert_true(part.offset == 0 && part.number == 3);
    ask.kind = 200;
    assert_false(exchange_answer(theirs, &ask, &part));
    ask = (struct list_part){.kind = LIST_REVOCATIONS, .signer = *identity_id(lab.other)};
    assert_false(exchange_answer(theirs, &ask, &part));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(newer_list_comes_part_by_part),
        TEST(issuers_certificate_comes_before_what_it_signed),
        TEST(lost_question_is_asked_again),
        TEST(peer_that_has_not_what_it_announces_is_left_alone),
        TEST(liars_do_not_hold_up_who_has_it),
        TEST(list_with_a_lower_number_than_was_announced_is_refused),
        TEST(part_that_nobody_asked_for_is_told),
        TEST(part_that_does_not_fit_ends_it),
        TEST(list_longer_than_its_kind_may_be_is_refused),
        TEST(repeated_part_is_skipped),
        TEST(list_that_was_replaced_meanwhile_begins_anew),
        TEST(altered_list_is_refused_and_another_peers_is_taken),
        TEST(list_that_comes_too_slowly_is_given_up),
        TEST(only_so_many_are_asked_at_once),
        TEST(peer_that_is_gone_is_not_asked),
        TEST(peer_that_has_all_is_known),
        TEST(what_is_not_held_is_not_answered),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
