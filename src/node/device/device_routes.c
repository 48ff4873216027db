/* SPDX-License-Identifier: Apache-2.0 */
/* A packet of a TUN shows its destination, and not by which gateway the kernel would send it: that its routes tell. Control
 * thread. */

#include "node/device/device_routes.h"

#include "base/log.h"
#include "node/device/device_impl.h"
#include <stdlib.h>

static void tell_excess(struct device *d, size_t count)
{
    if (count > DEVICE_ROUTES_MAX && !d->through_told)
        log_warn("%zu routes lead through %s, and gateways are known of the first %u alone: sum them up",
                 count, d->tap.name, DEVICE_ROUTES_MAX);
    d->through_told = count > DEVICE_ROUTES_MAX;
}

void device_routes_refresh(struct device *d)
{
    if (d->tap.layer == TAP_ETHERNET) {
        d->through_stale = false;
        return;
    }
    if (!d->through)
        d->through = calloc(DEVICE_ROUTES_MAX, sizeof(*d->through));
    int count =
        d->through ? rtnl_routes(d->inside, d->tap.ifindex, d->through, DEVICE_ROUTES_MAX) : ERR_NOMEM;
    d->through_stale = count < 0;
    if (count < 0)
        return;
    tell_excess(d, (size_t)count);
    d->through_count = (size_t)count < DEVICE_ROUTES_MAX ? (size_t)count : DEVICE_ROUTES_MAX;
}

const struct rtnl_route *device_routes(const struct device *d, size_t *count)
{
    *count = d->through_count;
    return d->through;
}
