/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* HKDF-SHA-384 (RFC 5869) and SHA-384 (FIPS 180-4). Any thread. */

#include "base/bytes.h"
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define KDF_LEN 48 /* bytes of a SHA-384 digest, a pseudo-random key and a session root */

/* HKDF-Extract. */
int kdf_extract(const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len,
                uint8_t out[KDF_LEN]) must_check;

/* HKDF-Expand: len bytes, at most 255 * 48. out is zeroed on error. */
int kdf_expand(const uint8_t key[KDF_LEN], const uint8_t *info, size_t info_len, uint8_t *out,
               size_t len) must_check;

/* SHA-384 over the parts, one after the other. */
int kdf_hash(const struct slice *parts, size_t count, uint8_t out[KDF_LEN]) must_check;
