/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Extensions of our own: what a member may do, and from which subnets an issuer gives addresses. Any thread.
 * docs/PROTOCOL.md §22. */

#include "base/bytes.h"
#include "base/err.h"

struct cert;

/* A member's: writes the extension's value. */
void cert_rights_put(const struct cert *cert, struct writer *w);

/* Fills the rights from the extension's value, as cert_tbs_take does the rest. */
bool cert_rights_take(struct reader value, struct cert *out) must_check;

/* An issuer's, likewise. */
void cert_slices_put(const struct cert *cert, struct writer *w);
bool cert_slices_take(struct reader value, struct cert *out) must_check;
