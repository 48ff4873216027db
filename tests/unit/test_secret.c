/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/secret: randomness that is fresh when it has to be. */

#include "crypto/secret.h"

#include "crypto/library.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

static unsigned seedings(EVP_RAND_CTX *generator)
{
    unsigned count = 0;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_DRBG_PARAM_RESEED_COUNTER, &count),
                           OSSL_PARAM_construct_end()};
    assert_int_equal(EVP_RAND_CTX_get_params(generator, params), 1);
    return count;
}

static void reseeding_reaches_the_generator_of_the_thread(void **state)
{
    uint8_t bytes[32];
    (void)state;
    secret_random(bytes, sizeof(bytes));
    EVP_RAND_CTX *generator = RAND_get0_private(library_context());
    unsigned before = seedings(generator);
    secret_random(bytes, sizeof(bytes));
    assert_int_equal(seedings(generator), before);
    secret_reseed();
    secret_random(bytes, sizeof(bytes));
    assert_int_not_equal(seedings(generator), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reseeding_reaches_the_generator_of_the_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
