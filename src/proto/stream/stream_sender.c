/* SPDX-License-Identifier: Apache-2.0 */
/* Each segment waits for an answer of its own: what was lost is known without a list of ranges. docs/PROTOCOL.md §16. */

#include "proto/stream/stream_sender.h"

#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

#define REPEAT_UNKNOWN_US 500000ull /* while no round trip is known */
#define REPEAT_LEAST_US   100000ull
#define REPEAT_MOST_US    500000ull /* or twice what the round trip asks for */
#define OVERTAKEN_LOST    3         /* answers of later segments by which an earlier one is lost */
#define DOUBLINGS_MAX     5

void stream_sender_init(struct stream_sender *s, uint64_t rtt_us)
{
    *s = (struct stream_sender){.rtt_us = rtt_us, .deviation_us = rtt_us / 2};
}

void stream_sender_fini(struct stream_sender *s)
{
    free(s->bytes);
    *s = (struct stream_sender){0};
}

int stream_sender_write(struct stream_sender *s, const uint8_t *data, size_t len)
{
    if (s->ended || len > STREAM_WINDOW - s->len)
        return ERR_SPACE;
    if (s->len + len > s->cap) {
        uint8_t *more = realloc(s->bytes, s->len + len);
        if (!more)
            return ERR_NOMEM;
        s->bytes = more;
        s->cap = s->len + len;
    }
    if (len)
        memcpy(s->bytes + s->len, data, len);
    s->len += len;
    return 0;
}

void stream_sender_end(struct stream_sender *s)
{
    s->ended = true;
}

/* How many bytes of the stream it stands for. */
static uint64_t length(const struct stream_flight *f)
{
    return (uint64_t)f->len + f->last;
}

static uint64_t written(const struct stream_sender *s)
{
    return s->answered + s->len;
}

static uint64_t overdue_us(const struct stream_sender *s, const struct stream_flight *f)
{
    uint64_t wait_us = s->rtt_us ? s->rtt_us + 4 * s->deviation_us : REPEAT_UNKNOWN_US;
    wait_us = wait_us < REPEAT_LEAST_US ? REPEAT_LEAST_US : wait_us;
    uint64_t most_us = 2 * wait_us > REPEAT_MOST_US ? 2 * wait_us : REPEAT_MOST_US;
    wait_us <<= f->sends - 1 < DOUBLINGS_MAX ? f->sends - 1 : DOUBLINGS_MAX;
    return f->sent_us + (wait_us > most_us ? most_us : wait_us);
}

static bool is_lost(const struct stream_sender *s, const struct stream_flight *f, uint64_t now_us)
{
    return !f->answered && (f->overtaken >= OVERTAKEN_LOST || now_us >= overdue_us(s, f));
}

static void put_out(struct stream_sender *s, struct stream_flight *f, uint64_t now_us, struct segment *out)
{
    if (s->flights == 1 && f->sends == 0)
        s->progress_us = now_us; /* nothing was out before */
    f->sends += f->sends < UINT8_MAX;
    f->overtaken = 0;
    f->order = ++s->order;
    f->sent_us = now_us;
    *out =
        (struct segment){.offset = f->offset,
                         .len = f->len,
                         .flags = (uint8_t)((s->heard ? 0 : SEGMENT_FIRST) | (f->last ? SEGMENT_LAST : 0))};
    if (f->len)
        memcpy(out->data, s->bytes + (f->offset - s->answered), f->len);
}

/* Something new may be cut off. */
static bool has_more(const struct stream_sender *s)
{
    return s->flights < STREAM_FLIGHT_MAX && (s->cut < written(s) || (s->ended && !s->last_cut));
}

