/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A node's place in its network: the CA, its own chain, the issuers that it has met, and its verdicts on peers'
 * certificates. Sans-I/O, control thread. docs/PROTOCOL.md §25. */

#include "crypto/cert_chain.h"
#include "crypto/kdf.h"

#define MEMBERSHIP_ISSUERS_MAX 16 /* certificates of issuers that are kept, our own among them */

struct membership;

/* DER, copied. */
struct membership_chain {
    struct slice ca, issuer, member;
};

/* Which of the three is at fault. */
enum membership_part {
    MEMBERSHIP_CA,
    MEMBERSHIP_ISSUER,
    MEMBERSHIP_MEMBER,
};

/* Who is shut out (§24): asked at each verdict, of a member's key and of its issuer's, as kind says. has NULL: nobody. */
struct membership_revoked {
    bool (*has)(const void *context, const struct node_id *key, enum cert_kind kind);
    const void *context;
};

/* Which bytes were found to be signed by which key, so that the same ones cost no signature's check again. All zero: none. */
struct membership_seen {
    uint8_t hash[KDF_LEN];
};

/* The network is that of the CA's key. spki is ours. ERR_CRYPTO when the chain does not hold, whatever the time is: *part and
 * *why say what is wrong. A chain that time alone refuses is taken: membership_own tells. The caller frees *out. */
int membership_new(const struct membership_chain *chain, const uint8_t spki[IDENTITY_SPKI_LEN],
                   enum membership_part *part, enum cert_verdict *why, struct membership **out) must_check;
void membership_free(struct membership *ms); /* NULL is allowed */

/* A newer certificate of ours, with its issuer's. Refused, as by membership_new, it changes nothing. */
int membership_renew(struct membership *ms, const struct membership_chain *chain, enum membership_part *part,
                     enum cert_verdict *why) must_check;

void membership_set_revoked(struct membership *ms, const struct membership_revoked *revoked);

/* What time it is: seconds since 1970 at now_us of the clock that all else goes by. To be told again when that changes. */
void membership_set_clock(struct membership *ms, uint64_t seconds, uint64_t now_us);
/* As it was told. */
uint64_t membership_clock(const struct membership *ms, uint64_t now_us);
/* Something that was signed in that second is known at now_us; but this ends no certificate of ours. */
void membership_set_floor(struct membership *ms, uint64_t seconds, uint64_t now_us);
/* Never before the beginning of our own certificate, nor before the floor: boards without a clock begin in 1970. */
uint64_t membership_now(const struct membership *ms, uint64_t now_us);

/* Of our own certificate; with its DER, and its issuer's. Borrowed until membership_renew. */
enum cert_verdict membership_own(const struct membership *ms, uint64_t now_us);
const struct cert *membership_me(const struct membership *ms);
const struct cert *membership_ca(const struct membership *ms);
struct slice membership_bytes(const struct membership *ms, enum membership_part part);

/* Who may renew our certificate, as far as we know: its own issuer first, then others that were met. NULL behind the last. */
const struct node_id *membership_issuer(const struct membership *ms, unsigned i);

/* A peer's certificate, for the key that it proved in TLS. CERT_UNKNOWN_ISSUER and CERT_OUTSIDE, both with out->issuer alone,
 * when no certificate that is kept of its issuer covers it: another one may. One check of a signature, none when seen is of
 * these bytes; seen is updated. Fills out for verdicts about time, too, and zeroes it for others. */
enum cert_verdict membership_judge(struct membership *ms, struct slice der,
                                   const uint8_t spki[IDENTITY_SPKI_LEN], uint64_t now_us,
                                   struct membership_seen *seen, struct cert *out) must_check;

/* An issuer's certificate, of anybody: kept when the CA signed it, in the place of the one that was used longest ago. One
 * check of a signature, none when it is kept already. */
enum cert_verdict membership_learn(struct membership *ms, struct slice der, uint64_t now_us) must_check;

/* Whether a member whose certificate held is still one: CERT_OK, CERT_REVOKED, or a verdict about time. */
enum cert_verdict membership_still(const struct membership *ms, const struct cert *member,
                                   uint64_t now_us) must_check;
/* When time alone ends that, in now_us's clock. */
uint64_t membership_end_us(const struct membership *ms, const struct cert *member);
