/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile peer may send: a byte of offloads, then records of flags (1: train, 2: last, 4: checksum
 * partial), group, position, checksum start (2), offset (1), length (2), frame. Whatever was merged must
 * split again into the very segments it was made of. */

#include "base/bytes.h"
#include "frame/offload.h"
#include "net/tap.h"

#include <stdlib.h>
#include <string.h>

#define FLAG_TRAIN   1
#define FLAG_LAST    2
#define FLAG_PARTIAL 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The frames of the merge in the making, as they came and as they were given away. */
struct held {
    uint8_t *given[OFFLOAD_SEGMENTS], *kept[OFFLOAD_SEGMENTS];
    size_t len[OFFLOAD_SEGMENTS];
    unsigned count;
};

static void require(bool what)
{
    if (!what)
        abort();
}

static size_t gather(const struct offload_merge *m, uint8_t *out)
{
    size_t len = 0;
    for (int i = 1; i < m->count; i++) {
        require(len + m->iov[i].iov_len <= OFFLOAD_FRAME_MAX);
        memcpy(out + len, m->iov[i].iov_base, m->iov[i].iov_len);
        len += m->iov[i].iov_len;
    }
    return len;
}

/* Equal but for the IPv4 header checksum, which is made anew, and the two zeros of a partial checksum. */
static void require_same(const struct offload_split *s, const struct offload_segment *seg,
                         const uint8_t *kept, size_t len)
{
    size_t csum = (size_t)seg->csum.start + seg->csum.offset;
    require(len == seg->head_len + seg->body_len);
    require(memcmp(seg->body, kept + seg->head_len, seg->body_len) == 0);
    for (size_t i = 0; i < seg->head_len; i++)
        if (s->v6 || i - s->l3 - 10 >= 2)
            require(i - csum < 2 || seg->head[i] == kept[i]);
}

static void require_splits_again(const struct offload_merge *m, const struct held *h)
{
    static uint8_t whole[OFFLOAD_FRAME_MAX];
    struct offload_split s;
    struct offload_segment seg;
    size_t len = gather(m, whole);
    require(offload_split_begin(&s, &m->vnet, whole, len, OFFLOAD_FRAME_MAX) == OFFLOAD_TRAIN);
    require(s.segments == h->count);
    for (unsigned i = 0; offload_split_next(&s, &seg); i++)
        require_same(&s, &seg, h->kept[i], h->len[i]);
}

static void flush(struct offload_merge *m, struct held *h)
{
    if (h->count == 0)
        return;
    offload_merge_finish(m);
    require(m->count == (int)h->count + 1);
    if (h->count > 1)
        require_splits_again(m, h);
    else if (m->vnet.flags)
        require((size_t)m->vnet.csum_start + m->vnet.csum_offset + 2 <= h->len[0]);
    for (unsigned i = 0; i < h->count; i++) {
        free(h->given[i]);
        free(h->kept[i]);
    }
    h->count = 0;
    m->count = 0;
}

static uint8_t *duplicate(const uint8_t *data, size_t len)
{
    uint8_t *p = malloc(len ? len : 1);
    if (len)
        memcpy(p, data, len);
    return p;
}

static void offer(struct offload_merge *m, struct held *h, const struct offload_meta *meta,
                  const uint8_t *data, size_t len, unsigned offloads)
{
    uint8_t *frame = duplicate(data, len);
    if (!offload_merge_add(m, meta, frame, len, offloads)) {
        flush(m, h);
        require(offload_merge_add(m, meta, frame, len, offloads));
    }
    require(h->count < OFFLOAD_SEGMENTS);
    h->given[h->count] = frame;
    h->kept[h->count] = duplicate(data, len);
    h->len[h->count++] = len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct offload_merge m = {.count = 0};
    struct held h = {.count = 0};
    struct reader r = reader_init(data, size);
    unsigned offloads = reader_u8(&r);
    while (reader_left(&r) > 0) {
        uint8_t flags = reader_u8(&r);
        struct offload_meta meta = {.train = flags & FLAG_TRAIN, .last = flags & FLAG_LAST};
        meta.group = reader_u8(&r);
        meta.position = reader_u8(&r);
        meta.csum.partial = flags & FLAG_PARTIAL;
        meta.csum.start = reader_u16(&r);
        meta.csum.offset = reader_u8(&r);
        size_t len = reader_u16(&r);
        const uint8_t *frame = reader_take(&r, len);
        if (!frame)
            break;
        offer(&m, &h, &meta, frame, len, offloads);
    }
    flush(&m, &h);
    return 0;
}
