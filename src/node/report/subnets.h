/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether two nodes' overlay addresses can meet. Pure. */

#include "base/addr.h"

enum subnets {
    SUBNETS_MEET,         /* they have one in common, or one side has no address of the family */
    SUBNETS_MASKS_DIFFER, /* one lies in the other */
    SUBNETS_APART,
};

struct subnets_pair {
    const struct addr_prefix *ours, *theirs; /* borrowed from the lists */
};

/* Of one family, 4 or 6. *out are the two that tell the difference, where there is one. */
enum subnets subnets_compare(const struct addr_prefix *ours, unsigned our_count,
                             const struct addr_prefix *theirs, unsigned their_count, unsigned family,
                             struct subnets_pair *out);
