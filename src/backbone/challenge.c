/* SPDX-License-Identifier: Apache-2.0 */
/* Stateless challenges: 8 bytes of time in seconds, 8 of nonce, 16 of HMAC over both. The directory's thread. */

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
#define HOUR_S    3600
#define MIDDLE    (STORE_KEYS / 2)

void challenge_keys_init(struct challenge_keys *k, uint64_t now_s)
{
    k->hour = now_s / HOUR_S;
    secret_random(k->keys, sizeof(k->keys));
}

void challenge_keys_turn(struct challenge_keys *k, uint64_t now_s)
{
    struct challenge_keys next;
    if (now_s / HOUR_S == k->hour)
        return;
    challenge_keys_init(&next, now_s);
    for (uint64_t i = 0; i < STORE_KEYS; i++) {
        uint64_t place = i + k->hour - next.hour; /* of k's key i; too large when its hour is over */
        if (place < STORE_KEYS)
            memcpy(next.keys[place], k->keys[i], STORE_KEY_LEN);
    }
    *k = next;
    secret_wipe(&next, sizeof(next));
}

/* NULL when there is none for an hour. */
static const uint8_t *key_of(const struct challenge_keys *k, uint64_t made_s)
{
    uint64_t place = made_s / HOUR_S + MIDDLE - k->hour;
    return place < STORE_KEYS ? k->keys[place] : NULL;
}

static int tag_of(const uint8_t *key, const uint8_t *head, uint8_t tag[TAG_LEN])
{
    uint8_t whole[HMAC_LEN];
    size_t len = 0;
    if (!EVP_Q_mac(library_context(), "HMAC", NULL, "SHA384", NULL, key, STORE_KEY_LEN, head,
                   TIME_LEN + NONCE_LEN, whole, sizeof(whole), &len) ||
        len != sizeof(whole))
        return ERR_CRYPTO;
    memcpy(tag, whole, TAG_LEN);
    return 0;
}

int challenge_make(const struct challenge_keys *k, uint64_t now_s, uint8_t out[RECORD_CHALLENGE_LEN])
{
    struct writer w = writer_init(out, TIME_LEN);
    const uint8_t *key = key_of(k, now_s);
    writer_u64(&w, now_s);
    secret_random(out + TIME_LEN, NONCE_LEN);
    return key ? tag_of(key, out, out + TIME_LEN + NONCE_LEN) : ERR_CRYPTO;
}

int challenge_check(const struct challenge_keys *k, uint64_t now_s,
                    const uint8_t challenge[RECORD_CHALLENGE_LEN])
{
    uint8_t tag[TAG_LEN];
    struct reader r = reader_init(challenge, TIME_LEN);
    uint64_t made_s = reader_u64(&r);
    const uint8_t *key = key_of(k, made_s);
    if (!key)
        return ERR_NOT_FOUND;
    int err = tag_of(key, challenge, tag);
    if (err)
        return err;
    if (!secret_equal(tag, challenge + TIME_LEN + NONCE_LEN, TAG_LEN))
        return ERR_NOT_FOUND;
    bool fresh =
        made_s <= now_s ? now_s - made_s <= CHALLENGE_LIFETIME_S : made_s - now_s <= CHALLENGE_SKEW_S;
    return fresh ? 0 : ERR_NOT_FOUND;
}
