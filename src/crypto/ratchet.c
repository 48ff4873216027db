/* SPDX-License-Identifier: Apache-2.0 */
/* The data-key ratchet: X25519 (RFC 7748) and ML-KEM-1024 (FIPS 203) side by side, so that the new root is
 * secret while either holds. Any thread. docs/PROTOCOL.md §12:
 *
 *   ikm      = X25519 shared secret ‖ ML-KEM-1024 shared secret
 *   prk      = HKDF-Extract(salt = last root, ikm)
 *   new root = HKDF-Expand(prk, "shadowmesh ratchet" ‖ SHA-384(offer ‖ answer), 48)
 */

#include "crypto/ratchet.h"

#include "crypto/library.h"
#include "crypto/secret.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define X25519_LEN     32
#define MLKEM_KEY_LEN  1568 /* FIPS 203, table 3: encapsulation key */
#define MLKEM_TEXT_LEN 1568 /* ciphertext */
#define MLKEM_LEN      32   /* shared secret */
#define INFO           "shadowmesh ratchet"

struct ratchet_offer {
    EVP_PKEY *x25519, *mlkem;
    uint8_t message[RATCHET_OFFER_LEN];
};

/* X25519 ‖ ML-KEM-1024. */
struct shared {
    uint8_t x25519[X25519_LEN];
    uint8_t mlkem[MLKEM_LEN];
};

_Static_assert(sizeof(struct shared) == X25519_LEN + MLKEM_LEN, "hashed as one string");

static bool put_public(EVP_PKEY *key, uint8_t *out, size_t len)
{
    size_t got = len;

    return EVP_PKEY_get_raw_public_key(key, out, &got) == 1 && got == len;
}

static int agree(EVP_PKEY *mine, const uint8_t theirs[X25519_LEN], uint8_t out[X25519_LEN])
{
    static const uint8_t zero[X25519_LEN];
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(library_context(), "X25519", NULL, theirs, X25519_LEN);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(library_context(), mine, NULL);
    size_t len = X25519_LEN;
    int err = ERR_CRYPTO;

    if (peer && ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
        EVP_PKEY_derive(ctx, out, &len) == 1 && len == X25519_LEN && !secret_equal(out, zero, X25519_LEN))
        err = 0; /* all zeros: the peer chose a point of small order (RFC 7748 §6.1) */
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return err;
}

/* FIPS 203 §7.2: the key's modulus check is in EVP_PKEY_new_raw_public_key_ex. */
static int encapsulate(const uint8_t key[MLKEM_KEY_LEN], uint8_t text[MLKEM_TEXT_LEN], uint8_t out[MLKEM_LEN])
{
    EVP_PKEY *peer =
        EVP_PKEY_new_raw_public_key_ex(library_context(), "ML-KEM-1024", NULL, key, MLKEM_KEY_LEN);
    EVP_PKEY_CTX *ctx = peer ? EVP_PKEY_CTX_new_from_pkey(library_context(), peer, NULL) : NULL;
    size_t text_len = MLKEM_TEXT_LEN, len = MLKEM_LEN;
    int err = ERR_CRYPTO;

    if (ctx && EVP_PKEY_encapsulate_init(ctx, NULL) == 1 &&
        EVP_PKEY_encapsulate(ctx, text, &text_len, out, &len) == 1 && text_len == MLKEM_TEXT_LEN &&
        len == MLKEM_LEN)
        err = 0;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return err;
}

/* FIPS 203 §7.3. A ciphertext that was made for another key yields a secret that nobody has: the new keys
 * then do not open anything. */
static int decapsulate(EVP_PKEY *mine, const uint8_t text[MLKEM_TEXT_LEN], uint8_t out[MLKEM_LEN])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(library_context(), mine, NULL);
    size_t len = MLKEM_LEN;
    int err = ERR_CRYPTO;

    if (ctx && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
        EVP_PKEY_decapsulate(ctx, out, &len, text, MLKEM_TEXT_LEN) == 1 && len == MLKEM_LEN)
        err = 0;
    EVP_PKEY_CTX_free(ctx);
    return err;
}

