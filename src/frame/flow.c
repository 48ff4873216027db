/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/flow.h"

#include "frame/offload_frame.h"

#define IPV4_FRAGMENT  6      /* offset of flags and fragment offset … */
#define IPV4_FRAGMENTS 0x3fff /* … of which the flag MF and the offset tell a fragment */
#define IPV4_PROTOCOL  9
#define IPV4_ADDRESSES 12
#define IPV6_NEXT      6
#define IPV6_ADDRESSES 8
#define PORTS_LEN      4
#define TCP_SYN        0x02
#define BEGINNING_MAX  256 /* headers with all their options, tags and a little data */

/* Sums are the same whichever end is the source. */
static uint32_t sum_addresses(const uint8_t *addresses, size_t words)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < words; i++)
        sum += get32(addresses + 4 * i);
    return sum;
}

/* Where the ports are, or 0 when the packet has none to tell flows by. */
static size_t find_ports(const uint8_t *frame, size_t len, size_t l3, bool v6)
{
    const uint8_t *ip = frame + l3;
    uint8_t protocol = v6 ? ip[IPV6_NEXT] : ip[IPV4_PROTOCOL];
    size_t at = l3 + (v6 ? IPV6_LEN : (size_t)(ip[0] & 15) * 4);
    if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
        return 0;
    if (!v6 && (get16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENTS))
        return 0;
    return at + PORTS_LEN <= len ? at : 0;
}

/* Every bit of the sum moves every bit of the hash, whose remainders by small numbers are then as good as any
 * (the finalizer of MurmurHash3). */
static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x85ebca6b;
    x ^= x >> 13;
    x *= 0xc2b2ae35;
    return x ^ x >> 16;
}

uint32_t flow_hash(const uint8_t *frame, size_t len)
{
    bool v6;
    size_t l3 = offload_find_ip(frame, len, &v6);
    if (!l3)
        return 0;
    uint32_t sum =
        v6 ? sum_addresses(frame + l3 + IPV6_ADDRESSES, 8) : sum_addresses(frame + l3 + IPV4_ADDRESSES, 2);
    size_t ports = find_ports(frame, len, l3, v6);
    if (ports)
        sum += ((uint32_t)get16(frame + ports) + get16(frame + ports + 2)) << 16 | 1;
    return mix(sum);
}

bool flow_begins(const uint8_t *frame, size_t len)
{
    bool v6;
    size_t l3 = len <= BEGINNING_MAX ? offload_find_ip(frame, len, &v6) : 0;
    if (!l3 || frame[l3 + (v6 ? IPV6_NEXT : IPV4_PROTOCOL)] != PROTOCOL_TCP)
        return false;
    size_t tcp = find_ports(frame, len, l3, v6);
    return tcp && tcp + TCP_FLAGS < len && (frame[tcp + TCP_FLAGS] & TCP_SYN);
}
