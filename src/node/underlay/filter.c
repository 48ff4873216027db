/* SPDX-License-Identifier: Apache-2.0 */
/* usable.c judges; the device knows. */

#include "node/underlay/filter.h"

#include "node/config/config.h"
#include "node/device/device.h"
#include "node/underlay/usable.h"

static bool is_usable(const void *context, const struct addr *a)
{
    const struct filter *f = context;
    struct usable_scope scope = {.overlay = device_is_overlay(f->device, a),
                                 .port = f->config->port,
                                 .control_port = f->config->control_port};
    scope.machine = device_machine_addresses(f->device, &scope.machine_count);
    return usable(&scope, a);
}

static bool is_ours(const void *context, const struct addr *a)
{
    const struct filter *f = context;
    return device_is_local(f->device, a);
}

struct mesh_filter filter_of(const struct filter *f)
{
    return (struct mesh_filter){is_usable, is_ours, f};
}
