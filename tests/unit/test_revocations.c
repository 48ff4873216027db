/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of revoked keys: what is newer takes its place, and nothing ever takes a revocation back. */

#include "crypto/revocations.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cert_lab.h"

static struct cert issuer; /* as its chain was judged */
static struct node_id ids[REVOCATIONS_MAX + 1];
static uint8_t room[REVOCATIONS_LEN(REVOCATIONS_MAX)];

static int group_setup(void **state)
{
    (void)state;
    cert_lab_open(&lab);
    issuer = lab_issuer(&lab);
    for (unsigned i = 0; i <= REVOCATIONS_MAX; i++) {
        ids[i].bytes[0] = (uint8_t)(i >> 8);
        ids[i].bytes[19] = (uint8_t)i;
    }
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    cert_lab_close(&lab);
    return 0;
}

/* The keys from first on, as the lab's issuer lists them. */
static struct revocations list_of(uint64_t number, size_t first, size_t count)
{
    return (struct revocations){
        *identity_id(lab.ca), *identity_id(lab.issuer), number, LAB_NOW, &ids[first], count};
}

static size_t sign(const struct revocations *list, const struct identity *signer)
{
    assert_int_equal(revocations_sign(list, signer, room, sizeof(room)), 0);
    return REVOCATIONS_LEN(list->count);
}

static const struct revocations none;

static enum revocations_verdict judge(const struct revocations *held, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1); /* just as long, for the sanitizer */
    struct revocations out;
    enum revocations_verdict verdict;

    memcpy(copy, room, len);
    verdict = revocations_judge(&issuer, identity_id(lab.ca), held, copy, len, &out);
    if (verdict != REVOCATIONS_NEWER)
        assert_memory_equal(&out, &none, sizeof(out));
    free(copy);
    return verdict;
}

static void list_is_read_as_it_was_signed(void **state)
{
    static const size_t counts[] = {0, 1, 300, REVOCATIONS_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct revocations made = list_of(7, 0, counts[i]), read;
        size_t len = sign(&made, lab.issuer);
        assert_int_equal(revocations_judge(&issuer, identity_id(lab.ca), NULL, room, len, &read),
                         REVOCATIONS_NEWER);
        assert_int_equal(id_compare(&read.network, &made.network), 0);
        assert_int_equal(id_compare(&read.signer, &made.signer), 0);
        assert_true(read.number == 7 && read.time == LAB_NOW && read.count == counts[i]);
        if (counts[i] > 0)
            assert_memory_equal(read.ids, ids, counts[i] * ID_LEN);
    }
}

static void keys_of_a_list_are_found_and_no_others(void **state)
{
    struct revocations list = list_of(1, 10, 100), empty = list_of(1, 0, 0);

    (void)state;
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(revocations_has(&list, &ids[i]), i >= 10 && i < 110);
    assert_false(revocations_has(&empty, &ids[0]));
}

static void only_a_greater_number_takes_its_place(void **state)
{
    struct revocations held = list_of(5, 0, 3), list;

    (void)state;
    list = list_of(4, 0, 3);
    assert_int_equal(judge(&held, sign(&list, lab.issuer)), REVOCATIONS_OLDER);
    list = list_of(5, 0, 3);
    assert_int_equal(judge(&held, sign(&list, lab.issuer)), REVOCATIONS_SAME);
    list = list_of(6, 0, 3);
    assert_int_equal(judge(&held, sign(&list, lab.issuer)), REVOCATIONS_NEWER);
    list = list_of(UINT64_MAX, 0, 4);
    assert_int_equal(judge(&held, sign(&list, lab.issuer)), REVOCATIONS_NEWER);
}

static void nothing_takes_a_revocation_back(void **state)
{
    struct revocations held = list_of(5, 10, 3), list;

    (void)state;
    for (size_t first = 8; first <= 13; first++)
        for (size_t count = 0; count < 6; count++) {
            bool has_all = first <= 10 && first + count >= 13;
            list = list_of(6, first, count);
            assert_int_equal(judge(&held, sign(&list, lab.issuer)),
                             has_all ? REVOCATIONS_NEWER : REVOCATIONS_CONTRARY);
        }
}

static void list_of_another_signer_or_network_is_refused(void **state)
{
    struct revocations list = list_of(1, 0, 3), other = list, out;
    size_t len;

    (void)state;
    other.network.bytes[0] ^= 1;
    assert_int_equal(judge(NULL, sign(&other, lab.issuer)), REVOCATIONS_WRONG_SIGNER);
    list.signer = *identity_id(lab.other);
    len = sign(&list, lab.other);
    assert_int_equal(judge(NULL, len), REVOCATIONS_WRONG_SIGNER);
    assert_int_equal(revocations_judge(&issuer, identity_id(lab.other), NULL, room, len, &out),
                     REVOCATIONS_WRONG_SIGNER);
}

