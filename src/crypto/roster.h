/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A signed list of the members that an issuer has certified and that have not expired: who they are, and what their
 * certificates give them. It admits nobody: only a certificate does. Any thread. docs/PROTOCOL.md §27. */

#include "base/addr.h"
#include "base/bytes.h"
#include "crypto/cert.h"
#include "crypto/identity.h"

#define ROSTER_MAX     4096          /* members in one roster … */
#define ROSTER_LEN_MAX (512u * 1024) /* … and bytes: 130 for each, if there are so many */

struct roster_member {
    struct node_id id;
    uint64_t since;     /* seconds since 1970: when this issuer first gave it this name */
    uint64_t not_after; /* of its newest certificate */
    uint16_t roles;     /* enum cert_role */
    char name[CERT_LABEL_MAX];
    struct addr addresses[CERT_ADDRESSES_MAX]; /* as a certificate's */
    uint8_t address_count;
};

/* What stands in front of the members. */
struct roster {
    struct node_id network; /* the id of its CA's key */
    struct node_id signer;
    uint64_t number; /* one more at each signature */
    uint64_t time;   /* seconds since 1970, of the signature */
    size_t count;
};

/* A roster that was judged. It borrows the bytes that it was read from. */
struct roster_view {
    struct roster head;
    struct slice members;
};

enum roster_verdict {
    ROSTER_NEWER, /* it takes the place of what is held */
    ROSTER_SAME,
    ROSTER_OLDER,
    ROSTER_MALFORMED,
    ROSTER_WRONG_SIGNER, /* of another signer or network than the certificate */
    ROSTER_FORGED,       /* not signed by it */
};

/* A phrase for a person that continues "the roster …"; never NULL. */
const char *roster_verdict_str(enum roster_verdict verdict);

/* Writes head->count members, in ascending order of ids, none twice, with the signature of signer. ERR_ARGUMENT when they are out
 * of order or too many, or one breaks a rule of the certificates' profile; ERR_MISMATCH when head->signer is another one; ERR_SPACE
 * also beyond ROSTER_LEN_MAX. */
int roster_sign(const struct roster *head, const struct roster_member *members, const struct identity *signer,
                uint8_t *out, size_t cap, size_t *len) must_check;

/* Judges bytes from anybody against the head of what is held of the same signer, or NULL when nothing is. Only what is newer costs
 * a signature's check. Fills out for ROSTER_NEWER, and zeroes it otherwise. */
enum roster_verdict roster_judge(const struct cert *signer, const struct node_id *network,
                                 const struct roster *held, const uint8_t *bytes, size_t len,
                                 struct roster_view *out) must_check;

/* The first of the members, which leaves them; false when there is none. members is of a view. */
bool roster_next(struct slice *members, struct roster_member *out);
