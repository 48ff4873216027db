/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node of an issuer: its file, KEYDIR/ledger, which is on disk before anybody is told what stands there. docs/PROTOCOL.md
 * §26. Control thread. */

#include "base/random.h"
#include "crypto/token.h"
#include "proto/network/invitations.h"
#include "proto/network/ledger.h"
#include "proto/network/serving.h"

#define ISSUER_FILE       "ledger"
#define ISSUER_RESTORED   "restored" /* beside it: it is a copy of an earlier one */
#define ISSUER_NUMBER_LEN 4          /* bytes of an invitation's key that people name it by … */
#define ISSUER_NUMBER_MAX (2 * ISSUER_NUMBER_LEN + 1) /* … in hex, with a NUL */

struct change_log;
struct issuer;
struct rolls;

/* Borrowed, but for the values. */
struct issuer_config {
    int keydir; /* as folder_open opened it */
    const struct identity *me;
    const struct membership *membership;
    uint64_t life_s; /* of a member's certificate; 0: as §26 has it */
    struct random_source random;
};

/* How often what was the answer, since the start. */
struct issuer_counts {
    uint64_t joined, renewed, refused;
};

/* ERR_NOT_FOUND: this node is no issuer: it has no own-issuer.pem. Whatever else is wrong is told. The caller frees *out. */
int issuer_open(const struct issuer_config *config, struct issuer **out) must_check;
void issuer_free(struct issuer *is); /* NULL is allowed */

/* The CA certified it anew: from here on it signs by this certificate, if that holds. False: it does not, as was told. */
bool issuer_recertify(struct issuer *is, struct slice certificate);

/* From here on who is shut out there gets nothing, and names of others' members are taken. Borrowed. */
void issuer_heed(struct issuer *is, const struct rolls *rolls);

/* Whom our own roster in the rolls has, and the ledger not, we let in after the copy was made that the ledger is of: the ledger takes
 * them, so that their names and addresses stay theirs. Once a second. */
void issuer_learn(struct issuer *is, const struct rolls *rolls, uint64_t now_us);

/* What it does is noted there. Borrowed. */
void issuer_log(struct issuer *is, struct change_log *log);

/* Whether the ledger is another one than when this was last asked; at first it is. */
bool issuer_has_changed(struct issuer *is);

/* What answers who joins and renews. Borrowed. */
const struct serving_issuer *issuer_serving(const struct issuer *is);

/* Its certificate as an issuer. Borrowed. */
const struct cert *issuer_cert(const struct issuer *is);
const struct ledger *issuer_ledger(const struct issuer *is);
const struct invitations *issuer_invitations(const struct issuer *is);
struct issuer_counts issuer_counts(const struct issuer *is);

/* A new certificate for this node itself, as any member gets one. 0, or an enum refuse_code. */
int issuer_renew_self(struct issuer *is, uint64_t now_us, struct slice *out) must_check;

/* What a person asks for. Each is on disk when it returns 0. Where it cannot be written, with an error of folder_replace, no token
 * is made; the other two hold as long as the node runs.
 *
 * A new token. token has its places; the rest of it is made, and is the caller's to wipe. i is completed. As invitations_add. */
int issuer_invite(struct issuer *is, struct invitation *i, uint64_t life_s, uint64_t now_us,
                  struct token *token) must_check;
/* By its number: *out is it. ERR_NOT_FOUND, ERR_EXISTS when several have it. */
int issuer_revoke_invitation(struct issuer *is, const char *number, const struct invitation **out) must_check;
int issuer_approve(struct issuer *is, const struct node_id *id) must_check;

/* Its number. Returns out. */
char *issuer_number(const uint8_t key[KDF_LEN], char out[ISSUER_NUMBER_MAX]);
