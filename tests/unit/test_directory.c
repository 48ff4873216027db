/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of registration, over a store in memory, on a clock of the test's own. */

#include "backbone/directory.h"

#include "backbone/challenge.h"
#include "backbone/store_sqlite.h"
#include "base/log.h"
#include "crypto/identity.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW 1800000000ull
#define MAX 3

static struct identity *alice, *bob;
static struct directory *directory;

struct signed_record {
    struct record plain;
    uint8_t record[RECORD_MAX], signature[IDENTITY_SIGNATURE_LEN];
    struct slice record_slice, signature_slice;
};

static struct signed_record sr;

static int make_keys(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR - 1);
    return identity_generate(&alice) || identity_generate(&bob);
}

static int drop_keys(void **state)
{
    (void)state;
    identity_free(alice);
    identity_free(bob);
    return 0;
}

static int setup(void **state)
{
    struct store *store;
    (void)state;
    return store_sqlite_open(":memory:", MAX, &store) || directory_new(store, &directory);
}

static int teardown(void **state)
{
    (void)state;
    directory_free(directory);
    return 0;
}

/* me's record with a challenge of made_s. */
static struct record *describe(const struct identity *me, uint64_t seq, uint64_t expiry_s, uint64_t made_s)
{
    sr = (struct signed_record){
        .plain = {.id = *identity_id(me), .seq = seq, .expiry_s = expiry_s, .name = "alice"}};
    memcpy(sr.plain.spki, identity_spki(me), IDENTITY_SPKI_LEN);
    assert_int_equal(directory_challenge(directory, made_s, sr.plain.challenge), 0);
    return &sr.plain;
}

/* The answer of a store that answers at once. */
struct verdict {
    bool came;
    enum directory_verdict is;
    struct directory_receipt receipt;
};

static void note_verdict(void *context, enum directory_verdict is, const struct directory_receipt *receipt)
{
    *(struct verdict *)context = (struct verdict){true, is, *receipt};
}

static enum directory_verdict submit_bytes(uint64_t now_s, struct slice record, struct slice signature,
                                           struct directory_receipt *receipt)
{
    struct verdict v = {0};
    struct directory_order o = {
        .record = record, .signature = signature, .done = note_verdict, .context = &v};
    directory_register(directory, now_s, &o);
    assert_true(v.came);
    *receipt = v.receipt;
    return v.is;
}

static enum directory_verdict submit(uint64_t now_s, struct directory_receipt *receipt)
{
    return submit_bytes(now_s, sr.record_slice, sr.signature_slice, receipt);
}

static void sign(const struct identity *me)
{
    size_t len;
    assert_int_equal(record_sign(&sr.plain, me, sr.record, sizeof(sr.record), &len, sr.signature), 0);
    sr.record_slice = (struct slice){sr.record, len};
    sr.signature_slice = (struct slice){sr.signature, sizeof(sr.signature)};
}

static enum directory_verdict sign_and_submit(const struct identity *me, uint64_t now_s)
{
    struct directory_receipt receipt;
    sign(me);
    return submit(now_s, &receipt);
}

static enum directory_verdict enrol(const struct identity *me, uint64_t seq, uint64_t expiry_s,
                                    uint64_t now_s)
{
    describe(me, seq, expiry_s, now_s);
    return sign_and_submit(me, now_s);
}

static bool note_seq(void *context, const struct store_entry *e)
{
    *(uint64_t *)context = e->seq;
    return true;
}

static void note_found(void *context, int err, uint64_t number)
{
    (void)context, (void)number;
    assert_true(err == 0 || err == ERR_NOT_FOUND);
}

static uint64_t shown_seq(const struct identity *me, uint64_t now_s)
{
    uint64_t seq = 0;
    directory_find(directory, now_s, identity_id(me), note_seq, note_found, &seq);
    return seq;
}

static void signed_record_is_registered_and_shown_as_it_was_sent(void **state)
{
    (void)state;
    struct directory_receipt receipt;
    describe(alice, 7, NOW + 3600, NOW);
    sign(alice);
    assert_int_equal(submit(NOW, &receipt), DIRECTORY_REGISTERED);
    assert_int_equal(id_compare(&receipt.id, identity_id(alice)), 0);
    assert_int_equal(receipt.seq, 7);
    assert_int_equal(receipt.expiry_s, NOW + 3600);
    assert_int_equal(shown_seq(alice, NOW), 7);
    assert_int_equal(shown_seq(bob, NOW), 0);
    assert_int_equal(directory_count(directory, NOW), 1);
}

