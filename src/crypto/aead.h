/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One direction of one lane: an AEAD key with its context made once, so that per datagram only the nonce is
 * set. A context belongs to one thread at a time. */

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY_LEN   32
#define AEAD_NONCE_LEN 12
#define AEAD_TAG_LEN   16

/* Numbers as in HELLO (docs/PROTOCOL.md). */
enum aead_suite {
    AEAD_AES_256_GCM = 1,
    AEAD_CHACHA20_POLY1305 = 2,
#ifdef SHADOWMESH_BENCH_NULL
    AEAD_NULL =
        255, /* copies and neither encrypts nor authenticates: what the tunnel costs without a cipher */
#endif
};

struct aead;

/* The standard name, "AES-256-GCM"; "unknown" for a number that is no suite. */
const char *aead_suite_name(enum aead_suite suite);

/* True for the numbers above: no other is offered, accepted or made. */
bool aead_suite_known(unsigned number);

/* The suite for two that offer these numbers, best first: AES-256-GCM unless one of them puts
 * ChaCha20-Poly1305 first, because it has no AES instructions. 0: none in common. Unknown numbers are
 * skipped. */
enum aead_suite aead_common(const uint8_t *ours, size_t our_count, const uint8_t *theirs, size_t their_count);

/* How the library behind a suite is chosen among those that serve it and agree with OpenSSL. */
enum aead_choice {
    AEAD_BY_RULE,       /* the last of aead_backends[]: a faster one stands behind a slower one */
    AEAD_OPENSSL_ALONE, /* no other, whatever there is */
    AEAD_MEASURED,      /* the one that is faster here and now, by some two milliseconds of each */
};

/* Before any other call that needs a library, once; without it AEAD_BY_RULE. */
void aead_choose_by(enum aead_choice how);

/* Which library serves the suite in this process, "OpenSSL 3.5.1" or "ipsec-mb 1.3.0", "none" for a number
 * that is no suite. The first call of this or of aead_new tries them, which takes some milliseconds. */
const char *aead_backend_name(enum aead_suite suite);

/* True when this CPU has AES and carry-less multiply instructions, so that AES-256-GCM is the faster one. On ARM as
 * OpenSSL sees it, which takes none with OPENSSL_armcap=0 in the environment. */
bool aead_cpu_has_aes(void);

/* The same of what OpenSSL says of an ARM CPU (OPENSSL_INFO_CPU_SETTINGS). */
bool aead_armcap_has_aes(const char *settings);

/* A context that can both seal and open. The caller frees *out. */
int aead_new(enum aead_suite suite, const uint8_t key[AEAD_KEY_LEN], struct aead **out) must_check;

/* Another key takes the place of a's. Allocates nothing. */
int aead_set_key(struct aead *a, const uint8_t key[AEAD_KEY_LEN]) must_check;

/* NULL is allowed. Wipes the key. */
void aead_free(struct aead *a);

/* Encrypts the pieces, one after the other, into out, and appends the tag: writes their sum + AEAD_TAG_LEN
 * bytes. Pieces do not overlap out, and sum to less than 2 GiB. */
int aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
              const struct slice *pieces, size_t count, uint8_t *out) must_check;

/* Decrypts len bytes (ciphertext and tag) in place; the plaintext is the first len - AEAD_TAG_LEN bytes.
 * ERR_CRYPTO when the tag does not verify: the bytes are then zeroed. */
int aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
              uint8_t *data, size_t len) must_check;
