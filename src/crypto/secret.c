/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness, wiping and comparison. Any thread: OpenSSL keeps one generator per thread. */

#include "crypto/secret.h"

#include "crypto/library.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

void secret_random(void *out, size_t len)
{
    library_begin_secret(); /* the thread's generator is made at its first use */
    if (RAND_priv_bytes_ex(library_context(), out, len, 0) != 1)
        abort();
    library_end_secret();
}

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    secret_random(out, len);
}

const struct random_source secret_source = {.fill = fill};

/* The threads' generators notice that the one which seeds them was reseeded. */
void secret_reseed(void)
{
    EVP_RAND_CTX *primary = RAND_get0_primary(library_context());
    if (!primary || EVP_RAND_reseed(primary, 1, NULL, 0, NULL, 0) != 1)
        abort();
}

void secret_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
