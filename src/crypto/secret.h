/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Secrets: random bytes, wiping, comparison in constant time. Any thread. */

#include "base/random.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills out from OpenSSL's CSPRNG. Aborts when there is no randomness: nothing can go on without. */
void secret_random(void *out, size_t len);

/* The same as a source. */
extern const struct random_source secret_source;

/* Every generator takes fresh entropy from the system before its next byte: this process may be a copy of another
 * one. Aborts as secret_random. */
void secret_reseed(void);

/* Not optimised away. */
void secret_wipe(void *secret, size_t len);

bool secret_equal(const void *a, const void *b, size_t len);
