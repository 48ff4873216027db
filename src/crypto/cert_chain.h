/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A member by its issuer, the issuer by the network's CA, at a given time. What is judged first is what cannot change:
 * a verdict about time means that all else holds. Any thread. docs/PROTOCOL.md §22. */

#include "crypto/cert.h"

#define CERT_RENEWAL                                                                                         \
    (uint64_t)(90 * 86400) /* seconds after its end in which a certificate may still be renewed */

enum cert_verdict {
    CERT_OK,
    CERT_MALFORMED,  /* not of the profile */
    CERT_WRONG_KIND, /* a member's where an issuer's must be, and the like */
    CERT_WRONG_CA,   /* another network's, or another issuer's */
    CERT_FORGED,     /* the signature is not its issuer's */
    CERT_WRONG_KEY,  /* for another key than the peer's */
    CERT_OUTSIDE,    /* an address that its issuer may not give, or a life longer than its issuer's */
    CERT_UNKNOWN_ISSUER, /* the certificate of its issuer is not here; this and the next one are not of this file */
    CERT_REVOKED,        /* its key, or its issuer's, is shut out */
    CERT_NOT_YET,        /* not valid yet: a clock is wrong, here or at its issuer */
    CERT_RENEWABLE, /* expired, but good for renewing it, and for nothing else */
    CERT_EXPIRED,
};

/* A phrase for a person that continues "the certificate …"; never NULL. */
const char *cert_verdict_str(enum cert_verdict verdict);

/* Each fills out for CERT_OK and for the three verdicts about time, and zeroes it otherwise.
 *
 * The CA's certificate of the network whose id is the id of the CA's key. It cannot be renewed once it has expired. */
enum cert_verdict cert_chain_ca(struct slice der, const struct node_id *network, uint64_t now,
                                struct cert *out) must_check;

/* An issuer's, by a CA that cert_chain_ca filled in. */
enum cert_verdict cert_chain_issuer(const struct cert *ca, struct slice der, uint64_t now,
                                    struct cert *out) must_check;

/* A member's, by an issuer that cert_chain_issuer filled in with this CA, for the key that the peer proved in TLS. The
 * times of all three count: issuers may be kept for later members. */
enum cert_verdict cert_chain_member(const struct cert *ca, const struct cert *issuer, struct slice der,
                                    const uint8_t spki[IDENTITY_SPKI_LEN], uint64_t now,
                                    struct cert *out) must_check;

/* The same for bytes that the issuer's key is known to have signed: no signature is checked. */
enum cert_verdict cert_chain_member_again(const struct cert *ca, const struct cert *issuer, struct slice der,
                                          const uint8_t spki[IDENTITY_SPKI_LEN], uint64_t now,
                                          struct cert *out) must_check;
