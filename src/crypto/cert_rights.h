/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The extension in which a member's certificate has what it may do. Any thread. docs/PROTOCOL.md §22. */

#include "base/bytes.h"
#include "base/err.h"

struct cert;

/* Writes the extension's value. */
void cert_rights_put(const struct cert *cert, struct writer *w);

/* Fills the rights from the extension's value, as cert_tbs_take does the rest. */
bool cert_rights_take(struct reader value, struct cert *out) must_check;
