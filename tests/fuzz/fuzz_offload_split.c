/* SPDX-License-Identifier: Apache-2.0 */
/* What a TAP hands out, and a room to cut it to: virtio header (10), room (2, big-endian), frame. The
 * segments must cover the payload exactly, agree with their own lengths, and be taken by a merge without
 * harm. */

#include "frame/flow.h"
#include "frame/offload.h"
#include "net/tap.h"

#include <stdlib.h>
#include <string.h>

#define ALL (OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_USO)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
    if (!what)
        abort();
}

static void flush(struct offload_merge *m, uint8_t *frames[], unsigned *held)
{
    offload_merge_finish(m);
    require(m->count >= 2 && m->iov[0].iov_len == sizeof(struct virtio_net_hdr));
    for (unsigned i = 0; i < *held; i++)
        free(frames[i]);
    m->count = 0;
    *held = 0;
}

static void walk(struct offload_split *s, size_t room)
{
    struct offload_merge m = {.count = 0};
    struct offload_segment seg;
    uint8_t *frames[OFFLOAD_SEGMENTS + 1];
    unsigned held = 0, n = 0;
    size_t covered = 0;
    for (; offload_split_next(s, &seg); n++) {
        size_t len = seg.head_len + seg.body_len;
        require(seg.head_len <= OFFLOAD_HEAD_MAX && seg.body == s->frame + seg.head_len + covered);
        require(len <= s->segment_len && (n + 1 == s->segments || len == s->segment_len));
        require(len <= room || s->segment_len > room);
        require(seg.csum.partial && (size_t)seg.csum.start + seg.csum.offset + 2 <= seg.head_len);
        covered += seg.body_len;
        uint8_t *f = malloc(len);
        memcpy(f, seg.head, seg.head_len);
        memcpy(f + seg.head_len, seg.body, seg.body_len);
        struct offload_meta meta = {seg.csum, true, n + 1 == s->segments, 1, (uint8_t)n};
        if (!offload_merge_add(&m, &meta, f, len, ALL)) {
            flush(&m, frames, &held);
            require(offload_merge_add(&m, &meta, f, len, ALL));
        }
        require(held <= OFFLOAD_SEGMENTS);
        frames[held++] = f;
    }
    if (held)
        flush(&m, frames, &held);
    require(n == s->segments && n > 1 && s->head_len + covered == s->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct virtio_net_hdr vnet;
    struct offload_split s;
    if (size < sizeof(vnet) + 2)
        return 0;
    memcpy(&vnet, data, sizeof(vnet));
    size_t room = (size_t)data[10] << 8 | data[11];
    size_t len = size - sizeof(vnet) - 2;
    uint8_t *frame = malloc(len + 1);
    memcpy(frame + 1, data + sizeof(vnet) + 2, len);
    enum offload_verdict v = offload_split_begin(&s, &vnet, frame + 1, len, room);
    if (v == OFFLOAD_TRAIN)
        walk(&s, room);
    else
        require(v == OFFLOAD_INVALID || (v == OFFLOAD_WHOLE) == (len <= room));
    if (v != OFFLOAD_INVALID && s.csum.partial)
        require((size_t)s.csum.start + s.csum.offset + 2 <= len);
    (void)offload_ecn(frame + 1, len);
    (void)offload_ecn_mark(frame + 1, len);
    (void)flow_hash(frame + 1, len);
    free(frame);
    return 0;
}
