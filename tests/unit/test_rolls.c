/* SPDX-License-Identifier: Apache-2.0 */
/* What a network's signers have said: what is newer takes its place, a revocation stays, and a rogue issuer takes no more than its
 * share. */

#include "proto/network/rolls.h"

#include "crypto/revocations.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

static struct rolls *rolls;
static struct roster_member members[ROSTER_MAX];
static uint8_t room[ROSTER_LEN_MAX];

static struct node_id id_of(unsigned number)
{
    return (struct node_id){{(uint8_t)(number >> 8), (uint8_t)number, 1}};
}

static struct roster_member member_of(unsigned number, const char *name, uint64_t since)
{
    struct roster_member m = {.id = id_of(number), .since = since, .not_after = LAB_NOW + 10 * LAB_DAY};
    snprintf(m.name, sizeof(m.name), "%s", name);
    m.addresses[0] = lab_addr("10.7.3.0");
    m.addresses[0].ip[3] = (uint8_t)number;
    m.address_count = 1;
    return m;
}

static int setup(void **state)
{
    (void)state;
    struct cert ca = lab_ca(&lab);
    assert_int_equal(rolls_new(&ca, &rolls), 0);
    rolls_on_time(rolls, LAB_NOW);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rolls_free(rolls);
    return 0;
}

/* lab.issuer and lab.other are its two issuers. */
static struct cert_bytes issuer_cert(const struct identity *issuer, uint64_t not_before)
{
    struct cert c = lab_issuer(&lab);
    c.id = *identity_id(issuer);
    memcpy(c.spki, identity_spki(issuer), IDENTITY_SPKI_LEN);
    c.not_before = not_before;
    c.not_after -= LAB_DAY;
    return lab_sign(&c, lab.ca);
}

#define BEGINNING (LAB_NOW - 100 * LAB_DAY)

static void take_issuers(struct rolls *r)
{
    struct cert_bytes a = issuer_cert(lab.issuer, BEGINNING), b = issuer_cert(lab.other, BEGINNING);
    assert_int_equal(rolls_take(r, LIST_ISSUER, lab_slice(&a)), ROLLS_NEWER);
    assert_int_equal(rolls_take(r, LIST_ISSUER, lab_slice(&b)), ROLLS_NEWER);
}

static struct slice revocations_by(const struct identity *signer, uint64_t number, unsigned first,
                                   unsigned count)
{
    static struct node_id ids[16];
    for (unsigned i = 0; i < count; i++)
        ids[i] = id_of(first + i);
    const struct revocations list = {*identity_id(lab.ca), *identity_id(signer), number, LAB_NOW, ids, count};
    assert_int_equal(revocations_sign(&list, signer, room, sizeof(room)), 0);
    return (struct slice){room, REVOCATIONS_LEN(count)};
}

static enum rolls_verdict revoke_id(const struct identity *signer, uint64_t number, const struct node_id *id)
{
    const struct revocations list = {*identity_id(lab.ca), *identity_id(signer), number, LAB_NOW, id, 1};
    assert_int_equal(revocations_sign(&list, signer, room, sizeof(room)), 0);
    return rolls_take(rolls, LIST_REVOCATIONS, (struct slice){room, REVOCATIONS_LEN(1)});
}

static enum rolls_verdict take_roster(const struct identity *signer, uint64_t number, size_t count)
{
    const struct roster head = {*identity_id(lab.ca), *identity_id(signer), number, LAB_NOW, count};
    size_t len;
    assert_int_equal(roster_sign(&head, members, signer, room, sizeof(room), &len), 0);
    return rolls_take(rolls, LIST_ROSTER, (struct slice){room, len});
}

static void assert_members(size_t expected)
{
    size_t count;
    rolls_members(rolls, &count);
    assert_int_equal(count, expected);
}

/* ---- what is taken ---- */

static void lists_of_unknown_signers_are_refused(void **state)
{
    (void)state;
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, revocations_by(lab.issuer, 1, 1, 1)),
                     ROLLS_STRANGER);
    members[0] = member_of(1, "a", LAB_NOW);
    assert_int_equal(take_roster(lab.issuer, 1, 1), ROLLS_STRANGER);
    assert_int_equal(take_roster(lab.ca, 1, 1), ROLLS_STRANGER);
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, (struct slice){room, 30}), ROLLS_FALSE);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, (struct slice){room, 30}), ROLLS_FALSE);
    assert_null(rolls_issuer(rolls, identity_id(lab.issuer)));
}

