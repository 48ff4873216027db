/* SPDX-License-Identifier: Apache-2.0 */
/* Every backend of this build and machine: against published answers and against the others; pieces of every
 * size; whatever is altered does not open; a backend that errs is not chosen. */

#include "crypto/aead_backend.h"
#include "crypto/aead_choice.h"
#include "crypto/aead_policy.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "vectors.h"

#define DATA_MAX    4096
#define CIPHERS_MAX 8

static const enum aead_suite suites[] = {AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305};
static const uint8_t key[AEAD_KEY_LEN] = {1, 2, 3}, nonce[AEAD_NONCE_LEN] = {4, 5, 6}, aad[16] = {7, 8, 9};

struct cipher {
    const struct aead_backend *backend;
    enum aead_suite suite;
};

static struct cipher ciphers[CIPHERS_MAX];
static size_t cipher_count;

static int find_ciphers(void **state)
{
    (void)state;
    for (size_t b = 0; aead_backends[b]; b++)
        for (size_t s = 0; s < 2; s++)
            if (aead_backends[b]->serves(suites[s]))
                ciphers[cipher_count++] = (struct cipher){aead_backends[b], suites[s]};
    return 0;
}

static struct aead *make(const struct cipher *c)
{
    struct aead *a;

    assert_int_equal(aead_new_with(c->backend, c->suite, key, &a), 0);
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

static int check_file(const struct cipher *c, const char *name)
{
    struct vectors v;
    int count = 0;

    vectors_open(&v, name);
    while (vectors_next(&v)) {
        struct aead *a;

        assert_int_equal(aead_new_with(c->backend, c->suite, vectors_get(&v, "key")->bytes, &a), 0);
        check_case(a, &v);
        check_case(a, &v); /* nothing of the first use may remain in the context */
        aead_free(a);
        count++;
    }
    vectors_close(&v);
    return count;
}

static void published_answers_are_met(void **state)
{
    (void)state;
    for (size_t c = 0; c < cipher_count; c++) {
        print_message("%s by %s\n", aead_suite_name(ciphers[c].suite), ciphers[c].backend->name());
        if (ciphers[c].suite == AEAD_AES_256_GCM)
            assert_int_equal(check_file(&ciphers[c], "aes256gcm.txt"), 44);
        else
            assert_int_equal(check_file(&ciphers[c], "chacha20poly1305.txt"), 3);
    }
}

/* Splits of many kinds, around the sizes at which pieces are gathered and blocks are completed. */
static void scattered_pieces_seal_as_one_string(void **state)
{
    static uint8_t plain[DATA_MAX], whole[DATA_MAX + AEAD_TAG_LEN], out[DATA_MAX + AEAD_TAG_LEN + 1];
    uint32_t seed = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)next_random(&seed);
    for (size_t c = 0; c < cipher_count; c++) {
        struct aead *a = make(&ciphers[c]);

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
    for (size_t c = 0; c < cipher_count; c++) {
        struct aead *a = make(&ciphers[c]);

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
    for (size_t c = 0; c < cipher_count; c++) {
        struct aead *a = make(&ciphers[c]);

        for (size_t len = 0; len <= AEAD_TAG_LEN; len++)
            assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), data, len), ERR_CRYPTO);
        aead_free(a);
    }
}

static void empty_message_has_a_tag(void **state)
{
    uint8_t data[AEAD_TAG_LEN];

    (void)state;
    for (size_t c = 0; c < cipher_count; c++) {
        struct aead *a = make(&ciphers[c]);

        assert_int_equal(aead_seal(a, nonce, aad, sizeof(aad), NULL, 0, data), 0);
        assert_int_equal(aead_open(a, nonce, aad, sizeof(aad), data, sizeof(data)), 0);
        aead_free(a);
    }
}

/* Random lengths, splits, alignments and associated data: every backend of a suite seals as OpenSSL does, and
 * opens what OpenSSL sealed, in place. */
