/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The members that an issuer has certified, and the addresses of its slice that they have. A name and an address are
 * one member's as long as its certificate can be renewed. Pure; control thread. docs/PROTOCOL.md §26. */

#include "base/bytes.h"
#include "base/id.h"
#include "crypto/cert.h"
#include "crypto/kdf.h"
#include <stdbool.h>
#include <stdint.h>

#define LEDGER_MAX         4096
#define LEDGER_ENCODED_MAX (2u << 20) /* 4,096 members have at most 344 bytes each */

struct ledger_member {
    struct node_id id;
    char name[CERT_LABEL_MAX];
    struct addr addresses[CERT_ADDRESSES_MAX]; /* as in its certificate */
    uint8_t address_count;
    uint16_t roles;                  /* enum cert_role */
    uint8_t serial[CERT_SERIAL_LEN]; /* of its newest certificate */
    uint64_t joined;                 /* seconds since 1970, when it got the first one */
    uint64_t issued, not_after;      /* of the newest: when it was signed, and its end */
    uint8_t invitation[KDF_LEN];     /* the key of the one that it last came by; zeros: none */
};

struct ledger;

/* Nobody. The caller frees *out. */
int ledger_new(struct ledger **out) must_check;
void ledger_free(struct ledger *l);

/* NULL when there is none; borrowed until the next change. */
const struct ledger_member *ledger_find(const struct ledger *l, const struct node_id *id);
const struct ledger_member *ledger_named(const struct ledger *l, const char *name);

/* The i-th, by ascending id; NULL behind the last. */
const struct ledger_member *ledger_at(const struct ledger *l, size_t i);

/* Adds a member, or replaces the one of its id. ERR_ARGUMENT when it breaks a rule of certificates, ERR_EXISTS when
 * another one has its name or an address, ERR_SPACE when there are LEDGER_MAX. */
int ledger_put(struct ledger *l, const struct ledger_member *member) must_check;

/* What ledger_put of it replaced: `before`, or nobody (NULL). */
void ledger_undo(struct ledger *l, const struct node_id *id, const struct ledger_member *before);

/* Forgets whose certificate ended longer ago than it could be renewed, and whom is_revoked (NULL: nobody) says to be shut out for
 * good. */
void ledger_forget(struct ledger *l, uint64_t now,
                   bool (*is_revoked)(void *context, const struct node_id *id), void *context);

/* The addresses of the lowest number, from 1 on, that nobody has in any of the issuer's slices: one in each. The first and
 * the last address of a subnet around an IPv4 slice are nobody's. ERR_SPACE when there is none. */
int ledger_free_addresses(const struct ledger *l, const struct cert *issuer,
                          struct addr out[CERT_RANGES_MAX]) must_check;

/* Its part of a file. w goes bad when there is no room, never within LEDGER_ENCODED_MAX. */
void ledger_encode(const struct ledger *l, struct writer *w);

/* Reads exactly what ledger_encode writes into one that has nobody; r goes bad otherwise. */
void ledger_decode(struct ledger *l, struct reader *r);
