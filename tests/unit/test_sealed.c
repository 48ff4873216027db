/* SPDX-License-Identifier: Apache-2.0 */
/* What a passphrase seals comes back by it alone, and one altered bit opens nothing. */

#include "crypto/sealed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LEN     100
#define PHRASE  "correct horse"
#define WHOLE   (LEN + SEALED_MORE)
#define KIND_AT 18 /* of the version's digit */

static uint8_t plain[LEN], sealed[WHOLE], out[LEN];
static size_t len;

static int setup(void **state)
{
    (void)state;
    memset(plain, 'x', sizeof(plain));
    return sealed_encode(PHRASE, plain, sizeof(plain), sealed);
}

static void it_comes_back_by_its_passphrase_alone(void **state)
{
    (void)state;
    assert_true(sealed_is(sealed, sizeof(sealed)));
    assert_int_equal(sealed_decode(PHRASE, sealed, sizeof(sealed), out, &len), 0);
    assert_int_equal(len, LEN);
    assert_memory_equal(out, plain, LEN);
    assert_int_equal(sealed_decode("correct house", sealed, sizeof(sealed), out, &len), ERR_MISMATCH);
    assert_int_equal(len, 0);
    for (size_t i = 0; i < LEN; i++)
        assert_int_equal(out[i], 0);
}

static void nothing_of_it_is_seen_and_no_two_are_alike(void **state)
{
    uint8_t again[WHOLE];
    (void)state;
    assert_null(memmem(sealed, sizeof(sealed), "xxxx", 4));
    assert_int_equal(sealed_encode(PHRASE, plain, sizeof(plain), again), 0);
    assert_memory_not_equal(again + 20, sealed + 20, SEALED_SALT_LEN);
    assert_memory_not_equal(again + WHOLE - LEN, sealed + WHOLE - LEN, LEN);
}

static void altered_or_cut_it_opens_nothing(void **state)
{
    static const size_t places[] = {20, 36, 48, WHOLE - 17, WHOLE - 1}; /* salt, nonce, content, tag */
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        sealed[places[i]] ^= 1;
        assert_int_equal(sealed_decode(PHRASE, sealed, sizeof(sealed), out, &len), ERR_MISMATCH);
        sealed[places[i]] ^= 1;
    }
    assert_int_equal(sealed_decode(PHRASE, sealed, sizeof(sealed) - 1, out, &len), ERR_MISMATCH);
    assert_int_equal(sealed_decode(PHRASE, sealed, SEALED_MORE - 1, out, &len), ERR_MISMATCH);
}

static void another_version_is_told(void **state)
{
    (void)state;
    sealed[KIND_AT]++;
    assert_true(sealed_is(sealed, sizeof(sealed)));
    assert_int_equal(sealed_decode(PHRASE, sealed, sizeof(sealed), out, &len), ERR_UNSUPPORTED);
    assert_int_equal(sealed_decode(PHRASE, sealed, 19, out, &len), ERR_UNSUPPORTED);
    sealed[0]++;
    assert_false(sealed_is(sealed, sizeof(sealed)));
    assert_false(sealed_is(sealed, 0));
}

static void more_than_openssl_takes_at_once_comes_back(void **state)
{
    size_t many = (3u << 20) + 7;
    uint8_t *big = calloc(1, many), *whole = malloc(many + SEALED_MORE), *back = malloc(many);
    (void)state;
    assert_true(big && whole && back);
    big[many - 1] = 1;
    assert_int_equal(sealed_encode(PHRASE, big, many, whole), 0);
    assert_int_equal(sealed_decode(PHRASE, whole, many + SEALED_MORE, back, &len), 0);
    assert_memory_equal(back, big, many);
    free(big);
    free(whole);
    free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_comes_back_by_its_passphrase_alone, setup),
        cmocka_unit_test_setup(nothing_of_it_is_seen_and_no_two_are_alike, setup),
        cmocka_unit_test_setup(altered_or_cut_it_opens_nothing, setup),
        cmocka_unit_test_setup(another_version_is_told, setup),
        cmocka_unit_test_setup(more_than_openssl_takes_at_once_comes_back, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
