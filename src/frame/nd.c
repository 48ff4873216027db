/* SPDX-License-Identifier: Apache-2.0 */
/* Options are looked at for link-layer addresses alone. Any thread. */

#include "frame/nd.h"

#include "base/bytes.h"
#include "frame/offload_frame.h"

#define MAC_LEN        6
#define ADDR_LEN       16
#define IPV6_NEXT      6
#define IPV6_HOPS      7
#define IPV6_SOURCE    8
#define IPV6_TARGET    24 /* the destination */
#define ICMPV6         58
#define HOPS_NEIGHBOUR 255 /* no router passed it on */
#define ICMP           (ETH_LEN + IPV6_LEN)
#define ICMP_CSUM      2
#define ICMP_FLAGS     4
#define ICMP_TARGET    8
#define MESSAGE_LEN    24 /* of a neighbour's message without options */
#define FLAG_SOLICITED 0x40
#define FLAG_OVERRIDE  0x20
#define OPTION_SOURCE  1
#define OPTION_TARGET  2
#define OPTION_UNIT    8

/* The length of the message as the packet tells it; 0: it is none of ICMPv6, or not there as a whole. */
static size_t message_len(const uint8_t *frame, size_t len)
{
    if (len < ICMP + OPTION_UNIT || get16(frame + ETH_LEN - 2) != ETH_TYPE_IPV6 || frame[ETH_LEN] >> 4 != 6 ||
        frame[ETH_LEN + IPV6_NEXT] != ICMPV6)
        return 0;
    size_t body = get16(frame + ETH_LEN + IPV6_BODY_LEN);
    return body <= len - ICMP ? body : 0;
}

enum nd_type nd_type_of(const uint8_t *frame, size_t len)
{
    if (!message_len(frame, len))
        return ND_NONE;
    uint8_t type = frame[ICMP];
    return type >= ND_ROUTER_SOLICITATION && type <= ND_ADVERTISEMENT ? (enum nd_type)type : ND_NONE;
}

/* Over the pseudo-header and the message. */
static uint16_t checksum(const uint8_t *frame, size_t body)
{
    uint64_t sum = offload_sum(frame + ETH_LEN + IPV6_SOURCE, 2 * (size_t)ADDR_LEN, body + ICMPV6);
    return sum_fold(offload_sum(frame + ICMP, body, sum));
}

static void seal(uint8_t *frame, size_t body)
{
    put16(frame + ETH_LEN + IPV6_BODY_LEN, (uint16_t)body);
    put16(frame + ICMP + ICMP_CSUM, 0);
    put16(frame + ICMP + ICMP_CSUM, (uint16_t)~checksum(frame, body));
}

/* Looks for an option: false when options are malformed; *found is NULL where there is none. */
static bool find_option(const uint8_t *at, size_t left, uint8_t kind, const uint8_t **found)
{
    *found = NULL;
    while (left) {
        size_t len = left < OPTION_UNIT ? 0 : (size_t)at[1] * OPTION_UNIT;
        if (!len || len > left)
            return false;
        if (at[0] == kind && len == ND_OPTION_LEN && !*found)
            *found = at + 2;
        at += len;
        left -= len;
    }
    return true;
}

static struct addr addr_at(const uint8_t *p)
{
    struct addr a = {.family = 6};
    memcpy(a.ip, p, ADDR_LEN);
    return a;
}

static bool is_valid(const uint8_t *frame, size_t body)
{
    return body >= MESSAGE_LEN && frame[ETH_LEN + IPV6_HOPS] == HOPS_NEIGHBOUR && frame[ICMP + 1] == 0 &&
           checksum(frame, body) == 0xffff && frame[ICMP + ICMP_TARGET] != 0xff;
}