static void issuer_is_taken_by_its_certificate_alone(void **state)
{
    (void)state;
    struct cert_bytes first = issuer_cert(lab.issuer, BEGINNING),
                      older = issuer_cert(lab.issuer, BEGINNING - 1),
                      newer = issuer_cert(lab.issuer, BEGINNING + 1);
    struct cert c = lab_issuer(&lab);
    c.issuer = *identity_id(lab.other);
    c.not_before = BEGINNING + 5;
    struct cert_bytes forged = lab_sign(&c, lab.other);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&forged)), ROLLS_FALSE);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&first)), ROLLS_NEWER);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&first)), ROLLS_SAME);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&older)), ROLLS_OLDER);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&forged)), ROLLS_FALSE);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&newer)), ROLLS_NEWER);
    assert_true(rolls_issuer(rolls, identity_id(lab.issuer))->not_before == BEGINNING + 1);
}

static void older_and_contrary_lists_are_refused(void **state)
{
    (void)state;
    take_issuers(rolls);
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, revocations_by(lab.issuer, 5, 1, 3)), ROLLS_NEWER);
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, revocations_by(lab.issuer, 4, 1, 3)), ROLLS_OLDER);
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, revocations_by(lab.issuer, 5, 1, 4)), ROLLS_SAME);
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, revocations_by(lab.issuer, 6, 1, 2)),
                     ROLLS_CONTRARY);
    struct node_id third = id_of(3), fourth = id_of(4);
    assert_true(rolls_revoked(rolls, &third) && !rolls_revoked(rolls, &fourth));
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, revocations_by(lab.issuer, 7, 1, 4)), ROLLS_NEWER);
    assert_true(rolls_revoked(rolls, &fourth));
    assert_true(rolls_number(rolls, LIST_REVOCATIONS, identity_id(lab.issuer)) == 7);
}

static void altered_list_is_refused(void **state)
{
    (void)state;
    take_issuers(rolls);
    struct slice list = revocations_by(lab.issuer, 5, 1, 3);
    room[60] ^= 1;
    assert_int_equal(rolls_take(rolls, LIST_REVOCATIONS, list), ROLLS_FALSE);
    struct node_id first = id_of(1);
    assert_false(rolls_revoked(rolls, &first));
}

static void one_issuer_too_many_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= ROLLS_ISSUERS_MAX; i++) {
        struct identity *issuer;
        assert_int_equal(identity_generate(&issuer), 0);
        struct cert_bytes c = issuer_cert(issuer, BEGINNING);
        const struct message_list l = {LIST_ISSUER, *identity_id(issuer), BEGINNING, BEGINNING};
        assert_int_equal(rolls_wants(rolls, &l), i < ROLLS_ISSUERS_MAX);
        assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&c)),
                         i < ROLLS_ISSUERS_MAX ? ROLLS_NEWER : ROLLS_FULL);
        identity_free(issuer);
    }
}

/* ---- who is shut out ---- */

static void whom_any_issuer_revoked_is_shut_out(void **state)
{
    (void)state;
    struct node_id a = id_of(1), b = id_of(2), c = id_of(3);
    take_issuers(rolls);
    assert_int_equal(revoke_id(lab.issuer, 1, &a), ROLLS_NEWER);
    assert_int_equal(revoke_id(lab.other, 1, &b), ROLLS_NEWER);
    assert_int_equal(revoke_id(lab.ca, 1, &c), ROLLS_NEWER);
    assert_true(rolls_revoked(rolls, &a) && rolls_revoked(rolls, &b) && rolls_revoked(rolls, &c));
    assert_false(rolls_revoked(rolls, identity_id(lab.member)));
}

static void rogue_issuer_shuts_out_no_other_issuer(void **state)
{
    (void)state;
    take_issuers(rolls);
    assert_int_equal(revoke_id(lab.other, 1, identity_id(lab.issuer)), ROLLS_NEWER);
    assert_false(rolls_revoked(rolls, identity_id(lab.issuer)));
    assert_non_null(rolls_issuer(rolls, identity_id(lab.issuer)));
}