static void replayed_registration_is_refused(void **state)
{
    (void)state;
    struct directory_receipt receipt;
    assert_int_equal(enrol(alice, 7, NOW + 100, NOW), DIRECTORY_REGISTERED);
    assert_int_equal(submit(NOW + 1, &receipt), DIRECTORY_SEQ);
    assert_int_equal(receipt.stored_seq, 7);
}

static void older_seq_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(enrol(alice, 7, NOW + 100, NOW), DIRECTORY_REGISTERED);
    assert_int_equal(enrol(alice, 6, NOW + 200, NOW), DIRECTORY_SEQ);
    assert_int_equal(shown_seq(alice, NOW + 99), 7);
    assert_int_equal(shown_seq(alice, NOW + 100), 0);
}

static void newer_seq_replaces(void **state)
{
    (void)state;
    assert_int_equal(enrol(alice, 7, NOW + 100, NOW), DIRECTORY_REGISTERED);
    assert_int_equal(enrol(alice, 8, NOW + 200, NOW + 5), DIRECTORY_REGISTERED);
    assert_int_equal(shown_seq(alice, NOW + 150), 8);
}

/* seq 8 lives for five seconds only; seq 7, longer-lived and with a challenge that is still good, must not
 * come back. */
static void older_record_cannot_return_when_the_newer_one_expired(void **state)
{
    (void)state;
    struct directory_receipt receipt;
    struct signed_record older;
    describe(alice, 7, NOW + 3000, NOW);
    sign(alice);
    older = sr;
    assert_int_equal(enrol(alice, 8, NOW + 5, NOW), DIRECTORY_REGISTERED);
    for (uint64_t at = NOW + 6; at <= NOW + 2 * CHALLENGE_LIFETIME_S; at++) {
        enum directory_verdict verdict =
            submit_bytes(at, (struct slice){older.record, sr.record_slice.len},
                         (struct slice){older.signature, sizeof(older.signature)}, &receipt);
        assert_true(verdict == DIRECTORY_SEQ || verdict == DIRECTORY_CHALLENGE);
        assert_int_equal(verdict, at <= NOW + CHALLENGE_LIFETIME_S ? DIRECTORY_SEQ : DIRECTORY_CHALLENGE);
    }
}

static void stale_challenge_is_refused(void **state)
{
    (void)state;
    describe(alice, 1, NOW + 300, NOW);
    assert_int_equal(sign_and_submit(alice, NOW + CHALLENGE_LIFETIME_S + 1), DIRECTORY_CHALLENGE);
    assert_int_equal(sign_and_submit(alice, NOW + CHALLENGE_LIFETIME_S), DIRECTORY_REGISTERED);
}

static void invented_challenge_is_refused_before_the_signature_is_looked_at(void **state)
{
    (void)state;
    struct directory_receipt receipt;
    describe(alice, 1, NOW + 300, NOW)->challenge[31] ^= 1;
    sign(alice);
    sr.signature[100] ^= 1;
    assert_int_equal(submit(NOW, &receipt), DIRECTORY_CHALLENGE);
}

static void expiry_must_lie_within_the_next_hour(void **state)
{
    (void)state;
    assert_int_equal(enrol(alice, 1, NOW, NOW), DIRECTORY_EXPIRED);
    assert_int_equal(enrol(alice, 1, 0, NOW), DIRECTORY_EXPIRED);
    assert_int_equal(enrol(alice, 1, NOW + DIRECTORY_EXPIRY_MAX_S + DIRECTORY_SKEW_S + 1, NOW),
                     DIRECTORY_EXPIRY_FAR);
    assert_int_equal(enrol(alice, 1, STORE_NUMBER_MAX, NOW), DIRECTORY_EXPIRY_FAR);
    assert_int_equal(enrol(alice, 1, NOW + DIRECTORY_EXPIRY_MAX_S + DIRECTORY_SKEW_S, NOW),
                     DIRECTORY_REGISTERED);
}

