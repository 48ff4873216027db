/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What splitting, merging and flow.c share: where the headers of a frame are, and one's complement sums
 * (RFC 1071). Private to src/net. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETH_LEN       14
#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_IPV6 0x86dd
#define IP_LEN_MAX    65535
#define PROTOCOL_TCP  6
#define PROTOCOL_UDP  17

/* Offsets of fields in IPv4, IPv6, TCP and UDP headers. */
#define IPV4_LEN       20
#define IPV4_TOTAL_LEN 2
#define IPV4_ID        4
#define IPV4_CSUM      10
#define IPV6_LEN       40
#define IPV6_BODY_LEN  4
#define TCP_LEN        20
#define TCP_SEQ        4
#define TCP_FLAGS      13
#define TCP_CSUM       16
#define UDP_LEN        8
#define UDP_TOTAL_LEN  4
#define UDP_CSUM       6

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

struct offload_headers {
    size_t l3, l4; /* where the IP and the TCP or UDP header begin */
    size_t head_len;
    bool v6, udp;
};

/* Finds the IP header behind up to two VLAN tags:
 * its offset, or 0 when the frame holds no (whole) IP header. */
size_t offload_find_ip(const uint8_t *frame, size_t len, bool *v6);

/* True when the frame is an unfragmented TCP segment or UDP datagram whose lengths all agree with len. */
bool offload_parse(const uint8_t *frame, size_t len, struct offload_headers *out);

/* The sum of the 16-bit words of data, added to sum; an odd last byte is padded with zero. Not folded. */
uint64_t offload_sum(const uint8_t *data, size_t len, uint64_t sum);

/* Sums the IPv4 header but for its length, id and checksum. */
uint32_t offload_ipv4_base(const uint8_t *ip);

static inline uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)(v >> 16));
    put16(p + 2, (uint16_t)v);
}

static inline uint16_t sum_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Writes length and id, and the checksum that belongs to them. */
static inline void offload_ipv4_fill(uint8_t *ip, uint32_t base, uint16_t total_len, uint16_t id)
{
    put16(ip + IPV4_TOTAL_LEN, total_len);
    put16(ip + IPV4_ID, id);
    put16(ip + IPV4_CSUM, (uint16_t)~sum_fold((uint64_t)base + total_len + id));
}

/* A partial checksum field holds the sum of the pseudo-header; its length part is added and taken away. */
static inline uint16_t pseudo_without(uint16_t field, size_t l4_len)
{
    return sum_fold((uint32_t)field + (uint16_t)~l4_len);
}

static inline uint16_t pseudo_with(uint16_t base, size_t l4_len)
{
    return sum_fold((uint32_t)base + (uint16_t)l4_len);
}
