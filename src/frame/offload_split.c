/* SPDX-License-Identifier: Apache-2.0 */
/* Super-frames from the TAP cut into segments. Worker threads; pure. docs/PROTOCOL.md §5. */

#include "frame/offload.h"

#include "frame/offload_frame.h"
#include <string.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

static size_t csum_field(const struct offload_headers *h)
{
    return h->udp ? UDP_CSUM : TCP_CSUM;
}

/* The pseudo-header's sum without its length (RFC 9293 §3.1, RFC 8200 §8.1), for a super-frame whose checksum
 * the kernel has verified already. */
static uint16_t pseudo_of(const uint8_t *frame, const struct offload_headers *h)
{
    uint64_t protocol = h->udp ? PROTOCOL_UDP : PROTOCOL_TCP;
    const uint8_t *ip = frame + h->l3;
    return sum_fold(h->v6 ? offload_sum(ip + 8, 32, protocol) : offload_sum(ip + 12, 8, protocol));
}

static void prepare(struct offload_split *s, const struct offload_headers *h, size_t mss)
{
    s->v6 = h->v6;
    s->udp = h->udp;
    s->l3 = h->l3;
    s->l4 = h->l4;
    s->head_len = h->head_len;
    s->body_len = s->len - h->head_len;
    s->mss = mss;
    s->segments = (unsigned)((s->body_len + mss - 1) / mss);
    s->segment_len = h->head_len + mss;
    const uint8_t *l4 = s->frame + h->l4;
    s->pseudo =
        s->csum.partial ? pseudo_without(get16(l4 + csum_field(h)), s->len - h->l4) : pseudo_of(s->frame, h);
    if (!h->udp)
        s->tcp_seq = get32(l4 + TCP_SEQ);
    if (!h->v6) {
        s->ip_id = get16(s->frame + h->l3 + IPV4_ID);
        s->ip_base = offload_ipv4_base(s->frame + h->l3);
    }
}

static bool csum_is_transport(const struct offload_csum *c, const struct offload_headers *h)
{
    return c->start == h->l4 && c->offset == csum_field(h);
}

/* One frame. Cutting a TCP segment whose checksum is still to be filled costs nothing, and spares the mesh
 * its fragments; any other is left as it is. */
static enum offload_verdict begin_single(struct offload_split *s, size_t room)
{
    struct offload_headers h;
    if (s->len <= room)
        return OFFLOAD_WHOLE;
    if (!s->csum.partial || !offload_parse(s->frame, s->len, &h) || h.udp || !csum_is_transport(&s->csum, &h))
        return OFFLOAD_FRAGMENT;
    if ((s->frame[h.l4 + TCP_FLAGS] & (TCP_SYN | TCP_RST | TCP_URG)) || room <= h.head_len)
        return OFFLOAD_FRAGMENT;
    if (s->len == h.head_len)
        return OFFLOAD_FRAGMENT;
    prepare(s, &h, room - h.head_len);
    return OFFLOAD_TRAIN;
}

static bool gso_matches(uint8_t type, const struct offload_headers *h)
{
    switch (type) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return !h->udp && !h->v6;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return !h->udp && h->v6;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        return h->udp;
    default:
        return false;
    }
}

static enum offload_verdict begin_super(struct offload_split *s, const struct virtio_net_hdr *vnet,
                                        size_t room)
{
    struct offload_headers h;
    if (vnet->gso_size == 0 || !offload_parse(s->frame, s->len, &h))
        return OFFLOAD_INVALID;
    if (!gso_matches(vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN, &h))
        return OFFLOAD_INVALID;
    if (s->csum.partial ? !csum_is_transport(&s->csum, &h) : !(vnet->flags & VIRTIO_NET_HDR_F_DATA_VALID))
        return OFFLOAD_INVALID;
    if (!h.udp && (s->frame[h.l4 + TCP_FLAGS] & (TCP_SYN | TCP_RST)))
        return OFFLOAD_INVALID;
    size_t mss = vnet->gso_size;
    if (!h.udp) {
        if (room <= h.head_len)
            return OFFLOAD_INVALID;
        if (mss > room - h.head_len)
            mss = room - h.head_len;
    }
    if (s->len - h.head_len <= mss)
        return s->len <= room ? OFFLOAD_WHOLE : OFFLOAD_FRAGMENT;
    prepare(s, &h, mss);
    return OFFLOAD_TRAIN;
}

enum offload_verdict offload_split_begin(struct offload_split *s, const struct virtio_net_hdr *vnet,
                                         const uint8_t *frame, size_t len, size_t room)
{
    memset(s, 0, sizeof(*s));
    s->frame = frame;
    s->len = len;
    if (len < ETH_LEN || len > OFFLOAD_FRAME_MAX || vnet->hdr_len > len)
        return OFFLOAD_INVALID;
    if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        s->csum = (struct offload_csum){true, vnet->csum_start, vnet->csum_offset};
        if (s->csum.start < ETH_LEN || (size_t)s->csum.start + s->csum.offset + 2 > len)
            return OFFLOAD_INVALID;
    }
    if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return begin_single(s, room);
    return begin_super(s, vnet, room);
}

/* CWR answers one congestion mark and belongs to the first segment (RFC 3168 §6.1.2); FIN and PSH speak of
 * the last byte. */
static uint8_t segment_flags(uint8_t flags, bool first, bool last)
{
    if (!first)
        flags &= (uint8_t)~TCP_CWR;
    if (!last)
        flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    return flags;
}

static void fill_tcp(const struct offload_split *s, uint8_t *tcp, size_t at, bool last)
{
    put32(tcp + TCP_SEQ, s->tcp_seq + (uint32_t)at);
    tcp[TCP_FLAGS] = segment_flags(tcp[TCP_FLAGS], at == 0, last);
}

bool offload_split_next(struct offload_split *s, struct offload_segment *out)
{
    if (s->next >= s->segments)
        return false;
    size_t at = (size_t)s->next * s->mss;
    bool last = s->next + 1 == s->segments;
    out->head_len = s->head_len;
    out->body = s->frame + s->head_len + at;
    out->body_len = last ? s->body_len - at : s->mss;
    memcpy(out->head, s->frame, s->head_len);

    uint8_t *ip = out->head + s->l3, *l4 = out->head + s->l4;
    size_t end = s->head_len + out->body_len, l4_len = end - s->l4;
    if (s->v6)
        put16(ip + IPV6_BODY_LEN, (uint16_t)(end - s->l3 - IPV6_LEN));
    else
        offload_ipv4_fill(ip, s->ip_base, (uint16_t)(end - s->l3), (uint16_t)(s->ip_id + s->next));
    if (s->udp)
        put16(l4 + UDP_TOTAL_LEN, (uint16_t)l4_len);
    else
        fill_tcp(s, l4, at, last);
    uint16_t field = s->udp ? UDP_CSUM : TCP_CSUM;
    put16(l4 + field, pseudo_with(s->pseudo, l4_len));
    out->csum = (struct offload_csum){true, (uint16_t)s->l4, field};
    s->next++;
    return true;
}
