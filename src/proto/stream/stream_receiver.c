/* SPDX-License-Identifier: Apache-2.0 */
/* What a liar can make us hold is so many segments. docs/PROTOCOL.md §16. */

#include "proto/stream/stream_receiver.h"

#include "proto/stream/stream_sender.h"
#include <stdlib.h>
#include <string.h>

void stream_receiver_fini(struct stream_receiver *r)
{
    while (r->held) {
        struct stream_piece *next = r->held->next;
        free(r->held);
        r->held = next;
    }
    r->count = 0;
}

static bool lies_beyond(const struct stream_receiver *r, const struct segment *s)
{
    return s->offset > r->received && s->offset - r->received > STREAM_WINDOW - s->len;
}

static bool contradicts(const struct stream_receiver *r, const struct segment *s)
{
    bool last = s->flags & SEGMENT_LAST;
    return (s->len == 0 && !last) || lies_beyond(r, s) ||
           (r->ending && (s->offset + s->len > r->end || (last && s->offset + s->len != r->end)));
}

/* Behind those that begin sooner; NULL: it is there already. */
static struct stream_piece **place_of(struct stream_receiver *r, const struct segment *s)
{
    struct stream_piece **at = &r->held;
    while (*at && (*at)->offset < s->offset)
        at = &(*at)->next;
    for (const struct stream_piece *p = *at; p && p->offset == s->offset; p = p->next)
        if (p->len == s->len && p->last == (bool)(s->flags & SEGMENT_LAST))
            return NULL;
    return at;
}

static bool is_past(const struct stream_receiver *r, const struct segment *s)
{
    return s->offset < r->received && s->offset + s->len + !!(s->flags & SEGMENT_LAST) <= r->received;
}

int stream_receiver_add(struct stream_receiver *r, const struct segment *s)
{
    if (is_past(r, s))
        return 0;
    if (contradicts(r, s))
        return ERR_FORMAT;
    struct stream_piece **at = place_of(r, s);
    if (!at)
        return 0;
    if (r->count >= STREAM_HELD_MAX && s->offset > r->received)
        return ERR_SPACE;
    struct stream_piece *p = malloc(sizeof(*p) + s->len);
    if (!p)
        return ERR_NOMEM;
    *p = (struct stream_piece){
        .next = *at, .offset = s->offset, .len = s->len, .last = s->flags & SEGMENT_LAST};
    memcpy(p->data, s->data, s->len);
    *at = p;
    r->count++;
    if (p->last) {
        r->ending = true;
        r->end = s->offset + s->len;
    }
    return 0;
}

struct stream_piece *stream_receiver_take(struct stream_receiver *r)
{
    while (r->held && r->held->offset <= r->received) {
        struct stream_piece *p = r->held;
        uint64_t end = p->offset + p->len + p->last;
        r->held = p->next;
        r->count--;
        if (end > r->received) {
            p->skip = (uint16_t)(r->received - p->offset);
            r->received = end;
            return p;
        }
        free(p);
    }
    return NULL;
}

uint64_t stream_receiver_received(const struct stream_receiver *r)
{
    uint64_t at = r->received;
    for (const struct stream_piece *p = r->held; p && p->offset <= at; p = p->next)
        if (p->offset + p->len + p->last > at)
            at = p->offset + p->len + p->last;
    return at;
}
