/* SPDX-License-Identifier: Apache-2.0 */
/* The private OpenSSL library context, and where OpenSSL's memory comes from. Any thread. */

#include "crypto/library.h"

#include "base/err.h"
#include "base/vault.h"
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *context;
static struct library_algorithms algorithms;
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

static bool fetch_ours(void)
{
    algorithms = (struct library_algorithms){
        .hkdf = EVP_KDF_fetch(context, "HKDF", NULL),
        .sha384 = EVP_MD_fetch(context, "SHA2-384", NULL),
        .mldsa87 = EVP_SIGNATURE_fetch(context, "ML-DSA-87", NULL),
        .aes_256_gcm = EVP_CIPHER_fetch(context, "AES-256-GCM", NULL),
        .chacha20_poly1305 = EVP_CIPHER_fetch(context, "ChaCha20-Poly1305", NULL),
    };
    return algorithms.hkdf && algorithms.sha384 && algorithms.mldsa87 && algorithms.aes_256_gcm &&
           algorithms.chacha20_poly1305;
}

/* What TLS and keys are made of. The first look-up of a kind enters all algorithms of that kind, once and for all: one for
 * which there is no memory then is never found again. */
static bool enter_others(void)
{
    EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(context, "ML-DSA-87", NULL);
    EVP_KEYEXCH *exchange = EVP_KEYEXCH_fetch(context, "X25519", NULL);
    EVP_KEM *kem = EVP_KEM_fetch(context, "ML-KEM-1024", NULL);
    EVP_MAC *mac = EVP_MAC_fetch(context, "HMAC", NULL);
    EVP_RAND *random = EVP_RAND_fetch(context, "CTR-DRBG", NULL);
    OSSL_ENCODER *encoder = OSSL_ENCODER_fetch(context, "ML-DSA-87", NULL);
    OSSL_DECODER *decoder = OSSL_DECODER_fetch(context, "ML-DSA-87", NULL);
    bool all = keys && exchange && kem && mac && random && encoder && decoder;
    EVP_KEYMGMT_free(keys);
    EVP_KEYEXCH_free(exchange);
    EVP_KEM_free(kem);
    EVP_MAC_free(mac);
    EVP_RAND_free(random);
    OSSL_ENCODER_free(encoder);
    OSSL_DECODER_free(decoder);
    return all;
}

/* What is made at its first use, and never again if that failed: how a peer's public key is read, and what the first key
 * and the first context of TLS bring along. */
static bool use_once(void)
{
    EVP_PKEY *read = NULL;
    OSSL_DECODER_CTX *reader = OSSL_DECODER_CTX_new_for_pkey(&read, "DER", "SubjectPublicKeyInfo",
                                                             "ML-DSA-87", EVP_PKEY_PUBLIC_KEY, context, NULL);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(context, NULL, "X25519");
    SSL_CTX *tls = SSL_CTX_new_ex(context, NULL, TLS_method());
    bool all = reader && key && tls;
    SSL_CTX_free(tls);
    EVP_PKEY_free(key);
    OSSL_DECODER_CTX_free(reader);
    return all;
}

static void make_context(void)
{
    /* Possible only before OpenSSL's first allocation, which is this one in our programs. */
    (void)CRYPTO_set_mem_functions(allocate, reallocate, release);
    /* The default context is left to libraries such as libcurl, but SSL_CTX_new would load openssl.cnf into
     * it. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    context = OSSL_LIB_CTX_new();
    if (context &&
        (!OSSL_PROVIDER_load(context, "default") || !fetch_ours() || !enter_others() || !use_once())) {
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
    return ok ? library_error(0) : ERR_NOMEM;
}

OSSL_LIB_CTX *library_context(void)
{
    pthread_once(&once, make_context);
    if (!context)
        abort();
    return context;
}

const struct library_algorithms *library_algorithms(void)
{
    (void)library_context();
    return &algorithms;
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
