/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Bytes that a passphrase seals: scrypt (RFC 7914) makes an AES-256-GCM key of it. Any thread. docs/PROTOCOL.md §28. */

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A guess costs 16 MB and 0.2 s. OpenSSL reads no file of keys whose scrypt takes more than 32 MB. */
#define SEALED_SCRYPT_N 16384
#define SEALED_SCRYPT_R 8
#define SEALED_SCRYPT_P 5

#define SEALED_SALT_LEN 16
#define SEALED_MORE     (20 + SEALED_SALT_LEN + 12 + 16) /* bytes that are more than what is sealed */

/* True when bytes say that they are sealed, by whatever version. */
bool sealed_is(const uint8_t *bytes, size_t len);

/* Writes len + SEALED_MORE bytes. ERR_NOMEM, ERR_CRYPTO. */
int sealed_encode(const char *passphrase, const uint8_t *plain, size_t len, uint8_t *out) must_check;

/* Writes *out_len = len - SEALED_MORE bytes. ERR_UNSUPPORTED when they are of another version, ERR_MISMATCH when the passphrase does
 * not open them, or they were altered: then out is zeroed. ERR_NOMEM, ERR_CRYPTO. */
int sealed_decode(const char *passphrase, const uint8_t *bytes, size_t len, uint8_t *out,
                  size_t *out_len) must_check;
