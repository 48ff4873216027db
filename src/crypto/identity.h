/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A node's identity: one ML-DSA-87 key pair (FIPS 204) and the id derived from it. Control thread;
 * immutable once made, so any thread may sign or verify with it. */

#include "base/err.h"
#include "base/id.h"
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_SPKI_LEN      2614 /* DER SubjectPublicKeyInfo of an ML-DSA-87 key (RFC 9881) */
#define IDENTITY_SIGNATURE_LEN 4627 /* FIPS 204, table 2 */
#define IDENTITY_SEED_LEN      32

struct identity;
struct evp_pkey_st;

/* A fresh key pair. The caller frees *out. */
int identity_generate(struct identity **out) must_check;

/* The key pair of a seed (FIPS 204, algorithm 6). The caller frees *out. */
int identity_from_seed(const uint8_t seed[IDENTITY_SEED_LEN], struct identity **out) must_check;

/* NULL is allowed. Wipes the key. */
void identity_free(struct identity *me);

const struct node_id *identity_id(const struct identity *me);
const uint8_t *identity_spki(const struct identity *me);      /* IDENTITY_SPKI_LEN bytes, borrowed */
struct evp_pkey_st *identity_pkey(const struct identity *me); /* borrowed, for TLS */

/* The id of a key given as DER SubjectPublicKeyInfo. Any length hashes. */
int identity_id_of_spki(const uint8_t *spki, size_t len, struct node_id *out) must_check;

/* Signs message under a context string (FIPS 204 §5.2; at most 255 bytes), hedged. */
int identity_sign(const struct identity *me, const char *context, const uint8_t *message, size_t len,
                  uint8_t signature[IDENTITY_SIGNATURE_LEN]) must_check;

/* 0 when signature is spki's over message; ERR_CRYPTO when not, ERR_FORMAT when spki is no ML-DSA-87 key. */
int identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                    size_t len, const uint8_t *signature, size_t signature_len) must_check;
