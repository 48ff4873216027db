/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One direction of a control stream over the session, at the side that receives: segments come in any order, and leave in that
 * of the stream. docs/PROTOCOL.md §16. Pure; control thread. A member of struct session_stream, which alone looks inside. */

#include "base/err.h"
#include "proto/message/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_HELD_MAX 16 /* segments that came early */

struct stream_piece {
    struct stream_piece *next;
    uint64_t offset;
    uint16_t len, skip; /* of len bytes, those before skip were delivered before */
    bool last;
    uint8_t data[];
};

struct stream_receiver {
    uint64_t received; /* all bytes before it were taken out */
    struct stream_piece *held;
    unsigned count;
    bool ending;  /* the last segment is in … */
    uint64_t end; /* … and the stream's length, without the end itself */
};

void stream_receiver_fini(struct stream_receiver *r);

/* Keeps a copy. 0: it is to be answered, also when it had come before. ERR_SPACE: there is no room for it now. ERR_NOMEM.
 * ERR_FORMAT: it cannot be part of this stream. */
int stream_receiver_add(struct stream_receiver *r, const struct segment *s) must_check;

/* The next bytes in order, the caller's to free; NULL when they have not come. */
struct stream_piece *stream_receiver_take(struct stream_receiver *r);

/* As an answer tells it: what can be taken out counts, and the end. */
uint64_t stream_receiver_received(const struct stream_receiver *r);
