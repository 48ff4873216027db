/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One cipher for many keys that are seldom used. Whoever seals or opens under one of them has it for so long: that costs a
 * lock, and a change of keys where another one was used before. Any thread. */

#include "crypto/aead.h"
#include <stdatomic.h>

struct aead_shared;

/* For count keys. ERR_NOMEM, ERR_CRYPTO or ERR_UNSUPPORTED. The caller frees *out. */
int aead_shared_new(enum aead_suite suite, unsigned count, struct aead_shared **out) must_check;

/* NULL is allowed. Wipes the key that was used last. */
void aead_shared_free(struct aead_shared *s);

/* The cipher under key, which is borrowed, for aead_seal and aead_open; not to be freed. at is below count; bit is set in
 * aead_shared_used when it has sealed, or opened what was authentic. */
struct aead *aead_shared_under(struct aead_shared *s, unsigned at, const uint8_t *key, uint32_t bit);
_Atomic uint32_t *aead_shared_used(struct aead_shared *s);
