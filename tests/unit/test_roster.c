/* SPDX-License-Identifier: Apache-2.0 */
/* Rosters: read as they were signed, never by another, and never back. */

#include "crypto/roster.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

static struct cert issuer; /* as its chain was judged */
static struct roster_member members[ROSTER_MAX + 1];
static uint8_t room[ROSTER_LEN_MAX];

static int group_setup(void **state)
{
    (void)state;
    cert_lab_open(&lab);
    issuer = lab_issuer(&lab);
    for (unsigned i = 0; i <= ROSTER_MAX; i++) {
        struct roster_member *m = &members[i];
        *m = (struct roster_member){.since = LAB_NOW - i, .not_after = LAB_NOW + i, .roles = (uint16_t)i};
        m->id.bytes[0] = (uint8_t)(i >> 8);
        m->id.bytes[19] = (uint8_t)i;
        snprintf(m->name, sizeof(m->name), "node-%u", i);
        m->address_count = (uint8_t)(i % 3);
        m->addresses[0] = lab_addr("10.7.3.65");
        m->addresses[1] = lab_addr("fd12:3456:789a:0:1000::41");
    }
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    cert_lab_close(&lab);
    return 0;
}

static struct roster head_of(uint64_t number, size_t count)
{
    return (struct roster){*identity_id(lab.ca), *identity_id(lab.issuer), number, LAB_NOW, count};
}

static size_t sign(const struct roster *head, const struct identity *signer)
{
    size_t len = 0;

    assert_int_equal(roster_sign(head, members, signer, room, sizeof(room), &len), 0);
    return len;
}

static const struct roster_view none;

static enum roster_verdict judge(const struct roster *held, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1); /* just as long, for the sanitizer */
    struct roster_view out;
    enum roster_verdict verdict;

    memcpy(copy, room, len);
    verdict = roster_judge(&issuer, identity_id(lab.ca), held, copy, len, &out);
    if (verdict != ROSTER_NEWER)
        assert_memory_equal(&out, &none, sizeof(out));
    free(copy);
    return verdict;
}

static void assert_same_member(const struct roster_member *a, const struct roster_member *b)
{
    assert_int_equal(id_compare(&a->id, &b->id), 0);
    assert_true(a->since == b->since && a->not_after == b->not_after && a->roles == b->roles);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->address_count, b->address_count);
    for (size_t i = 0; i < a->address_count; i++)
        assert_true(addr_equal(&a->addresses[i], &b->addresses[i]));
}

static void roster_is_read_as_it_was_signed(void **state)
{
    static const size_t counts[] = {0, 1, 300, ROSTER_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct roster head = head_of(7, counts[i]);
        struct roster_view read;
        struct roster_member m;
        size_t len = sign(&head, lab.issuer), seen = 0;
        assert_int_equal(roster_judge(&issuer, identity_id(lab.ca), NULL, room, len, &read), ROSTER_NEWER);
        assert_int_equal(id_compare(&read.head.network, &head.network), 0);
        assert_int_equal(id_compare(&read.head.signer, &head.signer), 0);
        assert_true(read.head.number == 7 && read.head.time == LAB_NOW && read.head.count == counts[i]);
        for (; roster_next(&read.members, &m); seen++)
            assert_same_member(&m, &members[seen]);
        assert_int_equal(seen, counts[i]);
    }
}

static void only_a_greater_number_takes_its_place(void **state)
{
    struct roster held = head_of(5, 3), head;

    (void)state;
    head = head_of(4, 3);
    assert_int_equal(judge(&held, sign(&head, lab.issuer)), ROSTER_OLDER);
    head = head_of(5, 4);
    assert_int_equal(judge(&held, sign(&head, lab.issuer)), ROSTER_SAME);
    head = head_of(6, 0);
    assert_int_equal(judge(&held, sign(&head, lab.issuer)), ROSTER_NEWER);
}

static void roster_of_another_signer_or_network_is_refused(void **state)
{
    struct roster head = head_of(1, 3);

    (void)state;
    head.network.bytes[0] ^= 1;
    assert_int_equal(judge(NULL, sign(&head, lab.issuer)), ROSTER_WRONG_SIGNER);
    head = head_of(1, 3);
    head.signer = *identity_id(lab.other);
    assert_int_equal(judge(NULL, sign(&head, lab.other)), ROSTER_WRONG_SIGNER);
}

static void one_altered_bit_anywhere_is_refused(void **state)
{
    struct roster head = head_of(3, 3);
    size_t len = sign(&head, lab.issuer), signed_len = len - IDENTITY_SIGNATURE_LEN;

    (void)state;
    assert_int_equal(judge(NULL, len), ROSTER_NEWER);
    for (size_t i = 0; i < len; i += i < signed_len ? 1 : 37) {
        room[i] ^= (uint8_t)(1 << i % 8);
        if (judge(NULL, len) == ROSTER_NEWER)
            fail_msg("byte %zu", i);
        room[i] ^= (uint8_t)(1 << i % 8);
    }
}

