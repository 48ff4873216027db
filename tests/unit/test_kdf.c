/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-SHA-384 and SHA-384 against published answers, and their limits. */

#include "crypto/kdf.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "vectors.h"

static void published_hkdf_answers_are_met(void **state)
{
    struct vectors v;
    int count = 0;

    (void)state;
    vectors_open(&v, "hkdf_sha384.txt");
    while (vectors_next(&v)) {
        const struct vector_field *ikm = vectors_get(&v, "ikm"), *salt = vectors_get(&v, "salt"),
                                  *info = vectors_get(&v, "info"), *okm = vectors_get(&v, "okm");
        uint8_t prk[KDF_LEN], out[255];

        assert_int_equal(kdf_extract(salt->bytes, salt->len, ikm->bytes, ikm->len, prk), 0);
        assert_int_equal(kdf_expand(prk, info->bytes, info->len, out, okm->len), 0);
        assert_memory_equal(out, okm->bytes, okm->len);
        count++;
    }
    vectors_close(&v);
    assert_int_equal(count, 7);
}

/* FIPS 180-4, the example "abc". */
static void parts_hash_as_one_string(void **state)
{
    static const uint8_t abc[KDF_LEN] = {
        0xcb, 0x00, 0x75, 0x3f, 0x45, 0xa3, 0x5e, 0x8b, 0xb5, 0xa0, 0x3d, 0x69, 0x9a, 0xc6, 0x50, 0x07,
        0x27, 0x2c, 0x32, 0xab, 0x0e, 0xde, 0xd1, 0x63, 0x1a, 0x8b, 0x60, 0x5a, 0x43, 0xff, 0x5b, 0xed,
        0x80, 0x86, 0x07, 0x2b, 0xa1, 0xe7, 0xcc, 0x23, 0x58, 0xba, 0xec, 0xa1, 0x34, 0xc8, 0x25, 0xa7};
    const struct slice whole[] = {{(const uint8_t *)"abc", 3}};
    const struct slice parts[] = {{(const uint8_t *)"a", 1}, {NULL, 0}, {(const uint8_t *)"bc", 2}};
    uint8_t out[KDF_LEN];

    (void)state;
    assert_int_equal(kdf_hash(whole, 1, out), 0);
    assert_memory_equal(out, abc, KDF_LEN);
    assert_int_equal(kdf_hash(parts, 3, out), 0);
    assert_memory_equal(out, abc, KDF_LEN);
}

static void expansion_beyond_the_limit_is_refused_and_zeroed(void **state)
{
    static uint8_t out[255 * KDF_LEN + 1], zero[sizeof(out)];
    const uint8_t key[KDF_LEN] = {1};

    (void)state;
    assert_int_equal(kdf_expand(key, NULL, 0, out, sizeof(out) - 1), 0);
    assert_memory_not_equal(out, zero, KDF_LEN);
    assert_int_equal(kdf_expand(key, NULL, 0, out, sizeof(out)), ERR_ARGUMENT);
    assert_memory_equal(out, zero, sizeof(out));
    assert_int_equal(kdf_expand(key, NULL, 0, out, 0), ERR_ARGUMENT);
}

static void info_of_another_purpose_gives_another_key(void **state)
{
    const uint8_t key[KDF_LEN] = {1};
    uint8_t a[32], b[32];

    (void)state;
    assert_int_equal(kdf_expand(key, (const uint8_t *)"a", 1, a, sizeof(a)), 0);
    assert_int_equal(kdf_expand(key, (const uint8_t *)"b", 1, b, sizeof(b)), 0);
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_hkdf_answers_are_met),
        cmocka_unit_test(parts_hash_as_one_string),
        cmocka_unit_test(expansion_beyond_the_limit_is_refused_and_zeroed),
        cmocka_unit_test(info_of_another_purpose_gives_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
