/* SPDX-License-Identifier: Apache-2.0 */
/* The AEADs of OpenSSL. A context is keyed once, and per datagram
 * only the nonce is set. One thread at a time per context. docs/PROTOCOL.md §4. */

#include "crypto/aead_backend.h"

#include "crypto/aead_gather.h"
#include "crypto/library.h"
#include "crypto/secret.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Measured: one call on 100 bytes costs less than the entry into the library for each of its parts. */
#define BULK_MIN  256
#define BLOCK_LEN 64

struct aead_evp {
    struct aead base;
    EVP_CIPHER_CTX *ctx;
    OSSL_PARAM tag[2]; /* the tag's place in the datagram at hand; made once since lookup by name costs */
    int written; /* what each call reports, and nobody asks: on the stack it would be guarded each time */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char name[40];

static void make_name(void)
{
    snprintf(name, sizeof(name), "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
}

static const char *evp_name(void)
{
    pthread_once(&once, make_name);
    return name;
}

static EVP_CIPHER *cipher_of(enum aead_suite suite)
{
    switch (suite) {
    case AEAD_AES_256_GCM:
        return library_algorithms()->aes_256_gcm;
    case AEAD_CHACHA20_POLY1305:
        return library_algorithms()->chacha20_poly1305;
#ifdef SHADOWMESH_BENCH_NULL
    case AEAD_NULL:
        break;
#endif
    }
    return NULL;
}

static bool evp_serves(enum aead_suite suite)
{
    return cipher_of(suite) != NULL;
}

static struct aead_evp *evp(struct aead *a)
{
    return (struct aead_evp *)a; /* base is the first member */
}

static void evp_destroy(struct aead *a)
{
    EVP_CIPHER_CTX_free(evp(a)->ctx); /* wipes the key schedule */
    free(evp(a));
}

static int evp_create(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN], struct aead **out)
{
    struct aead_evp *a = calloc(1, sizeof(*a));

    if (!a)
        return ERR_NOMEM;
    a->tag[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, AEAD_TAG_LEN);
    a->tag[1] = OSSL_PARAM_construct_end();
    library_begin_secret();
    a->ctx = EVP_CIPHER_CTX_new();
    bool keyed = a->ctx && EVP_EncryptInit_ex2(a->ctx, cipher_of(suite), key, NULL, NULL) == 1;
    library_end_secret();
    if (!keyed) {
        evp_destroy(&a->base);
        return ERR_CRYPTO;
    }
    *out = &a->base;
    return 0;
}

static int evp_set_key(struct aead *base, const uint8_t key[AEAD_KEY_LEN])
{
    return EVP_EncryptInit_ex2(evp(base)->ctx, NULL, key, NULL, NULL) == 1 ? 0 : ERR_CRYPTO;
}

/* Encrypts or, with out NULL, only authenticates. */
static bool update(struct aead_evp *a, uint8_t *out, const uint8_t *in, size_t len)
{
    return len == 0 || EVP_EncryptUpdate(a->ctx, out, &a->written, in, (int)len) == 1;
}

static int evp_seal(struct aead *base, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad,
                    size_t aad_len, const struct slice *pieces, size_t count, uint8_t *out)
{
    struct aead_gather g = {
        .pieces = pieces, .count = count, .out = out, .bulk_min = BULK_MIN, .block = BLOCK_LEN};
    struct aead_evp *a = evp(base);
    struct aead_run run;

    if (EVP_EncryptInit_ex2(a->ctx, NULL, NULL, nonce, NULL) != 1 || !update(a, NULL, aad, aad_len))
        return ERR_CRYPTO;
    while (aead_gather_next(&g, &run))
        if (!update(a, run.out, run.in, run.len))
            return ERR_CRYPTO;
    if (EVP_EncryptFinal_ex(a->ctx, g.out, &a->written) != 1)
        return ERR_CRYPTO;
    a->tag[0].data = g.out;
    return EVP_CIPHER_CTX_get_params(a->ctx, a->tag) == 1 ? 0 : ERR_CRYPTO;
}

static int evp_open(struct aead *base, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad,
                    size_t aad_len, uint8_t *data, size_t len)
{
    struct aead_evp *a = evp(base);
    size_t body = len - AEAD_TAG_LEN;

    a->tag[0].data = data + body;
    if (EVP_DecryptInit_ex2(a->ctx, NULL, NULL, nonce, a->tag) != 1)
        return ERR_CRYPTO;
    if (aad_len && EVP_DecryptUpdate(a->ctx, NULL, &a->written, aad, (int)aad_len) != 1)
        return ERR_CRYPTO;
    if (body && EVP_DecryptUpdate(a->ctx, data, &a->written, data, (int)body) != 1)
        return ERR_CRYPTO;
    return EVP_DecryptFinal_ex(a->ctx, data + body, &a->written) == 1 ? 0 : ERR_CRYPTO;
}

const struct aead_backend aead_evp_backend = {.name = evp_name,
                                              .serves = evp_serves,
                                              .create = evp_create,
                                              .set_key = evp_set_key,
                                              .destroy = evp_destroy,
                                              .seal = evp_seal,
                                              .open = evp_open};
