/* SPDX-License-Identifier: Apache-2.0 */
/* Stateless challenges: 8 bytes of time in seconds, 8 of nonce, 16 of HMAC over both. HTTP thread. */

#include "backbone/challenge.h"

#include "base/bytes.h"
#include "crypto/library.h"
#include "crypto/secret.h"
#include <openssl/evp.h>
#include <string.h>

#define TIME_LEN  8
#define NONCE_LEN 8
#define TAG_LEN   (RECORD_CHALLENGE_LEN - TIME_LEN - NONCE_LEN)
#define HMAC_LEN  48

void challenge_key_init(struct challenge_key *key)
{
    secret_random(key->bytes, sizeof(key->bytes));
}

static int tag_of(const struct challenge_key *key, const uint8_t *head, uint8_t tag[TAG_LEN])
{
    uint8_t whole[HMAC_LEN];
    size_t len = 0;
    if (!EVP_Q_mac(library_context(), "HMAC", NULL, "SHA384", NULL, key->bytes, sizeof(key->bytes), head,
                   TIME_LEN + NONCE_LEN, whole, sizeof(whole), &len) ||
        len != sizeof(whole))
        return ERR_CRYPTO;
    memcpy(tag, whole, TAG_LEN);
    return 0;
}

int challenge_make(const struct challenge_key *key, uint64_t now_s, uint8_t out[RECORD_CHALLENGE_LEN])
{
    struct writer w = writer_init(out, TIME_LEN);
    writer_u64(&w, now_s);
    secret_random(out + TIME_LEN, NONCE_LEN);
    return tag_of(key, out, out + TIME_LEN + NONCE_LEN);
}

int challenge_check(const struct challenge_key *key, uint64_t now_s,
                    const uint8_t challenge[RECORD_CHALLENGE_LEN])
{
    uint8_t tag[TAG_LEN];
    int err = tag_of(key, challenge, tag);
    if (err)
        return err;
    if (!secret_equal(tag, challenge + TIME_LEN + NONCE_LEN, TAG_LEN))
        return ERR_NOT_FOUND;
    struct reader r = reader_init(challenge, TIME_LEN);
    uint64_t made_s = reader_u64(&r);
    return now_s - made_s <= CHALLENGE_LIFETIME_S ? 0 : ERR_NOT_FOUND;
}
