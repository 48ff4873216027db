/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a stream, and between them who loses, repeats, delays and forges what they say, as the input has it. What is
 * held stays bounded. As long as nothing was forged, what comes out is the beginning of what went in. */

#include "proto/stream/stream_set.h"
#include <stdlib.h>
#include <string.h>

#define NUMBER 1
#define KEPT   8
#define LIMIT  (1u << 20) /* bytes written in all */

static void check(bool ok)
{
    if (!ok)
        abort();
}

static const uint8_t *input;
static size_t left;

static unsigned byte(void)
{
    if (left == 0)
        return 0;
    left--;
    return *input++;
}

static uint64_t number(void)
{
    uint64_t n = byte() << 8 | byte();
    switch (byte() & 3) {
    case 0:
        return n;
    case 1:
        return UINT64_MAX - n;
    default:
        return n * 17;
    }
}

static struct session_stream *a, *b;
static uint64_t now_us, written, delivered;
static bool forged, ended;
static struct segment segments[KEPT];
static struct segment_answer answers[KEPT];
static unsigned segment_at, answer_at;

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void write_some(void)
{
    uint8_t text[4096];
    size_t len = (size_t)byte() * 16;
    for (size_t i = 0; i < len; i++)
        text[i] = byte_at(written + i);
    if (written < LIMIT && stream_sender_write(&a->out, text, len) == 0)
        written += len;
}

static void take_out(void)
{
    struct stream_piece *p;
    while ((p = stream_receiver_take(&b->in))) {
        check(p->skip <= p->len);
        for (size_t i = p->skip; i < p->len; i++, delivered++)
            check(forged || p->data[i] == byte_at(delivered));
        check(forged || (!ended && delivered <= written));
        ended |= p->last;
        free(p);
    }
}

static void arrive(const struct segment *s)
{
    struct segment_answer answer;
    if (session_stream_on_segment(b, s, &answer) == 0)
        answers[answer_at++ % KEPT] = answer;
    take_out();
    check(b->in.count <= STREAM_HELD_MAX + 1);
}

static void forge_segment(void)
{
    struct segment s = {.offset = number(), .len = (uint16_t)(number() % (MESSAGE_SEGMENT_MAX + 1))};
    s.flags = (uint8_t)byte();
    forged = true;
    arrive(&s);
}

static void forge_answer(void)
{
    const struct segment_answer lie = {NUMBER, number(), number()};
    forged = true; /* what was lost may be taken for answered */
    (void)!stream_sender_on_answer(&a->out, &lie, now_us);
}

static void send_some(void)
{
    size_t room = 1 + byte() * 8;
    for (unsigned i = byte() % STREAM_FLIGHT_MAX; i > 0; i--)
        if (stream_sender_next(&a->out, room, now_us, &segments[segment_at % KEPT]))
            segment_at++;
}

static void step(void)
{
    unsigned which = byte() % KEPT;
    switch (byte() % 8) {
    case 0:
        write_some();
        break;
    case 1:
        send_some();
        break;
    case 2:
        now_us += 1000 + number() % 3000000;
        break;
    case 3:
    case 4:
        if (which < segment_at)
            arrive(&segments[which]);
        break;
    case 5:
        if (which < answer_at)
            check(stream_sender_on_answer(&a->out, &answers[which], now_us) == 0 || forged);
        break;
    case 6:
        forge_segment();
        break;
    case 7:
        if (byte() & 1)
            forge_answer();
        else
            session_stream_let_go(a);
        break;
    }
    check(a->out.flights <= STREAM_FLIGHT_MAX && a->out.len <= STREAM_WINDOW);
    check(a->out.cut - a->out.answered <= STREAM_WINDOW);
    (void)session_stream_deadline(a);
    (void)session_stream_is_over(a, now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    left = size;
    now_us = 1;
    written = delivered = 0;
    forged = ended = false;
    segment_at = answer_at = 0;
    a = session_stream_new(NUMBER, 1, true, byte() * 1000);
    b = session_stream_new(NUMBER, 1, false, 0);
    check(a && b);
    while (left)
        step();
    session_stream_free(a);
    session_stream_free(b);
    return 0;
}
