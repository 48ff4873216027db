/* SPDX-License-Identifier: Apache-2.0 */
/* Two directions that know nothing of each other, under one number. docs/PROTOCOL.md §16. */

#include "proto/stream/session_stream.h"

#include <stdlib.h>

struct session_stream *session_stream_new(uint32_t number, uint64_t conn, bool ours, uint64_t rtt_us)
{
    struct session_stream *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->number = number;
    s->conn = conn;
    s->ours = ours;
    stream_sender_init(&s->out, rtt_us);
    return s;
}

void session_stream_free(struct session_stream *s)
{
    if (!s)
        return;
    stream_sender_fini(&s->out);
    stream_receiver_fini(&s->in);
    free(s);
}

int session_stream_on_segment(struct session_stream *s, const struct segment *in,
                              struct segment_answer *answer)
{
    int err = stream_receiver_add(&s->in, in);
    if (err)
        return err;
    *answer = (struct segment_answer){
        .stream = s->number, .offset = in->offset, .received = stream_receiver_received(&s->in)};
    return 0;
}

void session_stream_let_go(struct session_stream *s)
{
    s->conn = 0;
    stream_sender_end(&s->out);
}

bool session_stream_is_over(struct session_stream *s, uint64_t now_us)
{
    if (!s->conn && !s->until_us)
        s->until_us = now_us + STREAM_LINGER_US;
    if (!s->conn && (now_us >= s->until_us || stream_sender_is_done(&s->out)))
        return true;
    return stream_sender_is_stalled(&s->out, now_us);
}

uint64_t session_stream_deadline(const struct session_stream *s)
{
    uint64_t at = stream_sender_deadline(&s->out);
    return !s->conn && s->until_us < at ? s->until_us : at;
}
