/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/datagram.h"

#include "frame/offload_frame.h"

#define IPV4_FRAGMENT        6
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV4_PROTOCOL        9
#define IPV6_NEXT            6

size_t datagram_payload(const uint8_t *frame, size_t len, uint16_t *source_port)
{
    bool v6;
    size_t l3 = offload_find_ip(frame, len, &v6);
    if (!l3)
        return 0;
    const uint8_t *ip = frame + l3;
    if (ip[v6 ? IPV6_NEXT : IPV4_PROTOCOL] != PROTOCOL_UDP)
        return 0;
    if (!v6 && (get16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_OFFSET))
        return 0;
    size_t header = v6 ? IPV6_LEN : (size_t)(ip[0] & 15) * 4, l4 = l3 + header;
    if (header < IPV4_LEN || l4 + UDP_LEN > len)
        return 0;
    *source_port = get16(frame + l4);
    return l4 + UDP_LEN;
}
