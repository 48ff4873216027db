/* SPDX-License-Identifier: Apache-2.0 */
/* The AEADs of OpenSSL. Algorithms are fetched once per process, a context is keyed once, and per datagram
 * only the nonce is set. One thread at a time per context. docs/PROTOCOL.md, "Data plane". */

#include "crypto/aead_backend.h"

#include "crypto/library.h"
#include "crypto/secret.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A piece shorter than this is gathered in the output before it is encrypted: one call on 100 bytes costs
 * less than the entry into the library for each of its parts. */
#define BULK_MIN 256

/* The bulk code of both ciphers starts at a block; a long piece that begins within one runs slower. */
#define BLOCK_LEN 64

struct aead_evp {
    struct aead base;
    EVP_CIPHER_CTX *ctx;
    OSSL_PARAM tag[2]; /* the tag's place in the datagram at hand; made once since lookup by name costs */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *aes_256_gcm, *chacha20_poly1305;

static void fetch(void)
{
    aes_256_gcm = EVP_CIPHER_fetch(library_context(), "AES-256-GCM", NULL);
    chacha20_poly1305 = EVP_CIPHER_fetch(library_context(), "ChaCha20-Poly1305", NULL);
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
    struct aead_evp *a;
    EVP_CIPHER *cipher;

    pthread_once(&once, fetch);
    cipher = suite == AEAD_AES_256_GCM ? aes_256_gcm : chacha20_poly1305;
    if (!cipher)
        return ERR_UNSUPPORTED;
    a = calloc(1, sizeof(*a));
    if (!a)
        return ERR_NOMEM;
    a->base.backend = &aead_evp_backend;
    a->tag[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, AEAD_TAG_LEN);
    a->tag[1] = OSSL_PARAM_construct_end();
    a->ctx = EVP_CIPHER_CTX_new();
    if (!a->ctx || EVP_EncryptInit_ex2(a->ctx, cipher, key, NULL, NULL) != 1) {
        evp_destroy(&a->base);
        return ERR_CRYPTO;
    }
    *out = &a->base;
    return 0;
}

/* Encrypts or, with out NULL, only authenticates. */
static bool update(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *in, size_t len)
{
    int n;

    return len == 0 || EVP_EncryptUpdate(ctx, out, &n, in, (int)len) == 1;
}

/* Brings the bytes of the long piece p that complete a block of those gathered at out (`gathered` of them)
 * there too, encrypts both, and returns how many bytes of p are done, or -1: all of the last piece, else
 * whole blocks. */
static ssize_t seal_bulk(EVP_CIPHER_CTX *ctx, uint8_t *out, size_t gathered, const struct slice *p, bool last)
{
    size_t fill = (BLOCK_LEN - gathered % BLOCK_LEN) % BLOCK_LEN;
    size_t bulk = p->len - fill;

    if (!last)
        bulk -= bulk % BLOCK_LEN;
    memcpy(out + gathered, p->data, fill);
    if (!update(ctx, out, out, gathered + fill) || !update(ctx, out + gathered + fill, p->data + fill, bulk))
        return -1;
    return (ssize_t)(fill + bulk);
}

/* All pieces; *len becomes their sum. */
static bool seal_pieces(EVP_CIPHER_CTX *ctx, const struct slice *pieces, size_t count, uint8_t *out,
                        size_t *len)
{
    size_t done = 0, gathered = 0;

    for (size_t i = 0; i < count; i++) {
        struct slice p = pieces[i];

        if (p.len >= BULK_MIN) {
            ssize_t n = seal_bulk(ctx, out + done, gathered, &p, i + 1 == count);

            if (n < 0)
                return false;
            done += gathered + (size_t)n;
            gathered = 0;
            p.data += n;
            p.len -= (size_t)n;
        }
        if (p.len)
            memcpy(out + done + gathered, p.data, p.len);
        gathered += p.len;
    }
    *len = done + gathered;
    return update(ctx, out + done, out + done, gathered);
}

static int evp_seal(struct aead *base, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad,
                    size_t aad_len, const struct slice *pieces, size_t count, uint8_t *out)
{
    struct aead_evp *a = evp(base);
    size_t len = 0;
    int n;

    if (EVP_EncryptInit_ex2(a->ctx, NULL, NULL, nonce, NULL) != 1 || !update(a->ctx, NULL, aad, aad_len) ||
        !seal_pieces(a->ctx, pieces, count, out, &len) || EVP_EncryptFinal_ex(a->ctx, out + len, &n) != 1)
        return ERR_CRYPTO;
    a->tag[0].data = out + len;
    return EVP_CIPHER_CTX_get_params(a->ctx, a->tag) == 1 ? 0 : ERR_CRYPTO;
}

static int evp_open(struct aead *base, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad,
                    size_t aad_len, uint8_t *data, size_t len)
{
    struct aead_evp *a = evp(base);
    size_t body = len - AEAD_TAG_LEN;
    int n;

    a->tag[0].data = data + body;
    if (EVP_DecryptInit_ex2(a->ctx, NULL, NULL, nonce, a->tag) != 1)
        return ERR_CRYPTO;
    if (aad_len && EVP_DecryptUpdate(a->ctx, NULL, &n, aad, (int)aad_len) != 1)
        return ERR_CRYPTO;
    if (body && EVP_DecryptUpdate(a->ctx, data, &n, data, (int)body) != 1)
        return ERR_CRYPTO;
    return EVP_DecryptFinal_ex(a->ctx, data + body, &n) == 1 ? 0 : ERR_CRYPTO;
}

const struct aead_backend aead_evp_backend = {
    .create = evp_create, .destroy = evp_destroy, .seal = evp_seal, .open = evp_open};
