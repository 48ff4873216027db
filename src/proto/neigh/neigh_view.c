/* SPDX-License-Identifier: Apache-2.0 */
/* A few comparisons and one look-up for each packet. Any worker. */

#include "proto/neigh/neigh_view.h"

#include "base/bytes.h"
#include "frame/arp.h"
#include "frame/nd.h"

#define MAC_LEN          6
#define ETH_LEN          NEIGH_HEADROOM
#define ETH_TYPE         12
#define ETH_TYPE_IPV4    0x0800
#define ETH_TYPE_ARP     0x0806
#define ETH_TYPE_IPV6    0x86dd
#define GROUP_BIT        0x01
#define IPV4_LEN         20
#define IPV4_DESTINATION 16
#define IPV6_LEN         40
#define IPV6_DESTINATION 24

static const struct neigh_plan *plan_of(const struct neigh_view *v)
{
    return atomic_load_explicit(&v->plan, memory_order_acquire);
}

static uint16_t type_of(const uint8_t *frame)
{
    return (uint16_t)(frame[ETH_TYPE] << 8 | frame[ETH_TYPE + 1]);
}

/* 0 where the packet behind the header is none of IP. */
static uint16_t type_for(const uint8_t *frame, size_t len)
{
    uint8_t version = len > ETH_LEN ? frame[ETH_LEN] >> 4 : 0;
    if (version == 4 && len >= ETH_LEN + IPV4_LEN)
        return ETH_TYPE_IPV4;
    return version == 6 && len >= ETH_LEN + IPV6_LEN ? ETH_TYPE_IPV6 : 0;
}

static struct addr destination_of(const uint8_t *frame)
{
    struct addr a = {.family = frame[ETH_LEN] >> 4};
    if (a.family == 4)
        memcpy(a.ip, frame + ETH_LEN + IPV4_DESTINATION, 4);
    else
        memcpy(a.ip, frame + ETH_LEN + IPV6_DESTINATION, sizeof(a.ip));
    return a;
}

struct addr neigh_view_hop(const struct neigh_plan *p, const uint8_t *frame)
{
    const struct addr to = destination_of(frame);
    return *neigh_plan_hop(p, &to);
}

static enum neigh_verdict find_mac(const struct neigh_view *v, const struct neigh_plan *p, uint8_t *frame)
{
    const struct addr to = destination_of(frame);
    if (neigh_plan_group(p, &to, frame) || neigh_table_find(v->table, neigh_plan_hop(p, &to), frame))
        return NEIGH_PASS;
    memset(frame, 0, MAC_LEN);
    return NEIGH_CONTROL;
}

enum neigh_verdict neigh_view_out(const struct neigh_view *v, uint8_t *frame, size_t *len, size_t cap)
{
    const struct neigh_plan *p = plan_of(v);
    uint16_t type = type_for(frame, *len);
    if (!type)
        return NEIGH_NOT_IP;
    memcpy(frame + MAC_LEN, p->mac, MAC_LEN);
    frame[ETH_TYPE] = (uint8_t)(type >> 8);
    frame[ETH_TYPE + 1] = (uint8_t)type;
    if (type == ETH_TYPE_IPV6) {
        enum nd_type message = nd_type_of(frame, *len);
        if (message == ND_SOLICITATION || message == ND_ADVERTISEMENT)
            return NEIGH_NOTHING;
        if (message)
            *len = nd_add_link(frame, *len, cap, p->mac);
    }
    return find_mac(v, p, frame);
}

/* What may teach us something: an answer, or a question that is ours. All else that neighbours say is among others. */
static bool arp_concerns_us(const struct neigh_plan *p, const uint8_t *frame, size_t len)
{
    struct arp a;
    if (!arp_decode(frame, len, &a))
        return false;
    return !(frame[0] & GROUP_BIT) || a.operation == ARP_REPLY || neigh_plan_owns(p, &a.target) ||
           neigh_plan_owns(p, &a.sender) || addr_same_host(&a.sender, &a.target);
}

static bool nd_concerns_us(const struct neigh_plan *p, const uint8_t *frame, size_t len)
{
    struct nd nd;
    return nd_decode(frame, len, &nd) && (nd.type == ND_ADVERTISEMENT || neigh_plan_owns(p, &nd.target));
}

static enum neigh_verdict to_control(bool concerns_us)
{
    return concerns_us ? NEIGH_CONTROL : NEIGH_NOTHING;
}

enum neigh_verdict neigh_view_in(const struct neigh_view *v, const uint8_t *frame, size_t len)
{
    const struct neigh_plan *p = plan_of(v);
    uint16_t type = type_of(frame);
    if (!(frame[0] & GROUP_BIT) && memcmp(frame, p->mac, MAC_LEN) != 0)
        return NEIGH_NOT_IP;
    if (type == ETH_TYPE_ARP)
        return to_control(arp_concerns_us(p, frame, len));
    if (!type || type != type_for(frame, len))
        return NEIGH_NOT_IP;
    enum nd_type message = type == ETH_TYPE_IPV6 ? nd_type_of(frame, len) : ND_NONE;
    if (message == ND_SOLICITATION || message == ND_ADVERTISEMENT)
        return to_control(nd_concerns_us(p, frame, len));
    return NEIGH_PASS;
}
