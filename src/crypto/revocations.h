/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A signed list of keys that are shut out of a network. Each issuer and the CA has one of its own, which only grows.
 * What holds is the union of all. Any thread. docs/PROTOCOL.md §24. */

#include "base/bytes.h"
#include "crypto/identity.h"

struct cert;

#define REVOCATIONS_MAX      4096 /* keys in one list */
#define REVOCATIONS_HEAD_LEN (2 * ID_LEN + 8 + 8 + 2)
#define REVOCATIONS_LEN(n)   (REVOCATIONS_HEAD_LEN + (n) * (size_t)ID_LEN + IDENTITY_SIGNATURE_LEN)

/* A view of a list: the ids stay where they were read, or come from whoever has it signed. */
struct revocations {
    struct node_id network; /* the id of its CA's key */
    struct node_id signer;
    uint64_t number;           /* one more at each signature */
    uint64_t time;             /* seconds since 1970, of the signature */
    const struct node_id *ids; /* ascending, none twice */
    size_t count;
};

enum revocations_verdict {
    REVOCATIONS_NEWER, /* it takes the place of what is held */
    REVOCATIONS_SAME,
    REVOCATIONS_OLDER,
    REVOCATIONS_MALFORMED,
    REVOCATIONS_WRONG_SIGNER, /* of another signer or network than the certificate */
    REVOCATIONS_FORGED,       /* not signed by it */
    REVOCATIONS_CONTRARY,     /* signed, and lacks a key that is held: somebody takes a revocation back */
};

/* A phrase for a person that continues "the list of revoked keys …"; never NULL. */
const char *revocations_verdict_str(enum revocations_verdict verdict);

/* Writes REVOCATIONS_LEN(count) bytes, signed by signer. ERR_ARGUMENT when ids are out of order or too many,
 * ERR_MISMATCH when list->signer is another one, ERR_SPACE. */
int revocations_sign(const struct revocations *list, const struct identity *signer, uint8_t *out,
                     size_t cap) must_check;

/* Judges bytes from anybody against the list that is held of the same signer, or NULL when none is. signer is a CA or an
 * issuer that cert_chain.h vouched for, also one that has expired: revocations outlive it. Only what is newer costs a
 * signature's check. Fills out for REVOCATIONS_NEWER, with ids inside of bytes, and zeroes it otherwise. */
enum revocations_verdict revocations_judge(const struct cert *signer, const struct node_id *network,
                                           const struct revocations *held, const uint8_t *bytes, size_t len,
                                           struct revocations *out) must_check;

/* True when the list names the key. O(log count). */
bool revocations_has(const struct revocations *list, const struct node_id *id);
