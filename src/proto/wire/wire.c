/* SPDX-License-Identifier: Apache-2.0 */
/* The datagram's outer and inner header: docs/PROTOCOL.md §3. Pure; any thread. A decoder accepts exactly
 * what the encoder can produce, so every datagram has one spelling and later versions can give meaning to
 * what is refused today. */

#include "proto/wire/wire.h"

#define ETHERNET_LEN 14

enum wire_class wire_classify(const uint8_t *data, size_t len)
{
    if (len == 0)
        return WIRE_CLASS_OTHER;
    if (data[0] <= 0x03)
        return WIRE_CLASS_STUN;
    if (data[0] >= WIRE_DATA && data[0] <= WIRE_PROBE)
        return WIRE_CLASS_SESSION;
    return data[0] == WIRE_RELAY ? WIRE_CLASS_RELAY : WIRE_CLASS_OTHER;
}

enum drop wire_header_decode(const uint8_t *data, size_t len, struct wire_header *h)
{
    if (len < WIRE_OVERHEAD)
        return DROP_SHORT;

    struct reader r = reader_init(data, WIRE_HEADER_LEN);
    h->type = reader_u8(&r);
    h->lane = reader_u8(&r);
    uint16_t zero = reader_u16(&r);
    h->receiver = reader_u32(&r);
    h->counter = reader_u64(&r);

    if (h->type < WIRE_DATA || h->type > WIRE_PROBE)
        return DROP_TYPE; /* a relay envelope is unwrapped before this, by whoever carries it */
    if (zero)
        return DROP_RESERVED;
    return wire_lane_fits(h->type, h->lane) ? DROP_NONE : DROP_LANE;
}

void wire_inner_encode(const struct wire_inner *in, uint8_t out[WIRE_INNER_LEN])
{
    struct writer w = writer_init(out, WIRE_INNER_LEN);

    writer_u8(&w, in->flags);
    writer_u8(&w, in->position);
    writer_u16(&w, in->group);
    writer_u16(&w, in->csum_start);
    writer_u16(&w, in->csum_offset);
    writer_u16(&w, in->frag_offset);
    writer_u16(&w, in->frag_total);
}

/* Each flag stands alone with its fields, and the others are zero: a train's segments are never fragmented, since
 * both name a group. */
static bool flags_valid(const struct wire_inner *in)
{
    unsigned others = in->flags & WIRE_FLAG_CSUM ? 0 : in->csum_start | in->csum_offset;

    switch (in->flags & ~WIRE_FLAG_CSUM) {
    case 0:
        others |= in->position | in->group | in->frag_offset | in->frag_total;
        break;
    case WIRE_FLAG_TRAIN:
    case WIRE_FLAG_TRAIN | WIRE_FLAG_LAST:
        others |= in->frag_offset | in->frag_total;
        break;
    case WIRE_FLAG_FRAGMENT:
        others |= in->position;
        break;
    default:
        return false;
    }
    return others == 0;
}

enum drop wire_inner_decode(const uint8_t *data, size_t len, struct wire_inner *in)
{
    if (len < WIRE_INNER_LEN)
        return DROP_INNER;

    struct reader r = reader_init(data, WIRE_INNER_LEN);
    in->flags = reader_u8(&r);
    in->position = reader_u8(&r);
    in->group = reader_u16(&r);
    in->csum_start = reader_u16(&r);
    in->csum_offset = reader_u16(&r);
    in->frag_offset = reader_u16(&r);
    in->frag_total = reader_u16(&r);
    if (!flags_valid(in))
        return DROP_INNER;

    size_t frame = len - WIRE_INNER_LEN;
    if (in->flags & WIRE_FLAG_FRAGMENT) {
        if (frame == 0 || in->frag_total > WIRE_FRAME_MAX || in->frag_offset + frame > in->frag_total)
            return DROP_INNER;
        frame = in->frag_total;
    }
    if (in->flags & WIRE_FLAG_CSUM &&
        (in->csum_start < ETHERNET_LEN || (size_t)in->csum_start + in->csum_offset + 2 > frame))
        return DROP_INNER;
    return DROP_NONE;
}
