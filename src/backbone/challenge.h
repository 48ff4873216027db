/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Challenges that make a registration fresh: time ‖ nonce ‖ HMAC-SHA-384 under a key that this process made,
 * truncated. Nothing is remembered, so no one can exhaust memory by asking; that a challenge serves once
 * follows from the directory's rule that seq must grow. docs/PROTOCOL.md §8. */

#include "base/err.h"
#include "proto/message/record.h"
#include <stdint.h>

#define CHALLENGE_LIFETIME_S 60

struct challenge_key {
    uint8_t bytes[32];
};

/* Random: challenges of another process, or of this one before a restart, are unknown. */
void challenge_key_init(struct challenge_key *key);

int challenge_make(const struct challenge_key *key, uint64_t now_s,
                   uint8_t out[RECORD_CHALLENGE_LEN]) must_check;

/* 0 when key made the challenge at most CHALLENGE_LIFETIME_S ago, ERR_NOT_FOUND otherwise, ERR_CRYPTO. */
int challenge_check(const struct challenge_key *key, uint64_t now_s,
                    const uint8_t challenge[RECORD_CHALLENGE_LEN]) must_check;