/* A signature over the same bytes for another purpose is none here. */
static void signature_of_another_purpose_is_refused(void **state)
{
    struct roster head = head_of(3, 3);
    size_t len = sign(&head, lab.issuer), signed_len = len - IDENTITY_SIGNATURE_LEN;

    (void)state;
    assert_int_equal(
        identity_sign(lab.issuer, "ShadowMesh revocations 1", room, signed_len, room + signed_len), 0);
    assert_int_equal(judge(NULL, len), ROSTER_FORGED);
}

static void what_is_no_roster_is_refused(void **state)
{
    struct roster head = head_of(3, 3);
    size_t len = sign(&head, lab.issuer);

    (void)state;
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(judge(NULL, cut), ROSTER_MALFORMED);
    room[len] = 0;
    assert_int_equal(judge(NULL, len + 1), ROSTER_MALFORMED);
}

/* Whoever has the key may sign anything: what it says of members is judged, too. */
static size_t sign_altered(size_t offset, uint8_t value)
{
    struct roster head = head_of(3, 2);
    size_t len = sign(&head, lab.issuer), signed_len = len - IDENTITY_SIGNATURE_LEN;

    room[offset] = value;
    assert_int_equal(identity_sign(lab.issuer, "ShadowMesh roster 1", room, signed_len, room + signed_len),
                     0);
    return len;
}

#define HEAD_LEN 58
#define NAME_AT  (HEAD_LEN + 38)

static void member_that_breaks_a_rule_is_refused_though_signed(void **state)
{
    (void)state;
    assert_int_equal(judge(NULL, sign_altered(NAME_AT + 1, 'n')), ROSTER_NEWER);
    assert_int_equal(judge(NULL, sign_altered(NAME_AT + 1, '-')), ROSTER_MALFORMED);  /* no label */
    assert_int_equal(judge(NULL, sign_altered(NAME_AT + 3, '\0')), ROSTER_MALFORMED); /* two ends */
    assert_int_equal(judge(NULL, sign_altered(NAME_AT, 64)), ROSTER_MALFORMED);
    assert_int_equal(judge(NULL, sign_altered(NAME_AT + 7, 9)), ROSTER_MALFORMED); /* addresses */
    assert_int_equal(judge(NULL, sign_altered(HEAD_LEN, 1)), ROSTER_MALFORMED);    /* the order */
    assert_int_equal(judge(NULL, sign_altered(HEAD_LEN - 1, 3)), ROSTER_MALFORMED);
}

static void what_cannot_be_signed_is_told(void **state)
{
    static uint8_t large[2 * ROSTER_LEN_MAX];
    static struct roster_member wordy[ROSTER_MAX];
    struct roster head = head_of(3, ROSTER_MAX + 1);
    struct roster_member twice[] = {members[4], members[4]};
    size_t len;

    (void)state;
    assert_int_equal(roster_sign(&head, members, lab.issuer, large, sizeof(large), &len), ERR_ARGUMENT);
    head.count = 2;
    assert_int_equal(roster_sign(&head, twice, lab.issuer, room, sizeof(room), &len), ERR_ARGUMENT);
    twice[1] = members[5];
    twice[1].name[0] = 'N';
    assert_int_equal(roster_sign(&head, twice, lab.issuer, room, sizeof(room), &len), ERR_ARGUMENT);
    assert_int_equal(roster_sign(&head, members, lab.other, room, sizeof(room), &len), ERR_MISMATCH);
    assert_int_equal(roster_sign(&head, members, lab.issuer, room, IDENTITY_SIGNATURE_LEN, &len), ERR_SPACE);
    head.count = ROSTER_MAX;
    for (unsigned i = 0; i < ROSTER_MAX; i++) {
        wordy[i] = members[i];
        wordy[i].address_count = 8;
        for (unsigned j = 0; j < 8; j++) {
            wordy[i].addresses[j] = members[0].addresses[1];
            wordy[i].addresses[j].ip[15] = (uint8_t)j;
        }
    }
    assert_int_equal(roster_sign(&head, wordy, lab.issuer, large, sizeof(large), &len), ERR_SPACE);
}

static void every_verdict_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    for (enum roster_verdict a = ROSTER_NEWER; a <= ROSTER_FORGED; a++)
        for (enum roster_verdict b = ROSTER_NEWER; b < a; b++)
            assert_string_not_equal(roster_verdict_str(a), roster_verdict_str(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roster_is_read_as_it_was_signed),
        cmocka_unit_test(only_a_greater_number_takes_its_place),
        cmocka_unit_test(roster_of_another_signer_or_network_is_refused),
        cmocka_unit_test(one_altered_bit_anywhere_is_refused),
        cmocka_unit_test(signature_of_another_purpose_is_refused),
        cmocka_unit_test(what_is_no_roster_is_refused),
        cmocka_unit_test(member_that_breaks_a_rule_is_refused_though_signed),
        cmocka_unit_test(what_cannot_be_signed_is_told),
        cmocka_unit_test(every_verdict_has_a_phrase_of_its_own),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
