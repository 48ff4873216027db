/* SPDX-License-Identifier: Apache-2.0 */
/* ML-DSA-87 identities: making, signing, verifying (FIPS 204). Any thread once made. The key's file is
 * keyfile.c's. docs/PROTOCOL.md §1. */

#include "crypto/identity.h"

#include "crypto/identity_internal.h"
#include "crypto/kdf.h"
#include "crypto/library.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHM   "ML-DSA-87"
#define CONTEXT_MAX 255 /* FIPS 204 §5.2 */

struct identity {
    EVP_PKEY *pkey;
    struct node_id id;
    uint8_t spki[IDENTITY_SPKI_LEN];
};

/* All of a SubjectPublicKeyInfo but the key (RFC 9881 §4): an algorithm without parameters and a bit string.
 * DER has one form only, so a key that does not begin like this is not ours. */
static const uint8_t spki_prefix[] = {0x30, 0x82, 0x0a, 0x32, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                      0x01, 0x65, 0x03, 0x04, 0x03, 0x13, 0x03, 0x82, 0x0a, 0x21, 0x00};

int identity_spki_of_pkey(EVP_PKEY *pkey, uint8_t out[IDENTITY_SPKI_LEN])
{
    size_t len = 0;

    if (!EVP_PKEY_is_a(pkey, ALGORITHM))
        return ERR_FORMAT;
    memcpy(out, spki_prefix, sizeof(spki_prefix));
    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, out + sizeof(spki_prefix),
                                        IDENTITY_SPKI_LEN - sizeof(spki_prefix), &len) != 1 ||
        len != IDENTITY_SPKI_LEN - sizeof(spki_prefix))
        return ERR_CRYPTO;
    return 0;
}

int identity_from_pkey(EVP_PKEY *pkey, struct identity **out)
{
    struct identity *me = calloc(1, sizeof(*me));
    int err = ERR_NOMEM;

    if (!me)
        goto out;
    err = identity_spki_of_pkey(pkey, me->spki);
    if (!err)
        err = identity_id_of_spki(me->spki, sizeof(me->spki), &me->id);
    if (err)
        goto out;
    me->pkey = pkey;
    *out = me;
    return 0;
out:
    EVP_PKEY_free(pkey);
    free(me);
    return err;
}

int identity_generate(struct identity **out)
{
    EVP_PKEY *pkey;

    library_begin_secret();
    pkey = EVP_PKEY_Q_keygen(library_context(), NULL, ALGORITHM);
    library_end_secret();
    return pkey ? identity_from_pkey(pkey, out) : library_error(ERR_CRYPTO);
}

/* Nothing is written through the cast: OSSL_PARAM has no const. */
int identity_from_seed(const uint8_t seed[IDENTITY_SEED_LEN], struct identity **out)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED,
                                                             (void *)(uintptr_t)seed, IDENTITY_SEED_LEN),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx;
    bool ok;

    library_begin_secret();
    ctx = EVP_PKEY_CTX_new_from_name(library_context(), ALGORITHM, NULL);
    ok = ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
         EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    library_end_secret();
    return ok ? identity_from_pkey(pkey, out) : library_error(ERR_CRYPTO);
}

void identity_free(struct identity *me)
{
    if (!me)
        return;
    EVP_PKEY_free(me->pkey); /* wipes the private part */
    free(me);
}

const struct node_id *identity_id(const struct identity *me)
{
    return &me->id;
}

const uint8_t *identity_spki(const struct identity *me)
{
    return me->spki;
}

EVP_PKEY *identity_pkey(const struct identity *me)
{
    return me->pkey;
}

int identity_id_of_spki(const uint8_t *spki, size_t len, struct node_id *out)
{
    struct slice whole = {spki, len};
    uint8_t digest[KDF_LEN];
    int err = kdf_hash(&whole, 1, digest);

    if (!err)
        memcpy(out->bytes, digest, ID_LEN);
    return err;
}

/* Nothing is written through the cast: OSSL_PARAM has no const. */
static OSSL_PARAM context_param(const char *context)
{
    return OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_CONTEXT_STRING, (void *)(uintptr_t)context,
                                             strlen(context));
}

int identity_sign(const struct identity *me, const char *context, const uint8_t *message, size_t len,
                  uint8_t signature[IDENTITY_SIGNATURE_LEN])
{
    OSSL_PARAM params[] = {context_param(context), OSSL_PARAM_construct_end()};
    size_t signature_len = IDENTITY_SIGNATURE_LEN;
    EVP_PKEY_CTX *ctx;
    int err = ERR_CRYPTO;

    if (params[0].data_size > CONTEXT_MAX)
        return ERR_ARGUMENT;
    library_begin_secret();
    ctx = EVP_PKEY_CTX_new_from_pkey(library_context(), me->pkey, NULL);
    if (ctx && EVP_PKEY_sign_message_init(ctx, library_algorithms()->mldsa87, params) == 1 &&
        EVP_PKEY_sign(ctx, signature, &signature_len, message, len) == 1 &&
        signature_len == IDENTITY_SIGNATURE_LEN)
        err = 0;
    EVP_PKEY_CTX_free(ctx);
    library_end_secret();
    if (err)
        memset(signature, 0, IDENTITY_SIGNATURE_LEN);
    return err;
}

bool identity_is_spki(const uint8_t *spki, size_t len)
{
    return len == IDENTITY_SPKI_LEN && memcmp(spki, spki_prefix, sizeof(spki_prefix)) == 0;
}

static EVP_PKEY *public_key(const uint8_t *spki, size_t len)
{
    if (!identity_is_spki(spki, len))
        return NULL;
    return EVP_PKEY_new_raw_public_key_ex(library_context(), ALGORITHM, NULL, spki + sizeof(spki_prefix),
                                          len - sizeof(spki_prefix));
}

int identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                    size_t len, const uint8_t *signature, size_t signature_len)
{
    OSSL_PARAM params[] = {context_param(context), OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = NULL;
    EVP_PKEY *pkey;
    int err = ERR_CRYPTO;

    if (params[0].data_size > CONTEXT_MAX)
        return ERR_ARGUMENT;
    pkey = public_key(spki, spki_len);
    if (!pkey)
        return ERR_FORMAT;
    ctx = EVP_PKEY_CTX_new_from_pkey(library_context(), pkey, NULL);
    if (ctx && signature_len == IDENTITY_SIGNATURE_LEN &&
        EVP_PKEY_verify_message_init(ctx, library_algorithms()->mldsa87, params) == 1 &&
        EVP_PKEY_verify(ctx, signature, signature_len, message, len) == 1)
        err = 0;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    ERR_clear_error(); /* a bad signature must not be taken for the error of a later TLS call */
    return err;
}
