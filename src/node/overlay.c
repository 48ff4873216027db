/* SPDX-License-Identifier: Apache-2.0 */
/* Each cause of a peer is judged and, when it is new, told. Control thread. */

#include "node/overlay.h"

#include "node/node.h"
#include "node/subnets.h"

enum cause { OURS = 1, TWIN = 2, IPV4 = 4, IPV6 = 8 };

struct check {
    struct node *node;
    uint32_t slot;
    char peer[REPORT_WHO_MAX];
    unsigned before, now; /* causes */
};

/* True when the cause has to be told. */
static bool holds(struct check *c, enum cause cause)
{
    bool known = (c->before | c->now) & cause;
    c->now |= cause;
    return !known;
}

static void check_holder(struct check *c, const struct addr *a)
{
    char text[ADDR_TEXT_MAX], other[REPORT_WHO_MAX];
    struct node *n = c->node;
    int holder = device_holder(n->device, c->slot, a);
    if (holder == DEVICE_HOLDER_US && holds(c, OURS))
        log_warn("peer %s: announces %s, which is this machine's own address: they cannot reach each other "
                 "until one "
                 "of the two takes another -tap-ip",
                 c->peer, addr_format(a, text));
    if (holder < 0)
        return;
    n->overlay_told[holder].causes |= TWIN;
    if (holds(c, TWIN))
        log_warn("peer %s: announces %s, as peer %s does: only one of them is reached until the other takes "
                 "another "
                 "-tap-ip",
                 c->peer, addr_format(a, text), report_who_is_in(n, holder, other));
}

static void check_subnets(struct check *c, const struct hello *theirs, unsigned family, enum cause cause)
{
    struct addr_prefix ours[MESSAGE_ADDRS_MAX];
    struct subnets_pair pair;
    char here[ADDR_TEXT_MAX], there[ADDR_TEXT_MAX];
    unsigned count = device_addresses(c->node->device, ours, MESSAGE_ADDRS_MAX);
    enum subnets fit = subnets_compare(ours, count, theirs->addresses, theirs->address_count, family, &pair);
    if (fit == SUBNETS_MEET || !holds(c, cause))
        return;
    addr_prefix_format(pair.ours, here);
    addr_prefix_format(pair.theirs, there);
    if (fit == SUBNETS_MASKS_DIFFER)
        log_warn("peer %s: its address is %s, ours %s: with different masks some are not reached; give both "
                 "the same "
                 "-tap-netmask",
                 c->peer, there, here);
    else
        log_warn("peer %s: its address is %s, ours %s: they are in different subnets, and reach each other "
                 "by routes "
                 "alone; give one of them another -tap-ip",
                 c->peer, there, here);
}

void overlay_check(struct node *n, uint32_t slot, const struct node_id *id, const struct hello *theirs)
{
    struct overlay_told *told = &n->overlay_told[slot];
    struct check c = {.node = n, .slot = slot, .before = id_compare(&told->id, id) == 0 ? told->causes : 0};
    report_who_is_in(n, (int)slot, c.peer);
    for (unsigned i = 0; i < theirs->address_count; i++)
        check_holder(&c, &theirs->addresses[i].addr);
    check_subnets(&c, theirs, 4, IPV4);
    check_subnets(&c, theirs, 6, IPV6);
    *told = (struct overlay_told){*id, c.now};
}
