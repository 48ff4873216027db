/* SPDX-License-Identifier: Apache-2.0 */
/* usable.c judges; the device knows, and STUN servers do. */

#include "node/underlay/filter.h"

#include "node/config/config.h"
#include "node/device/device.h"
#include "node/underlay/addresses.h"
#include "node/underlay/usable.h"

static struct usable_scope scope_of(const struct filter *f, const struct addr *a)
{
    struct usable_scope scope = {.overlay = device_is_overlay(f->device, a),
                                 .port = f->config->port,
                                 .control_port = f->config->control_port};
    scope.machine = device_machine_addresses(f->device, &scope.machine_count);
    scope.seen_count = addresses_seen(f->addresses, &scope.seen);
    return scope;
}

static bool is_usable(const void *context, const struct addr *a)
{
    const struct usable_scope scope = scope_of(context, a);
    return usable(&scope, a);
}

/* What a route of its own leads to, a network behind a VPN or a company's, is not reached by the internet's way. */
static bool is_in_scope(const void *context, const struct addr *a, const struct candidate *list,
                        unsigned count)
{
    const struct filter *f = context;
    const struct usable_scope scope = scope_of(f, a);
    const struct addr *server = addresses_stun_server(f->addresses);
    return usable_in_scope(&scope, a, list, count) ||
           (server->family == a->family && device_leads_apart(f->device, a, server));
}

static uint32_t interface_of(const void *context, const struct addr *a)
{
    const struct filter *f = context;
    return device_interface_of(f->device, a);
}

struct mesh_filter filter_of(const struct filter *f)
{
    return (struct mesh_filter){is_usable, is_in_scope, interface_of, f};
}