static int mix(const struct shared *shared, const uint8_t root[KDF_LEN],
               const uint8_t offer[RATCHET_OFFER_LEN], const uint8_t answer[RATCHET_ANSWER_LEN],
               uint8_t new_root[KDF_LEN])
{
    const struct slice messages[] = {{offer, RATCHET_OFFER_LEN}, {answer, RATCHET_ANSWER_LEN}};
    uint8_t info[sizeof(INFO) - 1 + KDF_LEN], prk[KDF_LEN];
    int err;

    memcpy(info, INFO, sizeof(INFO) - 1);
    err = kdf_hash(messages, 2, info + sizeof(INFO) - 1);
    if (!err)
        err = kdf_extract(root, KDF_LEN, (const uint8_t *)shared, sizeof(*shared), prk);
    if (!err)
        err = kdf_expand(prk, info, sizeof(info), new_root, KDF_LEN);
    secret_wipe(prk, sizeof(prk));
    return err;
}

int ratchet_offer_new(struct ratchet_offer **out, uint8_t message[RATCHET_OFFER_LEN])
{
    struct ratchet_offer *offer = calloc(1, sizeof(*offer));
    int err = ERR_NOMEM;

    library_begin_secret();
    if (!offer)
        goto out;
    err = ERR_CRYPTO;
    offer->x25519 = EVP_PKEY_Q_keygen(library_context(), NULL, "X25519");
    offer->mlkem = EVP_PKEY_Q_keygen(library_context(), NULL, "ML-KEM-1024");
    if (!offer->x25519 || !offer->mlkem || !put_public(offer->x25519, offer->message, X25519_LEN) ||
        !put_public(offer->mlkem, offer->message + X25519_LEN, MLKEM_KEY_LEN))
        goto out;
    memcpy(message, offer->message, RATCHET_OFFER_LEN);
    *out = offer;
    library_end_secret();
    return 0;
out:
    library_end_secret();
    memset(message, 0, RATCHET_OFFER_LEN);
    ratchet_offer_free(offer);
    ERR_clear_error();
    return err;
}

void ratchet_offer_free(struct ratchet_offer *offer)
{
    if (!offer)
        return;
    EVP_PKEY_free(offer->x25519); /* wipes the private parts */
    EVP_PKEY_free(offer->mlkem);
    free(offer);
}

int ratchet_answer(const uint8_t offer[RATCHET_OFFER_LEN], const uint8_t root[KDF_LEN],
                   uint8_t answer[RATCHET_ANSWER_LEN], uint8_t new_root[KDF_LEN])
{
    EVP_PKEY *mine;
    struct shared shared;
    int err = ERR_CRYPTO;

    library_begin_secret();
    mine = EVP_PKEY_Q_keygen(library_context(), NULL, "X25519");
    if (!mine || !put_public(mine, answer, X25519_LEN))
        goto out;
    err = agree(mine, offer, shared.x25519);
    if (!err)
        err = encapsulate(offer + X25519_LEN, answer + X25519_LEN, shared.mlkem);
    if (!err)
        err = mix(&shared, root, offer, answer, new_root);
out:
    EVP_PKEY_free(mine);
    library_end_secret();
    secret_wipe(&shared, sizeof(shared));
    if (err) {
        ERR_clear_error();
        memset(answer, 0, RATCHET_ANSWER_LEN);
        secret_wipe(new_root, KDF_LEN);
    }
    return err;
}

int ratchet_finish(const struct ratchet_offer *offer, const uint8_t answer[RATCHET_ANSWER_LEN],
                   const uint8_t root[KDF_LEN], uint8_t new_root[KDF_LEN])
{
    struct shared shared;
    int err;

    library_begin_secret();
    err = agree(offer->x25519, answer, shared.x25519);
    if (!err)
        err = decapsulate(offer->mlkem, answer + X25519_LEN, shared.mlkem);
    if (!err)
        err = mix(&shared, root, offer->message, answer, new_root);
    library_end_secret();
    secret_wipe(&shared, sizeof(shared));
    if (err) {
        ERR_clear_error();
        secret_wipe(new_root, KDF_LEN);
    }
    return err;
}
