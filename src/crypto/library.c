/* SPDX-License-Identifier: Apache-2.0 */
/* The private OpenSSL library context. Any thread. */

#include "crypto/library.h"

#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *context;

static void make_context(void)
{
    /* The default context is left to libraries such as libcurl, but SSL_CTX_new would load openssl.cnf into
     * it. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    context = OSSL_LIB_CTX_new();
    if (!context || !OSSL_PROVIDER_load(context, "default"))
        abort();
}

OSSL_LIB_CTX *library_context(void)
{
    pthread_once(&once, make_context);
    return context;
}