bool nd_decode(const uint8_t *frame, size_t len, struct nd *out)
{
    const uint8_t *link, *message = frame + ICMP;
    enum nd_type type = nd_type_of(frame, len);
    size_t body = message_len(frame, len);
    if ((type != ND_SOLICITATION && type != ND_ADVERTISEMENT) || !is_valid(frame, body))
        return false;
    uint8_t kind = type == ND_SOLICITATION ? OPTION_SOURCE : OPTION_TARGET;
    if (!find_option(message + MESSAGE_LEN, body - MESSAGE_LEN, kind, &link))
        return false;
    *out = (struct nd){.type = type,
                       .source = addr_at(frame + ETH_LEN + IPV6_SOURCE),
                       .destination = addr_at(frame + ETH_LEN + IPV6_TARGET),
                       .target = addr_at(message + ICMP_TARGET),
                       .solicited = message[ICMP_FLAGS] & FLAG_SOLICITED,
                       .override = message[ICMP_FLAGS] & FLAG_OVERRIDE,
                       .has_link = link != NULL};
    if (link)
        memcpy(out->link, link, MAC_LEN);
    return !link || memcmp(link, frame + MAC_LEN, MAC_LEN) == 0;
}

size_t nd_encode(const struct nd *nd, const uint8_t src[6], const uint8_t dst[6], uint8_t out[ND_FRAME_MAX])
{
    bool solicits = nd->type == ND_SOLICITATION;
    uint8_t flags = (uint8_t)((nd->solicited ? FLAG_SOLICITED : 0) | (nd->override ? FLAG_OVERRIDE : 0));
    memcpy(out, dst, MAC_LEN);
    struct writer w = writer_init(out + MAC_LEN, ND_FRAME_MAX - MAC_LEN);
    writer_put(&w, src, MAC_LEN);
    writer_u16(&w, ETH_TYPE_IPV6);
    writer_u32(&w, 6u << 28);
    writer_u16(&w, 0);
    writer_u8(&w, ICMPV6);
    writer_u8(&w, HOPS_NEIGHBOUR);
    writer_put(&w, nd->source.ip, ADDR_LEN);
    writer_put(&w, nd->destination.ip, ADDR_LEN);
    writer_u8(&w, (uint8_t)nd->type);
    writer_u8(&w, 0);
    writer_u16(&w, 0);
    writer_u32(&w, (uint32_t)(solicits ? 0 : flags) << 24);
    writer_put(&w, nd->target.ip, ADDR_LEN);
    if (nd->has_link) {
        writer_u8(&w, solicits ? OPTION_SOURCE : OPTION_TARGET);
        writer_u8(&w, ND_OPTION_LEN / OPTION_UNIT);
        writer_put(&w, nd->link, MAC_LEN);
    }
    size_t len = MAC_LEN + writer_len(&w);
    seal(out, len - ICMP);
    return len;
}

size_t nd_add_link(uint8_t *frame, size_t len, size_t cap, const uint8_t mac[6])
{
    static const uint8_t nobody[ADDR_LEN];
    const uint8_t *link;
    enum nd_type type = nd_type_of(frame, len);
    size_t body = message_len(frame, len), fixed = type == ND_ROUTER_SOLICITATION ? 8 : 16;
    if ((type != ND_ROUTER_SOLICITATION && type != ND_ROUTER_ADVERTISEMENT) || body < fixed ||
        memcmp(frame + ETH_LEN + IPV6_SOURCE, nobody, ADDR_LEN) == 0)
        return len;
    if (!find_option(frame + ICMP + fixed, body - fixed, OPTION_SOURCE, &link) || link ||
        cap < ICMP + body + ND_OPTION_LEN)
        return len;
    uint8_t *option = frame + ICMP + body;
    option[0] = OPTION_SOURCE;
    option[1] = ND_OPTION_LEN / OPTION_UNIT;
    memcpy(option + 2, mac, MAC_LEN);
    seal(frame, body + ND_OPTION_LEN);
    return ICMP + body + ND_OPTION_LEN;
}
