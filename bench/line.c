/* SPDX-License-Identifier: Apache-2.0 */
/* Frames on the way are a list. A super-frame out of which a packet is taken is cut, and put together again, as a node
 * does it (frame/offload.h). */

#include "line.h"

#include "frame/offload.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VNET_LEN         sizeof(struct virtio_net_hdr)
#define CUT_MAX          (OFFLOAD_FRAME_MAX + OFFLOAD_SEGMENTS * OFFLOAD_HEAD_MAX)
#define OFFLOADS         (OFFLOAD_CSUM | OFFLOAD_TSO | OFFLOAD_USO)
#define BITS             8
#define SECOND_NS        1e9
#define ECN_CAPABLE(ecn) ((ecn) == 1 || (ecn) == 2)

struct parcel {
    struct parcel *next;
    uint64_t due_ns;
    size_t len;
    uint8_t data[];
};

struct line {
    struct line_config config;
    uint64_t random, gap; /* packets until the next is lost */
    uint64_t busy_ns;     /* until then the rate is taken */
    size_t held;
    struct parcel *first, **end;
    struct line_counters counters;
    uint8_t cut[CUT_MAX]; /* the segments of a piece */
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(struct line *l)
{
    uint64_t z = l->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Gaps between losses with one chance each are geometric: one draw a loss instead of one a packet. */
static void draw_gap(struct line *l)
{
    double unit = ((double)(draw(l) >> 11) + 1) * 0x1p-53;
    double gap = l->config.loss > 0 ? log(unit) / log1p(-l->config.loss) : INFINITY;
    l->gap = gap < 1e18 ? (uint64_t)gap : UINT64_MAX;
}

int line_new(const struct line_config *config, struct line **out)
{
    struct line *l = calloc(1, sizeof(*l));
    if (!l)
        return ERR_NOMEM;
    l->config = *config;
    l->random = config->seed;
    l->end = &l->first;
    draw_gap(l);
    *out = l;
    return 0;
}

void line_free(struct line *l)
{
    while (l->first)
        line_pop(l);
    free(l);
}

/* ---- onto the wire ---- */

static void enqueue(struct line *l, const struct iovec *iov, int count, size_t len, uint64_t due_ns)
{
    struct parcel *p = malloc(sizeof(*p) + len);
    if (!p) {
        l->counters.no_room++;
        return;
    }
    p->next = NULL;
    p->due_ns = due_ns;
    p->len = 0;
    for (int i = 0; i < count; i++) {
        memcpy(p->data + p->len, iov[i].iov_base, iov[i].iov_len);
        p->len += iov[i].iov_len;
    }
    l->held += sizeof(*p) + len;
    *l->end = p;
    l->end = &p->next;
}

/* When a packet's turn begins. */
static uint64_t turn_ns(const struct line *l, uint64_t now_ns)
{
    return l->busy_ns > now_ns ? l->busy_ns : now_ns;
}

static void mark(struct line *l, uint8_t *frame, size_t len)
{
    if (offload_ecn_mark(frame, len))
        l->counters.marked++;
}

/* A piece of so many packets: iov[0] is its virtio header, iov[1] begins with its Ethernet header. */
static void send_piece(struct line *l, struct iovec *iov, int count, unsigned packets, uint64_t now_ns)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    uint64_t begin_ns = turn_ns(l, now_ns);
    if (l->config.rate > 0 && begin_ns - now_ns > l->config.buffer_ns) {
        l->counters.overflowed += packets;
        return;
    }
    if (l->held + sizeof(struct parcel) + len > l->config.room) {
        l->counters.no_room += packets;
        return;
    }
    l->counters.passed += packets;
    l->busy_ns = begin_ns;
    if (l->config.rate > 0)
        l->busy_ns += (uint64_t)((double)(len - VNET_LEN) * BITS * SECOND_NS / l->config.rate);
    enqueue(l, iov, count, len, l->busy_ns + l->config.delay_ns);
}

enum fate { FATE_PASS, FATE_MARK, FATE_LOSE };

/* Of the next packet. */
static enum fate fate_of(struct line *l, const uint8_t *frame, size_t len, uint64_t now_ns)
{
    bool marks = l->config.mark && ECN_CAPABLE(offload_ecn(frame, len));
    if (l->gap) {
        l->gap -= l->gap != UINT64_MAX;
        return marks && turn_ns(l, now_ns) - now_ns > l->config.buffer_ns / 2 ? FATE_MARK : FATE_PASS;
    }
    draw_gap(l);
    return marks ? FATE_MARK : FATE_LOSE;
}

static void push_single(struct line *l, struct virtio_net_hdr *vnet, uint8_t *frame, size_t len,
                        uint64_t now_ns)
{
    enum fate fate = fate_of(l, frame, len, now_ns);
    struct iovec iov[] = {{vnet, VNET_LEN}, {frame, len}};
    if (fate == FATE_LOSE) {
        l->counters.lost++;
        return;
    }
    if (fate == FATE_MARK)
        mark(l, frame, len);
    send_piece(l, iov, 2, 1, now_ns);
}

/* ---- super-frames ---- */

struct cutter {
    struct line *line;
    struct offload_merge merge;
    unsigned packets;  /* in the piece */
    size_t used;       /* of line->cut */
    unsigned position; /* in the super-frame */
    uint64_t now_ns;
};

static void flush(struct cutter *c)
{
    if (!c->packets)
        return;
    offload_merge_finish(&c->merge);
    send_piece(c->line, c->merge.iov, c->merge.count, c->packets, c->now_ns);
    c->merge.count = 0;
    c->packets = 0;
    c->used = 0;
}

/* The segment becomes part of the piece. With alone, it is one by itself. */
static void add(struct cutter *c, const struct offload_meta *meta, uint8_t *frame, size_t len, bool alone)
{
    if (alone || !offload_merge_add(&c->merge, meta, frame, len, OFFLOADS)) {
        flush(c);
        memmove(c->line->cut, frame, len);
        (void)offload_merge_add(&c->merge, meta, c->line->cut, len, OFFLOADS);
    }
    c->used += len;
    c->packets++;
    if (alone || c->packets == OFFLOAD_SEGMENTS)
        flush(c);
}

static void cut(struct cutter *c, const struct offload_segment *s)
{
    struct line *l = c->line;
    uint8_t *frame = l->cut + c->used;
    size_t len = s->head_len + s->body_len;
    const struct offload_meta meta = {.csum = s->csum, .train = true, .position = (uint8_t)c->position++};
    memcpy(frame, s->head, s->head_len);
    memcpy(frame + s->head_len, s->body, s->body_len);
    enum fate fate = fate_of(l, frame, len, c->now_ns);
    if (fate == FATE_LOSE) {
        l->counters.lost++;
        flush(c);
        return;
    }
    if (fate == FATE_MARK)
        mark(l, frame, len);
    add(c, &meta, frame, len, fate == FATE_MARK || l->config.rate > 0);
}

static void push_train(struct line *l, struct offload_split *s, struct virtio_net_hdr *vnet, uint8_t *frame,
                       size_t len, uint64_t now_ns)
{
    struct cutter c = {.line = l, .now_ns = now_ns};
    struct offload_segment segment;
    if (s->segments <= l->gap && l->config.rate <= 0) {
        struct iovec iov[] = {{vnet, VNET_LEN}, {frame, len}};
        l->gap -= l->gap == UINT64_MAX ? 0 : s->segments;
        send_piece(l, iov, 2, s->segments, now_ns);
        return;
    }
    while (offload_split_next(s, &segment))
        cut(&c, &segment);
    flush(&c);
}

void line_push(struct line *l, struct virtio_net_hdr *vnet, uint8_t *frame, size_t len, uint64_t now_ns)
{
    struct offload_split s;
    if (offload_split_begin(&s, vnet, frame, len, OFFLOAD_FRAME_MAX) == OFFLOAD_TRAIN)
        push_train(l, &s, vnet, frame, len, now_ns);
    else
        push_single(l, vnet, frame, len, now_ns);
}

/* ---- off the wire ---- */

uint8_t *line_front(const struct line *l, uint64_t now_ns, size_t *len)
{
    if (!l->first || l->first->due_ns > now_ns)
        return NULL;
    *len = l->first->len;
    return l->first->data;
}

void line_pop(struct line *l)
{
    struct parcel *p = l->first;
    l->first = p->next;
    if (!l->first)
        l->end = &l->first;
    l->held -= sizeof(*p) + p->len;
    free(p);
}

uint64_t line_next(const struct line *l)
{
    return l->first ? l->first->due_ns : UINT64_MAX;
}

struct line_counters line_counters(const struct line *l)
{
    return l->counters;
}
