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
    int err = EVP_RAND_instantiate(ctx, STRENGTH, 0, NULL, 0, params);
    for (uint64_t i = 0; err == 1 && i < seed % STREAMS; i++)
        err = EVP_RAND_generate(ctx, skipped, sizeof(skipped), STRENGTH, 0, NULL, 0);
    assert(err == 1);
    (void)err;
}

void sim_random_seed(uint64_t seed)
{
    static EVP_RAND_CTX *public, *private;
    if (!public) {
        public = generator();
        private = generator();
        restart(public, seed);
        restart(private, seed);
        int err = RAND_set0_public(library_context(), public);
        if (err == 1)
            err = RAND_set0_private(library_context(), private);
        assert(err == 1);
        (void)err;
        return;
    }
    restart(public, seed);
    restart(private, seed);
}
