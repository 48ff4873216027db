/* SPDX-License-Identifier: Apache-2.0 */
/* The ratchet: both sides reach one root, and nobody else does. Its keys are ephemeral and its wrapper takes
 * none from outside, so the published ML-KEM-1024 answers are checked one level below, through the same EVP
 * calls from the same library context. */

#include "crypto/ratchet.h"

#include "crypto/library.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include "vectors.h"

#define MLKEM_KEY_LEN 1568
#define MLKEM_LEN     32

static const uint8_t zero[RATCHET_ANSWER_LEN];
static const uint8_t root[KDF_LEN] = "the root that both sides share before the step";

/* Points of small order and their non-canonical forms, little-endian (RFC 7748 §6.1): every one of them gives
 * an all-zero secret. */
static const uint8_t small_order[][32] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
     0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
     0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

/* One step's messages and both roots. */
struct step {
    struct ratchet_offer *offer;
    uint8_t message[RATCHET_OFFER_LEN], answer[RATCHET_ANSWER_LEN];
    uint8_t answered[KDF_LEN], finished[KDF_LEN];
};

static void make_step(struct step *s)
{
    assert_int_equal(ratchet_offer_new(&s->offer, s->message), 0);
    assert_int_equal(ratchet_answer(s->message, root, s->answer, s->answered), 0);
}

static void both_sides_reach_the_same_new_root(void **state)
{
    struct step s;

    (void)state;
    make_step(&s);
    assert_int_equal(ratchet_finish(s.offer, s.answer, root, s.finished), 0);
    assert_memory_equal(s.answered, s.finished, KDF_LEN);
    assert_memory_not_equal(s.answered, root, KDF_LEN);
    ratchet_offer_free(s.offer);
}

static void new_root_may_overwrite_the_last(void **state)
{
    uint8_t in_place[KDF_LEN];
    struct step s;

    (void)state;
    make_step(&s);
    memcpy(in_place, root, KDF_LEN);
    assert_int_equal(ratchet_finish(s.offer, s.answer, in_place, in_place), 0);
    assert_memory_equal(in_place, s.answered, KDF_LEN);
    ratchet_offer_free(s.offer);
}

static void steps_never_repeat_a_root(void **state)
{
    struct step a, b;

    (void)state;
    make_step(&a);
    make_step(&b);
    assert_memory_not_equal(a.message, b.message, RATCHET_OFFER_LEN);
    assert_memory_not_equal(a.answered, b.answered, KDF_LEN);
    ratchet_offer_free(a.offer);
    ratchet_offer_free(b.offer);
}

static void another_last_root_gives_another_new_root(void **state)
{
    uint8_t other[KDF_LEN];
    struct step s;

    (void)state;
    make_step(&s);
    memcpy(other, root, KDF_LEN);
    other[0] ^= 1;
    assert_int_equal(ratchet_finish(s.offer, s.answer, other, s.finished), 0);
    assert_memory_not_equal(s.answered, s.finished, KDF_LEN);
    ratchet_offer_free(s.offer);
}

/* The X25519 half (also its ignored top bit, by the transcript) and the ML-KEM half. */
static void altered_answer_gives_no_shared_root(void **state)
{
    static const size_t places[] = {0, 31, 32, 1000, RATCHET_ANSWER_LEN - 1};
    struct step s;

    (void)state;
    make_step(&s);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        s.answer[places[i]] ^= 0x80;
        assert_int_equal(ratchet_finish(s.offer, s.answer, root, s.finished), 0);
        assert_memory_not_equal(s.answered, s.finished, KDF_LEN);
        s.answer[places[i]] ^= 0x80;
    }
    ratchet_offer_free(s.offer);
}

static void altered_offer_gives_no_shared_root(void **state)
{
    struct step s;

    (void)state;
    assert_int_equal(ratchet_offer_new(&s.offer, s.message), 0);
    s.message[31] ^= 0x80; /* X25519 ignores this bit; the transcript does not */
    assert_int_equal(ratchet_answer(s.message, root, s.answer, s.answered), 0);
    assert_int_equal(ratchet_finish(s.offer, s.answer, root, s.finished), 0);
    assert_memory_not_equal(s.answered, s.finished, KDF_LEN);
    ratchet_offer_free(s.offer);
}

static void x25519_point_of_small_order_is_refused(void **state)
{
    struct step s;

    (void)state;
    make_step(&s);
    for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++) {
        memcpy(s.message, small_order[i], 32);
        memset(s.answered, 0x55, KDF_LEN);
        assert_int_equal(ratchet_answer(s.message, root, s.answer, s.answered), ERR_CRYPTO);
        assert_memory_equal(s.answered, zero, KDF_LEN);
        assert_memory_equal(s.answer, zero, RATCHET_ANSWER_LEN);
        memcpy(s.answer, small_order[i], 32);
        memset(s.finished, 0x55, KDF_LEN);
        assert_int_equal(ratchet_finish(s.offer, s.answer, root, s.finished), ERR_CRYPTO);
        assert_memory_equal(s.finished, zero, KDF_LEN);
    }
    ratchet_offer_free(s.offer);
}

