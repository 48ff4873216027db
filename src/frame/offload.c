/* SPDX-License-Identifier: Apache-2.0 */
/* Frame headers, one's complement sums and ECN (RFC 6040): what splitting and merging stand on. Worker
 * threads; pure. docs/PROTOCOL.md §5. */

#include "frame/offload.h"

#include "frame/offload_frame.h"
#include <string.h>

#define VLAN_LEN      4
#define VLAN_TAGS_MAX 2
#define ECN_MASK      3
#define ECN_CE        3

enum ipv6_next { IPV6_HOP_BY_HOP = 0, IPV6_ROUTING = 43, IPV6_DESTINATION = 60 };

static bool is_vlan(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8;
}

size_t offload_find_ip(const uint8_t *frame, size_t len, bool *v6)
{
    if (len < ETH_LEN)
        return 0;
    size_t at = ETH_LEN;
    uint16_t type = get16(frame + at - 2);
    for (int tags = 0; tags < VLAN_TAGS_MAX && is_vlan(type); tags++) {
        at += VLAN_LEN;
        if (len < at)
            return 0;
        type = get16(frame + at - 2);
    }
    *v6 = type == ETH_TYPE_IPV6;
    if (type == ETH_TYPE_IPV4 && len >= at + IPV4_LEN && frame[at] >> 4 == 4)
        return at;
    if (type == ETH_TYPE_IPV6 && len >= at + IPV6_LEN && frame[at] >> 4 == 6)
        return at;
    return 0;
}

/* Where the transport header begins, or 0 when the packet is a fragment or contradicts its frame. */
static size_t ipv4_transport(const uint8_t *frame, size_t len, size_t l3, uint8_t *protocol)
{
    const uint8_t *ip = frame + l3;
    size_t header = (size_t)(ip[0] & 15) * 4;
    bool fragment = get16(ip + 6) & 0x3fff;
    if (header < IPV4_LEN || fragment || get16(ip + IPV4_TOTAL_LEN) != len - l3 || header > len - l3)
        return 0;
    *protocol = ip[9];
    return l3 + header;
}

static size_t ipv6_transport(const uint8_t *frame, size_t len, size_t l3, uint8_t *protocol)
{
    size_t at = l3 + IPV6_LEN;
    if (get16(frame + l3 + IPV6_BODY_LEN) != len - at)
        return 0;
    uint8_t next = frame[l3 + 6];
    while (next == IPV6_HOP_BY_HOP || next == IPV6_ROUTING || next == IPV6_DESTINATION) {
        if (len < at + 8)
            return 0;
        next = frame[at];
        at += ((size_t)frame[at + 1] + 1) * 8;
        if (at > len)
            return 0;
    }
    *protocol = next;
    return at;
}

static size_t tcp_header_len(const uint8_t *tcp, size_t len)
{
    size_t header = len >= TCP_LEN ? (size_t)(tcp[12] >> 4) * 4 : 0;
    return header >= TCP_LEN && header <= len ? header : 0;
}

static size_t udp_header_len(const uint8_t *udp, size_t len)
{
    return len >= UDP_LEN && get16(udp + UDP_TOTAL_LEN) == len ? UDP_LEN : 0;
}

bool offload_parse(const uint8_t *frame, size_t len, struct offload_headers *out)
{
    uint8_t protocol = 0;
    size_t header = 0;
    out->l3 = offload_find_ip(frame, len, &out->v6);
    if (!out->l3)
        return false;
    out->l4 = out->v6 ? ipv6_transport(frame, len, out->l3, &protocol)
                      : ipv4_transport(frame, len, out->l3, &protocol);
    if (!out->l4)
        return false;
    out->udp = protocol == PROTOCOL_UDP;
    if (protocol == PROTOCOL_TCP)
        header = tcp_header_len(frame + out->l4, len - out->l4);
    else if (protocol == PROTOCOL_UDP)
        header = udp_header_len(frame + out->l4, len - out->l4);
    out->head_len = out->l4 + header;
    return header != 0 && out->head_len <= OFFLOAD_HEAD_MAX;
}

uint64_t offload_sum(const uint8_t *data, size_t len, uint64_t sum)
{
    for (; len >= 4; data += 4, len -= 4)
        sum += get32(data);
    if (len >= 2) {
        sum += get16(data);
        data += 2;
        len -= 2;
    }
    return len ? sum + (uint64_t)(data[0] << 8) : sum;
}

uint32_t offload_ipv4_base(const uint8_t *ip)
{
    size_t header = (size_t)(ip[0] & 15) * 4;
    uint64_t sum = get16(ip);
    sum = offload_sum(ip + 6, 4, sum);
    return sum_fold(offload_sum(ip + 12, header - 12, sum));
}

uint8_t offload_ecn(const uint8_t *frame, size_t len)
{
    bool v6;
    size_t l3 = offload_find_ip(frame, len, &v6);
    if (!l3)
        return 0;
    return (v6 ? frame[l3 + 1] >> 4 : frame[l3 + 1]) & ECN_MASK;
}

bool offload_ecn_mark(uint8_t *frame, size_t len)
{
    bool v6;
    size_t l3 = offload_find_ip(frame, len, &v6);
    if (!l3)
        return true;
    uint8_t *ip = frame + l3;
    if (offload_ecn(frame, len) == 0)
        return false;
    if (v6) {
        ip[1] |= ECN_CE << 4;
        return true;
    }
    /* RFC 1624: HC' = ~(~HC + ~m + m'), m the first word of the header. */
    uint16_t before = get16(ip);
    ip[1] |= ECN_CE;
    put16(ip + IPV4_CSUM,
          (uint16_t)~sum_fold((uint64_t)(uint16_t)~get16(ip + IPV4_CSUM) + (uint16_t)~before + get16(ip)));
    return true;
}
