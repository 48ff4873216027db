/* SPDX-License-Identifier: Apache-2.0 */
#include "node/uplink/uplink_ways.h"

static unsigned count(const struct ways *all)
{
    unsigned n = 1;
    for (uint32_t interface = 0; (interface = ways_next(all, 0, interface));)
        n++;
    return n;
}

bool uplink_ways_next(struct uplink_ways *w, const struct ways *all)
{
    w->vain += w->returning && w->vain < UPLINK_WAYS_VAIN_MAX;
    w->returning = false;
    w->well_us = 0;
    bool more = ++w->tried < count(all);
    w->interface = more ? ways_next(all, 0, w->interface) : 0;
    w->tried = more ? w->tried : 0;
    return more;
}

void uplink_ways_arrived(struct uplink_ways *w)
{
    w->tried = 0;
    w->returning = false;
    if (!w->interface)
        w->vain = 0;
}

uint64_t uplink_ways_patience_us(const struct uplink_ways *w, const struct ways *all, unsigned rounds)
{
    rounds += w->returning ? w->vain : 0;
    if (w->tried + 1 >= count(all))
        return 0;
    return UPLINK_WAYS_PATIENCE_US << (rounds < UPLINK_WAYS_ROUNDS_MAX ? rounds : UPLINK_WAYS_ROUNDS_MAX);
}

bool uplink_ways_heard(struct uplink_ways *w, uint32_t interface, bool answered, uint64_t now_us)
{
    if (interface || !answered)
        w->well_us = 0;
    else if (!w->well_us)
        w->well_us = now_us;
    return w->interface && w->well_us && now_us - w->well_us >= UPLINK_WAYS_RETURN_US << w->vain;
}

void uplink_ways_return(struct uplink_ways *w)
{
    w->interface = 0;
    w->tried = 0;
    w->returning = true;
}