static void backends_agree_with_the_reference(void **state)
{
    enum { LEN_MAX = 9000 };
    static uint8_t plain[LEN_MAX + 64], one[LEN_MAX + 64], other[LEN_MAX + 64], header[16];
    uint32_t seed = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)next_random(&seed);
    for (size_t c = 0; c < cipher_count; c++) {
        struct aead *reference = make(&(struct cipher){aead_backends[0], ciphers[c].suite});
        struct aead *a = make(&ciphers[c]);

        for (int round = 0; round < 4000; round++) {
            size_t len = next_random(&seed) % (round % 4 ? 1600 : LEN_MAX + 1);
            size_t first = next_random(&seed) % (len + 1), second = next_random(&seed) % (len - first + 1);
            uint8_t *p = plain + next_random(&seed) % 32, *to = other + next_random(&seed) % 32;
            const struct slice pieces[] = {
                {p, first}, {p + first, second}, {p + first + second, len - first - second}};
            size_t header_len = round % 8 ? sizeof(header) : next_random(&seed) % sizeof(header);

            header[round % 16]++;
            assert_int_equal(aead_seal(reference, nonce, header, header_len, &(struct slice){p, len}, 1, one),
                             0);
            assert_int_equal(aead_seal(a, nonce, header, header_len, pieces, 3, to), 0);
            assert_memory_equal(to, one, len + AEAD_TAG_LEN);
            assert_int_equal(aead_open(reference, nonce, header, header_len, to, len + AEAD_TAG_LEN), 0);
            memmove(to, one, len + AEAD_TAG_LEN);
            assert_int_equal(aead_open(a, nonce, header, header_len, to, len + AEAD_TAG_LEN), 0);
            assert_memory_equal(to, p, len);
        }
        aead_free(reference);
        aead_free(a);
    }
}

/* Whatever this program allocates next must not find the key: the first round keys of AES are the key. */
static void key_does_not_outlive_its_context(void **state)
{
    enum { SIZE_MAX_TRIED = 4096, EACH = 8 };
    static void *blocks[SIZE_MAX_TRIED / 16][EACH];

    (void)state;
    for (size_t c = 0; c < cipher_count; c++) {
        uint8_t secret[AEAD_KEY_LEN];
        uint32_t seed = 99 + (uint32_t)c;
        struct aead *a;

        for (size_t i = 0; i < sizeof(secret); i++)
            secret[i] = (uint8_t)next_random(&seed);
        assert_int_equal(aead_new_with(ciphers[c].backend, ciphers[c].suite, secret, &a), 0);
        aead_free(a);
        for (size_t i = 1; i < SIZE_MAX_TRIED / 16; i++)
            for (size_t k = 0; k < EACH; k++) {
                blocks[i][k] = malloc(i * 16);
                assert_non_null(blocks[i][k]);
                assert_null(memmem(blocks[i][k], i * 16, secret, 16));
            }
        for (size_t i = 1; i < SIZE_MAX_TRIED / 16; i++)
            for (size_t k = 0; k < EACH; k++)
                free(blocks[i][k]);
    }
}

/* A backend that is OpenSSL's but for one fault. */
static size_t faulty_len;
static bool fault_accepts;

static int faulty_seal(struct aead *a, const uint8_t n[AEAD_NONCE_LEN], const uint8_t *ad, size_t ad_len,
                       const struct slice *pieces, size_t count, uint8_t *out)
{
    size_t len = 0;
    int err = aead_evp_backend.seal(a, n, ad, ad_len, pieces, count, out);

    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    if (len == faulty_len)
        out[len + AEAD_TAG_LEN - 1] ^= 0x80;
    return err;
}

static int faulty_open(struct aead *a, const uint8_t n[AEAD_NONCE_LEN], const uint8_t *ad, size_t ad_len,
                       uint8_t *data, size_t len)
{
    int err = aead_evp_backend.open(a, n, ad, ad_len, data, len);

    return fault_accepts ? 0 : err;
}

