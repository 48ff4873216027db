/* SPDX-License-Identifier: Apache-2.0 */
/* Questions for neighbours: what an ARP request and a neighbour solicitation have in common. Workers ask for frames that
 * would go to every peer, and for no others. docs/PROTOCOL.md §13. */

#include "frame/solicit.h"

#include "frame/offload_frame.h"
#include <string.h>

#define ETH_TYPE_ARP 0x0806

/* Offsets of fields in an ARP packet. */
#define ARP_OPERATION 6
#define ARP_SENDER    14
#define ARP_TARGET    24
#define ARP_LEN       28
#define ARP_REQUEST   1

#define IPV6_NEXT      6
#define IPV6_HOPS      7
#define IPV6_SOURCE    8
#define ICMPV6         58
#define HOPS_NEIGHBOUR 255 /* no router passed it on */

/* Offsets of fields in a neighbour solicitation. */
#define SOLICITATION        135
#define SOLICITATION_TARGET 8
#define SOLICITATION_LEN    24
#define SOLICITED_LEN       3 /* last bytes of an address that are the last of its group's, too */

static bool arp_target(const uint8_t *arp, size_t len, struct addr *out)
{
    static const uint8_t ethernet_ipv4[] = {0, 1, 8, 0, 6, 4}, none[4];
    const uint8_t *sender = arp + ARP_SENDER, *target = arp + ARP_TARGET;
    if (len < ARP_LEN || memcmp(arp, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0 ||
        get16(arp + ARP_OPERATION) != ARP_REQUEST)
        return false;
    if (memcmp(sender, none, sizeof(none)) == 0 || memcmp(sender, target, sizeof(none)) == 0)
        return false;
    *out = (struct addr){.family = 4};
    memcpy(out->ip, target, sizeof(none));
    return true;
}

/* dst is the frame's: the group of the address that is asked for. */
static bool nd_target(const uint8_t *dst, const uint8_t *ip, size_t len, struct addr *out)
{
    static const uint8_t group[] = {0x33, 0x33, 0xff}, none[16];
    const uint8_t *icmp = ip + IPV6_LEN, *target = icmp + SOLICITATION_TARGET, *source = ip + IPV6_SOURCE;
    if (len < IPV6_LEN + SOLICITATION_LEN || ip[IPV6_NEXT] != ICMPV6 || ip[IPV6_HOPS] != HOPS_NEIGHBOUR ||
        icmp[0] != SOLICITATION || icmp[1] != 0)
        return false;
    if (memcmp(source, none, sizeof(none)) == 0 || memcmp(source, target, sizeof(none)) == 0)
        return false;
    if (memcmp(dst, group, sizeof(group)) != 0 ||
        memcmp(dst + sizeof(group), target + sizeof(none) - SOLICITED_LEN, SOLICITED_LEN) != 0)
        return false;
    *out = (struct addr){.family = 6};
    memcpy(out->ip, target, sizeof(none));
    return true;
}

bool solicit_target(const uint8_t *frame, size_t len, struct addr *out)
{
    static const uint8_t everybody[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (len < ETH_LEN)
        return false;
    uint16_t type = get16(frame + ETH_LEN - sizeof(type));
    if (type == ETH_TYPE_ARP)
        return memcmp(frame, everybody, sizeof(everybody)) == 0 &&
               arp_target(frame + ETH_LEN, len - ETH_LEN, out);
    return type == ETH_TYPE_IPV6 && nd_target(frame, frame + ETH_LEN, len - ETH_LEN, out);
}
