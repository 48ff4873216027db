/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Super-frames to segments and back, in terms of virtio_net_hdr (virtio 1.2 §5.1.6). A TAP hands us up to 64
 * KB of TCP or UDP in one frame; it is cut to what the path carries (its segments form a train), and at the
 * other end the segments are written back as one. No payload is copied: a segment is its own headers plus a
 * slice of the super-frame, a merged train is one iovec per segment. Worker threads; pure apart from the
 * caller's memory. */

#include "base/err.h"
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define OFFLOAD_HEAD_MAX                                                                                     \
    256 /* Ethernet + 2 VLAN tags + IPv6 with extension headers or IPv4 with options + TCP with options */
#define OFFLOAD_SEGMENTS  64 /* of one train: UDP_MAX_SEGMENTS */
#define OFFLOAD_FRAME_MAX 65562

/* What the other side of a device does by itself (virtio 1.2 §5.1.3). */
enum offload { OFFLOAD_CSUM = 1, OFFLOAD_TSO = 2, OFFLOAD_USO = 4 };

/* Where a frame's checksum is still to be filled. */
struct offload_csum {
    bool partial;
    uint16_t start, offset; /* bytes from the Ethernet header; bytes from start */
};

enum offload_verdict {
    OFFLOAD_WHOLE,    /* it fits: send as it is */
    OFFLOAD_TRAIN,    /* offload_split_next yields its segments */
    OFFLOAD_FRAGMENT, /* does not fit and cannot be segmented: fragment it in the tunnel */
    OFFLOAD_INVALID,  /* contradicts its own virtio header: drop */
};

struct offload_split {
    const uint8_t *frame;
    size_t len;
    struct offload_csum csum; /* for OFFLOAD_WHOLE and OFFLOAD_FRAGMENT */
    unsigned segments;  /* for OFFLOAD_TRAIN; may exceed OFFLOAD_SEGMENTS: then the caller counts a new train
                           every OFFLOAD_SEGMENTS */
    size_t segment_len; /* length of each segment but the last, headers included */
    /* private */
    size_t head_len, l3, l4, body_len, mss;
    unsigned next;
    bool v6, udp;
    uint32_t tcp_seq, ip_base;
    uint16_t ip_id, pseudo; /* the partial checksum without its length part */
};

/* Examines a frame read from the TAP. room is the longest Ethernet frame that one datagram carries.
 *
 * TCP super-frames are cut at gso_size or, when that is less, to room: never above gso_size, so that a merged
 * train still passes a bridge behind the other TAP. Single TCP frames with a partial checksum that do not fit
 * are cut to room in the same way.
 *
 * UDP super-frames (USO) are cut strictly at gso_size, which is the application's datagram: when such a
 * segment does not fit, the verdict is still OFFLOAD_TRAIN, with segment_len > room; then the caller sends
 * each segment longer than room as a fragmented frame of its own (with its csum) and marks none as a train.
 *
 * A super-frame of a single segment is OFFLOAD_WHOLE or OFFLOAD_FRAGMENT. OFFLOAD_FRAGMENT is also what TCP
 * with SYN, RST or URG, IP fragments, and frames whose lengths do not agree get when they do not fit. */
enum offload_verdict offload_split_begin(struct offload_split *s, const struct virtio_net_hdr *vnet,
                                         const uint8_t *frame, size_t len, size_t room);

struct offload_segment {
    uint8_t head[OFFLOAD_HEAD_MAX]; /* Ethernet, IP, TCP/UDP headers, rewritten for this segment: IPv4 id,
                                       lengths and header checksum, TCP sequence and flags (FIN and PSH on the
                                       last, CWR on the first only), pseudo-header checksum */
    size_t head_len;
    const uint8_t *body; /* a slice of the super-frame */
    size_t body_len;
    struct offload_csum csum;
};

/* False when there are no more. csum.partial is always set. */
bool offload_split_next(struct offload_split *s, struct offload_segment *out);

/* What the worker knows of an opened frame from its inner header. */
struct offload_meta {
    struct offload_csum csum;
    bool train, last;
    uint16_t group;
    uint8_t position;
};

/* A train in the making: consecutive segments of one group. Begins as all zeros; it must not move while it
 * holds frames (iov[0] points into it). */
struct offload_merge {
    struct virtio_net_hdr vnet;
    struct iovec iov[OFFLOAD_SEGMENTS + 2]; /* [0] the vnet header, [1] the first frame, then bodies */
    int count;                              /* of iov in use; 0 when empty */
    /* private */
    struct offload_meta meta; /* of the first */
    size_t l3, l4, head_len, mss, total;
    bool v6, udp, closed;
    uint8_t tcp_flags; /* FIN and PSH of the last */
    uint16_t ip_id, pseudo;
    uint32_t next_seq;
};

/* Offers one frame (in the caller's writable memory, which must stay until the merge is flushed). True when
 * it was taken: it began, continued or stood alone. False when it does not continue what is there: the caller
 * flushes and offers again (an empty merge takes anything). offloads says what the TAP accepts: without
 * OFFLOAD_TSO nothing is merged, without CSUM partial checksums are completed here. Frames are checked,
 * never trusted: what contradicts itself is passed alone, unmerged. */
bool offload_merge_add(struct offload_merge *m, const struct offload_meta *meta, uint8_t *frame, size_t len,
                       unsigned offloads);

/* Finishes the headers (lengths, checksums, FIN/PSH, gso fields); then iov[0..count) is ready for tap_write.
 * The caller sets count to 0 after the write. */
void offload_merge_finish(struct offload_merge *m);

/* RFC 6040: the ECN field of the IP packet in a frame (0 when it is not IP), and marking it CE on arrival
 * (ECT only; header checksum adjusted). False when the packet was Not-ECT and must be dropped instead; a
 * frame without an IP packet has nothing to mark and is left as it is. */
uint8_t offload_ecn(const uint8_t *frame, size_t len);
bool offload_ecn_mark(uint8_t *frame, size_t len);
