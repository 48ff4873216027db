/* SPDX-License-Identifier: Apache-2.0 */
/* The private OpenSSL library context, and where OpenSSL's memory comes from. Any thread. */

#include "crypto/library.h"

#include "base/vault.h"
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *context;
static _Thread_local unsigned depth;

static void *allocate(size_t len, const char *file, int line)
{
    (void)file, (void)line;
    return depth ? vault_alloc(len) : malloc(len);
}

static void release(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (vault_size(p))
        vault_free(p);
    else
        free(p);
}

/* What began in the vault stays there, and what did not does not. */
static void *reallocate(void *p, size_t len, const char *file, int line)
{
    if (!p)
        return allocate(len, file, line);
    if (!vault_size(p))
        return realloc(p, len);
    if (len)
        return vault_resize(p, len);
    vault_free(p);
    return NULL;
}

static void make_context(void)
{
    /* Possible only before OpenSSL's first allocation, which is this one in our programs. */
    (void)CRYPTO_set_mem_functions(allocate, reallocate, release);
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

void library_begin_secret(void)
{
    (void)library_context();
    depth++;
}

void library_end_secret(void)
{
    depth--;
}
