/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The neighbourhoods of a source address, from narrow to wide: what one host, one customer and one provider can
 * command. IPv6: /64, /56, /48. IPv4: the address, its /28, its /24. A value; pure. */

#include "base/addr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFIX_LEVELS 3 /* 0: the source itself */
#define PREFIX_WIDER  4 /* so many times what a level is granted, the next wider one is */

struct prefix {
    uint64_t bits; /* high-order first; the rest zero */
    uint8_t family, level;
};

struct prefix prefix_of(const struct addr *source, unsigned level);
bool prefix_equal(const struct prefix *a, const struct prefix *b);

/* Depends on the seed, so that no one can choose sources that collide. */
uint64_t prefix_hash(const struct prefix *p, const uint64_t seed[2]);
