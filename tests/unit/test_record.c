/* SPDX-License-Identifier: Apache-2.0 */
/* proto/message/record: signed entries verify; altered, foreign and malformed ones do not. */

#include "proto/message/record.h"
#include "base/cbor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct signed_record {
    uint8_t data[RECORD_MAX];
    size_t len;
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
};

static struct identity *alice, *bob;

static int make_identities(void **state)
{
    (void)state;
    return identity_generate(&alice) || identity_generate(&bob);
}

static int free_identities(void **state)
{
    (void)state;
    identity_free(alice);
    identity_free(bob);
    return 0;
}

static struct record record_of(const struct identity *who)
{
    struct record r = {.id = *identity_id(who),
                       .seq = 1700000000,
                       .expiry_s = 1700003600,
                       .name = "site A",
                       .is_public = true,
                       .challenge = {1, 2, 3},
                       .candidate_count = 2};
    memcpy(r.spki, identity_spki(who), sizeof(r.spki));
    r.candidates[0] = (struct candidate){.kind = CANDIDATE_HOST,
                                         .addr = {.family = 4, .port = 9443, .ip = {192, 0, 2, 1}},
                                         .control_port = 8443};
    r.candidates[1] = (struct candidate){.kind = CANDIDATE_REFLEXIVE,
                                         .addr = {.family = 6, .port = 1, .ip = {0x20, 1, [15] = 1}}};
    return r;
}

static struct signed_record sign(const struct record *r, const struct identity *who)
{
    struct signed_record s;
    assert_int_equal(record_sign(r, who, s.data, sizeof(s.data), &s.len, s.signature), 0);
    return s;
}

static int verify(const struct signed_record *s, struct record *out)
{
    return record_verify(s->data, s->len, s->signature, sizeof(s->signature), out);
}

static void record_names_what_it_ends_with_and_nothing_else(void **state)
{
    (void)state;
    struct record r = record_of(alice);
    struct signed_record s = sign(&r, alice);
    const struct slice data = {s.data, s.len};
    assert_true(record_names(&data, r.candidates, 2));
    assert_false(record_names(&data, r.candidates, 1));
    assert_false(record_names(&data, r.candidates + 1, 1));
    assert_false(record_names(&data, r.candidates, 0));
    r.candidates[1].addr.port++;
    assert_false(record_names(&data, r.candidates, 2));
    assert_false(record_names(&(struct slice){s.data, 3}, r.candidates, 2));
}

static void signed_record_verifies(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    struct signed_record s = sign(&r, alice);
    assert_int_equal(verify(&s, &out), 0);
    assert_int_equal(id_compare(&out.id, &r.id), 0);
    assert_memory_equal(out.spki, r.spki, sizeof(out.spki));
    assert_int_equal(out.seq, r.seq);
    assert_int_equal(out.expiry_s, r.expiry_s);
    assert_string_equal(out.name, "site A");
    assert_string_equal(out.network, "");
    assert_true(out.is_public);
    assert_memory_equal(out.challenge, r.challenge, sizeof(r.challenge));
    assert_int_equal(out.candidate_count, 2);
    assert_true(addr_equal(&out.candidates[1].addr, &r.candidates[1].addr));
    assert_int_equal(out.candidates[0].control_port, 8443);
}

static void smallest_record_verifies(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    r.name[0] = '\0';
    r.is_public = false;
    r.candidate_count = 0;
    struct signed_record s = sign(&r, alice);
    assert_int_equal(verify(&s, &out), 0);
    assert_false(out.is_public);
    assert_int_equal(out.candidate_count, 0);
}

static void largest_record_fits(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    memset(r.name, 'n', RECORD_NAME_MAX);
    memset(r.network, 'f', RECORD_NETWORK_MAX);
    r.seq = r.expiry_s = UINT64_MAX;
    r.candidate_count = CANDIDATES_MAX;
    for (unsigned i = 0; i < CANDIDATES_MAX; i++)
        r.candidates[i] = r.candidates[1];
    struct signed_record s = sign(&r, alice);
    assert_true(s.len < RECORD_MAX / 2);
    assert_int_equal(verify(&s, &out), 0);
}