static void what_a_revoked_issuer_revoked_stays_and_nothing_of_it_follows(void **state)
{
    (void)state;
    struct node_id a = id_of(1), b = id_of(2);
    take_issuers(rolls);
    members[0] = member_of(7, "seven", LAB_NOW);
    assert_int_equal(take_roster(lab.other, 1, 1), ROLLS_NEWER);
    assert_int_equal(revoke_id(lab.other, 1, &a), ROLLS_NEWER);
    assert_members(1);
    assert_int_equal(revoke_id(lab.ca, 1, identity_id(lab.other)), ROLLS_NEWER);
    assert_members(0);
    assert_true(rolls_revoked(rolls, &a) && rolls_revoked(rolls, identity_id(lab.other)));
    assert_null(rolls_issuer(rolls, identity_id(lab.other)));
    assert_int_equal(revoke_id(lab.other, 2, &b), ROLLS_STRANGER);
    assert_int_equal(take_roster(lab.other, 2, 1), ROLLS_STRANGER);
    struct cert_bytes newer = issuer_cert(lab.other, BEGINNING + 1);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&newer)), ROLLS_STRANGER);
    const struct message_list l = {LIST_ROSTER, *identity_id(lab.other), 9, 9};
    assert_false(rolls_wants(rolls, &l));
}

/* ---- who is in ---- */

static void members_are_found_by_id_name_and_address(void **state)
{
    (void)state;
    take_issuers(rolls);
    members[0] = member_of(1, "berlin", LAB_NOW);
    members[1] = member_of(2, "tokyo", LAB_NOW);
    assert_int_equal(take_roster(lab.issuer, 1, 2), ROLLS_NEWER);
    members[0] = member_of(3, "oslo", LAB_NOW);
    uint64_t version = rolls_version(rolls);
    assert_int_equal(take_roster(lab.other, 1, 1), ROLLS_NEWER);
    assert_true(rolls_version(rolls) != version);
    static const char *const names[] = {"berlin", "tokyo", "oslo"};
    for (unsigned i = 0; i < 3; i++) {
        struct node_id id = id_of(i + 1);
        const struct rolls_member *m = rolls_find(rolls, &id);
        assert_string_equal(m->is.name, names[i]);
        assert_ptr_equal(rolls_find_name(rolls, names[i]), m);
        assert_ptr_equal(rolls_find_address(rolls, &m->is.addresses[0]), m);
    }
    struct node_id nobody = id_of(4);
    struct addr nowhere = lab_addr("10.7.3.4");
    assert_null(rolls_find(rolls, &nobody));
    assert_null(rolls_find_name(rolls, "paris"));
    assert_null(rolls_find_address(rolls, &nowhere));
    assert_members(3);
}

static void name_belongs_to_who_had_it_first(void **state)
{
    (void)state;
    struct node_id early = id_of(2), late = id_of(1);
    take_issuers(rolls);
    members[0] = member_of(1, "berlin", LAB_NOW);
    assert_int_equal(take_roster(lab.issuer, 1, 1), ROLLS_NEWER);
    members[0] = member_of(2, "berlin", LAB_NOW - 1);
    assert_int_equal(take_roster(lab.other, 1, 1), ROLLS_NEWER);
    assert_int_equal(id_compare(&rolls_find_name(rolls, "berlin")->is.id, &early), 0);
    assert_string_equal(rolls_find(rolls, &late)->is.name, "");
}

/* An issuer may say since when, but no time at which it was none. */
static void issuer_takes_no_name_from_before_its_beginning(void **state)
{
    (void)state;
    struct cert_bytes a = issuer_cert(lab.issuer, BEGINNING), b = issuer_cert(lab.other, LAB_NOW - 2);
    struct node_id victim = id_of(2);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&a)), ROLLS_NEWER);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&b)), ROLLS_NEWER);
    members[0] = member_of(2, "berlin", LAB_NOW - 3);
    assert_int_equal(take_roster(lab.issuer, 1, 1), ROLLS_NEWER);
    members[0] = member_of(1, "berlin", 0);
    assert_int_equal(take_roster(lab.other, 1, 1), ROLLS_NEWER);
    assert_int_equal(id_compare(&rolls_find_name(rolls, "berlin")->is.id, &victim), 0);
}

