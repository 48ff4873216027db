/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A join token: the one line that a new member is given. It is a secret, and so is a struct token: wipe both.
 * Any thread. docs/PROTOCOL.md §23. */

#include "base/addr.h"
#include "base/id.h"
#include "crypto/cert.h"
#include <stddef.h>

#define TOKEN_SEED_LEN   32
#define TOKEN_PLACES_MAX 8
#define TOKEN_URL_MAX    201 /* 200 characters and a NUL */
#define TOKEN_TEXT_MAX   2360

/* Where an issuer may be found: an address of a node, or a backbone. */
struct token_place {
    struct addr addr;        /* family 0 when it is a backbone; its port is not 0, its scope is */
    char url[TOKEN_URL_MAX]; /* printable ASCII without spaces; empty when it is an address */
};

struct token {
    struct node_id network;       /* the id of the CA's key: its fingerprint */
    struct node_id issuer;        /* of the node that made the token, the only one that redeems it */
    uint8_t seed[TOKEN_SEED_LEN]; /* of an ML-DSA-87 key (FIPS 204, algorithm 6): who has it may join */
    char name[CERT_LABEL_MAX]; /* of the network, for its files: the CA's certificate has to have the same */
    uint8_t place_count;       /* 1 to TOKEN_PLACES_MAX, the best first */
    struct token_place places[TOKEN_PLACES_MAX];
};

/* Writes "sm1:", base64url and a NUL. ERR_ARGUMENT when the value breaks a limit. */
int token_encode(const struct token *token, char out[TOKEN_TEXT_MAX]) must_check;

/* Reads len characters, exactly as token_encode writes them. ERR_UNSUPPORTED when it is the token of another version,
 * ERR_MISMATCH when some of it was lost or altered on the way, ERR_FORMAT for all else. On an error out is wiped. */
int token_decode(const char *text, size_t len, struct token *out) must_check;