static void one_altered_bit_anywhere_is_refused(void **state)
{
    struct revocations list = list_of(3, 1, 3);
    size_t len = sign(&list, lab.issuer);

    (void)state;
    assert_int_equal(judge(NULL, len), REVOCATIONS_NEWER);
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = i % 8; bit < 8; bit += i < len - IDENTITY_SIGNATURE_LEN ? 1 : 8) {
            if (i >= len - IDENTITY_SIGNATURE_LEN && i % 7 != 0)
                continue;
            room[i] ^= (uint8_t)(1 << bit);
            if (judge(NULL, len) == REVOCATIONS_NEWER)
                fail_msg("bit %u of byte %zu", bit, i);
            room[i] ^= (uint8_t)(1 << bit);
        }
}

/* A signature over the same bytes for another purpose is none here. */
static void signature_of_another_purpose_is_refused(void **state)
{
    struct revocations list = list_of(3, 0, 3);
    size_t len = sign(&list, lab.issuer), signed_len = len - IDENTITY_SIGNATURE_LEN;

    (void)state;
    assert_int_equal(identity_sign(lab.issuer, "", room, signed_len, room + signed_len), 0);
    assert_int_equal(judge(NULL, len), REVOCATIONS_FORGED);
}

static void what_is_no_list_is_refused(void **state)
{
    struct revocations list = list_of(3, 0, 3);
    size_t len = sign(&list, lab.issuer);

    (void)state;
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(judge(NULL, cut), REVOCATIONS_MALFORMED);
    room[len] = 0;
    assert_int_equal(judge(NULL, len + 1), REVOCATIONS_MALFORMED);
    memcpy(room + REVOCATIONS_HEAD_LEN, &ids[1], ID_LEN); /* twice */
    assert_int_equal(judge(NULL, len), REVOCATIONS_MALFORMED);
    memcpy(room + REVOCATIONS_HEAD_LEN, &ids[2], ID_LEN); /* out of order */
    assert_int_equal(judge(NULL, len), REVOCATIONS_MALFORMED);
}

static void list_that_is_too_long_is_neither_signed_nor_read(void **state)
{
    static uint8_t large[REVOCATIONS_LEN(REVOCATIONS_MAX + 1)];
    struct revocations list = list_of(3, 0, REVOCATIONS_MAX + 1), out;
    struct writer w = writer_init(large, sizeof(large));

    (void)state;
    assert_int_equal(revocations_sign(&list, lab.issuer, large, sizeof(large)), ERR_ARGUMENT);
    writer_put(&w, list.network.bytes, ID_LEN);
    writer_put(&w, list.signer.bytes, ID_LEN);
    writer_u64(&w, 3);
    writer_u64(&w, LAB_NOW);
    writer_u16(&w, REVOCATIONS_MAX + 1);
    writer_put(&w, ids, sizeof(ids));
    assert_int_equal(revocations_judge(&issuer, identity_id(lab.ca), NULL, large, sizeof(large), &out),
                     REVOCATIONS_MALFORMED);
}

static void what_cannot_be_signed_is_told(void **state)
{
    struct revocations list = list_of(3, 0, 3);
    const struct node_id twice[] = {ids[4], ids[4]};

    (void)state;
    assert_int_equal(revocations_sign(&list, lab.other, room, sizeof(room)), ERR_MISMATCH);
    assert_int_equal(revocations_sign(&list, lab.issuer, room, REVOCATIONS_LEN(3) - 1), ERR_SPACE);
    list.ids = twice;
    list.count = 2;
    assert_int_equal(revocations_sign(&list, lab.issuer, room, sizeof(room)), ERR_ARGUMENT);
}

static void every_verdict_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    for (enum revocations_verdict a = REVOCATIONS_NEWER; a <= REVOCATIONS_CONTRARY; a++)
        for (enum revocations_verdict b = REVOCATIONS_NEWER; b < a; b++)
            assert_string_not_equal(revocations_verdict_str(a), revocations_verdict_str(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_read_as_it_was_signed),
        cmocka_unit_test(keys_of_a_list_are_found_and_no_others),
        cmocka_unit_test(only_a_greater_number_takes_its_place),
        cmocka_unit_test(nothing_takes_a_revocation_back),
        cmocka_unit_test(list_of_another_signer_or_network_is_refused),
        cmocka_unit_test(one_altered_bit_anywhere_is_refused),
        cmocka_unit_test(signature_of_another_purpose_is_refused),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(list_that_is_too_long_is_neither_signed_nor_read),
        cmocka_unit_test(what_cannot_be_signed_is_told),
        cmocka_unit_test(every_verdict_has_a_phrase_of_its_own),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
