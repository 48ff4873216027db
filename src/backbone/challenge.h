/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Challenges that make a registration fresh: time ‖ nonce ‖ HMAC-SHA-384 under the key of the hour in which it was made,
 * truncated. Nothing is remembered, so no one can exhaust memory by asking; that a challenge serves once
 * follows from the directory's rule that seq must grow. Keys are random, and of this process alone until others are
 * agreed upon (backbone/cluster.h). docs/PROTOCOL.md §8. */

#include "backbone/store.h"
#include "base/err.h"
#include "proto/message/record.h"
#include <stdint.h>

#define CHALLENGE_LIFETIME_S 60
#define CHALLENGE_SKEW_S     30 /* by which the clock of the instance that made it may be ahead */
#define CHALLENGE_MEMORY_S   (CHALLENGE_LIFETIME_S + CHALLENGE_SKEW_S) /* in which one may be seen again */

struct challenge_keys {
    uint64_t hour; /* of the one in the middle: the others are the last hour's and the next one's */
    uint8_t keys[STORE_KEYS][STORE_KEY_LEN];
};

/* Random ones for the hours around now_s. */
void challenge_keys_init(struct challenge_keys *k, uint64_t now_s);
/* Time goes on: keys of hours that pass are forgotten, of those that come random. */
void challenge_keys_turn(struct challenge_keys *k, uint64_t now_s);

int challenge_make(const struct challenge_keys *k, uint64_t now_s,
                   uint8_t out[RECORD_CHALLENGE_LEN]) must_check;

/* 0 when one of the keys made the challenge at most CHALLENGE_LIFETIME_S ago, ERR_NOT_FOUND otherwise, ERR_CRYPTO. */
int challenge_check(const struct challenge_keys *k, uint64_t now_s,
                    const uint8_t challenge[RECORD_CHALLENGE_LEN]) must_check;
