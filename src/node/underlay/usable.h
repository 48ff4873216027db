/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which addresses that others name may be probed and dialled from this machine. docs/PROTOCOL.md §10. A value and a
 * question to it; control thread. */

#include "net/rtnl.h"
#include "proto/wire/candidate.h"

#define USABLE_PORT_RESERVED 1024 /* below: ports of the system's services */

/* What an address is judged by. */
struct usable_scope {
    const struct rtnl_address *machine; /* this machine's addresses, with their subnets */
    size_t machine_count;
    bool overlay;                /* it lies in the device's subnet */
    uint16_t port, control_port; /* ours */
    const struct addr *seen;     /* where STUN servers see us */
    size_t seen_count;
};

/* False for an address of the overlay, which is never reached through itself; for the first and last of our subnets,
 * which mean everybody in it; and on this machine for our own ports and the system's. Another node may
 * run here, at ports of its own. */
bool usable(const struct usable_scope *scope, const struct addr *a);

/* False for a private address (addr_is_private) that is another machine's here than at the peer who names it, among all of its
 * candidates: it is in none of our networks, we are seen at no address of that block, and peer and we are seen at
 * different public ones. Where either is unknown, it may be the peer's. Routes are not looked at. */
bool usable_in_scope(const struct usable_scope *scope, const struct addr *a, const struct candidate *list,
                     unsigned count);
