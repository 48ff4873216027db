/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One direction of a control stream over the session, at the side that sends: cuts bytes into segments, repeats those that are
 * not answered. docs/PROTOCOL.md §16. Pure; control thread. A member of struct session_stream, which alone looks inside. */

#include "base/err.h"
#include "proto/message/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_WINDOW     65536u /* bytes from the first unanswered one: nothing is sent beyond */
#define STREAM_FLIGHT_MAX 16     /* segments that wait for their answer */
#define STREAM_STALL_US   10000000ull
#define STREAM_UNHEARD_US 1000000ull /* and four round trips, as long as nothing was answered */

/* A segment that is out. */
struct stream_flight {
    uint64_t offset;
    uint16_t len;
    bool last;
    bool answered;
    uint8_t sends;     /* how often it was sent */
    uint8_t overtaken; /* how many that were sent later have been answered since */
    uint64_t order;    /* when, among all that were sent */
    uint64_t sent_us;
};

struct stream_sender {
    uint8_t *bytes; /* what was written and not answered: len of cap, the first one has the offset answered */
    size_t len, cap;
    uint64_t answered, cut; /* all before it is; what comes before it was sent */
    bool ended, last_cut;   /* nothing follows bytes; that was sent, too */
    struct stream_flight flight[STREAM_FLIGHT_MAX];
    unsigned flights;
    uint64_t order;
    uint64_t rtt_us, deviation_us; /* smoothed; 0: unknown */
    uint64_t progress_us;          /* when something was last answered, or first sent */
    bool heard;                    /* of anything that was sent */
};

/* rtt_us is the path's, 0 when it is unknown. */
void stream_sender_init(struct stream_sender *s, uint64_t rtt_us);
void stream_sender_fini(struct stream_sender *s);

/* Takes a copy. ERR_SPACE when the peer leaves too much unanswered, ERR_NOMEM. */
int stream_sender_write(struct stream_sender *s, const uint8_t *data, size_t len) must_check;
void stream_sender_end(struct stream_sender *s);

/* The next segment to send now, with at most room bytes of data if it is a new one. False: none. Its stream is the caller's. */
bool stream_sender_next(struct stream_sender *s, size_t room, uint64_t now_us, struct segment *out);

/* ERR_FORMAT: what it says was never sent. */
int stream_sender_on_answer(struct stream_sender *s, const struct segment_answer *a,
                            uint64_t now_us) must_check;

/* All is answered, the end included. */
bool stream_sender_is_done(const struct stream_sender *s);
bool stream_sender_is_stalled(const struct stream_sender *s, uint64_t now_us);
/* When stream_sender_next or stream_sender_is_stalled may next be true; 0: at once; TIME_NEVER. */
uint64_t stream_sender_deadline(const struct stream_sender *s);
