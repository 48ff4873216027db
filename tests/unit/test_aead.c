/* SPDX-License-Identifier: Apache-2.0 */
/* Both AEADs against published answers; pieces of every size; whatever is altered does not open. */

#include "crypto/aead.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "vectors.h"

#define DATA_MAX 4096

static const enum aead_suite suites[] = {AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305};
static const uint8_t key[AEAD_KEY_LEN] = {1, 2, 3}, nonce[AEAD_NONCE_LEN] = {4, 5, 6}, aad[16] = {7, 8, 9};

static struct aead *make(enum aead_suite suite)
{
    struct aead *a;

    assert_int_equal(aead_new(suite, key, &a), 0);
    return a;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* One published case: seals to it, opens it, and does not open it with any bit of the tag altered. */
static void check_case(struct aead *a, const struct vectors *v)
{
    const struct vector_field *n = vectors_get(v, "nonce"), *ad = vectors_get(v, "aad"),
                              *tag = vectors_get(v, "tag"), *plain = vectors_get(v, "plaintext"),
                              *text = vectors_get(v, "ciphertext");
    bool valid = vectors_get(v, "result")->bytes[0] == 0;
    struct slice piece = {plain->bytes, plain->len};
    uint8_t data[DATA_MAX];

    assert_in_range(text->len, 0, DATA_MAX - AEAD_TAG_LEN);
    if (valid) {
        assert_int_equal(aead_seal(a, n->bytes, ad->bytes, ad->len, &piece, 1, data), 0);
        assert_memory_equal(data, text->bytes, text->len);
        assert_memory_equal(data + text->len, tag->bytes, AEAD_TAG_LEN);
    }
    for (int bit = -1; bit < AEAD_TAG_LEN * 8; bit++) {
        memcpy(data, text->bytes, text->len);
        memcpy(data + text->len, tag->bytes, AEAD_TAG_LEN);
        if (bit >= 0)
            data[text->len + (size_t)bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!valid && bit >= 0)
            break;
        assert_int_equal(aead_open(a, n->bytes, ad->bytes, ad->len, data, text->len + AEAD_TAG_LEN),
                         valid && bit < 0 ? 0 : ERR_CRYPTO);
        if (valid && bit < 0)
            assert_memory_equal(data, plain->bytes, plain->len);
    }
}

static int check_file(enum aead_suite suite, const char *name)
{
    struct vectors v;
    int count = 0;

    vectors_open(&v, name);
    while (vectors_next(&v)) {
        struct aead *a;

        assert_int_equal(aead_new(suite, vectors_get(&v, "key")->bytes, &a), 0);
        check_case(a, &v);
        check_case(a, &v); /* nothing of the first use may remain in the context */
        aead_free(a);
        count++;
    }
    vectors_close(&v);
    return count;
}

static void published_aes_256_gcm_answers_are_met(void **state)
{
    (void)state;
    assert_int_equal(check_file(AEAD_AES_256_GCM, "aes256gcm.txt"), 44);
}

static void published_chacha20_poly1305_answers_are_met(void **state)
{
    (void)state;
    assert_int_equal(check_file(AEAD_CHACHA20_POLY1305, "chacha20poly1305.txt"), 3);
}

/* Splits of many kinds, around the sizes at which pieces are gathered and blocks are completed. */
static void scattered_pieces_seal_as_one_string(void **state)
{
    static uint8_t plain[DATA_MAX], whole[DATA_MAX + AEAD_TAG_LEN], out[DATA_MAX + AEAD_TAG_LEN + 1];
    uint32_t seed = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)next_random(&seed);
    for (size_t s = 0; s < 2; s++) {
        struct aead *a = make(suites[s]);

        for (int round = 0; round < 3000; round++) {
            size_t count = 1 + next_random(&seed) % 5, len = 0;
            struct slice pieces[5];

            for (size_t i = 0; i < count; i++) {
                size_t n = next_random(&seed) % (round % 2 ? 100 : 800);

                if (round % 7 == 0)
                    n = 250 + next_random(&seed) % 12;
                pieces[i] = (struct slice){plain + len, n};
                len += n;
            }
            out[len + AEAD_TAG_LEN] = 0x77;
            assert_int_equal(aead_seal(a, nonce, aad, sizeof(aad), &(struct slice){plain, len}, 1, whole), 0);
            assert_int_equal(aead_seal(a, nonce, aad, sizeof(aad), pieces, count, out), 0);
            assert_memory_equal(out, whole, len + AEAD_TAG_LEN);
            assert_int_equal(out[len + AEAD_TAG_LEN], 0x77);
            assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), out, len + AEAD_TAG_LEN), 0);
            assert_memory_equal(out, plain, len);
        }
        aead_free(a);
    }
}

