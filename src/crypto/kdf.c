/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-SHA-384 and SHA-384 on OpenSSL's EVP. Any thread: each call has a context of its own. */

#include "crypto/kdf.h"

#include "crypto/library.h"
#include "crypto/secret.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define EXPAND_MAX (255 * KDF_LEN) /* RFC 5869 §2.3 */

static char digest_name[] = "SHA2-384"; /* OSSL_PARAM has no const */

/* Nothing is written through the cast. */
static OSSL_PARAM octets(const char *name, const uint8_t *data, size_t len)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)data, len);
}

static int run_hkdf(OSSL_PARAM *params, uint8_t *out, size_t len)
{
    EVP_KDF_CTX *ctx;
    int err = ERR_CRYPTO;

    library_begin_secret();
    ctx = EVP_KDF_CTX_new(library_algorithms()->hkdf);
    if (!ctx)
        err = ERR_NOMEM;
    else if (EVP_KDF_derive(ctx, out, len, params) == 1)
        err = 0;
    EVP_KDF_CTX_free(ctx);
    library_end_secret();
    if (err)
        secret_wipe(out, len);
    return err;
}

int kdf_extract(const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len,
                uint8_t out[KDF_LEN])
{
    int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    OSSL_PARAM params[5], *p = params;

    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name, 0);
    *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    *p++ = octets(OSSL_KDF_PARAM_KEY, ikm, ikm_len);
    if (salt_len)
        *p++ = octets(OSSL_KDF_PARAM_SALT, salt, salt_len);
    *p = OSSL_PARAM_construct_end();
    return run_hkdf(params, out, KDF_LEN);
}

int kdf_expand(const uint8_t key[KDF_LEN], const uint8_t *info, size_t info_len, uint8_t *out, size_t len)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM params[5], *p = params;

    if (len == 0 || len > EXPAND_MAX) {
        secret_wipe(out, len);
        return ERR_ARGUMENT;
    }
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name, 0);
    *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    *p++ = octets(OSSL_KDF_PARAM_KEY, key, KDF_LEN);
    if (info_len)
        *p++ = octets(OSSL_KDF_PARAM_INFO, info, info_len);
    *p = OSSL_PARAM_construct_end();
    return run_hkdf(params, out, len);
}

int kdf_hash(const struct slice *parts, size_t count, uint8_t out[KDF_LEN])
{
    const EVP_MD *sha384 = library_algorithms()->sha384; /* before OpenSSL's first allocation */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int err = ERR_CRYPTO;

    if (!ctx) {
        err = ERR_NOMEM;
        goto out;
    }
    if (EVP_DigestInit_ex2(ctx, sha384, NULL) != 1)
        goto out;
    for (size_t i = 0; i < count; i++)
        if (EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) != 1)
            goto out;
    if (EVP_DigestFinal_ex(ctx, out, NULL) == 1)
        err = 0;
out:
    if (err)
        secret_wipe(out, KDF_LEN);
    EVP_MD_CTX_free(ctx);
    return err;
}
