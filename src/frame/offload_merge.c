/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of a train put back into one super-frame for the TAP. What comes from a peer is checked here field
 * by field: a segment joins only when it repeats the first one's headers and continues its payload. Worker
 * threads; pure. docs/PROTOCOL.md §5. */

#include "frame/offload.h"

#include "frame/offload_frame.h"
#include <string.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define FIRST  1 /* in iov */
#define BODIES 2

static bool csum_is_inside(const struct offload_csum *c, size_t len)
{
    return c->start >= ETH_LEN && (size_t)c->start + c->offset + 2 <= len;
}

/* The field holds the pseudo-header's sum, so one pass over header and payload makes the checksum. Zero would
 * mean "none" in UDP (RFC 768); its other form is right for TCP too. */
static void complete_csum(const struct offload_csum *c, uint8_t *frame, size_t len)
{
    uint16_t sum = (uint16_t)~sum_fold(offload_sum(frame + c->start, len - c->start, 0));
    put16(frame + c->start + c->offset, sum ? sum : 0xffff);
}

/* One's complement has two zeros. */
static bool pseudo_equal(uint16_t a, uint16_t b)
{
    return (a == 0xffff ? 0 : a) == (b == 0xffff ? 0 : b);
}

static uint8_t *csum_field(const struct offload_merge *m, uint8_t *frame)
{
    return frame + m->meta.csum.start + m->meta.csum.offset;
}

static bool tcp_may_begin(struct offload_merge *m, const uint8_t *tcp)
{
    uint8_t flags = tcp[TCP_FLAGS];
    if (!(flags & TCP_ACK) || (flags & (TCP_SYN | TCP_RST | TCP_URG | TCP_FIN | TCP_PSH)))
        return false;
    m->next_seq = get32(tcp + TCP_SEQ) + (uint32_t)m->mss;
    return true;
}

/* Whether more can follow the frame that the merge begins with. Reads every field that later segments must
 * repeat. */
static bool may_begin(struct offload_merge *m, const uint8_t *frame, size_t len, unsigned offloads)
{
    struct offload_headers h;
    const struct offload_csum *c = &m->meta.csum;
    if (!m->meta.train || m->meta.last || !c->partial || !offload_parse(frame, len, &h) || len == h.head_len)
        return false;
    if (c->start != h.l4 || c->offset != (h.udp ? UDP_CSUM : TCP_CSUM))
        return false;
    if (!(offloads & (h.udp ? OFFLOAD_USO : OFFLOAD_TSO)) || !(offloads & OFFLOAD_CSUM))
        return false;
    m->v6 = h.v6;
    m->udp = h.udp;
    m->l3 = h.l3;
    m->l4 = h.l4;
    m->head_len = h.head_len;
    m->mss = len - h.head_len;
    m->pseudo = pseudo_without(get16(frame + h.l4 + c->offset), len - h.l4);
    m->ip_id = h.v6 ? 0 : get16(frame + h.l3 + IPV4_ID);
    return h.udp || tcp_may_begin(m, frame + h.l4);
}

static void begin(struct offload_merge *m, const struct offload_meta *meta, uint8_t *frame, size_t len,
                  unsigned offloads)
{
    m->meta = *meta;
    m->vnet = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    m->iov[0] = (struct iovec){&m->vnet, sizeof(m->vnet)};
    m->iov[FIRST] = (struct iovec){frame, len};
    m->count = BODIES;
    m->total = len;
    m->tcp_flags = 0;
    struct offload_csum *c = &m->meta.csum;
    c->partial = c->partial && csum_is_inside(c, len);
    if (c->partial && (offloads & OFFLOAD_CSUM)) {
        m->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        m->vnet.csum_start = c->start;
        m->vnet.csum_offset = c->offset;
    } else if (c->partial) {
        complete_csum(c, frame, len);
    }
    m->closed = !may_begin(m, frame, len, offloads);
}

static bool range_equal(const uint8_t *a, const uint8_t *b, size_t from, size_t to)
{
    return memcmp(a + from, b + from, to - from) == 0;
}

static bool ip_continues(const struct offload_merge *m, const uint8_t *first, const uint8_t *frame,
                         size_t len)
{
    size_t l3 = m->l3;
    const uint8_t *ip = frame + l3;
    if (m->v6)
        return get16(ip + IPV6_BODY_LEN) == len - l3 - IPV6_LEN &&
               range_equal(first, frame, 0, l3 + IPV6_BODY_LEN) &&
               range_equal(first, frame, l3 + IPV6_BODY_LEN + 2, m->l4);
    uint16_t id = (uint16_t)(m->ip_id + (unsigned)(m->count - FIRST));
    return get16(ip + IPV4_TOTAL_LEN) == len - l3 && get16(ip + IPV4_ID) == id &&
           range_equal(first, frame, 0, l3 + IPV4_TOTAL_LEN) &&
           range_equal(first, frame, l3 + IPV4_ID + 2, l3 + IPV4_CSUM) &&
           range_equal(first, frame, l3 + IPV4_CSUM + 2, m->l4);
}

