/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A private key as text: PKCS#8 in PEM (RFC 9881), plain, or sealed by a passphrase (RFC 8018: scrypt, AES-256-CBC), as
 * `openssl pkey` reads both. Any thread. */

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

#define KEY_PEM_MAX 16384 /* bytes, with a NUL: a key of ours takes 7 KB */

struct identity;

/* passphrase NULL: plain. out has room for KEY_PEM_MAX bytes, ends with a NUL, and is the caller's to wipe. ERR_CRYPTO,
 * ERR_NOMEM. */
int key_pem_encode(const struct identity *me, const char *passphrase, char *out, size_t *len) must_check;

/* True when a passphrase is needed to read it. */
bool key_pem_is_sealed(const char *pem, size_t len);

/* passphrase is of a sealed one; NULL for a plain one. ERR_FORMAT when it holds no ML-DSA-87 key in that form, ERR_MISMATCH when
 * the passphrase does not open it, ERR_NOMEM. The caller frees *out. */
int key_pem_decode(const char *pem, size_t len, const char *passphrase, struct identity **out) must_check;
