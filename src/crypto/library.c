/* SPDX-License-Identifier: Apache-2.0 */
/* The private OpenSSL library context, and where OpenSSL's memory comes from. Any thread. */

#include "crypto/library.h"

#include "base/err.h"
#include "base/vault.h"
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *context;
static _Thread_local unsigned depth;
static _Thread_local bool starved; /* an allocation has failed */

static void *noted(void *p)
{
    starved = starved || !p;
    return p;
}

static void *allocate(size_t len, const char *file, int line)
{
    (void)file, (void)line;
    return noted(depth ? vault_alloc(len) : malloc(len));
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
    if (len)
        return noted(vault_size(p) ? vault_resize(p, len) : realloc(p, len));
    release(p, file, line);
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
    if (context && !OSSL_PROVIDER_load(context, "default")) {
        OSSL_LIB_CTX_free(context);
        context = NULL;
    }
}

int library_start(void)
{
    pthread_once(&once, make_context);
    library_begin_secret();
    bool ok = context && RAND_get0_private(context);
    library_end_secret();
    return ok ? 0 : ERR_NOMEM;
}

OSSL_LIB_CTX *library_context(void)
{
    pthread_once(&once, make_context);
    if (!context)
        abort();
    return context;
}

int library_error(int otherwise)
{
    bool no_memory = starved;
    starved = false;
    return no_memory ? ERR_NOMEM : otherwise;
}

void library_begin_secret(void)
{
    pthread_once(&once, make_context);
    depth++;
}

void library_end_secret(void)
{
    depth--;
}
