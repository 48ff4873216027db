/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The rolls' own memory, for the files of this room that share it (rolls*.c). */

#include "crypto/cert.h"
#include "crypto/revocations.h"
#include "proto/network/members.h"
#include "proto/network/rolls.h"

#define ROLLS_SIGNERS_MAX (1 + ROLLS_ISSUERS_MAX)
#define ROLLS_KINDS       (LIST_ISSUER + 1)

/* bytes NULL: nothing is held. */
struct rolls_held {
    uint8_t *bytes;
    size_t len;
    uint64_t number, time;
};

struct rolls_signer {
    struct cert cert;
    struct rolls_held lists[ROLLS_KINDS]; /* by enum list_kind */
    struct revocations revoked;
    struct roster_view roster;
};

struct rolls {
    struct rolls_signer signers[ROLLS_SIGNERS_MAX]; /* the CA first */
    unsigned signer_count;
    struct members members;
    bool stale; /* the members are to be found anew: there was no memory */
    uint64_t version, now_s;
    const struct identity *own; /* whose lists we sign; NULL: nobody's */
};

/* NULL when it is none. */
struct rolls_signer *rolls_signer(struct rolls *r, const struct node_id *id);
