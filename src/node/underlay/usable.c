/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of addresses that others name. Control thread. */

#include "node/underlay/usable.h"

static bool leads_to_ourselves(const struct usable_scope *s, const struct addr *a)
{
    return rtnl_addresses_have(s->machine, s->machine_count, a) &&
           (a->port == s->port || a->port == s->control_port || a->port < USABLE_PORT_RESERVED);
}

bool usable(const struct usable_scope *s, const struct addr *a)
{
    return !s->overlay && !rtnl_addresses_edge(s->machine, s->machine_count, a) && !leads_to_ourselves(s, a);
}