static void backend_that_errs_is_not_trusted(void **state)
{
    struct aead_backend faulty = aead_evp_backend;

    (void)state;
    faulty.seal = faulty_seal;
    faulty.open = faulty_open;
    faulty_len = SIZE_MAX;
    assert_true(aead_agree(&aead_evp_backend, &faulty, AEAD_AES_256_GCM));
    faulty_len = 1400;
    assert_false(aead_agree(&aead_evp_backend, &faulty, AEAD_AES_256_GCM));
    faulty_len = 0;
    assert_false(aead_agree(&aead_evp_backend, &faulty, AEAD_AES_256_GCM));
    faulty_len = SIZE_MAX;
    fault_accepts = true;
    assert_false(aead_agree(&aead_evp_backend, &faulty, AEAD_AES_256_GCM));
    fault_accepts = false;
}

static void chosen_backend_is_one_that_serves_the_suite(void **state)
{
    (void)state;
    for (size_t s = 0; s < 2; s++) {
        const struct aead_backend *chosen = aead_choose(suites[s]);

        assert_non_null(chosen);
        assert_true(chosen->serves(suites[s]));
        assert_ptr_equal(aead_choose(suites[s]), chosen);
        assert_string_equal(aead_backend_name(suites[s]), chosen->name());
        assert_true(aead_agree(&aead_evp_backend, chosen, suites[s]));
    }
    assert_null(aead_choose((enum aead_suite)0));
    assert_null(aead_choose((enum aead_suite)256));
    assert_string_equal(aead_backend_name((enum aead_suite)7), "none");
}

static void the_last_that_serves_and_agrees_is_chosen(void **state)
{
    const struct aead_backend *last = NULL;

    (void)state;
    for (size_t b = 0; aead_backends[b]; b++)
        if (aead_backends[b]->serves(AEAD_AES_256_GCM) &&
            aead_agree(&aead_evp_backend, aead_backends[b], AEAD_AES_256_GCM))
            last = aead_backends[b];
    assert_ptr_equal(aead_choose(AEAD_AES_256_GCM), last);
}

static void unknown_suite_is_refused(void **state)
{
    static const unsigned unknown[] = {0, 3, 254, 256, 257};
    struct aead *a = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_false(aead_suite_known(unknown[i]));
        assert_int_equal(aead_new((enum aead_suite)unknown[i], key, &a), ERR_UNSUPPORTED);
        for (size_t b = 0; aead_backends[b]; b++)
            assert_int_equal(aead_new_with(aead_backends[b], (enum aead_suite)unknown[i], key, &a),
                             ERR_UNSUPPORTED);
    }
    assert_null(a);
    aead_free(NULL);
}

/* Number 255: it exists in builds for benchmarks, and there only between two that were both told so. */
static void suite_without_encryption_cannot_be_agreed_on(void **state)
{
    static const uint8_t null_only[] = {255}, null_first[] = {255, 1, 2}, usual[] = {1, 2};

    (void)state;
    assert_int_equal(aead_common(null_only, 1, usual, 2), 0);
    assert_int_equal(aead_common(usual, 2, null_only, 1), 0);
    assert_int_equal(aead_common(usual, 2, null_first, 3), AEAD_AES_256_GCM);
#ifdef SHADOWMESH_BENCH_NULL
    assert_int_equal(aead_common(null_only, 1, null_only, 1), AEAD_NULL);
#else
    struct aead *a = NULL;

    assert_int_equal(aead_common(null_only, 1, null_only, 1), 0);
    assert_int_equal(aead_common(null_first, 3, null_first, 3), AEAD_AES_256_GCM);
    assert_false(aead_suite_known(255));
    assert_int_equal(aead_new((enum aead_suite)255, key, &a), ERR_UNSUPPORTED);
    assert_null(a);
#endif
}

