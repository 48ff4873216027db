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

#define SITE_BITS 48 /* of a ULA: one site's networks share them (RFC 4193 §3.1) */

/* Whether one of our networks holds it, or for a ULA one of our site's. */
static bool in_our_networks(const struct usable_scope *s, const struct addr *a)
{
    for (size_t i = 0; i < s->machine_count; i++) {
        struct addr_prefix p = s->machine[i].prefix;
        if (p.addr.family == 6 && p.bits > SITE_BITS)
            p.bits = SITE_BITS;
        if (addr_in_prefix(a, &p))
            return true;
    }
    return false;
}

/* Whether we are seen at one of that family, and whether at one of its block. */
static bool are_seen(const struct usable_scope *s, const struct addr *a, bool *in_block)
{
    bool seen = false;
    *in_block = false;
    for (size_t i = 0; i < s->seen_count; i++) {
        seen = seen || s->seen[i].family == a->family;
        *in_block = *in_block || addr_same_private_block(&s->seen[i], a);
    }
    return seen;
}

static bool shares_public_address(const struct usable_scope *s, const struct candidate *c)
{
    for (size_t i = 0; i < s->seen_count; i++)
        if (!addr_is_private(&c->addr) && addr_same_host(&s->seen[i], &c->addr))
            return true;
    return false;
}

bool usable_in_scope(const struct usable_scope *s, const struct addr *a, const struct candidate *list,
                     unsigned count)
{
    bool in_block, elsewhere = false;
    if (!addr_is_private(a) || in_our_networks(s, a) || !are_seen(s, a, &in_block) || in_block)
        return true;
    for (unsigned i = 0; i < count; i++) {
        if (shares_public_address(s, &list[i]))
            return true;
        elsewhere = elsewhere || (list[i].addr.family == a->family && !addr_is_private(&list[i].addr));
    }
    return !elsewhere;
}