bool stream_sender_next(struct stream_sender *s, size_t room, uint64_t now_us, struct segment *out)
{
    for (unsigned i = 0; i < s->flights; i++) {
        if (!is_lost(s, &s->flight[i], now_us))
            continue;
        put_out(s, &s->flight[i], now_us, out);
        return true;
    }
    if (!has_more(s))
        return false;
    uint64_t left = written(s) - s->cut;
    size_t most = room < MESSAGE_SEGMENT_MAX ? room : MESSAGE_SEGMENT_MAX;
    struct stream_flight *f = &s->flight[s->flights++];
    *f = (struct stream_flight){.offset = s->cut, .len = (uint16_t)(left < most ? left : most)};
    f->last = s->ended && f->len == left;
    s->last_cut = f->last;
    s->cut += f->len;
    put_out(s, f, now_us, out);
    return true;
}

/* RFC 6298. What was repeated tells nothing: which one was answered? */
static void measure(struct stream_sender *s, const struct stream_flight *f, uint64_t now_us)
{
    if (f->sends != 1)
        return;
    uint64_t rtt_us = now_us - f->sent_us;
    if (s->rtt_us == 0) {
        s->rtt_us = rtt_us + 1;
        s->deviation_us = rtt_us / 2;
        return;
    }
    uint64_t off_us = rtt_us > s->rtt_us ? rtt_us - s->rtt_us : s->rtt_us - rtt_us;
    s->deviation_us = (3 * s->deviation_us + off_us) / 4;
    s->rtt_us = (7 * s->rtt_us + rtt_us) / 8 + 1;
}

static void on_one(struct stream_sender *s, struct stream_flight *f, uint64_t now_us)
{
    f->answered = true;
    measure(s, f, now_us);
    for (unsigned i = 0; i < s->flights; i++) {
        struct stream_flight *other = &s->flight[i];
        if (!other->answered && other->order < f->order)
            other->overtaken += other->overtaken < OVERTAKEN_LOST;
    }
}

/* What lies before the first byte that is not answered is needed no more. */
static void forget(struct stream_sender *s)
{
    uint64_t least = s->cut;
    unsigned kept = 0;
    for (unsigned i = 0; i < s->flights; i++)
        if (!s->flight[i].answered)
            s->flight[kept++] = s->flight[i];
    s->flights = kept;
    for (unsigned i = 0; i < kept; i++)
        least = s->flight[i].offset < least ? s->flight[i].offset : least;
    size_t gone = (size_t)(least - s->answered);
    if (gone)
        memmove(s->bytes, s->bytes + gone, s->len - gone);
    s->len -= gone;
    s->answered = least;
}

int stream_sender_on_answer(struct stream_sender *s, const struct segment_answer *a, uint64_t now_us)
{
    if (a->received > s->cut + s->last_cut || a->offset > s->cut)
        return ERR_FORMAT;
    bool progress = false;
    for (unsigned i = 0; i < s->flights; i++) {
        struct stream_flight *f = &s->flight[i];
        if (f->answered || (f->offset != a->offset && f->offset + length(f) > a->received))
            continue;
        on_one(s, f, now_us);
        progress = true;
    }
    if (!progress)
        return 0;
    s->heard = true;
    s->progress_us = now_us;
    forget(s);
    return 0;
}

bool stream_sender_is_done(const struct stream_sender *s)
{
    return s->last_cut && s->flights == 0;
}

/* Who answers nothing at all is not there. */
static uint64_t stalled_us(const struct stream_sender *s)
{
    return s->progress_us + (s->heard ? STREAM_STALL_US : STREAM_UNHEARD_US + 4 * s->rtt_us);
}

bool stream_sender_is_stalled(const struct stream_sender *s, uint64_t now_us)
{
    return s->flights && now_us >= stalled_us(s);
}

uint64_t stream_sender_deadline(const struct stream_sender *s)
{
    if (has_more(s))
        return 0;
    uint64_t at = s->flights ? stalled_us(s) : TIME_NEVER;
    for (unsigned i = 0; i < s->flights; i++) {
        const struct stream_flight *f = &s->flight[i];
        uint64_t lost_us = f->overtaken >= OVERTAKEN_LOST ? 0 : overdue_us(s, f);
        at = lost_us < at ? lost_us : at;
    }
    return at;
}
