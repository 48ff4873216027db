/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Frames made from a description, field by field and with plainly computed checksums: what the offload code
 * is measured against. Shares nothing with src/net. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PACKET_MAX 66000

struct packet {
    bool v6, udp;
    unsigned vlans, ip_options, extensions, tcp_options; /* options in bytes, multiples of 4 */
    uint8_t tcp_flags, tos;
    uint16_t ip_id, window;
    uint32_t seq;
    bool partial; /* leave the pseudo-header's sum in the checksum field, as the kernel does */
    const uint8_t *body;
    size_t body_len;
    /* Filled by packet_build. */
    size_t l3, l4, head_len;
};

static inline uint64_t packet_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline uint8_t *packet_put(uint8_t *at, uint64_t v, unsigned bytes)
{
    while (bytes--)
        *at++ = (uint8_t)(v >> (8 * bytes));
    return at;
}

static inline uint32_t packet_sum(const uint8_t *data, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static inline uint8_t *packet_build_ipv4(const struct packet *p, uint8_t *at, size_t l4_len)
{
    uint8_t *ip = at;
    size_t header = 20 + p->ip_options;
    at = packet_put(at, 0x40 | header / 4, 1);
    at = packet_put(at, p->tos, 1);
    at = packet_put(at, header + l4_len, 2);
    at = packet_put(at, p->ip_id, 2);
    at = packet_put(at, 0x4000, 2);
    at = packet_put(at, 64, 1);
    at = packet_put(at, p->udp ? 17 : 6, 1);
    at = packet_put(at, 0, 2);
    at = packet_put(at, 0x0a0a0a03, 4);
    at = packet_put(at, 0x0a0a0a04, 4);
    for (unsigned i = 0; i < p->ip_options; i++)
        *at++ = 1;
    packet_put(ip + 10, ~packet_sum(ip, header, 0) & 0xffff, 2);
    return at;
}

static inline uint8_t *packet_build_ipv6(const struct packet *p, uint8_t *at, size_t l4_len)
{
    static const uint8_t kinds[] = {0, 60, 43};
    uint8_t transport = p->udp ? 17 : 6;
    at = packet_put(at, 0x60000000u | (uint32_t)p->tos << 20 | 0x12345, 4);
    at = packet_put(at, p->extensions * 16 + l4_len, 2);
    at = packet_put(at, p->extensions ? kinds[0] : transport, 1);
    at = packet_put(at, 64, 1);
    for (unsigned side = 0; side < 2; side++) {
        at = packet_put(at, 0xfd00000000000000ull, 8);
        at = packet_put(at, 3 + side, 8);
    }
    for (unsigned i = 0; i < p->extensions; i++) {
        at = packet_put(at, i + 1 < p->extensions ? kinds[i + 1] : transport, 1);
        at = packet_put(at, 1, 1);
        at = packet_put(at, i == 2 ? 0x0400 : 0x010c, 2); /* a finished routing header, or padding */
        memset(at, 0, 12);
        at += 12;
    }
    return at;
}

static inline uint8_t *packet_build_tcp(const struct packet *p, uint8_t *at)
{
    at = packet_put(at, 40000, 2);
    at = packet_put(at, 5201, 2);
    at = packet_put(at, p->seq, 4);
    at = packet_put(at, 0x01020304, 4);
    at = packet_put(at, (20 + p->tcp_options) / 4 << 4, 1);
    at = packet_put(at, p->tcp_flags, 1);
    at = packet_put(at, p->window, 2);
    at = packet_put(at, 0, 4);
    for (unsigned i = 0; i < p->tcp_options; i++)
        *at++ = 1;
    return at;
}

static inline uint32_t packet_pseudo(const struct packet *p, const uint8_t *ip, size_t l4_len)
{
    uint32_t sum = (uint32_t)l4_len + (p->udp ? 17 : 6);
    return p->v6 ? packet_sum(ip + 8, 32, sum) : packet_sum(ip + 12, 8, sum);
}

/* Builds the frame into out (PACKET_MAX bytes) and returns its length. */
static inline size_t packet_build(struct packet *p, uint8_t *out)
{
    uint8_t *at = packet_put(out, 0x020000000004ull, 6);
    at = packet_put(at, 0x020000000003ull, 6);
    for (unsigned i = 0; i < p->vlans; i++)
        at = packet_put(at, (i + 1 < p->vlans ? 0x88a80000u : 0x81000000u) | (7 + i), 4);
    at = packet_put(at, p->v6 ? 0x86dd : 0x0800, 2);
    size_t l4_len = (p->udp ? 8 : 20 + p->tcp_options) + p->body_len;
    p->l3 = (size_t)(at - out);
    at = p->v6 ? packet_build_ipv6(p, at, l4_len) : packet_build_ipv4(p, at, l4_len);
    p->l4 = (size_t)(at - out);
    if (p->udp)
        at = packet_put(packet_put(at, 0x9c4007d0, 4), l4_len << 16, 4);
    else
        at = packet_build_tcp(p, at);
    p->head_len = (size_t)(at - out);
    if (p->body_len)
        memcpy(at, p->body, p->body_len);

    uint32_t sum = packet_pseudo(p, out + p->l3, l4_len);
    sum = (sum & 0xffff) + (sum >> 16);
    if (!p->partial)
        sum = ~packet_sum(out + p->l4, l4_len, sum) & 0xffff;
    if (!p->partial && sum == 0)
        sum = 0xffff;
    packet_put(out + p->l4 + (p->udp ? 6 : 16), sum, 2);
    return p->head_len + p->body_len;
}

/* Segment number i of the train that p, cut at mss, must become; complete. */
static inline size_t packet_build_segment(const struct packet *p, size_t mss, unsigned i, bool partial,
                                          uint8_t *out)
{
    struct packet s = *p;
    size_t at = i * mss;
    s.partial = partial;
    s.body = p->body + at;
    s.body_len = p->body_len - at < mss ? p->body_len - at : mss;
    s.seq = p->seq + (uint32_t)at;
    s.ip_id = (uint16_t)(p->ip_id + i);
    if (at + mss < p->body_len)
        s.tcp_flags &= 0xf6; /* neither FIN nor PSH */
    if (i > 0)
        s.tcp_flags &= 0x7f; /* no CWR */
    return packet_build(&s, out);
}

/* Fills a checksum that was left partial. */
static inline void packet_complete(uint8_t *frame, size_t len, size_t start, size_t offset)
{
    uint32_t sum = ~packet_sum(frame + start, len - start, 0) & 0xffff;
    packet_put(frame + start + offset, sum ? sum : 0xffff, 2);
}
