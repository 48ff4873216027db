/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The datagram, byte by byte: docs/PROTOCOL.md §3. Everything here is fixed-size and pure.
 *
 *   outer header, in clear, authenticated        inner header, first bytes of the plaintext
 *   0        1        2        4                 0        1          2              4
 *   +--------+--------+--------+--------+        +--------+----------+--------------+---------------+
 *   | type   | lane   | zero            |        | flags  | position | group id     | csum start    |
 *   +--------+--------+-----------------+        +--------+----------+--------------+---------------+
 *   | receiver index                    |        | csum offset       | frag offset  | frag total    |
 *   +-----------------------------------+        +-------------------+--------------+---------------+
 *   | counter                           |                            6              8              10..12
 *   |                                   |
 *   +-----------------------------------+  then ciphertext (inner header, frame or part of it), then the tag
 */

#include "base/bytes.h"
#include "base/err.h"
#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stdint.h>

#define WIRE_HEADER_LEN   16
#define WIRE_INNER_LEN    12
#define WIRE_TAG_LEN      16
#define WIRE_OVERHEAD     (WIRE_HEADER_LEN + WIRE_INNER_LEN + WIRE_TAG_LEN)
#define WIRE_LANES        16
#define WIRE_LANE_CONTROL 15 /* CONTROL and PROBE: sealed and opened by the control thread only */
#define WIRE_DATA_LANES   15
#define WIRE_LANE_SPARSE  14 /* of flows that carry little, where both ends know it (HELLO_FEATURE_SPARSE) */
#define WIRE_DATAGRAM_MAX 65507 /* UDP payload over IPv4 */
#define WIRE_BASE_SIZE    1200  /* UDP payload that nearly any path carries (RFC 8899 BASE_PLPMTU) */
#define WIRE_LEAST_SIZE   548   /* UDP payload that every path must carry: an IPv4 packet of 576 bytes */
#define WIRE_FRAME_MAX    9022  /* 9000 + Ethernet header + two VLAN tags */

enum wire_type { WIRE_DATA = 0x20, WIRE_CONTROL = 0x21, WIRE_PROBE = 0x22, WIRE_RELAY = 0x23 };

struct wire_header {
    uint8_t type, lane;
    uint32_t receiver;
    uint64_t counter;
};

/* What the first byte of any UDP payload says, before anything is believed. */
enum wire_class { WIRE_CLASS_SESSION, WIRE_CLASS_STUN, WIRE_CLASS_RELAY, WIRE_CLASS_OTHER };
enum wire_class wire_classify(const uint8_t *data, size_t len);

/* DATA travels on the data lanes, CONTROL and PROBE on the control lane. */
static inline bool wire_lane_fits(uint8_t type, uint8_t lane)
{
    return type == WIRE_DATA ? lane < WIRE_DATA_LANES : lane == WIRE_LANE_CONTROL;
}

/* Which of so many workers a DATA datagram is for. The last one has the sparse lane; of the others, that of its lane, shifted
 * by the last byte of its receiver index. The kernel computes the same (net/udp.c). */
static inline unsigned wire_worker(unsigned lane, uint32_t receiver, unsigned workers)
{
    if (workers == 1 || lane == WIRE_LANE_SPARSE)
        return workers - 1;
    return (lane + (receiver & 0xff)) % (workers - 1);
}

/* Inline, so that the header of a datagram never lies in memory but where it is sent from. */
static inline void wire_header_encode(const struct wire_header *h, uint8_t out[WIRE_HEADER_LEN])
{
    struct writer w = writer_init(out, WIRE_HEADER_LEN);

    writer_u8(&w, h->type);
    writer_u8(&w, h->lane);
    writer_u16(&w, 0);
    writer_u32(&w, h->receiver);
    writer_u64(&w, h->counter);
}

/* DROP_NONE, DROP_SHORT (no room for inner header and tag behind it), DROP_TYPE, DROP_RESERVED or DROP_LANE
 * (a lane that does not belong to the type). */
enum drop wire_header_decode(const uint8_t *data, size_t len, struct wire_header *h) must_check;

enum wire_flag {
    WIRE_FLAG_CSUM = 0x01, /* a checksum is still to be filled: sum from csum_start to the end into csum_start
                              + csum_offset */
    WIRE_FLAG_TRAIN = 0x02,    /* one segment of a super-frame: group, position */
    WIRE_FLAG_FRAGMENT = 0x04, /* part of a frame that did not fit: group, frag_offset, frag_total */
    WIRE_FLAG_LAST = 0x08,     /* the last segment of its train */
};

struct wire_inner {
    uint8_t flags;
    uint8_t position;     /* of the segment in its train, from 0 */
    uint16_t group;       /* names the train or the fragmented frame; counts up per lane */
    uint16_t csum_start;  /* bytes from the first of the Ethernet header */
    uint16_t csum_offset; /* bytes from csum_start */
    uint16_t frag_offset; /* bytes from the first of the frame */
    uint16_t frag_total;  /* length of the whole frame */
};

void wire_inner_encode(const struct wire_inner *in, uint8_t out[WIRE_INNER_LEN]);

/* data holds inner header and payload, len bytes. DROP_NONE or DROP_INNER: unknown flags, TRAIN together with
 * FRAGMENT, LAST without TRAIN, fields set that the flags do not call for, a checksum field outside the frame
 * or inside the Ethernet header, an empty fragment or one outside its frame, a frame over WIRE_FRAME_MAX. */
enum drop wire_inner_decode(const uint8_t *data, size_t len, struct wire_inner *in) must_check;
