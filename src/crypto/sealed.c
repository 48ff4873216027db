/* SPDX-License-Identifier: Apache-2.0 */
/* kind ‖ salt ‖ nonce ‖ ciphertext ‖ tag; the kind is authenticated, too. */

#include "crypto/sealed.h"

#include "base/bytes.h"
#include "crypto/library.h"
#include "crypto/secret.h"
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#define KIND      "shadowmesh sealed "
#define VERSION   KIND "1\n"
#define HEAD_LEN  (sizeof(VERSION) - 1)
#define NONCE_LEN 12
#define TAG_LEN   16
#define KEY_LEN   32
#define CHUNK     (1 << 20) /* OpenSSL counts in int */

static_assert(SEALED_MORE == HEAD_LEN + SEALED_SALT_LEN + NONCE_LEN + TAG_LEN, "a header's length is told");

bool sealed_is(const uint8_t *bytes, size_t len)
{
    return len >= sizeof(KIND) - 1 && memcmp(bytes, KIND, sizeof(KIND) - 1) == 0;
}

/* ---- the key ---- */

static int derive(const char *passphrase, const uint8_t salt[SEALED_SALT_LEN], uint8_t key[KEY_LEN])
{
    uint64_t n = SEALED_SCRYPT_N;
    uint32_t r = SEALED_SCRYPT_R, p = SEALED_SCRYPT_P;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)passphrase,
                                          strlen(passphrase)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, SEALED_SALT_LEN),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_end()};
    EVP_KDF *scrypt = EVP_KDF_fetch(library_context(), "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = scrypt ? EVP_KDF_CTX_new(scrypt) : NULL;
    bool ok = ctx && EVP_KDF_derive(ctx, key, KEY_LEN, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(scrypt);
    return ok ? 0 : library_error(ERR_CRYPTO);
}

/* ---- the cipher ---- */

static bool begin(EVP_CIPHER_CTX *ctx, const uint8_t key[KEY_LEN], const uint8_t nonce[NONCE_LEN], int seals)
{
    int n;

    return EVP_CipherInit_ex2(ctx, library_algorithms()->aes_256_gcm, key, nonce, seals, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)VERSION, HEAD_LEN) == 1;
}

static bool run(EVP_CIPHER_CTX *ctx, const uint8_t *in, size_t len, uint8_t *out)
{
    int n;

    for (size_t at = 0; at < len; at += CHUNK)
        if (EVP_CipherUpdate(ctx, out + at, &n, in + at, (int)(len - at < CHUNK ? len - at : CHUNK)) != 1)
            return false;
    return true;
}

static int seal(const uint8_t key[KEY_LEN], const uint8_t *nonce, const uint8_t *plain, size_t len,
                uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t none[1];
    int n;
    bool ok = ctx && begin(ctx, key, nonce, 1) && run(ctx, plain, len, out) &&
              EVP_CipherFinal_ex(ctx, none, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + len) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : library_error(ERR_CRYPTO);
}

static int open_sealed(const uint8_t key[KEY_LEN], const uint8_t *nonce, const uint8_t *sealed, size_t len,
                       uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[TAG_LEN], none[1];
    int n;

    memcpy(tag, sealed + len, sizeof(tag));
    bool ok = ctx && begin(ctx, key, nonce, 0) && run(ctx, sealed, len, out) &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1;
    bool opens = ok && EVP_CipherFinal_ex(ctx, none, &n) == 1;

    EVP_CIPHER_CTX_free(ctx);
    if (!opens)
        secret_wipe(out, len);
    return opens ? 0 : ok ? ERR_MISMATCH : library_error(ERR_CRYPTO);
}

/* ---- both ---- */

int sealed_encode(const char *passphrase, const uint8_t *plain, size_t len, uint8_t *out)
{
    uint8_t key[KEY_LEN], *salt = out + HEAD_LEN, *nonce = salt + SEALED_SALT_LEN;

    memcpy(out, VERSION, HEAD_LEN);
    secret_random(salt, SEALED_SALT_LEN + NONCE_LEN);
    library_begin_secret();
    int err = derive(passphrase, salt, key);
    if (!err)
        err = seal(key, nonce, plain, len, nonce + NONCE_LEN);
    library_end_secret();
    secret_wipe(key, sizeof(key));
    ERR_clear_error();
    return err;
}

int sealed_decode(const char *passphrase, const uint8_t *bytes, size_t len, uint8_t *out, size_t *out_len)
{
    struct reader r = reader_init(bytes, len);
    const uint8_t *head = reader_take(&r, HEAD_LEN), *salt = reader_take(&r, SEALED_SALT_LEN),
                  *nonce = reader_take(&r, NONCE_LEN);
    uint8_t key[KEY_LEN];

    *out_len = 0;
    if (!head || memcmp(head, VERSION, HEAD_LEN) != 0)
        return ERR_UNSUPPORTED;
    if (reader_left(&r) < TAG_LEN)
        return ERR_MISMATCH;
    library_begin_secret();
    int err = derive(passphrase, salt, key);
    if (!err)
        err = open_sealed(key, nonce, r.at, reader_left(&r) - TAG_LEN, out);
    library_end_secret();
    secret_wipe(key, sizeof(key));
    ERR_clear_error();
    if (!err)
        *out_len = len - SEALED_MORE;
    return err;
}
