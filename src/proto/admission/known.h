/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the peers of our lists are expected: the sources (IPv6: the /64) at which they were last seen or that
 * their records name. Who a newcomer is shows only after a handshake; where it comes from shows at once. Bounded:
 * the source noted longest ago makes room. One thread at a time. */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include <stdbool.h>

struct known;

/* At least so many sources are remembered. */
int known_new(unsigned sources, const struct random_source *random, struct known **out) must_check;
void known_free(struct known *k);

void known_note(struct known *k, const struct addr *source);
bool known_has(const struct known *k, const struct addr *source);