/* FIPS 203 §7.2: coefficients must be below the modulus. */
static void mlkem_key_outside_the_modulus_is_refused(void **state)
{
    struct step s;

    (void)state;
    assert_int_equal(ratchet_offer_new(&s.offer, s.message), 0);
    memset(s.message + 32, 0xff, 3);
    assert_int_equal(ratchet_answer(s.message, root, s.answer, s.answered), ERR_CRYPTO);
    assert_memory_equal(s.answer, zero, RATCHET_ANSWER_LEN);
    assert_memory_equal(s.answered, zero, KDF_LEN);
    ratchet_offer_free(s.offer);
}

static EVP_PKEY *mlkem_key(const char *param, const struct vector_field *f, int selection)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(library_context(), "ML-KEM-1024", NULL);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(param, f->bytes, f->len),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, selection, params), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void check_public(EVP_PKEY *key, const struct vector_field *public)
{
    uint8_t out[MLKEM_KEY_LEN];
    size_t len = sizeof(out);

    assert_int_equal(EVP_PKEY_get_raw_public_key(key, out, &len), 1);
    assert_int_equal(len, public->len);
    assert_memory_equal(out, public->bytes, len);
}

static void check_encapsulation(EVP_PKEY *key, const struct vectors *v)
{
    const struct vector_field *m = vectors_get(v, "entropy");
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, m->bytes, m->len),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(library_context(), key, NULL);
    uint8_t text[MLKEM_KEY_LEN], shared[MLKEM_LEN];
    size_t text_len = sizeof(text), len = sizeof(shared);

    assert_int_equal(EVP_PKEY_encapsulate_init(ctx, params), 1);
    assert_int_equal(EVP_PKEY_encapsulate(ctx, text, &text_len, shared, &len), 1);
    assert_memory_equal(text, vectors_get(v, "ciphertext")->bytes, text_len);
    assert_memory_equal(shared, vectors_get(v, "shared")->bytes, len);
    EVP_PKEY_CTX_free(ctx);
}

static void check_decapsulation(EVP_PKEY *key, const struct vectors *v)
{
    const struct vector_field *text = vectors_get(v, "ciphertext");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(library_context(), key, NULL);
    uint8_t shared[MLKEM_LEN];
    size_t len = sizeof(shared);

    assert_int_equal(EVP_PKEY_decapsulate_init(ctx, NULL), 1);
    assert_int_equal(EVP_PKEY_decapsulate(ctx, shared, &len, text->bytes, text->len), 1);
    assert_memory_equal(shared, vectors_get(v, "shared")->bytes, len);
    EVP_PKEY_CTX_free(ctx);
}

/* Keys from seeds, encapsulation with given randomness, decapsulation of good and (implicitly rejected)
 * altered ciphertexts. */
static void published_mlkem_1024_answers_are_met(void **state)
{
    EVP_PKEY *key = NULL;
    struct vectors v;
    int count = 0;

    (void)state;
    vectors_open(&v, "mlkem1024.txt");
    for (; vectors_next(&v); count++) {
        const struct vector_field *seed = vectors_find(&v, "seed"), *private = vectors_find(&v, "private");

        if (seed || private)
            EVP_PKEY_free(key);
        if (seed) {
            key = mlkem_key(OSSL_PKEY_PARAM_ML_KEM_SEED, seed, EVP_PKEY_KEYPAIR);
            check_public(key, vectors_get(&v, "public"));
            check_encapsulation(key, &v);
        } else if (private) {
            key = mlkem_key(OSSL_PKEY_PARAM_PRIV_KEY, private, EVP_PKEY_KEYPAIR);
        }
        check_decapsulation(key, &v);
    }
    EVP_PKEY_free(key);
    vectors_close(&v);
    assert_int_equal(count, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_mlkem_1024_answers_are_met),
        cmocka_unit_test(both_sides_reach_the_same_new_root),
        cmocka_unit_test(new_root_may_overwrite_the_last),
        cmocka_unit_test(steps_never_repeat_a_root),
        cmocka_unit_test(another_last_root_gives_another_new_root),
        cmocka_unit_test(altered_answer_gives_no_shared_root),
        cmocka_unit_test(altered_offer_gives_no_shared_root),
        cmocka_unit_test(x25519_point_of_small_order_is_refused),
        cmocka_unit_test(mlkem_key_outside_the_modulus_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