static void numbers_that_no_store_holds_are_malformed(void **state)
{
    (void)state;
    assert_int_equal(enrol(alice, STORE_NUMBER_MAX + 1ull, NOW + 10, NOW), DIRECTORY_MALFORMED);
    assert_int_equal(enrol(alice, 1, STORE_NUMBER_MAX + 1ull, NOW), DIRECTORY_MALFORMED);
    assert_int_equal(enrol(alice, STORE_NUMBER_MAX, NOW + 10, NOW), DIRECTORY_REGISTERED);
}

static void altered_signature_is_refused(void **state)
{
    (void)state;
    struct directory_receipt receipt;
    describe(alice, 1, NOW + 300, NOW);
    sign(alice);
    sr.signature[100] ^= 1;
    assert_int_equal(submit(NOW, &receipt), DIRECTORY_SIGNATURE);
    assert_int_equal(shown_seq(alice, NOW), 0);
}

static void strangers_signature_is_refused(void **state)
{
    (void)state;
    struct signed_record bobs;
    struct directory_receipt receipt;
    describe(alice, 1, NOW + 300, NOW);
    sign(alice);
    bobs = sr;
    memcpy(bobs.plain.spki, identity_spki(bob), IDENTITY_SPKI_LEN);
    bobs.plain.id = *identity_id(bob);
    size_t len;
    assert_int_equal(record_sign(&bobs.plain, bob, bobs.record, sizeof(bobs.record), &len, bobs.signature),
                     0);
    sr.signature_slice = (struct slice){bobs.signature, sizeof(bobs.signature)};
    assert_int_equal(submit(NOW, &receipt), DIRECTORY_SIGNATURE);
}

static void truncated_records_are_malformed(void **state)
{
    (void)state;
    struct directory_receipt receipt;
    describe(alice, 1, NOW + 300, NOW);
    sign(alice);
    size_t whole = sr.record_slice.len;
    for (size_t len = 0; len < whole; len += len < 64 || len + 64 > whole ? 1 : 61) {
        sr.record_slice.len = len;
        assert_int_equal(submit(NOW, &receipt), DIRECTORY_MALFORMED);
    }
    sr.record_slice.len = whole;
    assert_int_equal(submit(NOW, &receipt), DIRECTORY_REGISTERED);
}

static void wrong_sizes_are_malformed(void **state)
{
    (void)state;
    static uint8_t large[RECORD_MAX + 1];
    struct directory_receipt receipt;
    describe(alice, 1, NOW + 300, NOW);
    sign(alice);
    sr.signature_slice.len--;
    assert_int_equal(submit(NOW, &receipt), DIRECTORY_MALFORMED);
    sr.signature_slice.len++;
    sr.record_slice = (struct slice){large, sizeof(large)};
    assert_int_equal(submit(NOW, &receipt), DIRECTORY_MALFORMED);
}

static void full_directory_takes_renewals_and_recovers_when_records_expire(void **state)
{
    (void)state;
    struct identity *others[MAX];
    for (int i = 0; i < MAX; i++) {
        assert_int_equal(identity_generate(&others[i]), 0);
        assert_int_equal(enrol(others[i], 1, NOW + 100, NOW), DIRECTORY_REGISTERED);
    }
    assert_int_equal(enrol(alice, 1, NOW + 500, NOW), DIRECTORY_FULL);
    assert_int_equal(enrol(others[0], 2, NOW + 500, NOW), DIRECTORY_REGISTERED);
    uint64_t later = NOW + 100 + CHALLENGE_MEMORY_S + 1;
    assert_int_equal(enrol(alice, 1, later + 500, later), DIRECTORY_REGISTERED);
    for (int i = 0; i < MAX; i++)
        identity_free(others[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(signed_record_is_registered_and_shown_as_it_was_sent),
        TEST(replayed_registration_is_refused),
        TEST(older_seq_is_refused_and_changes_nothing),
        TEST(newer_seq_replaces),
        TEST(older_record_cannot_return_when_the_newer_one_expired),
        TEST(stale_challenge_is_refused),
        TEST(invented_challenge_is_refused_before_the_signature_is_looked_at),
        TEST(expiry_must_lie_within_the_next_hour),
        TEST(numbers_that_no_store_holds_are_malformed),
        TEST(altered_signature_is_refused),
        TEST(strangers_signature_is_refused),
        TEST(truncated_records_are_malformed),
        TEST(wrong_sizes_are_malformed),
        TEST(full_directory_takes_renewals_and_recovers_when_records_expire),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