static void member_that_another_issuer_renewed_keeps_its_name(void **state)
{
    (void)state;
    struct node_id one = id_of(1);
    take_issuers(rolls);
    members[0] = member_of(1, "berlin", LAB_NOW - 9);
    assert_int_equal(take_roster(lab.issuer, 1, 1), ROLLS_NEWER);
    members[0] = member_of(1, "berlin", LAB_NOW);
    members[0].not_after += 1;
    members[0].roles = CERT_ROLE_RELAY;
    members[1] = member_of(2, "berlin", LAB_NOW - 5);
    assert_int_equal(take_roster(lab.other, 1, 2), ROLLS_NEWER);
    assert_members(2);
    const struct rolls_member *m = rolls_find_name(rolls, "berlin");
    assert_int_equal(id_compare(&m->is.id, &one), 0);
    assert_int_equal(m->is.roles, CERT_ROLE_RELAY);
    assert_int_equal(id_compare(&m->issuer, identity_id(lab.other)), 0);
}

static void who_expires_or_is_revoked_leaves(void **state)
{
    (void)state;
    struct node_id one = id_of(1), two = id_of(2), three = id_of(3);
    take_issuers(rolls);
    for (unsigned i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i)};
        members[i] = member_of(i + 1, name, LAB_NOW);
    }
    members[0].not_after = LAB_NOW + 5;
    assert_int_equal(take_roster(lab.issuer, 1, 3), ROLLS_NEWER);
    assert_int_equal(revoke_id(lab.other, 1, &two), ROLLS_NEWER);
    assert_null(rolls_find(rolls, &two));
    rolls_on_time(rolls, LAB_NOW + 5);
    assert_non_null(rolls_find(rolls, &one));
    rolls_on_time(rolls, LAB_NOW + 6);
    assert_null(rolls_find(rolls, &one));
    assert_non_null(rolls_find(rolls, &three));
}

static void roster_full_of_nobodies_shuts_no_member_out(void **state)
{
    (void)state;
    take_issuers(rolls);
    for (unsigned i = 0; i < ROSTER_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "bogus-%u", i);
        members[i] = member_of(i + 1, name, LAB_NOW);
        members[i].address_count = 0;
    }
    assert_int_equal(take_roster(lab.other, 1, ROSTER_MAX), ROLLS_NEWER);
    assert_members(ROLLS_MEMBERS_MAX);
    for (unsigned i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "real-%u", i);
        members[i] = member_of(60000 + i, name, LAB_NOW);
    }
    assert_int_equal(take_roster(lab.issuer, 1, 5), ROLLS_NEWER);
    assert_members(ROLLS_MEMBERS_MAX);
    for (unsigned i = 0; i < 5; i++) {
        struct node_id id = id_of(60000 + i);
        assert_non_null(rolls_find(rolls, &id));
    }
}

/* ---- what is said and signed ---- */

static void lists_say_what_is_held(void **state)
{
    (void)state;
    struct message_list lists[ROLLS_LISTS_MAX];
    assert_int_equal(rolls_lists(rolls, lists), 0);
    take_issuers(rolls);
    assert_int_equal(rolls_revoke(rolls, lab.ca, NULL), 0);
    assert_int_equal(rolls_publish(rolls, lab.issuer, members, 0), 0);
    assert_int_equal(rolls_lists(rolls, lists), 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_false(rolls_wants(rolls, &lists[i]));
        lists[i].number++;
        assert_int_equal(rolls_wants(rolls, &lists[i]), true);
    }
    lists[0].kind = LIST_ISSUER + 1;
    assert_false(rolls_wants(rolls, &lists[0]));
}

static void what_an_issuer_signs_holds_elsewhere(void **state)
{
    (void)state;
    struct cert ca = lab_ca(&lab);
    struct rolls *there;
    struct node_id a = id_of(9), b = id_of(3);
    take_issuers(rolls);
    assert_int_equal(rolls_new(&ca, &there), 0);
    take_issuers(there);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rolls_revoke(rolls, lab.issuer, i ? &b : &a), 0);
        struct slice bytes = rolls_bytes(rolls, LIST_REVOCATIONS, identity_id(lab.issuer));
        assert_int_equal(rolls_take(there, LIST_REVOCATIONS, bytes), ROLLS_NEWER);
    }
    assert_true(rolls_revoked(there, &a) && rolls_revoked(there, &b));
    assert_int_equal(rolls_revoke(rolls, lab.issuer, &a), ERR_EXISTS);
    assert_int_equal(rolls_revoke(rolls, lab.member, &a), ERR_NOT_FOUND);
    assert_int_equal(rolls_publish(rolls, lab.ca, members, 0), ERR_NOT_FOUND);
    rolls_free(there);
}

