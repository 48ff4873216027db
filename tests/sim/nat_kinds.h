/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The kinds of NATs that simulations put nodes behind. */

#include "nat.h"

enum {
    NAT_CONE = 0,
    NAT_GUARDED = 2,
    NAT_UNGUARDED = 3,
    NAT_SEQUENTIAL = 5,
    NAT_DRAWING = 9,
    NAT_KINDS = 11
};

extern const struct nat_kind nat_kinds[NAT_KINDS];
