/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One step of the data-key ratchet: fresh X25519 (RFC 7748) and ML-KEM-1024 (FIPS 203), mixed by HKDF-SHA-384
 * with the last root, bound to both messages. Any thread. */

#include "base/err.h"
#include "crypto/kdf.h"
#include <stdint.h>

#define RATCHET_OFFER_LEN  (32 + 1568) /* X25519 public key, ML-KEM-1024 encapsulation key */
#define RATCHET_ANSWER_LEN (32 + 1568) /* X25519 public key, ML-KEM-1024 ciphertext */

struct ratchet_offer;

/* Makes ephemeral keys and the message that offers them. The caller frees *out. */
int ratchet_offer_new(struct ratchet_offer **out, uint8_t message[RATCHET_OFFER_LEN]) must_check;

/* NULL is allowed. Wipes the ephemeral keys. */
void ratchet_offer_free(struct ratchet_offer *offer);

/* The other side's part: from its offer and the last root, the answer and the new root. ERR_CRYPTO when the
 * offer holds an invalid key. Outputs are zeroed on error. */
int ratchet_answer(const uint8_t offer[RATCHET_OFFER_LEN], const uint8_t root[KDF_LEN],
                   uint8_t answer[RATCHET_ANSWER_LEN], uint8_t new_root[KDF_LEN]) must_check;

/* Completes one's own offer with the answer. ERR_CRYPTO, and zeros, when the answer holds an invalid X25519
 * key. An answer to another offer, or an altered one, gives a root that nobody else has (FIPS 203 §6.3).
 * new_root may be root itself in both functions. */
int ratchet_finish(const struct ratchet_offer *offer, const uint8_t answer[RATCHET_ANSWER_LEN],
                   const uint8_t root[KDF_LEN], uint8_t new_root[KDF_LEN]) must_check;