/* It revoked b on what a backup had; peers know that it has revoked a since that was made. */
static void issuer_that_came_from_a_backup_loses_no_revocation(void **state)
{
    (void)state;
    struct node_id a = id_of(1), b = id_of(2);
    struct message_list lists[ROLLS_LISTS_MAX];
    take_issuers(rolls);
    assert_int_equal(revoke_id(lab.issuer, 1, &b), ROLLS_NEWER);
    assert_int_equal(revoke_id(lab.issuer, 7, &a), ROLLS_CONTRARY);
    rolls_set_own(rolls, lab.other);
    assert_int_equal(revoke_id(lab.issuer, 7, &a), ROLLS_CONTRARY); /* another issuer's */
    rolls_set_own(rolls, lab.issuer);
    assert_int_equal(revoke_id(lab.issuer, 7, &a), ROLLS_NEWER);
    assert_true(rolls_number(rolls, LIST_REVOCATIONS, identity_id(lab.issuer)) == 8);
    assert_true(rolls_revoked(rolls, &a) && rolls_revoked(rolls, &b));
    assert_int_equal(revoke_id(lab.issuer, UINT64_MAX, &a), ROLLS_CONTRARY); /* no number is left */
    assert_int_equal(rolls_lists(rolls, lists), 3);
}

static void newest_list_of_revoked_keys_tells_how_fresh_all_are(void **state)
{
    (void)state;
    assert_true(rolls_revoked_at(rolls) == 0);
    take_issuers(rolls);
    rolls_on_time(rolls, LAB_NOW - 7);
    assert_int_equal(rolls_revoke(rolls, lab.issuer, NULL), 0);
    rolls_on_time(rolls, LAB_NOW);
    assert_true(rolls_revoked_at(rolls) == LAB_NOW - 7);
    assert_int_equal(rolls_revoke(rolls, lab.other, NULL), 0);
    assert_true(rolls_revoked_at(rolls) == LAB_NOW);
    rolls_on_time(rolls, LAB_NOW - 1); /* what lies ahead of the clock tells nothing */
    assert_true(rolls_revoked_at(rolls) == LAB_NOW - 7);
}

static void lists_are_old_a_day_after_the_newest(void **state)
{
    (void)state;
    assert_true(rolls_are_old(rolls)); /* there is none */
    take_issuers(rolls);
    assert_int_equal(rolls_revoke(rolls, lab.issuer, NULL), 0);
    rolls_on_time(rolls, LAB_NOW + ROLLS_OLD_S);
    assert_false(rolls_are_old(rolls));
    rolls_on_time(rolls, LAB_NOW + ROLLS_OLD_S + 1);
    assert_true(rolls_are_old(rolls));
    assert_int_equal(rolls_revoke(rolls, lab.other, NULL), 0);
    assert_false(rolls_are_old(rolls));
}

static void every_verdict_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    for (enum rolls_verdict a = ROLLS_NEWER; a <= ROLLS_NO_MEMORY; a++)
        for (enum rolls_verdict b = ROLLS_NEWER; b < a; b++)
            assert_string_not_equal(rolls_verdict_str(a), rolls_verdict_str(b));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_of_unknown_signers_are_refused),
        TEST(issuer_is_taken_by_its_certificate_alone),
        TEST(older_and_contrary_lists_are_refused),
        TEST(altered_list_is_refused),
        TEST(one_issuer_too_many_is_refused),
        TEST(whom_any_issuer_revoked_is_shut_out),
        TEST(rogue_issuer_shuts_out_no_other_issuer),
        TEST(what_a_revoked_issuer_revoked_stays_and_nothing_of_it_follows),
        TEST(members_are_found_by_id_name_and_address),
        TEST(name_belongs_to_who_had_it_first),
        TEST(issuer_takes_no_name_from_before_its_beginning),
        TEST(member_that_another_issuer_renewed_keeps_its_name),
        TEST(who_expires_or_is_revoked_leaves),
        TEST(roster_full_of_nobodies_shuts_no_member_out),
        TEST(lists_say_what_is_held),
        TEST(what_an_issuer_signs_holds_elsewhere),
        TEST(issuer_that_came_from_a_backup_loses_no_revocation),
        TEST(newest_list_of_revoked_keys_tells_how_fresh_all_are),
        TEST(lists_are_old_a_day_after_the_newest),
        TEST(every_verdict_has_a_phrase_of_its_own),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
