/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What became of a network's members: an issuer's log of them, the oldest first. It is bounded. Where it is full, whoever has
 * most of it loses the oldest of that, renewals first: so an issuer that floods it pushes out its own. Pure; control thread.
 * docs/PROTOCOL.md §29. */

#include "base/bytes.h"
#include "base/id.h"
#include "crypto/cert.h"
#include <stddef.h>
#include <stdint.h>

#define CHANGES_MAX         2048
#define CHANGES_BY_MAX      64
#define CHANGES_ENCODED_MAX (640u << 10) /* each has at most 280 bytes */

enum change_kind {
    CHANGE_JOINED = 1,
    CHANGE_RENEWED,
    CHANGE_REVOKED,
    CHANGE_PROMOTED, /* it is an issuer, or has a new certificate as one */
    CHANGE_EXPIRED,  /* nobody renewed it */
};

struct change {
    enum change_kind kind;
    uint64_t time;             /* seconds since 1970 */
    struct node_id id;         /* of the member … */
    char name[CERT_LABEL_MAX]; /* … and its name; empty: it is not known */
    struct node_id signer;     /* whose word it is: an issuer's, or the CA's */
    uint64_t until;            /* the end of its certificate; 0: it has none any more */
    char by[CHANGES_BY_MAX];   /* who asked the signer, where that is known; text_ok */
};

struct changes;

/* ERR_NOMEM. The caller frees *out. */
int changes_new(struct changes **out) must_check;
void changes_free(struct changes *c); /* NULL is allowed */

/* Takes a copy. Without memory for it, nothing. */
void changes_put(struct changes *c, const struct change *change);

size_t changes_count(const struct changes *c);
/* The i-th, the oldest first; NULL behind the last. Borrowed until the next changes_put. */
const struct change *changes_at(const struct changes *c, size_t i);
/* The newest of that member; NULL when there is none. O(CHANGES_MAX). */
const struct change *changes_last(const struct changes *c, const struct node_id *id);

/* One more at each changes_put. */
uint64_t changes_version(const struct changes *c);

/* "joined". */
const char *change_kind_name(enum change_kind kind);

/* The bytes of a file. w goes bad when there is no room, never within CHANGES_ENCODED_MAX. */
void changes_encode(const struct changes *c, struct writer *w);
/* Reads exactly what changes_encode writes into one that has nothing. ERR_FORMAT: then it is of no more use. */
int changes_decode(struct changes *c, const uint8_t *data, size_t len) must_check;