static void encoding_is_deterministic(void **state)
{
    (void)state;
    struct record r = record_of(alice);
    struct signed_record a = sign(&r, alice), b = sign(&r, alice);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
}

static void altered_record_is_refused(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    struct signed_record s = sign(&r, alice);
    uint8_t *name = memmem(s.data, s.len, "site A", 6);
    assert_non_null(name);
    name[5] = 'B';
    assert_int_equal(verify(&s, &out), ERR_CRYPTO);
    assert_int_equal(out.seq, 0);
    name[5] = 'A';
    assert_int_equal(verify(&s, &out), 0);
    s.signature[100] ^= 1;
    assert_int_equal(verify(&s, &out), ERR_CRYPTO);
}

static void key_that_does_not_hash_to_the_id_is_refused(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    r.id = *identity_id(bob);
    struct signed_record s = sign(&r, alice);
    assert_int_equal(verify(&s, &out), ERR_MISMATCH);
}

static void signature_of_another_key_is_refused(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    struct signed_record s = sign(&r, bob);
    assert_int_equal(verify(&s, &out), ERR_CRYPTO);
}

static void signature_for_another_purpose_is_refused(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    struct signed_record s = sign(&r, alice);
    assert_int_equal(identity_sign(alice, "something else", s.data, s.len, s.signature), 0);
    assert_int_equal(verify(&s, &out), ERR_CRYPTO);
}

static void signature_of_another_length_is_refused(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    struct signed_record s = sign(&r, alice);
    assert_int_not_equal(record_verify(s.data, s.len, s.signature, sizeof(s.signature) - 1, &out), 0);
    assert_int_not_equal(record_verify(s.data, s.len, s.signature, 0, &out), 0);
}

static void truncated_and_padded_records_are_refused(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    struct signed_record s = sign(&r, alice);
    for (size_t len = 0; len < s.len; len++)
        assert_int_equal(record_verify(s.data, len, s.signature, sizeof(s.signature), &out), ERR_FORMAT);
    s.data[s.len++] = 0;
    assert_int_equal(verify(&s, &out), ERR_FORMAT);
}

static void other_versions_are_refused(void **state)
{
    (void)state;
    struct record r = record_of(alice), out;
    struct signed_record s = sign(&r, alice);
    assert_int_equal(s.data[1], 0);
    s.data[2] = 2;
    assert_int_equal(verify(&s, &out), ERR_FORMAT);
}

static void unprintable_names_are_not_signed(void **state)
{
    (void)state;
    struct record r = record_of(alice);
    struct signed_record s;
    r.name[0] = '\x1b';
    assert_int_equal(record_sign(&r, alice, s.data, sizeof(s.data), &s.len, s.signature), ERR_ARGUMENT);
    assert_int_equal(s.len, 0);
}

static void small_buffer_is_told(void **state)
{
    (void)state;
    struct record r = record_of(alice);
    struct signed_record s;
    assert_int_equal(record_sign(&r, alice, s.data, 100, &s.len, s.signature), ERR_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_names_what_it_ends_with_and_nothing_else),
        cmocka_unit_test(signed_record_verifies),
        cmocka_unit_test(smallest_record_verifies),
        cmocka_unit_test(largest_record_fits),
        cmocka_unit_test(encoding_is_deterministic),
        cmocka_unit_test(altered_record_is_refused),
        cmocka_unit_test(key_that_does_not_hash_to_the_id_is_refused),
        cmocka_unit_test(signature_of_another_key_is_refused),
        cmocka_unit_test(signature_for_another_purpose_is_refused),
        cmocka_unit_test(signature_of_another_length_is_refused),
        cmocka_unit_test(truncated_and_padded_records_are_refused),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(unprintable_names_are_not_signed),
        cmocka_unit_test(small_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, make_identities, free_identities);
}
