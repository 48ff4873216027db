/* SPDX-License-Identifier: Apache-2.0 */
/*      signature 12 | version and command u8 | family and protocol u8 | length u16 | addresses | extensions */

#include "backbone/proxy_header.h"

#include "base/bytes.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define SIGNATURE_LEN 12
#define VERSION       0x20 /* high half of its byte … */
#define COMMAND       0x0f /* … and the low half */
#define COMMAND_LOCAL 0
#define COMMAND_PROXY 1
#define FAMILY        0xf0
#define FAMILY_IPV4   0x10
#define FAMILY_IPV6   0x20
#define FAMILY_LAST   0x30 /* UNIX sockets; 0: none told */
#define PROTOCOL      0x0f
#define PROTOCOL_LAST 0x02

static const uint8_t signature[SIGNATURE_LEN] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                                 '\n', 'Q',  'U',  'I',  'T', '\n'};

/* Source and destination address, source and destination port. Of IPv6 one that holds an IPv4 address is that. */
static int read_source(struct reader *r, uint8_t family, struct addr *source)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    size_t ip_len = family == FAMILY_IPV4 ? 4 : 16;
    reader_copy(r, family == FAMILY_IPV4 ? source->ip : six.sin6_addr.s6_addr, ip_len);
    (void)reader_take(r, ip_len);
    source->port = reader_u16(r);
    (void)reader_u16(r);
    if (r->bad)
        return ERR_FORMAT;
    source->family = 4;
    six.sin6_port = htons(source->port);
    return family == FAMILY_IPV4 ? 0 : addr_from_sockaddr((const struct sockaddr *)&six, source);
}

int proxy_header_decode(const uint8_t *bytes, size_t have, struct addr *source, size_t *len)
{
    struct reader r = reader_init(bytes, have);
    size_t known = have < SIGNATURE_LEN ? have : SIGNATURE_LEN;
    *source = (struct addr){0};
    *len = PROXY_HEADER_LEAST;
    if (memcmp(bytes, signature, known) != 0)
        return ERR_UNSUPPORTED;
    if (have < PROXY_HEADER_LEAST)
        return ERR_AGAIN;
    (void)reader_take(&r, SIGNATURE_LEN);
    uint8_t command = reader_u8(&r) ^ VERSION, what = reader_u8(&r), family = what & FAMILY;
    *len += reader_u16(&r);
    if (command > COMMAND_PROXY || family > FAMILY_LAST || (what & PROTOCOL) > PROTOCOL_LAST ||
        *len > PROXY_HEADER_MAX)
        return ERR_FORMAT;
    if (have < *len)
        return ERR_AGAIN;
    if (command == COMMAND_LOCAL || (family != FAMILY_IPV4 && family != FAMILY_IPV6))
        return 0;
    r = reader_init(bytes + PROXY_HEADER_LEAST, *len - PROXY_HEADER_LEAST);
    return read_source(&r, family, source);
}
