/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* TBSCertificate: the part of a certificate that is signed, to and from a value. Any thread. docs/PROTOCOL.md §22. */

#include "base/bytes.h"
#include "base/err.h"

struct cert;

/* Writes what is signed. The value keeps the rules (cert_rules.h), and its id is its key's. */
void cert_tbs_put(const struct cert *cert, struct writer *w);

/* Writes the AlgorithmIdentifier, which also stands in front of the signature. */
void cert_tbs_put_algorithm(struct writer *w);

/* Fills the value from der, all but its id. False when it cannot be read. What is true has been understood, but may have
 * been written in another way than ours: the caller writes it again and compares. */
bool cert_tbs_take(const uint8_t *der, size_t len, struct cert *out) must_check;