static void common_suite_is_what_the_slower_side_puts_first(void **state)
{
    static const uint8_t fast[] = {1, 2}, slow[] = {2, 1}, old[] = {1}, newer[] = {9, 1, 77, 2};

    (void)state;
    assert_int_equal(aead_common(fast, 2, fast, 2), AEAD_AES_256_GCM);
    assert_int_equal(aead_common(fast, 2, slow, 2), AEAD_CHACHA20_POLY1305);
    assert_int_equal(aead_common(slow, 2, fast, 2), AEAD_CHACHA20_POLY1305);
    assert_int_equal(aead_common(slow, 2, old, 1), AEAD_AES_256_GCM);
    assert_int_equal(aead_common(newer, 4, fast, 2), AEAD_AES_256_GCM);
    assert_int_equal(aead_common(newer, 1, newer, 1), 0);
    assert_int_equal(aead_common(fast, 2, NULL, 0), 0);
    assert_int_equal(aead_common(NULL, 0, fast, 2), 0);
}

static void suites_have_their_standard_names(void **state)
{
    (void)state;
    assert_string_equal(aead_suite_name(AEAD_AES_256_GCM), "AES-256-GCM");
    assert_string_equal(aead_suite_name(AEAD_CHACHA20_POLY1305), "ChaCha20-Poly1305");
    assert_string_equal(aead_suite_name((enum aead_suite)9), "unknown");
}

static void a_policy_offers_what_it_takes_and_says_why(void **state)
{
    (void)state;
    uint8_t offer[AEAD_OFFER_MAX];
    assert_int_equal(aead_policy_offer(AEAD_AES_ALONE, offer), 1);
    assert_int_equal(offer[0], AEAD_AES_256_GCM);
    assert_string_equal(aead_policy_reason(AEAD_AES_ALONE), "-aead aes");
    assert_int_equal(aead_policy_offer(AEAD_CHACHA_ALONE, offer), 1);
    assert_int_equal(offer[0], AEAD_CHACHA20_POLY1305);
    assert_string_equal(aead_policy_reason(AEAD_CHACHA_ALONE), "-aead chacha20");
    assert_int_equal(aead_policy_offer(AEAD_AUTO, offer), 2);
    assert_int_equal(offer[0], aead_cpu_has_aes() ? AEAD_AES_256_GCM : AEAD_CHACHA20_POLY1305);
    assert_int_equal(offer[0] + offer[1], AEAD_AES_256_GCM + AEAD_CHACHA20_POLY1305);
    assert_int_equal(strstr(aead_policy_reason(AEAD_AUTO), "no AES") == NULL, aead_cpu_has_aes());
}

static void an_arm_cpu_has_aes_when_openssl_takes_it(void **state)
{
    (void)state;
    assert_true(aead_armcap_has_aes("OPENSSL_armcap=0xbd"));
    assert_false(aead_armcap_has_aes("OPENSSL_armcap=0x0 env:0"));
    assert_false(aead_armcap_has_aes("OPENSSL_armcap=0x9d")); /* no PMULL */
    assert_false(aead_armcap_has_aes("OPENSSL_armcap=0xb9")); /* no AES */
    assert_false(aead_armcap_has_aes("N/A"));
    assert_false(aead_armcap_has_aes(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_answers_are_met),
        cmocka_unit_test(scattered_pieces_seal_as_one_string),
        cmocka_unit_test(backends_agree_with_the_reference),
        cmocka_unit_test(altered_input_does_not_open_and_is_zeroed),
        cmocka_unit_test(input_shorter_than_a_tag_does_not_open),
        cmocka_unit_test(empty_message_has_a_tag),
        cmocka_unit_test(key_does_not_outlive_its_context),
        cmocka_unit_test(backend_that_errs_is_not_trusted),
        cmocka_unit_test(chosen_backend_is_one_that_serves_the_suite),
        cmocka_unit_test(the_last_that_serves_and_agrees_is_chosen),
        cmocka_unit_test(unknown_suite_is_refused),
        cmocka_unit_test(suite_without_encryption_cannot_be_agreed_on),
        cmocka_unit_test(common_suite_is_what_the_slower_side_puts_first),
        cmocka_unit_test(suites_have_their_standard_names),
        cmocka_unit_test(a_policy_offers_what_it_takes_and_says_why),
        cmocka_unit_test(an_arm_cpu_has_aes_when_openssl_takes_it),
    };
    return cmocka_run_group_tests(tests, find_ciphers, NULL);
}
