/* SPDX-License-Identifier: Apache-2.0 */
/* The best of all pairs decides. */

#include "node/report/subnets.h"

static enum subnets compare_two(const struct addr_prefix *a, const struct addr_prefix *b)
{
    if (!addr_prefix_overlap(a, b))
        return SUBNETS_APART;
    return a->bits == b->bits ? SUBNETS_MEET : SUBNETS_MASKS_DIFFER;
}

enum subnets subnets_compare(const struct addr_prefix *ours, unsigned our_count,
                             const struct addr_prefix *theirs, unsigned their_count, unsigned family,
                             struct subnets_pair *out)
{
    enum subnets best = SUBNETS_MEET;
    bool any = false;
    for (unsigned i = 0; i < our_count; i++) {
        for (unsigned j = 0; j < their_count; j++) {
            if (ours[i].addr.family != family || theirs[j].addr.family != family)
                continue;
            enum subnets one = compare_two(&ours[i], &theirs[j]);
            if (any && one >= best)
                continue;
            any = true;
            best = one;
            *out = (struct subnets_pair){&ours[i], &theirs[j]};
        }
    }
    return best;
}
