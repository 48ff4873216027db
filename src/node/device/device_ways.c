/* SPDX-License-Identifier: Apache-2.0 */
/* The ways out of this machine: which interfaces a default route leads through. Where a more special rule has a say in what
 * the kernel sends by default, as a tunnel for all traffic makes one, there are none: nothing is to go around that. Control
 * thread. */

#include "node/device/device_ways.h"

#include "node/device/device_impl.h"

static bool is_first_of_interface(const struct device *d, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (d->all[i].index == d->all[at].index && device_is_underlay(d, &d->all[i]) &&
            d->all[i].prefix.addr.family == d->all[at].prefix.addr.family)
            return false;
    return true;
}

static void look_for_standbys(struct device *d, unsigned family, unsigned chosen)
{
    for (size_t i = 0; i < d->all_count; i++) {
        const struct rtnl_address *a = &d->all[i];
        unsigned index;
        if (a->prefix.addr.family != family || a->index == chosen || !device_is_underlay(d, a) ||
            !is_first_of_interface(d, i))
            continue;
        if (rtnl_default_route(d->rtnl, family, a->index, &index) == 0)
            ways_add(&d->ways, a->index, family, WAY_STANDBY);
    }
}

void device_ways_refresh(struct device *d)
{
    unsigned chosen[2];
    d->ways = (struct ways){0};
    for (unsigned i = 0; i < 2; i++)
        if (rtnl_default_route(d->rtnl, 4 + 2 * i, 0, &chosen[i]) == 0)
            ways_add(&d->ways, chosen[i], 4 + 2 * i, WAY_CHOSEN);
        else
            chosen[i] = 0;
    for (unsigned i = 0; i < 2; i++)
        if (chosen[i])
            look_for_standbys(d, 4 + 2 * i, chosen[i]);
}

const struct ways *device_ways(const struct device *d)
{
    return &d->ways;
}
