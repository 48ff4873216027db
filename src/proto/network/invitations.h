/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The tokens that an issuer has made, without their secrets: nobody can join with what stands here. And who waits for a
 * person's word before one of them is redeemed. Pure; control thread. docs/PROTOCOL.md §26. */

#include "base/bytes.h"
#include "base/id.h"
#include "crypto/cert.h"
#include "crypto/kdf.h"
#include <stdbool.h>
#include <stdint.h>

#define INVITATIONS_MAX          1024
#define INVITATIONS_USES_MAX     1000
#define INVITATIONS_LIFE_MAX     (uint64_t)(90 * 86400) /* seconds */
#define INVITATIONS_WAITING_MAX  256                    /* who waits, of all tokens */
#define INVITATIONS_WAITING_LIFE (uint64_t)(7 * 86400)  /* seconds, since it last asked */
#define INVITATIONS_ENCODED_MAX  (1u << 18)

struct invitation {
    uint8_t key[KDF_LEN];      /* SHA-384 of the SubjectPublicKeyInfo of the token's seed */
    char name[CERT_LABEL_MAX]; /* of who joins; empty: as it wishes */
    uint16_t roles;            /* enum cert_role */
    uint16_t uses;             /* how many may join, 1 to INVITATIONS_USES_MAX; one that has a name: 1 */
    uint16_t used;             /* how many did */
    uint64_t made, expires;    /* seconds since 1970 */
    bool approve;              /* each waits for a person's word */
    bool revoked;
};

struct invitation_waiting {
    uint8_t key[KDF_LEN]; /* of the invitation */
    struct node_id id;
    char name[CERT_LABEL_MAX]; /* that it wishes; empty: none */
    uint64_t asked;            /* when it last did, seconds since 1970 */
    bool approved;
};

struct invitations;

/* None. The caller frees *out. */
int invitations_new(struct invitations **out) must_check;
void invitations_free(struct invitations *all);

/* ERR_ARGUMENT when it breaks a limit, ERR_EXISTS when its key is there, ERR_SPACE when there are INVITATIONS_MAX that
 * still hold: those that ended are forgotten for it. */
int invitations_add(struct invitations *all, const struct invitation *made, uint64_t now) must_check;

/* As if it had never been made. */
void invitations_drop(struct invitations *all, const uint8_t key[KDF_LEN]);

/* NULL when there is none; borrowed until the next change. */
const struct invitation *invitations_find(const struct invitations *all, const uint8_t key[KDF_LEN]);

/* The i-th, in the order in which they were made; NULL behind the last. */
const struct invitation *invitations_at(const struct invitations *all, size_t i);

/* No longer good from now on, not even for who was approved. ERR_NOT_FOUND. */
int invitations_revoke(struct invitations *all, const uint8_t key[KDF_LEN]) must_check;

/* One use more, or one less, of an invitation that is there. */
void invitations_spend(struct invitations *all, const uint8_t key[KDF_LEN]);
void invitations_give_back(struct invitations *all, const uint8_t key[KDF_LEN]);

/* Notes who waits. Of one invitation as many can wait as may use it; of those, and of all, the one that asked longest
 * ago gives way, unless it is approved. True when it is new, or its name is: a person is to be told. */
bool invitations_wait(struct invitations *all, const struct invitation *of, const struct node_id *id,
                      const char *name, uint64_t now);
const struct invitation_waiting *invitations_waiting_at(const struct invitations *all, size_t i);

/* A person's word for who waits, and the name that it wishes. ERR_NOT_FOUND. */
int invitations_approve(struct invitations *all, const struct node_id *id) must_check;
bool invitations_is_approved(const struct invitations *all, const struct invitation *of,
                             const struct node_id *id, const char *name);

/* It waits no longer: it is a member. */
void invitations_forget_waiting(struct invitations *all, const struct node_id *id);

/* Their part of a file. w goes bad when there is no room, never within INVITATIONS_ENCODED_MAX. */
void invitations_encode(const struct invitations *all, struct writer *w);

/* Reads exactly what invitations_encode writes into ones that are none; r goes bad otherwise. */
void invitations_decode(struct invitations *all, struct reader *r);
