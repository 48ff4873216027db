/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's generator for tests in the place of its own: a pure function of how much was drawn since it was started. */

#include "sim_random.h"

#include "crypto/library.h"
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdbool.h>

#define STRENGTH 256
#define STREAMS  4096 /* a seed is a place in the generator's one sequence … */
#define APART    8    /* … so many bytes from the next */

static EVP_RAND_CTX *generator(void)
{
    EVP_RAND *kind = EVP_RAND_fetch(library_context(), "TEST-RAND", NULL);
    assert(kind);
    EVP_RAND_CTX *ctx = EVP_RAND_CTX_new(kind, NULL);
    EVP_RAND_free(kind);
    assert(ctx);
    return ctx;
}

static void restart(EVP_RAND_CTX *ctx, uint64_t seed)
{
    unsigned strength = STRENGTH, generate = 1;
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength),
                                 OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_GENERATE, &generate),
                                 OSSL_PARAM_construct_end()};
    unsigned char skipped[APART];
    (void)EVP_RAND_uninstantiate(ctx);
    int rc = EVP_RAND_instantiate(ctx, STRENGTH, 0, NULL, 0, params);
    for (uint64_t i = 0; rc == 1 && i < seed % STREAMS; i++)
        rc = EVP_RAND_generate(ctx, skipped, sizeof skipped, STRENGTH, 0, NULL, 0);
    assert(rc == 1);
    (void)rc;
}

void sim_random_seed(uint64_t seed)
{
    static EVP_RAND_CTX *public, *private;
    if (!public) {
        public = generator();
        private = generator();
        restart(public, seed);
        restart(private, seed);
        int rc = RAND_set0_public(library_context(), public);
        if (rc == 1)
            rc = RAND_set0_private(library_context(), private);
        assert(rc == 1);
        (void)rc;
        return;
    }
    restart(public, seed);
    restart(private, seed);
}
