/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which suites a node takes for data, and why one goes first (-aead). docs/PROTOCOL.md §4. */

#include "crypto/aead.h"

enum aead_policy {
    AEAD_AUTO,         /* both; first the one that is faster on this CPU */
    AEAD_AES_ALONE,    /* for who must have AES: a peer that has none is refused */
    AEAD_CHACHA_ALONE, /* likewise */
};

#define AEAD_OFFER_MAX 2

/* The numbers that a node offers under the policy, best first. Returns how many, at least one. */
size_t aead_policy_offer(enum aead_policy policy, uint8_t out[AEAD_OFFER_MAX]);

/* The one that it puts first: what its peers take, unless one of them needs the other. */
enum aead_suite aead_policy_first(enum aead_policy policy);

/* Why that one, as the end of a sentence: "this CPU has AES instructions". */
const char *aead_policy_reason(enum aead_policy policy);
