/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How one AEAD implementation is chosen among those that serve a suite. */

#include "crypto/aead_backend.h"

/* The one that serves the suite in this process (enum aead_choice), or NULL when none does. Chosen for every suite
 * on the first call, by any thread: takes some milliseconds then, nothing later. */
const struct aead_backend *aead_choose(enum aead_suite suite);

/* True when both seal the same and open what the other sealed, at lengths around the edges of their code and
 * in several splits, and when b refuses what was altered. */
bool aead_agree(const struct aead_backend *a, const struct aead_backend *b, enum aead_suite suite) must_check;
