/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What an issuer does: it redeems its tokens, and renews what it signed. Its state is one file, which has to be on disk
 * before anybody is told: who then asks again gets the same name and addresses. Pure; control thread.
 * docs/PROTOCOL.md §26. */

#include "base/bucket.h"
#include "base/random.h"
#include "crypto/cert.h"
#include "proto/message/message.h"
#include "proto/network/invitations.h"
#include "proto/network/ledger.h"

#define ISSUING_LIFE      (uint64_t)(30 * 86400) /* seconds that a member's certificate is good for */
#define ISSUING_FILE_MAX  (LEDGER_ENCODED_MAX + INVITATIONS_ENCODED_MAX)
#define ISSUING_PROOF_LEN (KDF_LEN + 2 * ID_LEN)

struct issuing_config {
    const struct identity *me; /* the issuer's key; borrowed */
    struct cert ca, issuer;    /* as cert_chain.h judged them */
    uint64_t life;             /* seconds: ISSUING_LIFE, or less in tests */
    struct random_source random;
    void *context;
    /* Whether the network has shut a key out, and whether a name is another member's whom somebody else certified. NULL:
     * nobody knows of any. */
    bool (*is_revoked)(void *context, const struct node_id *id);
    bool (*is_named)(void *context, const char *name, const struct node_id *but);
};

/* Who joins: what its JOIN has, and what its channel has proven. */
struct issuing_join {
    const struct message_join *said;
    const uint8_t *spki;     /* its key, IDENTITY_SPKI_LEN */
    const uint8_t *exporter; /* of the channel, KDF_LEN */
};

/* A certificate that was signed, and how to take back what was written down for it. */
struct issued {
    uint8_t der[CERT_MAX];
    size_t len;
    struct ledger_member member, before; /* before: when it was there */
    bool was_member, spent;
};

struct issuing {
    struct issuing_config config;
    struct ledger *ledger;
    struct invitations *invitations;
    struct bucket proofs; /* that are checked */
};

/* Without members and invitations. ERR_NOMEM. */
int issuing_init(struct issuing *s, const struct issuing_config *config) must_check;
void issuing_fini(struct issuing *s);

/* What a joiner signs with the token's key, and under which context. */
extern const char issuing_context[];
void issuing_proof(const uint8_t exporter[KDF_LEN], const struct node_id *joiner,
                   const struct node_id *network, uint8_t out[ISSUING_PROOF_LEN]);

/* Judges a JOIN and signs a certificate. 0, or an enum refuse_code; then nothing was written down but, for
 * REFUSE_WAITS, who waits. A proof is checked only for a token that is good, and so many a second. */
int issuing_redeem(struct issuing *s, const struct issuing_join *join, uint64_t now, uint64_t now_us,
                   struct issued *out) must_check;

/* A new certificate for a member that proved its key and showed one of any issuer of the network, valid or renewable: with
 * the same name, addresses and rights. 0, or an enum refuse_code. */
int issuing_renew(struct issuing *s, const struct cert *shown, uint64_t now, struct issued *out) must_check;

/* Takes into the ledger a member that it does not know, such as the issuer's own node, by the certificate that it has. As
 * ledger_put. */
int issuing_adopt(struct issuing *s, const struct cert *member) must_check;

/* The file could not be written: all is as before. */
void issuing_undo(struct issuing *s, const struct issued *issued);

/* One line for who was refused; never NULL. */
const char *issuing_refusal(enum refuse_code code);

/* The file's bytes. w goes bad when there is no room, never within ISSUING_FILE_MAX. */
void issuing_encode(const struct issuing *s, struct writer *w);

/* Reads exactly what issuing_encode writes, into what issuing_init made. ERR_FORMAT: then it is of no more use. */
int issuing_decode(struct issuing *s, const uint8_t *data, size_t len) must_check;
