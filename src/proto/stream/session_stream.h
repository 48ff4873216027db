/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A control stream over a session: a reliable stream of bytes both ways, in segments that may be lost, repeated or overtake
 * each other. docs/PROTOCOL.md §16. Pure: no clock, no I/O; who has it sends the segments and answers. Control thread. */

#include "proto/stream/stream_receiver.h"
#include "proto/stream/stream_sender.h"

#define STREAM_LINGER_US 5000000ull /* how long the end of one that its owner has let go may take */

struct session_stream {
    uint32_t number;   /* on the wire */
    uint64_t conn;     /* its owner's number; 0: let go */
    bool ours;         /* we opened it */
    uint64_t until_us; /* forgotten by then; 0: unknown yet */
    struct stream_sender out;
    struct stream_receiver in;
};

/* rtt_us is the path's, 0 when it is unknown. NULL when out of memory. */
struct session_stream *session_stream_new(uint32_t number, uint64_t conn, bool ours, uint64_t rtt_us);
void session_stream_free(struct session_stream *s);

/* Takes a segment in. 0: answer says so; else as stream_receiver_add. */
int session_stream_on_segment(struct session_stream *s, const struct segment *in,
                              struct segment_answer *answer) must_check;

/* Its owner wants nothing more of it: what was written goes out, then its end. */
void session_stream_let_go(struct session_stream *s);

/* It was let go, and its end has arrived or takes too long from the first such question on; or the peer leaves what was sent
 * unanswered for too long. */
bool session_stream_is_over(struct session_stream *s, uint64_t now_us);
uint64_t session_stream_deadline(const struct session_stream *s);
