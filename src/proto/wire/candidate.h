/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An address at which a node may be reachable: what records and HELLOs carry and what paths are made from. */

#include "base/addr.h"
#include "base/bytes.h"

#define CANDIDATES_MAX 16

enum candidate_kind {
    CANDIDATE_HOST = 1,
    CANDIDATE_REFLEXIVE = 2,
    CANDIDATE_MAPPED = 3,
    CANDIDATE_RELAYED = 4,
    CANDIDATE_STATIC = 5
};

struct candidate {
    enum candidate_kind kind;
    struct addr addr;      /* UDP data port */
    uint16_t control_port; /* TCP control port at the same host; 0 when it cannot be dialled there */
};

/* CBOR, for messages and records: an array of [kind, address (4 or 16 bytes), UDP port, control port].
 * Decoding: at most CANDIDATES_MAX; unknown kinds are skipped, items behind the fourth too; a mistake makes r
 * bad. Returns how many were stored in list. The scope of link-local addresses is not carried. */
void candidates_encode(const struct candidate *list, unsigned count, struct writer *w);
unsigned candidates_decode(struct reader *r, struct candidate list[CANDIDATES_MAX]);

/* One address as a byte string; the port is left alone (0 when decoded). */
void candidate_addr_encode(const struct addr *a, struct writer *w);
void candidate_addr_decode(struct reader *r, struct addr *out);