static void altered_input_does_not_open_and_is_zeroed(void **state)
{
    static const uint8_t zero[200];
    uint8_t sealed[100 + AEAD_TAG_LEN], data[sizeof(sealed)], bad_aad[16], bad_nonce[AEAD_NONCE_LEN];
    const struct slice piece = {zero, 100};

    (void)state;
    memcpy(bad_aad, aad, sizeof(aad));
    memcpy(bad_nonce, nonce, sizeof(nonce));
    bad_aad[15] ^= 1;
    bad_nonce[11] ^= 1;
    for (size_t s = 0; s < 2; s++) {
        struct aead *a = make(suites[s]);

        assert_int_equal(aead_seal(a, nonce, aad, sizeof(aad), &piece, 1, sealed), 0);
        for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
            memcpy(data, sealed, sizeof(data));
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), data, sizeof(data)), ERR_CRYPTO);
            assert_memory_equal(data, zero, sizeof(data));
        }
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(aead_open(a, nonce, bad_aad, sizeof(aad), data, sizeof(data)), ERR_CRYPTO);
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(aead_open(a, nonce, aad, sizeof(aad) - 1, data, sizeof(data)), ERR_CRYPTO);
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(aead_open(a, bad_nonce, aad, sizeof(aad), data, sizeof(data)), ERR_CRYPTO);
        memcpy(data, sealed, sizeof(data));
        assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), data, sizeof(data) - 1), ERR_CRYPTO);
        memcpy(data, sealed, sizeof(data)); /* the context survived all of that */
        assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), data, sizeof(data)), 0);
        aead_free(a);
    }
}

static void input_shorter_than_a_tag_does_not_open(void **state)
{
    uint8_t data[AEAD_TAG_LEN] = {0};

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        struct aead *a = make(suites[s]);

        for (size_t len = 0; len <= AEAD_TAG_LEN; len++)
            assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), data, len), ERR_CRYPTO);
        aead_free(a);
    }
}

static void empty_message_has_a_tag(void **state)
{
    uint8_t data[AEAD_TAG_LEN];

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        struct aead *a = make(suites[s]);

        assert_int_equal(aead_seal(a, nonce, aad, sizeof(aad), NULL, 0, data), 0);
        assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), data, sizeof(data)), 0);
        aead_free(a);
    }
}

static void unknown_suite_is_refused(void **state)
{
    struct aead *a = NULL;

    (void)state;
    assert_int_equal(aead_new((enum aead_suite)0, key, &a), ERR_UNSUPPORTED);
    assert_int_equal(aead_new((enum aead_suite)3, key, &a), ERR_UNSUPPORTED);
    assert_null(a);
    aead_free(NULL);
}

static void suites_have_their_standard_names(void **state)
{
    (void)state;
    assert_string_equal(aead_suite_name(AEAD_AES_256_GCM), "AES-256-GCM");
    assert_string_equal(aead_suite_name(AEAD_CHACHA20_POLY1305), "ChaCha20-Poly1305");
    assert_string_equal(aead_suite_name((enum aead_suite)9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_aes_256_gcm_answers_are_met),
        cmocka_unit_test(published_chacha20_poly1305_answers_are_met),
        cmocka_unit_test(scattered_pieces_seal_as_one_string),
        cmocka_unit_test(altered_input_does_not_open_and_is_zeroed),
        cmocka_unit_test(input_shorter_than_a_tag_does_not_open),
        cmocka_unit_test(empty_message_has_a_tag),
        cmocka_unit_test(unknown_suite_is_refused),
        cmocka_unit_test(suites_have_their_standard_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