static bool tcp_continues(const struct offload_merge *m, const uint8_t *first, const uint8_t *frame)
{
    size_t l4 = m->l4;
    uint8_t flags = frame[l4 + TCP_FLAGS] & (uint8_t) ~(TCP_FIN | TCP_PSH);
    return get32(frame + l4 + TCP_SEQ) == m->next_seq &&
           flags == (first[l4 + TCP_FLAGS] & (uint8_t)~TCP_CWR) &&
           range_equal(first, frame, l4, l4 + TCP_SEQ) &&
           range_equal(first, frame, l4 + TCP_SEQ + 4, l4 + TCP_FLAGS) &&
           range_equal(first, frame, l4 + TCP_FLAGS + 1, l4 + TCP_CSUM) &&
           range_equal(first, frame, l4 + TCP_CSUM + 2, m->head_len);
}

static bool udp_continues(const struct offload_merge *m, const uint8_t *first, const uint8_t *frame,
                          size_t len)
{
    return get16(frame + m->l4 + UDP_TOTAL_LEN) == len - m->l4 &&
           range_equal(first, frame, m->l4, m->l4 + UDP_TOTAL_LEN);
}

static bool continues(const struct offload_merge *m, const struct offload_meta *meta, uint8_t *frame,
                      size_t len)
{
    uint8_t *first = m->iov[FIRST].iov_base;
    if (m->closed || !meta->train || meta->group != m->meta.group ||
        meta->position != (uint8_t)(m->meta.position + m->count - FIRST))
        return false;
    if (!meta->csum.partial || meta->csum.start != m->meta.csum.start ||
        meta->csum.offset != m->meta.csum.offset)
        return false;
    if (len <= m->head_len || len - m->head_len > m->mss || m->count == FIRST + OFFLOAD_SEGMENTS ||
        m->total - m->l3 + len - m->head_len > IP_LEN_MAX)
        return false;
    if (!pseudo_equal(pseudo_without(get16(csum_field(m, frame)), len - m->l4), m->pseudo))
        return false;
    return ip_continues(m, first, frame, len) &&
           (m->udp ? udp_continues(m, first, frame, len) : tcp_continues(m, first, frame));
}

bool offload_merge_add(struct offload_merge *m, const struct offload_meta *meta, uint8_t *frame, size_t len,
                       unsigned offloads)
{
    if (m->count == 0) {
        begin(m, meta, frame, len, offloads);
        return true;
    }
    if (!continues(m, meta, frame, len))
        return false;
    size_t body = len - m->head_len;
    m->iov[m->count++] = (struct iovec){frame + m->head_len, body};
    m->total += body;
    m->next_seq += (uint32_t)body;
    if (!m->udp)
        m->tcp_flags = frame[m->l4 + TCP_FLAGS] & (TCP_FIN | TCP_PSH);
    m->closed = meta->last || body < m->mss || m->tcp_flags;
    return true;
}

static uint8_t gso_type(const struct offload_merge *m, const uint8_t *first)
{
    if (m->udp)
        return VIRTIO_NET_HDR_GSO_UDP_L4;
    uint8_t type = m->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    return first[m->l4 + TCP_FLAGS] & TCP_CWR ? type | VIRTIO_NET_HDR_GSO_ECN : type;
}

void offload_merge_finish(struct offload_merge *m)
{
    if (m->count <= BODIES)
        return;
    uint8_t *first = m->iov[FIRST].iov_base;
    uint8_t *ip = first + m->l3, *l4 = first + m->l4;
    if (m->v6)
        put16(ip + IPV6_BODY_LEN, (uint16_t)(m->total - m->l3 - IPV6_LEN));
    else
        offload_ipv4_fill(ip, offload_ipv4_base(ip), (uint16_t)(m->total - m->l3), m->ip_id);
    if (m->udp)
        put16(l4 + UDP_TOTAL_LEN, (uint16_t)(m->total - m->l4));
    else
        l4[TCP_FLAGS] |= m->tcp_flags;
    put16(csum_field(m, first), pseudo_with(m->pseudo, m->total - m->l4));
    m->vnet.gso_type = gso_type(m, first);
    m->vnet.hdr_len = (uint16_t)m->head_len;
    m->vnet.gso_size = (uint16_t)m->mss;
}
