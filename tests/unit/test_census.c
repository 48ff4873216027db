/* SPDX-License-Identifier: Apache-2.0 */
/* proto/network/census: what changed among members since the last look, whoever signed it. */

#include "proto/network/census.h"

#include "crypto/revocations.h"
#include "proto/network/changes.h"
#include "proto/network/rolls.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

#define END (LAB_NOW + 10 * LAB_DAY)

static struct rolls *rolls;
static struct census *census;
static struct changes *changes;
static uint64_t now_s;

static struct node_id id_of(unsigned number)
{
    return (struct node_id){{(uint8_t)number, 1}};
}

static void sign_issuer(void)
{
    struct cert c = lab_issuer(&lab);
    struct cert_bytes bytes = lab_sign(&c, lab.ca);

    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&bytes)), ROLLS_NEWER);
}

static int setup(void **state)
{
    struct cert ca = lab_ca(&lab);

    (void)state;
    now_s = LAB_NOW;
    assert_int_equal(rolls_new(&ca, &rolls), 0);
    rolls_on_time(rolls, now_s);
    sign_issuer();
    assert_int_equal(census_new(&census), 0);
    return changes_new(&changes);
}

static int teardown(void **state)
{
    (void)state;
    changes_free(changes);
    census_free(census);
    rolls_free(rolls);
    return 0;
}

static void sign_roster(uint64_t number, unsigned count, uint64_t end)
{
    static uint8_t room[ROSTER_LEN_MAX];
    struct roster_member members[4] = {0};
    const struct roster head = {*identity_id(lab.ca), *identity_id(lab.issuer), number, LAB_NOW + number,
                                count};
    size_t len;

    for (unsigned i = 0; i < count; i++) {
        members[i] = (struct roster_member){.id = id_of(i + 1), .since = LAB_NOW - 50, .not_after = end};
        snprintf(members[i].name, sizeof(members[i].name), "node-%u", i + 1);
    }
    assert_int_equal(roster_sign(&head, members, lab.issuer, room, sizeof(room), &len), 0);
    assert_int_equal(rolls_take(rolls, LIST_ROSTER, (struct slice){room, len}), ROLLS_NEWER);
}

static void revoke(unsigned number)
{
    static uint8_t room[REVOCATIONS_LEN(1)];
    const struct node_id id = id_of(number);
    const struct revocations list = {*identity_id(lab.ca), *identity_id(lab.issuer), 1, LAB_NOW + 77, &id, 1};

    assert_int_equal(revocations_sign(&list, lab.issuer, room, sizeof(room)), 0);
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, (struct slice){room, sizeof(room)}), ROLLS_NEWER);
}

static void look(void)
{
    rolls_on_time(rolls, now_s);
    census_take(census, rolls, changes, now_s);
}

/* The newest change is that, and there are so many. */
static void assert_newest(size_t count, enum change_kind kind, unsigned member, uint64_t time)
{
    const struct change *c = changes_at(changes, count - 1);
    const struct node_id id = id_of(member);

    assert_int_equal(changes_count(changes), count);
    assert_int_equal(c->kind, kind);
    assert_int_equal(id_compare(&c->id, &id), 0);
    assert_int_equal(c->time, time);
}

static void who_joins_is_renewed_and_expires_is_noted(void **state)
{
    (void)state;
    look();
    assert_int_equal(changes_at(changes, 0)->kind, CHANGE_PROMOTED);
    assert_int_equal(id_compare(&changes_at(changes, 0)->signer, identity_id(lab.ca)), 0);
    sign_roster(1, 1, END);
    look();
    assert_newest(2, CHANGE_JOINED, 1, LAB_NOW - 50);
    assert_string_equal(changes_at(changes, 1)->name, "node-1");
    look();
    assert_int_equal(changes_count(changes), 2); /* once */
    sign_roster(2, 1, END + 5);
    look();
    assert_newest(3, CHANGE_RENEWED, 1, LAB_NOW + 2);
    now_s = END + 6;
    look();
    assert_newest(4, CHANGE_EXPIRED, 1, END + 5);
    now_s = END + 7;
    sign_roster(3, 1, END + 5000);
    look();
    assert_newest(5, CHANGE_RENEWED, 1, LAB_NOW + 3); /* it joined before */
}

static void who_is_revoked_is_noted_with_whose_list_it_is(void **state)
{
    (void)state;
    sign_roster(1, 2, END);
    look();
    revoke(2);
    look();
    assert_newest(4, CHANGE_REVOKED, 2, LAB_NOW + 77);
    assert_string_equal(changes_at(changes, 3)->name, "node-2");
    assert_int_equal(id_compare(&changes_at(changes, 3)->signer, identity_id(lab.issuer)), 0);
}

static void who_left_a_roster_for_no_reason_that_we_know_is_not_noted(void **state)
{
    (void)state;
    sign_roster(1, 2, END);
    look();
    sign_roster(2, 1, END);
    look();
    assert_int_equal(changes_count(changes), 3);
    sign_roster(3, 2, END);
    look();
    assert_int_equal(changes_count(changes), 3); /* nor that it is back */
}

static void what_stands_there_already_is_not_noted_again(void **state)
{
    struct change c = {.kind = CHANGE_JOINED, .time = LAB_NOW, .id = id_of(1), .until = END, .by = "token 1"};

    (void)state;
    changes_put(changes, &c);
    sign_roster(1, 1, END);
    look();
    assert_int_equal(changes_count(changes), 2); /* that, and the issuer */
    c = (struct change){.kind = CHANGE_REVOKED, .time = LAB_NOW, .id = id_of(1)};
    changes_put(changes, &c);
    revoke(1);
    look();
    assert_int_equal(changes_count(changes), 3);
}

static void first_look_without_a_log_notes_nothing(void **state)
{
    (void)state;
    sign_roster(1, 2, END);
    census_take(census, rolls, NULL, now_s);
    look();
    assert_int_equal(changes_count(changes), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_joins_is_renewed_and_expires_is_noted),
        TEST(who_is_revoked_is_noted_with_whose_list_it_is),
        TEST(who_left_a_roster_for_no_reason_that_we_know_is_not_noted),
        TEST(what_stands_there_already_is_not_noted_again),
        TEST(first_look_without_a_log_notes_nothing),
    };

    return cmocka_run_group_tests_name("census", tests, cert_lab_setup, cert_lab_teardown);
}
