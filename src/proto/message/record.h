/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A node's signed entry in a directory: a CBOR map in the deterministic form of base/cbor.h, signed with its
 * ML-DSA-87 key (FIPS 204, context string "shadowmesh record v1") as it was encoded. Whoever uses one
 * verifies it again; the directory is not trusted. docs/PROTOCOL.md §8. Key 0 is the version, 1; "[key]"
 * behind a field is its key; those with a "?" are absent when empty or false. Unknown keys are skipped. */

#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"
#include "crypto/identity.h"
#include "proto/wire/candidate.h"
#include <stdbool.h>
#include <stdint.h>

#define RECORD_MAX           8192 /* encoded, without signature */
#define RECORD_NAME_MAX      63
#define RECORD_NETWORK_MAX   40
#define RECORD_CHALLENGE_LEN 32

struct record {
    struct node_id id;                       /* [1] */
    uint8_t spki[IDENTITY_SPKI_LEN];         /* [2] */
    uint64_t seq;                            /* [3] grows with every record of a node, also over restarts */
    uint64_t expiry_s;                       /* [4] seconds since 1970 */
    char name[RECORD_NAME_MAX + 1];          /* [5?] text_ok */
    char network[RECORD_NETWORK_MAX + 1];    /* [6?] id of the network; empty when in none */
    bool is_public;                          /* [7?] listed, accepts any authenticated node */
    uint8_t challenge[RECORD_CHALLENGE_LEN]; /* [8] the directory's, that made this registration fresh */
    unsigned candidate_count;
    struct candidate candidates[CANDIDATES_MAX]; /* [9?] as in messages */
};

/* A signed record as it was encoded. Borrowed. */
struct record_bytes {
    struct slice data, signature;
};

/* Encodes and signs. *len is the encoded length, at most RECORD_MAX. Equal records give equal bytes.
 * ERR_ARGUMENT when name or network is not text_ok, ERR_SPACE. */
int record_sign(const struct record *r, const struct identity *me, uint8_t *out, size_t cap, size_t *len,
                uint8_t signature[IDENTITY_SIGNATURE_LEN]) must_check;

/* Decodes, checks that the key hashes to the id and that the signature is the key's. ERR_FORMAT, ERR_MISMATCH
 * (key and id), ERR_CRYPTO (signature). Does not look at the clock: the caller compares seq and expiry. */
int record_verify(const uint8_t *data, size_t len, const uint8_t *signature, size_t signature_len,
                  struct record *out) must_check;

/* Whether one that was verified names these, in this order. */
bool record_names(const struct slice *data, const struct candidate *list, unsigned count);

/* Whose it says that it is, of one that is not verified. ERR_FORMAT. */
int record_peek(const uint8_t *data, size_t len, struct node_id *id) must_check;
