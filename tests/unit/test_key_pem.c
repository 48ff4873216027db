/* SPDX-License-Identifier: Apache-2.0 */
/* A private key as text: it comes back, sealed by its passphrase alone, and nothing else is taken for one. */

#include "crypto/key_pem.h"

#include "crypto/identity.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct identity *key;
static char plain[KEY_PEM_MAX], sealed[KEY_PEM_MAX];
static size_t plain_len, sealed_len;

static int setup(void **state)
{
    (void)state;
    return identity_generate(&key) || key_pem_encode(key, NULL, plain, &plain_len) ||
           key_pem_encode(key, "correct horse", sealed, &sealed_len);
}

static int teardown(void **state)
{
    (void)state;
    identity_free(key);
    return 0;
}

static void assert_is_key(struct identity *got)
{
    assert_int_equal(id_compare(identity_id(got), identity_id(key)), 0);
    identity_free(got);
}

static void key_comes_back(void **state)
{
    struct identity *got;
    (void)state;
    assert_false(key_pem_is_sealed(plain, plain_len));
    assert_int_equal(key_pem_decode(plain, plain_len, NULL, &got), 0);
    assert_is_key(got);
}

static void sealed_key_comes_back_by_its_passphrase_alone(void **state)
{
    struct identity *got;
    (void)state;
    assert_true(key_pem_is_sealed(sealed, sealed_len));
    assert_int_equal(key_pem_decode(sealed, sealed_len, "correct horse", &got), 0);
    assert_is_key(got);
    assert_int_equal(key_pem_decode(sealed, sealed_len, "correct house", &got), ERR_MISMATCH);
    assert_int_equal(key_pem_decode(sealed, sealed_len, "", &got), ERR_MISMATCH);
    assert_int_equal(key_pem_decode(sealed, sealed_len, NULL, &got), ERR_FORMAT);
}

/* A line of the plain one holds 48 bytes of the key. */
static void sealed_key_has_nothing_of_the_plain_one(void **state)
{
    char line[65] = "";
    (void)state;
    for (const char *at = strchr(plain, '\n') + 1; strlen(at) > 64 && at[0] != '-'; at += 65) {
        memcpy(line, at, 64);
        assert_null(strstr(sealed, line));
    }
}

static void altered_key_is_none(void **state)
{
    char text[KEY_PEM_MAX];
    struct identity *got;
    (void)state;
    memcpy(text, sealed, sealed_len + 1);
    char *digit = text + sealed_len / 2;
    digit -= *digit == '\n';
    *digit = *digit == 'A' ? 'B' : 'A';
    assert_int_not_equal(key_pem_decode(text, sealed_len, "correct horse", &got), 0);
    assert_int_not_equal(key_pem_decode(sealed, sealed_len / 2, "correct horse", &got), 0);
    assert_int_equal(key_pem_decode("no key", 6, NULL, &got), ERR_FORMAT);
    assert_int_equal(key_pem_decode("no key", 6, "correct horse", &got), ERR_FORMAT);
    assert_int_equal(key_pem_decode("", 0, NULL, &got), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_comes_back),
        cmocka_unit_test(sealed_key_comes_back_by_its_passphrase_alone),
        cmocka_unit_test(sealed_key_has_nothing_of_the_plain_one),
        cmocka_unit_test(altered_key_is_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
